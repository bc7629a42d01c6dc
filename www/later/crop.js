// The region of a picture that a network gets of a face, as src/vision/alignment.rs and src/net have it.

/** Side of an aligned crop; what follows is in its pixels. */
export const SIDE = 160;

// Where the right eye, the left eye and the mouth come to lie.
const PLACES = [[57, 56], [103, 56], [80, 107]];
// Beyond a picture's edge its outermost pixels go on: this far, in sides of the picture.
const BEYOND = 4;

/** What each network is given: the side of its squares in pixels, and their extents and centre in the aligned crop. */
export const INPUTS = {
  lite: { side: 112, extents: [160], centre: [80, 80] },
  'd-cnn': { side: 160, extents: [160], centre: [80, 80] },
  'm-cnn': { side: 64, extents: [152, 112, 72], centre: [80, 84] },
  base: { side: 160, extents: [160], centre: [80, 80] },
};

/**
 * The similarity transform, by least squares, from pixels of the aligned crop to pixels of the picture:
 * (u, v) -> (a u - b v + x, b u + a v + y).
 *
 * @param {[number, number][]} landmarks six, as a face has them
 * @typedef {{ a: number, b: number, x: number, y: number }} Similarity
 * @returns {Similarity}
 */
export function alignment(landmarks) {
  const points = [landmarks[0], landmarks[1], landmarks[3]];
  const [from, to] = [PLACES, points].map(middle);
  let [dot, cross, norm] = [0, 0, 0];
  PLACES.forEach(([u, v], index) => {
    const [p, q] = [u - from[0], v - from[1]];
    const [r, s] = [points[index][0] - to[0], points[index][1] - to[1]];
    dot += p * r + q * s;
    cross += p * s - q * r;
    norm += p * p + q * q;
  });
  const [a, b] = [dot / norm, cross / norm];
  return { a, b, x: to[0] - a * from[0] + b * from[1], y: to[1] - b * from[0] - a * from[1] };
}

function middle(points) {
  return [0, 1].map((axis) => points.reduce((sum, point) => sum + point[axis], 0) / points.length);
}

/** Has a context draw in pixels of the aligned crop on a canvas that is in the picture's. */
export function enter(context, { a, b, x, y }) {
  context.transform(a, b, -b, a, x, y);
}

/** Distance of the eyes in pixels. */
export function eyesApart([[rx, ry], [lx, ly]]) {
  return Math.hypot(lx - rx, ly - ry);
}

/**
 * Draws a square of the aligned crop.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {CanvasImageSource & { width: number, height: number }} picture
 * @param {Similarity} similarity
 * @param {{ size?: [number, number], side: number, extent?: number, centre?: [number, number] }} square `size`: that of
 *   the picture that the similarity is for, where `picture` is a smaller copy of it, or a video
 */
export function drawCrop(context, picture, { a, b, x, y }, { size, side, extent = SIDE, centre = [SIDE / 2, SIDE / 2] }) {
  const [width, height] = size ?? [picture.width, picture.height];
  const own = [picture.videoWidth || picture.width, picture.videoHeight || picture.height];
  const scale = side / extent;
  const [left, top] = centre.map((at) => at - extent / 2);
  const norm = a * a + b * b;
  context.save();
  context.imageSmoothingQuality = 'high';
  context.beginPath();
  context.rect(0, 0, side, side);
  context.clip();
  context.scale(scale, scale);
  context.translate(-left, -top);
  context.transform(a / norm, -b / norm, b / norm, a / norm, -(a * x + b * y) / norm, (b * x - a * y) / norm);
  // The picture, and its outermost rows, columns and corners where the crop reaches beyond it.
  const corners = [[0, 0], [SIDE, 0], [0, SIDE], [SIDE, SIDE]].map(([u, v]) => [a * u - b * v + x, b * u + a * v + y]);
  const isInside = corners.every(([px, py]) => px >= 0 && px <= width && py >= 0 && py <= height);
  const parts = (length, pixels) => (isInside ? [[0, pixels, 0, length]] : [
    [0, 1, -BEYOND * length, BEYOND * length], [pixels - 1, 1, length, BEYOND * length], [0, pixels, 0, length],
  ]);
  for (const [sy, sh, dy, dh] of parts(height, own[1])) {
    for (const [sx, sw, dx, dw] of parts(width, own[0])) context.drawImage(picture, sx, sy, sw, sh, dx, dy, dw, dh);
  }
  context.restore();
}
