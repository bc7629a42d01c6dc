// The inference worker: one WebEstimator (Rust), one message at a time.
//
// A message is { id, type, ... }, its answer { id, value } or { id, error: { code, message } }. Where the module can't
// be used any more, there is an { error: { code, message, fatal: true } } in place of all answers that are still to
// come.
//   scripts   glue                           the module's own script
//   program   wasm                           the module
//   start     kind, detector, network        ->  { model, readsPixels }
//   sealed                                   ->  whether it can connect to nothing
//   estimate  frame, track, timestamp, keep, looks, maxFaces, smallest
//                                            ->  { result, ms, pixels? }
//   probe     pixels, track                  ->  { ms, faces }
//   reset
//   state                                  ->  what is known of the faces that are followed, as bytes
//   restore   state                            another worker's

import { canReadPixels, readPixels, sizeOf, toFrame } from './lib/pixels.js';

// lib/sealed.js has the browser keep this worker from every connection. Here goes what would store pictures on the device, open
// workers and channels, or lead out where a browser does not keep to that. It goes before the program is loaded, for good.
const DOORS = [
  'fetch', 'XMLHttpRequest', 'WebSocket', 'WebSocketStream', 'WebTransport', 'EventSource', 'importScripts', 'Worker', 'SharedWorker',
  'BroadcastChannel', 'caches', 'indexedDB', 'FontFace', 'webkitRequestFileSystem', 'webkitRequestFileSystemSync',
  'webkitResolveLocalFileSystemURL', 'webkitResolveLocalFileSystemSyncURL',
];
// To be tried when somebody asks, since browsers note in their console what they refuse.
const connect = self.fetch.bind(self, 'data:,mien-tries-whether-its-worker-is-shut-in');
for (const [start, names] of [[self, DOORS], [navigator, ['storage', 'storageBuckets', 'serviceWorker']]]) {
  for (let owner = start; owner; owner = Object.getPrototypeOf(owner)) for (const name of names) Reflect.deleteProperty(owner, name);
}

const WARM_UPS = 2;
const PROBES = 5;
const ALL = [2, 2 ** 32 - 1, 0]; // looks at each, of so many faces, of any size
const FRAME_MS = 33;

let module; // the script that wasm-bindgen made for the program
let estimator;
let inUse = false; // pictures have come

const handlers = {
  async scripts({ glue }) {
    if (!glue.startsWith('blob:')) throw fail('download', 'Scripts come from the page alone.');
    module = await import(glue).catch(because('download', 'A part of the program could not be loaded'));
  },

  async program({ wasm }) {
    const response = new Response(wasm, { headers: { 'Content-Type': 'application/wasm' } });
    await module.default({ module_or_path: response }).catch(because('download', 'The program could not be started'));
  },

  async start({ kind, detector, network }) {
    const trouble = kind === 'webgpu' ? ['no-webgpu', 'WebGPU could not be started'] : ['weights', 'The model could not be read'];
    estimator = await module.WebEstimator.create(kind, detector, network).catch(because(...trouble));
    warmUp();
    return { model: estimator.model, readsPixels: canReadPixels() };
  },

  async sealed() {
    return connect().then(() => false, () => true);
  },

  // smallest: of the faces that are wanted, by the picture's longer side.
  async estimate({ frame, track, timestamp, keep, looks, maxFaces, smallest }) {
    const { result, ms } = await see(frame, track ? timestamp : undefined, looks, maxFaces, smallest);
    const { width, height, faces, path } = result;
    const kept = keep && path === 'memory' && faces.length > 0;
    return { result, ms, pixels: kept ? { rgba: place(width, height).slice(), width, height } : undefined };
  },

  // By the way that the engine takes with a camera's frames; with `track`, of a video in which the picture stays.
  async probe({ pixels, track }) {
    const state = estimator.state();
    const times = [];
    let faces;
    try {
      estimator.reset();
      for (let run = -WARM_UPS; run < PROBES; run++) {
        const { ms, result } = await see(canReadPixels() ? await toFrame(pixels) : pixels, track ? FRAME_MS * (run + WARM_UPS) : undefined, ...ALL);
        faces = result.faces.map(({ box, age, gender }) => ({ box, age, gender }));
        if (run >= 0) times.push(ms);
      }
    } finally {
      estimator.restore(state);
    }
    return { ms: times.sort((a, b) => a - b)[PROBES >> 1], faces };
  },

  async reset() {
    estimator.reset();
  },

  async state() {
    return estimator.state();
  },

  async restore({ state }) {
    estimator.restore(state);
  },
};

// Where the engine and the browser allow it, the frame goes to the graphics device as it is; else its pixels are read.
async function see(frame, ...options) {
  inUse = true;
  const start = performance.now();
  try {
    let result = await seeOnDevice(frame, ...options);
    if (!result) {
      const { width, height } = sizeOf(frame);
      await read(frame);
      result = await estimator.estimate(width, height, ...options);
    }
    return { result, ms: performance.now() - start };
  } finally {
    frame.close?.();
  }
}

let copiesFrames = true; // the browser, video frames to the device, as far as is known

async function seeOnDevice(frame, ...options) {
  // What is to be turned is read: a canvas is sure to turn it.
  if (!estimator.estimatePicture || frame.rgba || frame.rotation || frame.flip) return undefined;
  const isBitmap = frame instanceof ImageBitmap;
  if (isBitmap || copiesFrames) {
    const result = await estimator.estimatePicture(frame, ...options);
    if (result || isBitmap) return result;
  }
  // Not every browser copies video frames, but all copy bitmaps.
  const bitmap = await createImageBitmap(frame).catch(() => undefined);
  if (!bitmap) return undefined;
  try {
    const result = await estimator.estimatePicture(bitmap, ...options);
    if (result) copiesFrames = false;
    return result;
  } finally {
    bitmap.close();
  }
}

// Into the module's own memory, where the estimator finds them.
const place = (width, height) => estimator.pixels(width, height);

async function read(frame) {
  try {
    return await readPixels(frame, place);
  } catch (cause) {
    if (cause.code === 'bad-picture') throw cause;
    throw fail('bad-picture', 'The pixels of this picture cannot be read.', cause);
  }
}

// Browsers compile a module twice, fast at first and then, where it runs much, well, and shaders when they are first
// used. So the first picture would take ten times as long as the next ones, were the engine not run on nothing while
// nobody waits for it.
async function warmUp() {
  for (let part = 0, more = true; more; part++) {
    await new Promise((resume) => setTimeout(resume)); // to whatever has come
    if (inUse) return;
    queue = queue.then(async () => {
      more = await estimator.warmUp(part).catch(() => false); // a picture will say what is wrong
    });
    await queue;
  }
}

const because = (code, words) => (cause) => {
  throw fail(code, `${words} (${cause?.message ?? cause}).`, cause);
};

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
    const trap = [error, error?.cause].find(isTrap);
    if (trap) giveUp(trap);
    else self.postMessage({ id, error: typeof error?.code === 'string' ? told(error.code, error.message) : failed(error) });
  }
}

const told = (code, message) => ({ code, message });
const failed = (error) => told('estimate', `The engine failed on this picture (${error?.message ?? error}).`);
const isTrap = (error) => error instanceof WebAssembly.RuntimeError;

// After a trap the module's memory cannot be trusted any more.
function giveUp(trap) {
  const error = estimator ? failed(trap) : told('download', `The program could not be started (${trap.message}).`);
  self.postMessage({ error: { ...error, fatal: true } });
}

// An async function of Rust's that traps never settles its promise: only these hear of it.
for (const type of ['error', 'unhandledrejection']) {
  self.addEventListener(type, (event) => {
    const error = event.error ?? event.reason;
    if (!isTrap(error)) return;
    event.preventDefault();
    giveUp(error);
  });
}
