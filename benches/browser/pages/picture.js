// The picture that every contender sees: the page's sample in the middle of a grey 640 x 480 canvas.

const SAMPLE = '/mien/sample.jpg';

export async function picture() {
  const image = new Image();
  image.src = SAMPLE;
  await image.decode();
  const context = canvasContext(640, 480);
  context.fillStyle = '#808080';
  context.fillRect(0, 0, 640, 480);
  context.drawImage(image, 80, 0, 480, 480);
  return context.canvas;
}

/** A part of a canvas in another size, as RGBA. What lies outside is black. */
export function scaled(canvas, [x, y, width, height], side) {
  const context = canvasContext(side, side);
  context.fillRect(0, 0, side, side);
  const scale = side / Math.max(width, height);
  const [left, top] = [(side - width * scale) / 2, (side - height * scale) / 2];
  context.drawImage(canvas, x, y, width, height, left, top, width * scale, height * scale);
  return context.getImageData(0, 0, side, side).data;
}

/** The face, about as a network is used to it, which takes `side` x `side` pixels. */
export const face = (canvas, side) => scaled(canvas, [200, 20, 240, 240], side);

/** All of the picture, as the detector gets it. */
export const whole = (canvas) => scaled(canvas, [0, 0, canvas.width, canvas.height], 128);

/** RGB, pixel by pixel. */
export function rgb(rgba) {
  return Uint8Array.from({ length: (rgba.length / 4) * 3 }, (_, i) => rgba[Math.floor(i / 3) * 4 + (i % 3)]);
}

export const normalised = (bytes) => Float32Array.from(bytes, (value) => value / 127.5 - 1);

/** Channel by channel, from pixel by pixel. */
export function planes(values) {
  const pixels = values.length / 3;
  return values.map((_, i) => values[(i % pixels) * 3 + Math.floor(i / pixels)]);
}

function canvasContext(width, height) {
  const canvas = Object.assign(document.createElement('canvas'), { width, height });
  return canvas.getContext('2d', { willReadFrequently: true }); // in main memory: every contender reads it back
}
