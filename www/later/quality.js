// A word where a face's picture is too poor for a number: few pixels, turned away, dark, overexposed, or blurred. Beside a camera it
// stands in place of the number, of a photo beside it. Limits, and how they were found: docs/page.md.

import { t } from '../language.js';
import { alignment, drawCrop, eyesApart } from './crop.js';

const WORDS = {
  camera: {
    small: () => t`Come closer`, turned: () => t`Turn to the camera`, dark: () => t`Too dark to guess`, bright: () => t`Too bright to guess`,
    blurred: () => t`Hold still`,
  },
  photo: { small: () => t`few pixels`, turned: () => t`turned away`, dark: () => t`dark`, bright: () => t`overexposed`, blurred: () => t`blurred` },
};

/** From where on a picture is too poor. */
export const LIMITS = {
  eyes: 9, // least distance, in pixels
  turn: 1.2, // most that the nose is off the middle between the ears, of half their distance
  light: 12, // least mean of the face, of 255
  white: 0.65, // most of the face that is as bright as can be
  sharp: 0.64, // least change of slopes
};

// Of a camera: each face is looked at so often, one at a time; and what is seen has to last before it is said, or no more.
const LOOK_MS = 250;
const LASTS_MS = 500;
// A face that was out of sight for so long is looked at anew.
const GONE_MS = 3000;
// In a photo, no more faces than these are looked at for their pixels.
const MOST = 20;

// Of the crop that is looked at, in pixels: its side, and the part from the brows to the mouth. So small that noise and the blocks of JPEG are gone.
const SIDE = 40;
const [LEFT, TOP, RIGHT, BOTTOM] = [9, 10, 31, 31];
const WHITE = 250;
// To the right, down, and along the diagonals.
const DIRECTIONS = [1, SIDE, SIDE + 1, SIDE - 1];

/**
 * @typedef {'small' | 'turned' | 'dark' | 'bright' | 'blurred'} Kind
 * @typedef {{ at: number, seen?: Kind, since: number, said?: Kind }} Watch when a face was looked at, what was seen and since when, what is said
 */

export class Quality {
  #refresh;
  /** @type {WeakMap<import('../mien.js').Face, Kind | undefined>} */
  #photos = new WeakMap();
  /** @type {Map<number, Watch>} by track */
  #watches = new Map();
  #timer;
  #context = Object.assign(document.createElement('canvas'), { width: SIDE, height: SIDE }).getContext('2d', { alpha: false, willReadFrequently: true });
  #reads = readsTruly(this.#context);

  /** @param {() => void} refresh has the faces judged again, where their result stays the same */
  constructor(refresh) {
    this.#refresh = refresh;
  }

  /**
   * Has those faces of which no number is to be said, or one with a word beside it, say so.
   *
   * @param {import('../views/overlay.js').Shown[]} shown
   * @param {CanvasImageSource} source what is on the stage
   * @param {import('../mien.js').Result} result
   */
  judge(shown, source, { width, height }) {
    const look = (face) => poorOfLandmarks(face) ?? this.#poorOfPixels(face, source, [width, height]);
    shown.forEach((it, index) => {
      const { face } = it;
      if (face.id !== undefined) return;
      if (!this.#photos.has(face)) this.#photos.set(face, index < MOST ? look(face) : poorOfLandmarks(face));
      const kind = this.#photos.get(face);
      if (kind) it.face = { ...face, poor: WORDS.photo[kind]() };
    });
    this.#follow(shown.filter(({ face }) => face.id !== undefined), look);
  }

  #follow(shown, look) {
    const now = performance.now();
    for (const [id, { at }] of this.#watches) if (now - at > GONE_MS) this.#watches.delete(id);
    const due = shown.filter(({ face: { id } }) => !(now - this.#watches.get(id)?.at < LOOK_MS));
    due.sort((a, b) => (this.#watches.get(a.face.id)?.at ?? 0) - (this.#watches.get(b.face.id)?.at ?? 0));
    let waits = false;
    for (const it of due.slice(0, 1)) {
      const { face } = it;
      const kind = look(face);
      // What is seen at first is said at once.
      const watch = this.#watches.get(face.id) ?? { at: now, seen: kind, since: now, said: kind };
      if (kind !== watch.seen) Object.assign(watch, { seen: kind, since: now });
      if (now - watch.since >= LASTS_MS) watch.said = kind;
      watch.at = now;
      this.#watches.set(face.id, watch);
    }
    for (const it of shown) {
      const watch = this.#watches.get(it.face.id);
      if (watch?.said) it.face = { ...it.face, settled: false, poor: WORDS.camera[watch.said]() };
      if (watch && watch.seen !== watch.said) waits = true;
    }
    clearTimeout(this.#timer);
    if (waits) this.#timer = setTimeout(this.#refresh, LOOK_MS + 1);
  }

  #poorOfPixels({ landmarks }, source, size) {
    if (!this.#reads) return undefined;
    drawCrop(this.#context, source, alignment(landmarks), { size, side: SIDE });
    const { light, white, sharp } = measure(this.#context.getImageData(0, 0, SIDE, SIDE).data);
    if (light < LIMITS.light) return 'dark';
    if (white > LIMITS.white) return 'bright';
    return sharp < LIMITS.sharp ? 'blurred' : undefined;
  }
}

/** Whether a browser gives pages a picture's own pixels: some give others, all white for one, as a protection from being recognised. */
function readsTruly(context) {
  context.fillStyle = '#40c080';
  context.fillRect(0, 0, SIDE, SIDE);
  const { data } = context.getImageData(0, 0, 1, 1);
  return [0x40, 0xc0, 0x80].every((value, channel) => Math.abs(value - data[channel]) <= 8);
}

/** @returns {Kind | undefined} */
function poorOfLandmarks({ landmarks }) {
  if (eyesApart(landmarks) < LIMITS.eyes) return 'small';
  return turn(landmarks) > LIMITS.turn ? 'turned' : undefined;
}

/** 0 where the nose is in the middle between the ears, 1 where it is at one of them: along the line of the eyes. */
export function turn([[rx, ry], [lx, ly], nose, , right, left]) {
  const along = ([x, y]) => x * (lx - rx) + y * (ly - ry);
  const [before, after] = [along(nose) - along(right), along(left) - along(nose)];
  return Math.abs((before - after) / (before + after));
}

/**
 * Of a crop's pixels: the mean light of the face, how much of it is white, and how sharp it is: how much the slopes of the light change
 * from pixel to pixel, as part of the slopes, in that direction in which they do least.
 *
 * @param {Uint8ClampedArray} rgba
 */
export function measure(rgba) {
  const light = new Float32Array(SIDE * SIDE);
  for (let at = 0; at < light.length; at++) light[at] = 0.299 * rgba[4 * at] + 0.587 * rgba[4 * at + 1] + 0.114 * rgba[4 * at + 2];
  let [sum, white] = [0, 0];
  const slopes = DIRECTIONS.map(() => 0);
  const bends = DIRECTIONS.map(() => 0);
  for (let y = TOP; y < BOTTOM; y++) {
    for (let x = LEFT; x < RIGHT; x++) {
      const at = y * SIDE + x;
      const here = light[at];
      sum += here;
      if (here >= WHITE) white += 1;
      for (let index = 0; index < DIRECTIONS.length; index++) {
        const [before, after] = [light[at - DIRECTIONS[index]], light[at + DIRECTIONS[index]]];
        slopes[index] += Math.abs(after - here);
        bends[index] += Math.abs(after - 2 * here + before);
      }
    }
  }
  const count = (RIGHT - LEFT) * (BOTTOM - TOP);
  // A picture of one colour is as sharp as can be told.
  return { light: sum / count, white: white / count, sharp: Math.min(...bends.map((bend, index) => (slopes[index] > 0 ? bend / slopes[index] : 1))) };
}
