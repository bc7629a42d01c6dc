// Which parts of a face its age depends on: one place after the other is covered, and the face guessed anew.

import { t } from '../language.js';
import { changed, sameFace } from './changes.js';
import { alignment, enter, SIDE } from './crop.js';

// Squares that are covered, and their steps, in pixels of the aligned crop.
const PATCH = 32;
const STEP = 16;
/** Of the map, whose cells are squares of a step. */
export const CELLS = SIDE / STEP;

// Parts of an aligned face, in its pixels: left, top, right, bottom. What is in none of them is around it.
const PARTS = {
  Forehead: [[40, 0, 120, 40]],
  Eyes: [[30, 40, 130, 72]],
  Nose: [[62, 72, 98, 94]],
  Cheeks: [[24, 72, 62, 116], [98, 72, 136, 116]],
  Mouth: [[50, 94, 110, 124]],
  Chin: [[44, 124, 116, 160]],
};
const AROUND = 'Surroundings';

/** What a part is called: by itself, and in a sentence. */
export const called = (part) => ({
  Forehead: [t`Forehead`, t`the forehead`],
  Eyes: [t`Eyes`, t`the eyes`],
  Nose: [t`Nose`, t`the nose`],
  Cheeks: [t`Cheeks`, t`the cheeks`],
  Mouth: [t`Mouth`, t`the mouth`],
  Chin: [t`Chin`, t`the chin`],
  [AROUND]: [t`Surroundings (hair, ears, background)`, t`the surroundings (hair, ears, background)`],
})[part];

/**
 * Covers one place after the other.
 *
 * @param {import('../mien.js').Mien} mien
 * @param {ImageBitmap | HTMLCanvasElement} picture all of it, as it was guessed
 * @param {import('../mien.js').Face} face as guessed uncovered
 * @param {{ isStopped: () => boolean, onProgress: (done: number, total: number) => void }} options
 * @returns {Promise<{ cells: number[][], hidden: number, total: number } | undefined>} by how many years the age is
 *   another one where a cell is covered, on average of all squares over it (NaN where none showed a face); in how many
 *   of all squares no face was found. Nothing where it was stopped.
 */
export async function occlusion(mien, picture, face, { isStopped, onProgress }) {
  const { canvas } = changed(picture, face.landmarks, new Set());
  const context = canvas.getContext('2d');
  const similarity = alignment(face.landmarks);
  const starts = Array.from({ length: (SIDE - PATCH) / STEP + 1 }, (_, index) => index * STEP);
  const places = starts.flatMap((top) => starts.map((left) => [left, top]));
  const sums = Array.from({ length: CELLS }, () => Array.from({ length: CELLS }, () => ({ sum: 0, count: 0 })));
  const colour = meanColour(canvas, face.box);
  let hidden = 0;
  for (const [index, [left, top]] of places.entries()) {
    if (isStopped()) return undefined;
    onProgress(index, places.length);
    const square = () => {
      context.save();
      enter(context, similarity);
      context.beginPath();
      context.rect(left, top, PATCH, PATCH);
      context.restore();
    };
    context.fillStyle = colour;
    square();
    context.fill();
    const { faces } = await mien.estimate(canvas);
    const found = sameFace(faces, face.landmarks);
    if (!found) hidden += 1;
    for (let y = top / STEP; found && y < (top + PATCH) / STEP; y++) {
      for (let x = left / STEP; x < (left + PATCH) / STEP; x++) {
        sums[y][x].sum += found.age - face.age;
        sums[y][x].count += 1;
      }
    }
    // As it was: whole pixels around it, so that no edge is left half covered.
    const [x, y, right, bottom] = bounds(similarity, [left, top, left + PATCH, top + PATCH], canvas);
    context.fillStyle = '#fff';
    context.fillRect(x, y, right - x, bottom - y);
    context.drawImage(picture, x, y, right - x, bottom - y, x, y, right - x, bottom - y);
  }
  onProgress(places.length, places.length);
  return { cells: sums.map((row) => row.map(({ sum, count }) => sum / count)), hidden, total: places.length };
}

/** The pixels of a picture that a box of the aligned crop touches, and one more on each side. */
function bounds({ a, b, x, y }, [left, top, right, bottom], { width, height }) {
  const corners = [[left, top], [right, top], [left, bottom], [right, bottom]].map(([u, v]) => [a * u - b * v + x, b * u + a * v + y]);
  const of = (pick, axis) => pick(...corners.map((corner) => corner[axis]));
  return [
    Math.max(0, Math.floor(of(Math.min, 0)) - 1), Math.max(0, Math.floor(of(Math.min, 1)) - 1),
    Math.min(width, Math.ceil(of(Math.max, 0)) + 1), Math.min(height, Math.ceil(of(Math.max, 1)) + 1),
  ];
}

function meanColour(canvas, [x, y, width, height]) {
  const one = Object.assign(document.createElement('canvas'), { width: 8, height: 8 }).getContext('2d', { willReadFrequently: true });
  one.imageSmoothingQuality = 'high';
  one.drawImage(canvas, x, y, width, height, 0, 0, 8, 8);
  const { data } = one.getImageData(0, 0, 8, 8);
  const mean = (channel) => Math.round(data.reduce((sum, value, index) => (index % 4 === channel ? sum + value : sum), 0) / 64);
  return `rgb(${mean(0)} ${mean(1)} ${mean(2)})`;
}

/**
 * The mean of each part of the face, from the one that moves the age most.
 *
 * @param {number[][]} cells
 * @returns {{ part: string, years: number }[]}
 */
export function byPart(cells) {
  const parts = new Map();
  cells.forEach((row, y) => row.forEach((years, x) => {
    const [u, v] = [x, y].map((at) => (at + 0.5) * STEP);
    const inside = ([left, top, right, bottom]) => u >= left && u < right && v >= top && v < bottom;
    const part = Object.keys(PARTS).find((name) => PARTS[name].some(inside)) ?? AROUND;
    if (!Number.isNaN(years)) parts.set(part, [...(parts.get(part) ?? []), years]);
  }));
  const means = [...parts].map(([part, all]) => ({ part, years: all.reduce((sum, years) => sum + years, 0) / all.length }));
  return means.sort((one, other) => Math.abs(other.years) - Math.abs(one.years));
}

/** Colours of a change upwards and downwards; told apart by light and by hue. */
export const COLOURS = { up: [230, 110, 20], down: [40, 110, 230] };
// Less than this many years would be drawn as much as it is.
const LEAST_SCALE = 2;

/**
 * Draws the map over what is on the canvas, a square.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {number[][]} cells
 */
export function drawMap(context, cells) {
  const { canvas } = context;
  const most = Math.max(LEAST_SCALE, ...cells.flat().filter((years) => !Number.isNaN(years)).map(Math.abs));
  const small = Object.assign(document.createElement('canvas'), { width: CELLS, height: CELLS }).getContext('2d');
  const image = small.createImageData(CELLS, CELLS);
  cells.flat().forEach((years, index) => {
    const isKnown = !Number.isNaN(years);
    const colour = isKnown ? (years > 0 ? COLOURS.up : COLOURS.down) : [0, 0, 0];
    image.data.set([...colour, isKnown ? Math.round((215 * Math.abs(years)) / most) : 120], 4 * index);
  });
  small.putImageData(image, 0, 0);
  context.imageSmoothingQuality = 'high';
  context.drawImage(small.canvas, 0, 0, canvas.width, canvas.height);
  return most;
}
