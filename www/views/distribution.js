import { describeDistribution, years } from './words.js';

const SVG = 'http://www.w3.org/2000/svg';
const AGES = 100;
const TICKS = [0, 20, 40, 60, 80, 99];
const MARGIN = { top: 20, right: 10, bottom: 20, left: 10 };
// Flat distributions stay flat: the plot is never scaled to less than this probability.
const LEAST_TOP = 0.04;

/** The plot of how likely each age is: a hill over the years, the likely range shaded, the estimate marked. */
export class Distribution {
  #root;
  #svg;
  #axis = element('g', { class: 'axis' });
  #hill = element('path', { class: 'hill' });
  #range = element('path', { class: 'range' });
  #line = element('path', { class: 'outline' });
  #ghost = element('path', { class: 'ghost' });
  #mean = element('line', { class: 'mean' });
  #label = element('text', { class: 'label', 'text-anchor': 'middle' });
  #size = { width: 0, height: 0 };
  #face = null;

  constructor(root) {
    this.#root = root;
    this.#svg = element('svg', { role: 'img', 'aria-label': 'Age distribution: no face yet' });
    this.#svg.append(this.#axis, this.#ghost, this.#hill, this.#range, this.#line, this.#mean, this.#label);
    root.append(this.#svg);
    new ResizeObserver(() => this.#resize()).observe(root);
    this.#resize();
  }

  /** @param {import('../mien.js').Face | null} face */
  show(face) {
    this.#face = face;
    this.#draw();
  }

  #resize() {
    const { clientWidth: width, clientHeight: height } = this.#root;
    if (!width || !height) return;
    this.#size = { width, height };
    this.#svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    this.#drawAxis();
    this.#draw();
  }

  #drawAxis() {
    const { height } = this.#size;
    const base = height - MARGIN.bottom;
    const parts = [element('line', { class: 'base', x1: this.#x(0), x2: this.#x(AGES - 1), y1: base, y2: base })];
    for (const age of TICKS) {
      const x = this.#x(age);
      const text = element('text', { x, y: height - 5, 'text-anchor': 'middle' });
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
      this.#svg.setAttribute('aria-label', 'Age distribution: no face yet');
      return;
    }
    const { age, ageRange, ageDistribution: p } = this.#face;
    const top = Math.max(LEAST_TOP, ...p);
    const base = this.#size.height - MARGIN.bottom;
    const y = (i) => base - (base - MARGIN.top) * (p[i] / top);
    const [low, high] = ageRange.map((bound) => clamp(Math.round(bound), 0, AGES - 1));

    this.#hill.setAttribute('d', this.#area(0, AGES - 1, y, base));
    this.#range.setAttribute('d', this.#area(low, high, y, base));
    this.#line.setAttribute('d', `M${this.#points(0, AGES - 1, y)}`);
    const x = this.#x(clamp(age, 0, AGES - 1));
    set(this.#mean, { x1: x, x2: x, y1: MARGIN.top - 4, y2: base });
    set(this.#label, { x: clamp(x, MARGIN.left + 10, this.#size.width - MARGIN.right - 10), y: MARGIN.top - 8 });
    this.#label.textContent = years(age);
    this.#svg.setAttribute('aria-label', `Age distribution. ${describeDistribution(this.#face)}`);
  }

  // No face yet: the outline of a hill, dashed, which says what will be here.
  #drawGhost() {
    const { height } = this.#size;
    const base = height - MARGIN.bottom;
    const y = (age) => base - (base - MARGIN.top) * 0.8 * Math.exp(-(((age - 44) / 15) ** 2));
    this.#ghost.setAttribute('d', `M${this.#points(0, AGES - 1, y)}`);
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
    const span = this.#size.width - MARGIN.left - MARGIN.right;
    return (MARGIN.left + (span * age) / (AGES - 1)).toFixed(1);
  }
}

function element(name, attributes) {
  const made = document.createElementNS(SVG, name);
  set(made, attributes);
  return made;
}

function set(target, attributes) {
  for (const [name, value] of Object.entries(attributes)) target.setAttribute(name, value);
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
