// A strip of small pictures to choose from, by swipe, tap or arrow keys: the faces of a group, or several
// photos.

import { t } from '../language.js';
import { describe, years } from '../views/words.js';
import { styles } from './styles.js';

// Of a thumbnail, in pixels; on the page it is 3 rem (strip.css).
export const SIDE = 112;
// How much of what is around a face is shown with it.
const AROUND = 1.5;
// A face of a video is drawn again after so long.
const FRESH_MS = 3000;

/** A list box of which one option can be reached by the tabulator, and the others by arrows. */
export class Strip {
  #root;
  #onChoose;
  #options = new Map(); // key -> { option, canvas, text }

  /** @param {HTMLElement} parent @param {string} label @param {(key: number) => void} onChoose */
  constructor(parent, label, onChoose) {
    styles('strip');
    this.#onChoose = onChoose;
    this.#root = Object.assign(document.createElement('div'), { className: 'strip', role: 'listbox', ariaLabel: label, ariaOrientation: 'horizontal' });
    this.#root.addEventListener('click', ({ target }) => {
      const option = target.closest('[role=option]');
      if (option) this.#onChoose(Number(option.dataset.key));
    });
    this.#root.addEventListener('keydown', (event) => this.#key(event));
    parent.append(this.#root);
  }

  /**
   * @param {{ key: number, text: string, label: string, dim?: boolean }[]} items from the first to the last
   * @param {number} chosen
   */
  show(items, chosen) {
    const keys = new Set(items.map(({ key }) => key));
    for (const [key, { option }] of this.#options) {
      if (keys.has(key)) continue;
      option.remove();
      this.#options.delete(key);
    }
    items.forEach(({ key, text, label, dim = false }, index) => {
      const { option, caption } = this.#option(key);
      if (this.#root.children[index] !== option) this.#root.insertBefore(option, this.#root.children[index] ?? null);
      if (caption.textContent !== text) caption.textContent = text;
      const attributes = { 'aria-label': label, 'aria-selected': String(key === chosen), tabindex: key === chosen || (index === 0 && !keys.has(chosen)) ? '0' : '-1' };
      for (const [name, value] of Object.entries(attributes)) {
        if (option.getAttribute(name) === value) continue;
        option.setAttribute(name, value);
        if (name === 'aria-selected' && value === 'true') this.#bringIntoSight(option);
      }
      option.classList.toggle('dim', dim);
    });
  }

  /** The canvas of an option, to draw on. */
  canvas(key) {
    return this.#options.get(key)?.canvas;
  }

  close() {
    this.#root.remove();
  }

  // Along the strip only: the page stays where it is. At once, not by a glide: two glides to opposite ends
  // within a frame leave a busy browser at the wrong one.
  #bringIntoSight({ offsetLeft, offsetWidth }) {
    const { clientWidth, scrollLeft } = this.#root;
    const least = offsetLeft + offsetWidth - clientWidth + 8;
    if (scrollLeft < least || scrollLeft > offsetLeft - 8) this.#root.scrollLeft = offsetLeft - (clientWidth - offsetWidth) / 2;
  }

  #key(event) {
    const options = [...this.#root.children];
    const at = options.indexOf(document.activeElement);
    const to = { ArrowLeft: at - 1, ArrowUp: at - 1, ArrowRight: at + 1, ArrowDown: at + 1, Home: 0, End: options.length - 1, Enter: at, ' ': at }[event.key];
    if (at < 0 || to === undefined || !options[to]) return;
    event.preventDefault();
    options[to].focus({ preventScroll: true });
    this.#onChoose(Number(options[to].dataset.key));
  }

  #option(key) {
    if (!this.#options.has(key)) {
      const option = Object.assign(document.createElement('div'), { role: 'option' });
      option.dataset.key = String(key);
      const canvas = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE });
      const caption = document.createElement('span');
      option.append(canvas, caption);
      this.#options.set(key, { option, canvas, caption });
    }
    return this.#options.get(key);
  }
}

/** The faces on the stage, in the order of their numbers; those of a photo by their ages, too. */
export class FaceStrip {
  #strip;
  #byAge = Object.assign(document.createElement('button'), { type: 'button', className: 'button', textContent: t`Sort by age`, ariaPressed: 'false', hidden: true });
  #again = () => {};
  #drawn = new Map(); // key -> when

  constructor(parent, onChoose) {
    this.#strip = new Strip(parent, t`Faces`, onChoose);
    this.#byAge.addEventListener('click', () => {
      this.#byAge.ariaPressed = String(!this.#isByAge());
      this.#again();
    });
    parent.append(this.#byAge);
  }

  #isByAge() {
    return !this.#byAge.hidden && this.#byAge.ariaPressed === 'true';
  }

  /**
   * @param {import('../views/overlay.js').Shown[]} shown
   * @param {number} chosen
   * @param {import('../views/stage.js').Stage} stage
   * @param {import('../mien.js').Result} result
   */
  show(shown, chosen, stage, result) {
    this.#again = () => this.show(shown, chosen, stage, result);
    // A video's would change places all the time.
    this.#byAge.hidden = stage.shows !== 'photo';
    const inOrder = this.#isByAge() ? [...shown].sort((a, b) => a.face.age - b.face.age) : shown;
    this.#strip.show(inOrder.map(({ face, key, number }) => {
      const text = `${number} · ${face.settled === false ? '…' : years(face.age)}`;
      return { key, text, label: t`${text}, ${describe(face)}` };
    }), chosen);
    const now = performance.now();
    for (const { face, key } of shown) {
      const since = now - (this.#drawn.get(key) ?? -Infinity);
      if (since < FRESH_MS || (since < Infinity && stage.shows === 'photo')) continue;
      this.#drawn.set(key, now);
      drawFace(this.#strip.canvas(key), stage, result, face);
    }
  }

  close() {
    this.#strip.close();
    this.#byAge.remove();
  }
}

function drawFace(canvas, { source, mirrored }, { width }, { box: [x, y, w, h] }) {
  const context = canvas.getContext('2d');
  // What is shown may be smaller than what was read.
  const scale = (source.videoWidth || source.width) / width;
  const side = AROUND * Math.max(w, h) * scale;
  const [left, top] = [(x + w / 2) * scale - side / 2, (y + h / 2) * scale - side / 2];
  context.setTransform(mirrored ? -1 : 1, 0, 0, 1, mirrored ? SIDE : 0, 0);
  context.drawImage(source, left, top, side, side, 0, 0, SIDE, SIDE);
}
