// Steadiness to be seen: what the camera's number has been in the last seconds, as a line with its range around it. It is drawn on a
// canvas, which costs the page no layout, and the same is said in a sentence below.

import { number, t } from '../language.js';
import { styles } from './styles.js';

const SPAN_MS = 30_000;
const EVERY_MS = 250;
// The same number within this is one piece of the line: a slow device, or a moment that the finder missed.
const GAP_MS = 1500;
// The sentence is changed no more often than this, and no sooner than this after the panel's words where these rest.
const SAY_MS = 2000;
const REST_MS = 1000;
// Where nothing is to glide, the line grows to the right, and its window is moved on by this at once.
const PAGE_MS = 10_000;

// The scale has at least so many years, from a multiple of this to another.
const LEAST_YEARS = 20;
const STEP_YEARS = 10;
// In parts of the height.
const LINE = 0.05;
const LETTERS = 0.22;

/** @typedef {{ from: number, to: number, age: number, low: number, high: number }} Run a time in which the number was the same */

/** The line of the chosen face, below the panel's hill. */
export class Steady {
  #root = document.createElement('figure');
  #canvas = document.createElement('canvas');
  #caption = document.createElement('figcaption');
  #latest;
  #result;
  /** @type {Map<number, Run[]>} by track */
  #runs = new Map();
  #shown = [];
  #chosen;
  #now = performance.now();
  #said = -Infinity;
  #pushed = 0;
  #size = [0, 0];
  #colours;
  #reduced = matchMedia('(prefers-reduced-motion: reduce)');
  #closing = new AbortController();

  /**
   * @param {HTMLElement} parent
   * @param {() => import('../mien.js').Result | false} latest the camera's last result, or false where it does not run
   */
  constructor(parent, latest) {
    this.#latest = latest;
    this.#root.className = 'steady';
    this.#canvas.ariaHidden = 'true'; // the sentence says the same
    this.#root.append(this.#canvas, this.#caption);
    parent.append(this.#root);
    const { signal } = this.#closing;
    const sizes = new ResizeObserver(([{ contentRect: { width, height } }]) => {
      this.#size = [width, height];
      this.#draw();
    });
    sizes.observe(this.#canvas);
    const timer = setInterval(() => this.#tick(), EVERY_MS);
    signal.addEventListener('abort', () => {
      clearInterval(timer);
      sizes.disconnect();
    });
    for (const query of ['(prefers-color-scheme: dark)', '(forced-colors: active)']) {
      matchMedia(query).addEventListener('change', () => this.#paint(), { signal });
    }
    styles('steady').then(() => this.#paint());
  }

  /**
   * With the panel's words, so that the page is changed once for both.
   *
   * @param {import('../views/overlay.js').Shown[]} shown
   * @param {number} [chosen] none where nobody is in sight: the last one's line goes on, without a number
   */
  show(shown, chosen = this.#chosen) {
    const isOther = chosen !== this.#chosen;
    [this.#shown, this.#chosen, this.#pushed] = [shown, chosen, performance.now()];
    this.#note();
    this.#say(isOther);
    if (isOther) this.#draw();
  }

  close() {
    this.#closing.abort();
    this.#root.remove();
  }

  #tick() {
    const result = this.#latest();
    if (!result) return; // the camera is off: what was drawn stays
    // A camera that sends nothing, or a page out of sight, has no number to go on with.
    if (result !== this.#result) {
      this.#result = result;
      this.#note();
    }
    if (performance.now() - this.#pushed > REST_MS) this.#say();
    this.#draw();
  }

  /** Writes down what is said of each face now. */
  #note() {
    if (!this.#latest()) return;
    const now = this.#now = performance.now();
    for (const { face, key } of this.#shown) {
      if (face.settled === false) continue;
      const [low, high] = face.ageRange;
      const runs = this.#runs.get(key) ?? [];
      const last = runs.at(-1);
      const goes = last && now - last.to < GAP_MS;
      if (goes) last.to = now;
      if (!goes || last.age !== face.age || last.low !== low || last.high !== high) runs.push({ from: now, to: now, age: face.age, low, high });
      this.#runs.set(key, runs);
    }
    for (const [key, runs] of this.#runs) {
      while (runs.length > 0 && runs[0].to < now - SPAN_MS) runs.shift();
      if (runs.length === 0) this.#runs.delete(key);
    }
  }

  #say(isOther = false) {
    const now = performance.now();
    if (!isOther && now - this.#said < SAY_MS) return;
    this.#said = now;
    const runs = this.#runs.get(this.#chosen) ?? [];
    const isAll = runs.length > 0 && this.#now - runs[0].from > SPAN_MS - EVERY_MS;
    const text = sentence(runs.map(({ age }) => Math.round(age)), isAll);
    if (this.#caption.textContent !== text) this.#caption.textContent = text;
  }

  /** Takes the colours that the style sheet has for it. */
  #paint() {
    const { color, borderTopColor, outlineColor, caretColor } = getComputedStyle(this.#canvas);
    this.#colours = { line: color, grid: borderTopColor, band: caretColor, letters: outlineColor };
    this.#draw();
  }

  #draw() {
    const [width, height] = this.#size;
    if (!width || !height || !this.#colours) return;
    const scale = devicePixelRatio || 1;
    const [w, h] = [width, height].map((side) => Math.round(side * scale));
    if (this.#canvas.width !== w || this.#canvas.height !== h) Object.assign(this.#canvas, { width: w, height: h });
    const context = this.#canvas.getContext('2d');
    context.clearRect(0, 0, w, h);
    const runs = this.#runs.get(this.#chosen) ?? [];
    const [bottom, top] = yearsOf(runs);
    const letters = LETTERS * h;
    const [line, left] = [Math.max(1, LINE * h), 1.8 * letters];
    const edge = letters / 2; // half a number, above and below
    const y = (age) => h - edge - ((h - 2 * edge) * (age - bottom)) / (top - bottom);
    const end = this.#reduced.matches ? Math.ceil(this.#now / PAGE_MS) * PAGE_MS : this.#now;
    const x = (time) => Math.max(left, Math.round(w - line - ((w - line - left) * (end - time)) / SPAN_MS));
    const { grid, band, letters: ink, line: colour } = this.#colours;

    context.strokeStyle = grid;
    context.fillStyle = ink;
    context.lineWidth = Math.max(1, Math.round(scale));
    context.font = `${letters}px system-ui, sans-serif`;
    context.textBaseline = 'middle';
    context.textAlign = 'right';
    for (const age of [bottom, (bottom + top) / 2, top]) {
      context.fillText(number(age), left - letters / 2, y(age));
      path(context, [[left, y(age)], [w, y(age)]]);
    }

    context.fillStyle = band;
    context.beginPath();
    for (const { from, to, low, high } of runs) context.rect(x(from), y(high), Math.max(1, x(to) - x(from)), y(low) - y(high));
    context.globalAlpha = 0.4;
    context.fill();
    context.globalAlpha = 1;

    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = line;
    context.lineJoin = 'round';
    context.lineCap = 'round';
    for (const piece of pieces(runs)) path(context, piece.flatMap(({ from, to, age }) => [[x(from), y(age)], [x(to), y(age)]]));
  }
}

/** @param {number[]} ages @param {boolean} isAll of all the time that the line has, or of a part of it so far */
function sentence(ages, isAll) {
  if (ages.length === 0) return t`No number in the last 30 seconds.`;
  const [low, high] = [Math.min(...ages), Math.max(...ages)];
  if (low === high) return isAll ? t`In the last 30 seconds the age has stood at ${low}.` : t`So far the age has stood at ${low}.`;
  return isAll ? t`In the last 30 seconds the age was between ${low} and ${high}.` : t`So far the age was between ${low} and ${high}.`;
}

/** From which age to which the scale goes. @param {Run[]} runs */
function yearsOf(runs) {
  if (runs.length === 0) return [0, 100];
  let low = Math.floor(Math.min(...runs.map((run) => run.low)) / STEP_YEARS) * STEP_YEARS;
  let high = Math.ceil(Math.max(...runs.map((run) => run.high)) / STEP_YEARS) * STEP_YEARS;
  // Its middle is a whole number, too, and has a line of its own.
  while (high - low < LEAST_YEARS || (high - low) % (2 * STEP_YEARS) !== 0) {
    if (low >= STEP_YEARS && (high - low) % (2 * STEP_YEARS) === 0) low -= STEP_YEARS;
    else high += STEP_YEARS;
  }
  return [low, high];
}

/** Runs that follow one another without a gap. @param {Run[]} runs */
function pieces(runs) {
  const all = [];
  for (const run of runs) {
    const piece = all.at(-1);
    if (piece && run.from <= piece.at(-1).to) piece.push(run);
    else all.push([run]);
  }
  return all;
}

function path(context, points) {
  context.beginPath();
  points.forEach(([x, y], index) => (index === 0 ? context.moveTo(x, y) : context.lineTo(x, y)));
  context.stroke();
}
