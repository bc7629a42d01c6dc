// The same picture, otherwise: mirrored, darker, blurred, smaller, grey, with eyes or mouth covered. All of it is
// changed, never a part cut out around the face: a finder that sees another picture finds other landmarks.

import { t } from '../language.js';
import { alignment, enter, eyesApart } from './crop.js';

/** Names of the changes, and what their buttons say. */
export const changes = () => ({
  mirror: t`Mirror`,
  dark: t`Darken`,
  blur: t`Blur`,
  small: t`Shrink`,
  grey: t`Grey`,
  eyes: t`Cover eyes`,
  mouth: t`Cover mouth`,
});

// Of the light.
const DARK = 0.35;
// The width of what is blurred into one, in distances of the eyes.
const BLUR = 0.14;
// Distance of the eyes in a shrunk picture, in pixels.
const SMALL = 12;
// In pixels of the aligned crop: left, top, width, height.
const COVERS = { eyes: [30, 42, 100, 28], mouth: [48, 92, 64, 32] };
const COVER = '#808080';
// Whose eyes and mouth are within this of where they should be, in distances of the eyes, is the same face.
const SAME = 0.6;

/**
 * The picture with those changes, and where the face's landmarks are in it.
 *
 * @param {ImageBitmap | HTMLCanvasElement} picture
 * @param {[number, number][]} landmarks
 * @param {Set<keyof ReturnType<typeof changes>>} wanted
 * @returns {{ canvas: HTMLCanvasElement, landmarks: [number, number][] }}
 */
export function changed(picture, landmarks, wanted) {
  const scale = wanted.has('small') ? Math.min(1, SMALL / eyesApart(landmarks)) : 1;
  const [width, height] = [picture.width, picture.height].map((side) => Math.max(1, Math.round(side * scale)));
  const [sx, sy] = [width / picture.width, height / picture.height];
  const isMirrored = wanted.has('mirror');
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  const context = canvas.getContext('2d', { alpha: false, willReadFrequently: true });
  context.imageSmoothingQuality = 'high';
  context.fillStyle = '#fff'; // what is transparent is over white
  context.fillRect(0, 0, width, height);
  context.setTransform(isMirrored ? -sx : sx, 0, 0, sy, isMirrored ? width : 0, 0);
  context.drawImage(picture, 0, 0);
  enter(context, alignment(landmarks));
  context.fillStyle = COVER;
  for (const [name, box] of Object.entries(COVERS)) if (wanted.has(name)) context.fillRect(...box);
  context.resetTransform();
  // Composed rather than filtered: not every browser has filters on a canvas.
  const fill = (operation, style) => {
    context.globalCompositeOperation = operation;
    context.fillStyle = style;
    context.fillRect(0, 0, width, height);
    context.globalCompositeOperation = 'source-over';
  };
  if (wanted.has('grey')) fill('saturation', COVER);
  if (wanted.has('dark')) fill('source-over', `rgb(0 0 0 / ${1 - DARK})`);
  const points = landmarks.map(([x, y]) => [isMirrored ? width - x * sx : x * sx, y * sy]);
  // A mirrored right eye is a left one.
  const moved = isMirrored ? [1, 0, 2, 3, 5, 4].map((index) => points[index]) : points;
  if (wanted.has('blur')) blur(canvas, context, Math.max(1.5, BLUR * eyesApart(moved)));
  return { canvas, landmarks: moved };
}

function blur(canvas, context, pixels) {
  const { width, height } = canvas;
  const size = { width: Math.max(1, Math.round(width / pixels)), height: Math.max(1, Math.round(height / pixels)) };
  const small = Object.assign(document.createElement('canvas'), size);
  const squares = small.getContext('2d', { alpha: false, willReadFrequently: true });
  squares.imageSmoothingQuality = 'high';
  squares.drawImage(canvas, 0, 0, small.width, small.height);
  context.drawImage(small, 0, 0, width, height);
}

/**
 * The face of a result that lies where this one should be, if there is one.
 *
 * @param {import('../mien.js').Face[]} faces
 * @param {[number, number][]} landmarks
 */
export function sameFace(faces, landmarks) {
  const away = ({ landmarks: found }) => [0, 1, 3].reduce((sum, at) => (
    sum + Math.hypot(found[at][0] - landmarks[at][0], found[at][1] - landmarks[at][1]) / 3
  ), 0);
  const near = faces.map((face) => ({ face, distance: away(face) })).sort((one, other) => one.distance - other.distance)[0];
  return near && near.distance < SAME * eyesApart(landmarks) ? near.face : undefined;
}
