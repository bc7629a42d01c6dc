import { t } from '../language.js';
import { summary, years } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const AGES = 100;
const TICKS = [0, 20, 40, 60, 80, 99];
// In rem, since they hold letters.
const MARGINS = { top: 1.25, right: 0.625, bottom: 1.25, left: 0.625 };
const TICK_WIDTH = 1.5;
// Flat distributions stay flat: the plot is never scaled to less than this probability.
const LEAST_TOP = 0.04;

/** The plot of how likely each age is: a hill over the years, the likely range shaded, the estimate marked. */
export class Distribution {
  #svg;
  #axis = element('g', { class: 'axis' });
  #hill = element('path', { class: 'hill' });
  #range = element('path', { class: 'range' });
  #line = element('path', { class: 'outline' });
  #ghost = element('path', { class: 'ghost' });
  #mean = element('line', { class: 'mean' });
  #label = element('text', { class: 'label', 'text-anchor': 'middle' });
  #size = { width: 0, height: 0 };
  #rem = 16;
  #margin = MARGINS;
  #face = null;

  constructor(root) {
    this.#svg = element('svg', { role: 'img', 'aria-label': t`Age distribution: no face yet` });
    this.#svg.append(this.#axis, this.#ghost, this.#hill, this.#range, this.#line, this.#mean, this.#label);
    root.append(this.#svg);
    // Told of the plot's size and of the letters', never asked for: words that take another line change the
    // plot's, and asking would have the page laid out once more.
    const rem = document.createElement('i');
    Object.assign(rem.style, { position: 'absolute', width: '1rem' });
    root.append(rem);
    const sizes = new ResizeObserver((entries) => {
      for (const { target, contentRect: { width, height } } of entries) {
        if (target === rem) this.#rem = width;
        else this.#size = { width, height };
      }
      this.#resize();
    });
    sizes.observe(rem);
    sizes.observe(root);
  }

  /** @param {import('../mien.js').Face | null} face */
  show(face) {
    this.#face = face;
    this.#draw();
  }

  #resize() {
    const { width, height } = this.#size;
    if (!width || !height) return;
    this.#margin = Object.fromEntries(Object.entries(MARGINS).map(([side, rem]) => [side, rem * this.#rem]));
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#drawAxis();
    this.#draw();
  }

  #drawAxis() {
    const { width, height } = this.#size;
    const base = height - this.#margin.bottom;
    const parts = [element('line', { class: 'base', x1: this.#x(0), x2: this.#x(AGES - 1), y1: base, y2: base })];
    const all = width > TICKS.length * TICK_WIDTH * this.#rem;
    for (const age of all ? TICKS : [TICKS[0], TICKS.at(-1)]) {
      const x = this.#x(age);
      const text = element('text', { x, y: height - 0.3 * this.#rem, 'text-anchor': 'middle' });
      text.textContent = String(age);
      parts.push(element('line', { x1: x, x2: x, y1: base, y2: base + 4 }), text);
    }
    this.#axis.replaceChildren(...parts);
  }

  #draw() {
    const shapes = [this.#hill, this.#range, this.#line, this.#mean, this.#label];
    for (const shape of shapes) shape.toggleAttribute('hidden', !this.#face);
    this.#ghost.toggleAttribute('hidden', Boolean(this.#face));
    if (!this.#face) {
      this.#drawGhost();
      set(this.#svg, { 'aria-label': t`Age distribution: no face yet` });
      return;
    }
    const { age, ageRange, ageDistribution: p } = this.#face;
    const top = Math.max(LEAST_TOP, ...p);
    const { top: above, left, right, bottom } = this.#margin;
    const base = this.#size.height - bottom;
    const y = (i) => base - (base - above) * (p[i] / top);
    const [low, high] = ageRange.map((bound) => clamp(Math.round(bound), 0, AGES - 1));

    set(this.#hill, { d: this.#area(0, AGES - 1, y, base) });
    set(this.#range, { d: this.#area(low, high, y, base) });
    set(this.#line, { d: `M${this.#points(0, AGES - 1, y)}` });
    const x = this.#x(clamp(age, 0, AGES - 1));
    set(this.#mean, { x1: x, x2: x, y1: above - 4, y2: base });
    set(this.#label, { x: clamp(x, left + 10, this.#size.width - right - 10), y: above - 0.4 * this.#rem });
    if (this.#label.textContent !== years(age)) this.#label.textContent = years(age);
    set(this.#svg, { 'aria-label': t`Age distribution. ${summary(this.#face)}` });
  }

  // No face yet: the outline of a hill, dashed, which says what will be here.
  #drawGhost() {
    const base = this.#size.height - this.#margin.bottom;
    const y = (age) => base - (base - this.#margin.top) * 0.8 * Math.exp(-(((age - 44) / 15) ** 2));
    set(this.#ghost, { d: `M${this.#points(0, AGES - 1, y)}` });
  }

  #area(from, to, y, base) {
    return `M${this.#x(from)} ${base}L${this.#points(from, to, y)}L${this.#x(to)} ${base}Z`;
  }

  #points(from, to, y) {
    const points = [];
    for (let age = from; age <= to; age++) points.push(`${this.#x(age)} ${y(age).toFixed(1)}`);
    return points.join('L');
  }

  #x(age) {
    const { left, right } = this.#margin;
    const span = this.#size.width - left - right;
    return (left + (span * age) / (AGES - 1)).toFixed(1);
  }
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  set(made, attributes);
  return made;
}

function set(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    if (target.getAttribute(name) !== String(value)) target.setAttribute(name, value);
  }
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
