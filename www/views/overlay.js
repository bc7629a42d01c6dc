import { t } from '../language.js';
import { ageOnly, describe, isSure, noted, word, yearRange, years } from './words.js';

// A face narrower than this on the stage gets a label of one number, in rem; and all of them from this
// many on.
const ROOM_FOR_WORDS = 4.75;
const MANY = 5;
// What a label keeps away from its face and from the stage's edge.
const GAP = 6;

/**
 * @typedef {{ face: import('../mien.js').Face & { poor?: string }, key: number, number: number }} Shown
 * @typedef {{ button: HTMLButtonElement, chip: HTMLElement, title: HTMLElement, note: HTMLElement, more: HTMLElement,
 *             size: number[], box: number[], at: string, key: number, detail: string }} Mark
 */

/**
 * The frames over the picture: a button each, so that fingers and keyboards can choose a face, and a label.
 * Frames are moved with every picture; words, and where they stand, are seen to when the panel is.
 * Nothing here asks the page for a size: what labels measure comes from an observer, once they have been
 * laid out.
 */
export class Overlay {
  #root;
  #onChoose;
  /** @type {Map<number, Mark>} */
  #marks = new Map();
  #size = [0, 0];
  #rem = 16;
  #dots = false;
  #said = [];
  #labels = new ResizeObserver((entries) => {
    for (const { target, borderBoxSize: [{ inlineSize, blockSize }] } of entries) {
      const mark = this.#marks.get(Number(target.dataset.key));
      if (mark) mark.size = [inlineSize, blockSize];
    }
    this.#placeLabels();
  });

  /** @param {(key: number) => void} onChoose */
  constructor(root, onChoose) {
    this.#root = root;
    this.#onChoose = onChoose;
    root.addEventListener('click', (event) => {
      const button = event.target.closest('.face');
      // From a keyboard or a screen reader a click is the button's own; from a finger, the nearest face's.
      const key = event.detail === 0 || this.#marks.size < 2 ? button?.dataset.key : this.#nearest(event);
      if (key !== undefined) this.#onChoose(Number(key));
    });
  }

  /** The stage's size in CSS pixels, and that of the page's letters. */
  resize(size, rem) {
    this.#size = size;
    this.#rem = rem;
    this.#dots = false; // there may be room now
  }

  /**
   * Moves the frames to where the faces are.
   *
   * @param {Shown[]} shown
   * @param {(box: number[]) => number[]} place from Stage.mapper
   */
  move(shown, place) {
    const keys = new Set(shown.map(({ key }) => key));
    for (const [key, mark] of this.#marks) {
      if (keys.has(key)) continue;
      this.#labels.unobserve(mark.chip);
      mark.button.remove();
      this.#marks.delete(key);
    }
    for (const { face, key } of shown) {
      const mark = this.#mark(key);
      mark.box = place(face.box);
      // Whole pixels of size: a hair more or less would have it laid out again.
      const [x, y, width, height] = mark.box.map((value, index) => value.toFixed(index < 2 ? 1 : 0));
      const at = `${x} ${y} ${width} ${height}`;
      if (at === mark.at) continue;
      mark.at = at;
      const { style } = mark.button;
      style.transform = `translate(${x}px, ${y}px)`;
      style.width = `${width}px`;
      style.height = `${height}px`;
    }
  }

  /**
   * What is said beside each frame, after `move`.
   *
   * @param {Shown[]} shown
   * @param {number | undefined} chosen key of the chosen face
   * @param {boolean} inStrip whether each face is to be found in the strip below, too
   */
  say(shown, chosen, inStrip) {
    const count = shown.length;
    this.#said = [shown, chosen, inStrip];
    if (count < MANY) this.#dots = false;
    this.#root.classList.toggle('several', count > 1);
    for (const { face, key, number } of shown) {
      const mark = this.#mark(key);
      const isChosen = count > 1 && key === chosen;
      const brief = count > 1 && !isChosen && (mark.box[2] < ROOM_FOR_WORDS * this.#rem || count >= MANY);
      mark.detail = this.#dots && count > 1 ? 'dot' : brief || (isChosen && count >= MANY) ? 'brief' : 'full';
      setAttribute(mark.button, 'aria-pressed', String(isChosen));
      setAttribute(mark.button, 'tabindex', inStrip ? '-1' : '0');
      setAttribute(mark.button, 'class', `face ${mark.detail}`);
      const isSettled = face.settled !== false;
      const age = isSettled ? years(face.age) : '…';
      setText(mark.title, mark.detail === 'dot' ? String(number) : mark.detail === 'brief' || ageOnly || !isSettled ? age : `${word(face)} · ${age}`);
      setText(mark.note, !isSettled ? face.poor ?? t`one moment` : noted(ageOnly || isSure(face) ? yearRange(face) : t`${yearRange(face)} · gender not sure`, face));
      // The name of the button is all of its words, those that are seen and these.
      const hidden = mark.detail === 'full' ? '' : ` ${describe(face)}`;
      setText(mark.more, count > 1 ? `${hidden}, ${t`face ${number}`}` : hidden);
    }
    this.#placeLabels();
  }

  clear() {
    this.#dots = false;
    this.move([], () => []);
  }

  /** The face whose middle is nearest to a tap, if there is one in reach. */
  #nearest({ clientX, clientY }) {
    const { left, top } = this.#root.getBoundingClientRect();
    let best;
    for (const mark of this.#marks.values()) {
      const [x, y, width, height] = mark.box;
      const distance = Math.hypot(clientX - left - x - width / 2, clientY - top - y - height / 2);
      const reach = Math.max(2.75 * this.#rem, Math.hypot(width, height));
      if (distance < reach && !(best?.distance <= distance)) best = { distance, key: mark.key };
    }
    return best?.key;
  }

  // One after the other, each where it hides least. Where labels still lie on each other, all become numbers.
  #placeLabels() {
    const marks = [...this.#marks.values()].filter(({ size }) => size[0] > 0);
    const boxes = marks.map(({ box }) => box);
    const placed = [];
    let collides = false;
    for (const mark of marks) {
      const others = boxes.filter((box) => box !== mark.box);
      let best;
      for (const label of this.#places(mark)) {
        const cost = 8 * covered(label, placed) + covered(label, others) + 0.5 * covered(label, [mark.box]);
        if (!(best?.cost <= cost)) best = { label, cost };
        if (cost === 0) break;
      }
      collides ||= covered(best.label, placed) > 1;
      placed.push(best.label);
      const [x, y] = best.label;
      setStyle(mark.chip, 'transform', `translate(${(x - mark.box[0]).toFixed(1)}px, ${(y - mark.box[1]).toFixed(1)}px)`);
    }
    if (collides && marks.length >= MANY && !this.#dots) {
      this.#dots = true;
      this.say(...this.#said);
    }
  }

  // Above the frame, below it, beside it, inside its edges; never off the stage.
  *#places({ box: [x, y, width, height], size: [w, h], detail }) {
    const [stageWidth, stageHeight] = this.#size;
    const gap = detail === 'dot' ? 1 : GAP;
    const within = (left, top) => [clamp(left, GAP, stageWidth - GAP - w), clamp(top, GAP, stageHeight - GAP - h), w, h];
    const middle = x + width / 2 - w / 2;
    const [above, below] = [y - h - gap, y + height + gap];
    for (const top of [above, below]) if (top >= GAP && top + h <= stageHeight - GAP) yield within(middle, top);
    for (const top of [above, below]) {
      yield within(x + width / 2 - 0.1 * w, top);
      yield within(x + width / 2 - 0.9 * w, top);
    }
    yield within(x + width + gap, y + height / 2 - h / 2);
    yield within(x - w - gap, y + height / 2 - h / 2);
    yield within(middle, y + GAP);
    yield within(middle, y + height - h - GAP);
    yield within(middle, y + height - h / 2);
  }

  /** @returns {Mark} */
  #mark(key) {
    if (this.#marks.has(key)) return this.#marks.get(key);
    const [button, chip, title, note, more] = ['button', 'span', 'b', 'small', 'span'].map((name) => document.createElement(name));
    button.type = 'button';
    button.className = 'face';
    chip.className = 'chip';
    more.className = 'unseen';
    button.dataset.key = chip.dataset.key = String(key);
    chip.append(title, note);
    button.append(chip, more);
    this.#root.append(button);
    this.#labels.observe(chip, { box: 'border-box' });
    const mark = { button, chip, title, note, more, size: [0, 0], box: [0, 0, 0, 0], at: '', key, detail: 'full' };
    this.#marks.set(key, mark);
    return mark;
  }
}

// How much of a rectangle lies under others.
function covered([x, y, width, height], others) {
  return others.reduce((sum, [ox, oy, ow, oh]) => {
    const w = Math.min(x + width, ox + ow) - Math.max(x, ox);
    const h = Math.min(y + height, oy + oh) - Math.max(y, oy);
    return w > 0 && h > 0 ? sum + w * h : sum;
  }, 0);
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function setAttribute(element, name, value) {
  if (element.getAttribute(name) !== value) element.setAttribute(name, value);
}

function setStyle(element, name, value) {
  if (element.style[name] !== value) element.style[name] = value;
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
