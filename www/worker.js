// The inference worker: one WebEstimator (Rust), one message at a time.
//
// A message is { id, type, ... }, its answer { id, value } or { id, error: { code, message, fatal } }.
//   start     kind, glue, wasm, detector, network  ->  { model, readsPixels }
//   estimate  frame, track, timestamp, keep        ->  { result, ms, pixels? }
//   probe     pixels                               ->  milliseconds
//   reset

import { canReadPixels, readPixels, sizeOf, toFrame } from './lib/pixels.js';

// The page's Content-Security-Policy does not reach into a worker, and this worker needs no network:
// the page hands it every byte. So it gives the network up before it sees a picture.
for (const door of ['fetch', 'XMLHttpRequest', 'WebSocket', 'WebSocketStream', 'WebTransport', 'EventSource']) {
  Object.defineProperty(self, door, { value: undefined, writable: false, configurable: false });
}

const WARM_UPS = 2;
const PROBES = 5;

let estimator;

const handlers = {
  async start({ kind, glue, wasm, detector, network }) {
    let step = { code: 'download', words: 'A part of the program could not be loaded' };
    try {
      const { default: init, WebEstimator } = await import(glue);
      step = { code: 'download', words: 'The program could not be started' };
      await init({ module_or_path: new Response(wasm, { headers: { 'Content-Type': 'application/wasm' } }) });
      step = kind === 'webgpu' ? { code: 'no-webgpu', words: 'WebGPU could not be started' } : { code: 'weights', words: 'The model could not be read' };
      estimator = await WebEstimator.create(kind, detector, network);
    } catch (cause) {
      throw fail(step.code, `${step.words} (${cause?.message ?? cause}).`, cause);
    }
    return { model: estimator.model, readsPixels: canReadPixels() };
  },

  async estimate({ frame, track, timestamp, keep }) {
    const { result, ms } = await see(frame, track, timestamp);
    const { width, height, faces, path } = result;
    const kept = keep && path === 'memory' && faces.length > 0;
    return { result, ms, pixels: kept ? { rgba: place(width, height).slice(), width, height } : undefined };
  },

  // By the way that the engine takes with a camera's frames.
  async probe({ pixels }) {
    const times = [];
    for (let run = -WARM_UPS; run < PROBES; run++) {
      const { ms } = await see(canReadPixels() ? await toFrame(pixels) : pixels, false, 0);
      if (run >= 0) times.push(ms);
    }
    return times.sort((a, b) => a - b)[PROBES >> 1];
  },

  async reset() {
    estimator.reset();
  },
};

// Where the engine and the browser allow it, the frame goes to the graphics device as it is; else its pixels are read.
async function see(frame, track, timestamp) {
  const start = performance.now();
  const { width, height } = sizeOf(frame);
  let result = await seeOnDevice(frame, [width, height, track, timestamp]);
  if (result) {
    frame.close();
  } else {
    await read(frame);
    result = await estimator.estimate(width, height, track, timestamp);
  }
  return { result, ms: performance.now() - start };
}

let copiesFrames = true; // the browser, video frames to the device, as far as is known

async function seeOnDevice(frame, options) {
  // What is to be turned is read: a canvas is sure to turn it.
  if (!estimator.estimatePicture || frame.rgba || frame.rotation || frame.flip) return undefined;
  const isBitmap = frame instanceof ImageBitmap;
  if (isBitmap || copiesFrames) {
    const result = await estimator.estimatePicture(frame, ...options);
    if (result || isBitmap) return result;
  }
  // Not every browser copies video frames, but all copy bitmaps.
  const bitmap = await createImageBitmap(frame).catch(() => undefined);
  const result = bitmap && (await estimator.estimatePicture(bitmap, ...options));
  bitmap?.close();
  if (result) copiesFrames = false;
  return result;
}

// Into the module's own memory, where the estimator finds them.
const place = (width, height) => estimator.pixels(width, height);

async function read(frame) {
  try {
    return await readPixels(frame, place);
  } catch (cause) {
    throw fail('bad-picture', 'The pixels of this picture cannot be read.', cause);
  }
}

function fail(code, message, cause) {
  return Object.assign(new Error(message, { cause }), { code });
}

// One after the other: the estimator may not be entered again while it awaits the GPU.
let queue = Promise.resolve();

self.onmessage = ({ data }) => {
  queue = queue.then(() => answer(data));
};

async function answer({ id, type, ...payload }) {
  try {
    const value = await handlers[type](payload);
    self.postMessage({ id, value }, value?.pixels ? [value.pixels.rgba.buffer] : []);
  } catch (error) {
    // After a trap the module's memory cannot be trusted any more.
    const trap = (e) => e instanceof WebAssembly.RuntimeError;
    const fatal = trap(error) || trap(error?.cause);
    const code = typeof error?.code === 'string' ? error.code : 'estimate';
    const reason = error?.message ?? String(error);
    const message = code === 'estimate' ? `The engine failed on this picture (${reason}).` : reason;
    self.postMessage({ id, error: { code, message, fatal } });
  }
}
