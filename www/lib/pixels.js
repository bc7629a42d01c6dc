import { MienError } from './error.js';

/**
 * The most pixels that are read as they are: 4096 x 4096, also the largest canvas of an iPhone.
 * Larger pictures are shrunk to it, and coordinates are scaled back afterwards.
 */
export const MAX_PIXELS = 4096 * 4096;

// Blobs and <img> elements turn as their EXIF orientation says, as every viewer shows them.
const UPRIGHT = { imageOrientation: 'from-image', premultiplyAlpha: 'none' };

/**
 * Takes one still frame from a source, which stays the caller's own.
 * The frame is transferable: an ImageBitmap, a VideoFrame, or pixels { rgba, width, height }.
 *
 * @param {import('../mien.js').MienSource} source
 * @returns {Promise<{ image: ImageBitmap | VideoFrame | Pixels, width: number, height: number }>}
 *   width and height of the source, which may be larger than the image.
 * @typedef {{ rgba: Uint8Array, width: number, height: number }} Pixels
 */
export async function grab(source) {
  let image;
  try {
    image = await still(source);
  } catch (cause) {
    if (cause instanceof MienError) throw cause;
    throw new MienError('bad-picture', 'The picture is damaged, or of a kind that this browser does not know.', cause);
  }
  const { width, height } = sizeOf(image);
  if (!(width > 0 && height > 0)) throw new MienError('bad-picture', 'This picture is empty.');
  if (width * height > MAX_PIXELS) image = await shrink(image, width, height);
  return { image, width, height };
}

async function still(source) {
  if (isA(source, 'Blob')) return createImageBitmap(source, UPRIGHT);
  if (isA(source, 'HTMLImageElement')) {
    await source.decode();
    return createImageBitmap(source, UPRIGHT);
  }
  if (isA(source, 'HTMLVideoElement')) {
    if (source.readyState < 2 || !source.videoWidth) {
      throw new MienError('bad-picture', 'The video has no picture yet.');
    }
    return createImageBitmap(source);
  }
  if (isA(source, 'ImageData')) {
    return { rgba: new Uint8Array(source.data), width: source.width, height: source.height };
  }
  if (isA(source, 'VideoFrame')) return source.clone();
  if (isA(source, 'ImageBitmap') || isA(source, 'HTMLCanvasElement') || isA(source, 'OffscreenCanvas')) {
    return createImageBitmap(source, { premultiplyAlpha: 'none' });
  }
  throw new MienError('bad-picture', 'Mien reads pictures, videos, canvases and image files, and this is none of them.');
}

async function shrink(image, width, height) {
  const scale = Math.sqrt(MAX_PIXELS / (width * height));
  const smaller = await createImageBitmap(image.rgba ? toImageData(image) : image, {
    resizeWidth: Math.floor(width * scale),
    resizeHeight: Math.floor(height * scale),
    resizeQuality: 'high',
  });
  image.close?.();
  return smaller;
}

/**
 * The RGBA bytes of a frame from grab(), which is used up by it.
 * Runs in the worker where that has a canvas, and on the page where not.
 *
 * @returns {Pixels}
 */
export function readPixels(image) {
  if (image.rgba) return image;
  const { width, height } = sizeOf(image);
  const context = canvasContext(width, height);
  context.globalCompositeOperation = 'copy';
  context.drawImage(image, 0, 0, width, height);
  image.close();
  const { data } = context.getImageData(0, 0, width, height);
  return { rgba: new Uint8Array(data.buffer), width, height };
}

/** What to hand over, rather than copy, when posting a frame. */
export function transferable(image) {
  return image.rgba ? image.rgba.buffer : image;
}

/** True in a realm that can draw without the page: a worker with OffscreenCanvas. */
export function canReadPixels() {
  try {
    return Boolean(new OffscreenCanvas(1, 1).getContext('2d'));
  } catch {
    return false;
  }
}

let context;

// One canvas, kept from frame to frame; in main memory, since every frame is read back.
function canvasContext(width, height) {
  if (!context) {
    const canvas = typeof OffscreenCanvas === 'function' ? new OffscreenCanvas(width, height) : document.createElement('canvas');
    context = canvas.getContext('2d', { willReadFrequently: true });
  }
  const { canvas } = context;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return context;
}

function sizeOf(image) {
  return { width: image.displayWidth ?? image.width, height: image.displayHeight ?? image.height };
}

function toImageData({ rgba, width, height }) {
  return new ImageData(new Uint8ClampedArray(rgba.buffer), width, height);
}

// By name, since not every browser has every kind of source.
function isA(value, kind) {
  const constructor = globalThis[kind];
  return typeof constructor === 'function' && value instanceof constructor;
}
