import { MienError } from './error.js';

/**
 * The most pixels that are read as they are: 4096 x 4096, also the largest canvas of an iPhone.
 * Larger pictures are shrunk to it, and coordinates are scaled back afterwards.
 */
export const MAX_PIXELS = 4096 * 4096;

// Browsers refuse larger ones, and say no more than that.
const MOST_PIXELS = 2 ** 27;
const SIZE_IS_WITHIN = 2 ** 18;

/** What is said of a picture that the browser does not let read. */
export const FOREIGN = 'This picture belongs to another site, which keeps its pixels closed.';

const TOO_LARGE = 'This picture has more pixels than this browser can make smaller. Save a smaller copy of it first.';

const SCRAMBLED = 'This browser gives pages random pixels in place of a picture’s, as a protection from being recognised. Allow this page to read '
  + 'canvas data (in the address bar, or the privacy settings), and load it again.';

const UNREADABLE = 'The picture is damaged or incomplete, or of a kind that this browser does not know.';

const INCOMPLETE = 'This file is incomplete or damaged: viewers may show a part of the picture, and the rest is missing. Get the file once more.';

// The format of iPhones' photos, which most browsers cannot read: its names in the first bytes of a file.
const HEIC = /^ftyp(heic|heix|hevc|heim|heis|hevm|hevs|mif1|msf1)/;
const WHAT_HEIC_IS = 'This is a HEIC picture, as iPhones take them, and this browser cannot read it. Save it as a JPEG first: '
  + 'open it in Photos and export it, or take a screenshot of it. Safari reads it as it is. '
  + 'For new pictures: Settings, Camera, Formats, Most Compatible.';

// Blobs and <img> elements turn as their EXIF orientation says, as every viewer shows them.
/** @type {ImageBitmapOptions} */
const UPRIGHT = { imageOrientation: 'from-image', premultiplyAlpha: 'none' };

/**
 * Takes one still frame from a source, which stays the caller's own.
 * The frame is transferable: an ImageBitmap, a VideoFrame, or pixels { rgba, width, height }.
 *
 * @param {import('../mien.js').MienSource} source
 * @param {boolean} [transfer] an ImageBitmap is used up rather than copied
 * @returns {Promise<{ image: ImageBitmap | VideoFrame | Pixels, width: number, height: number }>}
 *   width and height of the source, which may be larger than the image.
 * @typedef {{ rgba: Uint8Array, width: number, height: number }} Pixels
 */
export async function grab(source, transfer = false) {
  let image;
  try {
    image = await still(source, transfer);
  } catch (cause) {
    if (cause instanceof MienError) throw cause;
    if (cause?.name === 'SecurityError') throw new MienError('bad-picture', FOREIGN, cause);
    throw new MienError('bad-picture', UNREADABLE, cause);
  }
  const { width, height } = sizeOf(image);
  if (!(width > 0 && height > 0)) {
    image.close?.();
    throw new MienError('bad-picture', 'This picture is empty.');
  }
  if (width * height > MAX_PIXELS) image = await shrink(image, width, height);
  return { image, width, height };
}

/**
 * The picture in a file, upright.
 *
 * @param {Blob} file
 * @returns {Promise<ImageBitmap>}
 */
export async function decode(file) {
  try {
    return await upright(file);
  } catch (cause) {
    const start = await file.slice(4, 12).text().catch(() => '');
    if (HEIC.test(start)) throw new MienError('bad-picture', WHAT_HEIC_IS, cause);
    if ((await pixelsIn(file)) > MOST_PIXELS) throw tooLarge(cause);
    throw new MienError('bad-picture', (await showsInPart(file)) ? INCOMPLETE : UNREADABLE, cause);
  }
}

// How many pixels a PNG or a JPEG says that it has; 0 where that is not to be found.
async function pixelsIn(file) {
  try {
    const bytes = new DataView(await file.slice(0, SIZE_IS_WITHIN).arrayBuffer());
    if (bytes.getUint32(0) === 0x89504e47) return bytes.getUint32(16) * bytes.getUint32(20);
    // From segment to segment, to the one of the frame.
    for (let at = 2; bytes.getUint16(0) === 0xffd8; at += 2 + bytes.getUint16(at + 2)) {
      const marker = bytes.getUint16(at);
      if (marker >= 0xffc0 && marker <= 0xffc2) return bytes.getUint16(at + 5) * bytes.getUint16(at + 7);
      if (marker < 0xffc0) return 0;
    }
    return 0;
  } catch {
    return 0; // it ends before
  }
}

// Whether a browser shows something of a file that is not to be read. (A drawing is no picture, and shown, too.)
async function showsInPart(file) {
  if (typeof Image !== 'function' || file.type.startsWith('image/svg')) return false;
  const image = new Image();
  image.src = URL.createObjectURL(file);
  try {
    await image.decode();
    return true;
  } catch {
    return false;
  } finally {
    URL.revokeObjectURL(image.src);
  }
}

// Browsers that know createImageBitmap, and not all of its options, refuse every picture by them.
async function upright(source) {
  try {
    return await createImageBitmap(source, UPRIGHT);
  } catch (cause) {
    if (cause?.name === 'SecurityError') throw cause;
    return createImageBitmap(source);
  }
}

async function still(source, transfer) {
  if (isA(source, 'Blob') || isA(source, 'File')) return decode(source);
  if (isA(source, 'HTMLImageElement')) {
    await source.decode();
    return upright(source);
  }
  if (isA(source, 'HTMLVideoElement')) {
    if (source.readyState < 2 || !source.videoWidth) {
      throw new MienError('bad-picture', 'The video has no picture yet.');
    }
    return videoFrame(source) ?? createImageBitmap(source);
  }
  if (isA(source, 'ImageData')) {
    return { rgba: new Uint8Array(source.data), width: source.width, height: source.height };
  }
  if (isA(source, 'VideoFrame')) return source.clone();
  if (isA(source, 'HTMLCanvasElement') || isA(source, 'OffscreenCanvas')) {
    return overWhite(source) ?? createImageBitmap(source, { premultiplyAlpha: 'none' });
  }
  if (isA(source, 'ImageBitmap')) return transfer ? source : createImageBitmap(source, { premultiplyAlpha: 'none' });
  throw new MienError('bad-picture', 'Mien reads pictures, videos, canvases and image files, and this is none of them.');
}

let white; // draws on a canvas without transparency

// A canvas as a video frame, which is read sooner than a bitmap. Browsers give such a frame what is transparent over
// black, so it is of another canvas, which is white behind. Undefined where that can't be done.
function overWhite(source) {
  const { width, height } = source;
  if (typeof VideoFrame !== 'function' || !(width * height > 0) || width * height > MAX_PIXELS) return undefined;
  try {
    white ??= new OffscreenCanvas(width, height).getContext('2d', { alpha: false, willReadFrequently: true });
    const { canvas } = white;
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    white.fillStyle = '#fff';
    white.fillRect(0, 0, width, height);
    white.drawImage(source, 0, 0);
    return new VideoFrame(canvas, { timestamp: 0 });
  } catch {
    white = undefined; // it may have become unreadable, as the source is
    return undefined;
  }
}

// A reference to the pixels, where createImageBitmap would copy them; undefined where there is no such thing.
function videoFrame(source, init) {
  if (typeof VideoFrame !== 'function') return undefined;
  try {
    return new VideoFrame(source, init);
  } catch (cause) {
    if (cause?.name === 'SecurityError') throw cause;
    return undefined;
  }
}

/** The error where a browser cannot make a picture smaller. */
export function tooLarge(cause) {
  return new MienError('bad-picture', TOO_LARGE, cause);
}

async function shrink(image, width, height) {
  const scale = Math.sqrt(MAX_PIXELS / (width * height));
  try {
    return await createImageBitmap(image.rgba ? toImageData(image) : image, {
      resizeWidth: Math.floor(width * scale),
      resizeHeight: Math.floor(height * scale),
      resizeQuality: 'high',
      premultiplyAlpha: 'none',
    });
  } catch (cause) {
    throw tooLarge(cause);
  } finally {
    image.close?.();
  }
}

/**
 * Reads the RGBA bytes of a frame from grab(), which is used up by it.
 * Runs in the worker where that has a canvas, and on the page where not.
 *
 * @param {(width: number, height: number) => Uint8Array} place where the bytes are to go
 * @returns {Promise<{ width: number, height: number }>}
 */
export async function readPixels(image, place) {
  const { width, height } = sizeOf(image);
  if (image.rgba) {
    place(width, height).set(image.rgba);
  } else {
    try {
      if (!(await copyFrame(image, width, height, place))) draw(image, width, height, place);
    } finally {
      image.close();
    }
  }
  return { width, height };
}

// Straight from a video frame: a tenth of the time that a canvas takes. False where it can't be done.
async function copyFrame(image, width, height, place) {
  if (!isA(image, 'VideoFrame')) return false;
  // A canvas turns and stretches a frame as its metadata say, copyTo does not.
  const { visibleRect, rotation, flip } = image;
  if (rotation || flip || visibleRect?.width !== width || visibleRect.height !== height) return false;
  const format = { format: 'RGBA' };
  try {
    // Browsers that can't convert either say so or forget the wish, and then need another number of bytes.
    if (image.allocationSize(format) !== width * height * 4) return false;
    await image.copyTo(place(width, height), format);
    return true;
  } catch {
    return false;
  }
}

function draw(image, width, height, place) {
  const context = canvasContext(width, height);
  context.globalCompositeOperation = 'copy';
  context.drawImage(image, 0, 0, width, height);
  place(width, height).set(context.getImageData(0, 0, width, height).data);
}

/** Pixels, which stay, as grab() gives a camera's. */
export async function toFrame(pixels) {
  const bitmap = await createImageBitmap(toImageData(pixels), { premultiplyAlpha: 'none' });
  const frame = videoFrame(bitmap, { timestamp: 0 });
  if (frame) bitmap.close();
  return frame ?? bitmap;
}

/** Lets go of a frame that nobody reads. */
export function release(image) {
  image.close?.();
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
    const made = canvas.getContext('2d', { willReadFrequently: true });
    mustReadTruly(made);
    context = made;
  }
  const { canvas } = context;
  if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
  return context;
}

// Some browsers give pages random pixels, so that they cannot tell devices apart. A little noise does no harm.
function mustReadTruly(context) {
  Object.assign(context.canvas, { width: 8, height: 8 });
  context.fillStyle = '#40c080';
  context.fillRect(0, 0, 8, 8);
  const { data } = context.getImageData(0, 0, 8, 8);
  const off = data.reduce((sum, value, index) => sum + Math.abs(value - [0x40, 0xc0, 0x80, 0xff][index % 4]), 0) / data.length;
  if (off > 8) throw new MienError('bad-picture', SCRAMBLED);
}

/** Width and height of a frame from grab(). */
export function sizeOf(image) {
  return { width: image.displayWidth ?? image.width, height: image.displayHeight ?? image.height };
}

function toImageData({ rgba, width, height }) {
  return new ImageData(new Uint8ClampedArray(rgba.buffer), width, height);
}

// By the name that it has in its own window, since it may come from another one.
function isA(value, kind) {
  return Object.prototype.toString.call(value) === `[object ${kind}]`;
}
