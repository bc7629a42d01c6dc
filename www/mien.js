/**
 * Mien for programs: age and gender of the faces in a picture, on this device.
 *
 *     import { Mien } from './mien.js';
 *
 *     const mien = await Mien.load();
 *     const { faces } = await mien.estimate(document.querySelector('img'));
 *     for (const face of faces) console.log(face.age, face.ageRange, face.gender);
 *
 * Types and the details of every field: mien.d.ts. The files it loads (worker.js, lib/, pkg/,
 * weights/) lie beside this one.
 */

import { addressOf } from './lib/build.js';
import { download, isSafetensors, isWasm, Progress } from './lib/download.js';
import { Engine } from './lib/engine.js';
import { MienError } from './lib/error.js';
import { grab, release } from './lib/pixels.js';
import { hasWebGpu, programOf, whyUnsupported } from './lib/support.js';

export { MienError };

const ENGINES = ['auto', 'cpu', 'webgpu'];
// All faces that there are.
const MOST = 2 ** 32 - 1;
// How many estimates the published milliseconds are the median of.
const REMEMBERED = 15;
// A GPU that has not answered for this long is lost, though the browser may never say so.
// The first estimate compiles the shaders and may take much longer than those after it. So is a worker that the browser has ended.
// The slowest devices take longest for the largest photos, which what they have shown so far tells.
const TIME_LIMITS_MS = { webgpu: { first: 60_000, later: 8_000, times: 6 }, cpu: { first: 60_000, later: 15_000, times: 50 } };

// Engines that agree are not further apart.
const YEARS_APART = 1;
const CHANCE_APART = 0.05;

export class Mien extends EventTarget {
  /** @type {string} */ #model;
  /** @type {URL | undefined} */ #base;
  /** @type {Map<'cpu' | 'webgpu', Promise<Engine>>} */ #engines = new Map();
  /** @type {Engine} */ #active;
  /** @type {Map<string, Promise<Uint8Array>>} by their paths */ #files = new Map();
  #times = { cpu: [], webgpu: [] };
  #comparison;
  // Until then, the faces that are followed are on their way from one engine to the other.
  #moved = Promise.resolve();
  /** @type {Promise<unknown>} until then, somebody waits for an answer */ #answered = Promise.resolve();
  #mayTryWebGpu = false;
  #closing = new AbortController();
  #onProgress;

  /** Why this browser cannot run Mien, as a MienError, or undefined where it can. */
  static whyUnsupported() {
    return whyUnsupported();
  }

  /**
   * Downloads the program and the weights, and starts an engine.
   *
   * engine 'cpu' and 'webgpu' use that engine. 'auto' starts on the CPU, which is the smaller
   * download, and after the first face tries WebGPU in the background and keeps the faster one.
   *
   * @param {import('./mien.js').MienOptions} [options]
   * @returns {Promise<Mien>}
   */
  static async load({ model = 'lite', engine = 'auto', base, signal, onProgress, onEngineChange, onComparison } = {}) {
    const lack = whyUnsupported();
    if (lack) throw lack;
    if (!ENGINES.includes(engine)) throw new TypeError(`engine is one of ${ENGINES.join(', ')}, not ${engine}`);
    if (!/^[a-z0-9-]+$/.test(model)) throw new TypeError(`${model} is not the name of a network`);
    if (engine === 'webgpu' && !(await hasWebGpu())) {
      throw new MienError('no-webgpu', 'This browser offers no WebGPU on this device.');
    }

    const mien = new Mien(model, base, onProgress);
    signal?.addEventListener('abort', () => mien.close());
    if (signal?.aborted) mien.close();
    const on = (type, tell) => tell && mien.addEventListener(type, (event) => tell(/** @type {CustomEvent} */ (event).detail));
    on('enginechange', onEngineChange);
    on('comparison', onComparison);
    try {
      mien.#mustBeOpen();
      mien.#active = await mien.#engine(engine === 'webgpu' ? 'webgpu' : 'cpu');
      mien.#mustBeOpen();
    } catch (error) {
      mien.close();
      throw error;
    }
    mien.#mayTryWebGpu = engine === 'auto' && !navigator.connection?.saveData;
    return mien;
  }

  /** @private Use Mien.load(). */
  constructor(model, base, onProgress) {
    super();
    this.#model = model;
    this.#base = base && new URL(`${base}`.replace(/\/?$/, '/'), location.href);
    this.#onProgress = onProgress;
  }

  /** The engine in use: 'cpu' or 'webgpu'. */
  get engine() {
    return this.#active.kind;
  }

  /** The name of the network in use. */
  get model() {
    return this.#active.model ?? this.#model;
  }

  /** Whether the browser itself keeps the worker that sees the pictures from every connection: the worker tries one. */
  isSealed() {
    return this.#active.isSealed();
  }

  /** Milliseconds of one estimate, the median of the last few, for each engine that has run. */
  get timings() {
    const timings = {};
    for (const [kind, times] of Object.entries(this.#times)) {
      if (times.length > 0) timings[kind] = median(times);
    }
    return timings;
  }

  /** With engine 'auto', once both engines have run the same picture: milliseconds of each. */
  get comparison() {
    return this.#comparison;
  }

  /**
   * Finds the faces of a picture, or of the present frame of a video, and estimates each.
   * The source stays the caller's own.
   *
   * @param {import('./mien.js').MienSource} source
   * @param {import('./mien.js').EstimateOptions} [options]
   * @returns {Promise<import('./mien.js').Result>}
   */
  async estimate(source, { track = false, timestamp = performance.now(), transfer = false, looks = 2, maxFaces = MOST, smallestFace = 0, signal } = {}) {
    this.#mustBeOpen();
    signal?.throwIfAborted();
    if ((looks !== 1 && looks !== 2) || !(maxFaces >= 1) || !(smallestFace >= 0)) throw new TypeError('looks is 1 or 2, maxFaces at least 1, smallestFace at least 0');
    const before = this.#answered;
    const answer = this.#inTurn(before, source, { track, timestamp, transfer, looks, maxFaces: Math.min(maxFaces, MOST), smallestFace, signal });
    this.#answered = Promise.allSettled([before, answer]).then(() => {}); // or each would hold what came before it
    return unlessAborted(answer, signal);
  }

  // The picture is taken at once; it waits for the answers before it, so that none is overtaken, and no time limit runs meanwhile.
  async #inTurn(before, source, { transfer, signal, ...options }) {
    // A picture that a GPU may fail on is needed once more.
    const grabbed = grab(source, transfer && this.#active.kind === 'cpu');
    await Promise.allSettled([before, grabbed]);
    const picture = await grabbed;
    let engine;
    try {
      this.#mustBeOpen();
      signal?.throwIfAborted();
      engine = this.#active.alive ? this.#active : await this.#replace(this.#active);
    } catch (error) {
      release(picture.image);
      throw error;
    }
    try {
      return await this.#estimateOn(engine, picture, options);
    } catch (error) {
      if (this.#closing.signal.aborted || error.code === 'bad-picture') throw error;
      // Not the picture's fault: once more, if the source still has it.
      if (engine.kind === 'webgpu' || error.silent) {
        const again = await this.#replace(engine, error);
        return this.#estimateOn(again, await grab(source).catch(() => Promise.reject(error)), options);
      }
      if (!engine.alive) await this.#replace(engine);
      throw error;
    }
  }

  /** Forgets the faces followed so far. For a new camera or another video. */
  reset() {
    this.#mustBeOpen();
    this.#moved = this.#moved.then(() => this.#active.reset());
  }

  /** Ends the workers and frees their memory. Whatever is under way is rejected as 'closed'. */
  close() {
    const reason = new MienError('closed', 'This Mien has been closed.');
    this.#closing.abort(reason);
    for (const engine of this.#engines.values()) engine.then((e) => e.stop(reason), () => {});
    this.#files.clear();
  }

  async #estimateOn(engine, { image, width, height }, options) {
    if (options.track) await this.#moved;
    const keep = this.#mayTryWebGpu;
    const limit = this.#timeLimit(engine.kind);
    const { result, ms, pixels } = await engine.estimate(image, { ...options, keep, smallest: options.smallestFace / Math.max(width, height) }, limit);
    if (result.mode !== 'skip') this.#remember(engine.kind, ms);
    if (pixels && this.#mayTryWebGpu) {
      this.#mayTryWebGpu = false;
      // A failure here leaves the CPU at work, and that is all there is to say.
      this.#tryWebGpu(pixels, options.track).catch(() => this.#drop('webgpu'));
    }
    return { ...scaled(result, width, height), engine: engine.kind, model: engine.model };
  }

  #timeLimit(kind) {
    const times = this.#times[kind];
    const { first, later, times: factor } = TIME_LIMITS_MS[kind];
    return times.length > 0 ? Math.max(later, factor * Math.max(...times)) : first;
  }

  // Both engines, the same picture of a face, one after the other; the faster one stays.
  async #tryWebGpu(pixels, track) {
    if (!(await hasWebGpu())) return;
    const gpu = await this.#engine('webgpu');
    const { ms: gpuTime, faces: seen } = await gpu.probe(pixels, track);
    const { ms: cpuTime, faces } = await this.#active.probe(pixels, track);
    if (this.#closing.signal.aborted) return;
    // A graphics driver may compute nonsense, or nothing, in no time.
    if (!agree(seen, faces)) throw new MienError('estimate', 'WebGPU does not see what the CPU sees.');
    this.#remember('webgpu', gpuTime);
    this.#comparison = { cpu: cpuTime, webgpu: gpuTime };
    this.dispatchEvent(new CustomEvent('comparison', { detail: this.#comparison }));
    if (gpuTime < cpuTime) this.#use(gpu, 'faster');
    else this.#drop('webgpu');
  }

  // For an engine that has stopped, or is to stop for an error, one on the CPU; the same for all who ask.
  async #replace(lost, error) {
    const { kind } = lost;
    const started = this.#engines.get(kind);
    if ((await started) === lost && this.#engines.get(kind) === started) this.#engines.delete(kind);
    try {
      const cpu = await this.#engine('cpu');
      if (this.#active === lost) {
        if (kind === 'webgpu') this.#use(cpu, 'lost');
        else this.#active = cpu;
      }
      await this.#moved;
    } finally {
      lost.stop(error);
    }
    return this.#active;
  }

  #use(engine, reason) {
    const before = this.#active;
    this.#active = engine;
    this.#moved = this.#moved.then(() => engine.takeOver(before));
    this.dispatchEvent(new CustomEvent('enginechange', { detail: { engine: engine.kind, reason } }));
  }

  #drop(kind) {
    this.#engines.get(kind)?.then((engine) => engine.stop(new MienError('closed', 'This engine is not in use.')), () => {});
    this.#engines.delete(kind);
  }

  #engine(kind) {
    let engine = this.#engines.get(kind);
    if (!engine) {
      engine = this.#start(kind);
      this.#engines.set(kind, engine);
      engine.catch(() => this.#engines.delete(kind));
    }
    return engine;
  }

  async #start(kind) {
    const progress = new Progress(3, ({ loaded, total }) => this.#tell({ stage: 'download', engine: kind, loaded, total }));
    const program = `pkg/${programOf(kind)}_bg.wasm`;
    const files = {
      wasm: this.#file(program, { what: 'program', code: 'download', check: isWasm, progress }),
      detector: this.#file('weights/blazeface-short.safetensors', { what: 'model that finds faces', code: 'weights', check: isSafetensors, progress }),
      network: this.#file(`weights/${this.#model}.safetensors`, { what: 'model for age and gender', code: 'weights', check: isSafetensors, progress }),
    };
    Promise.all(Object.values(files)).then(() => this.#tell({ stage: 'start', engine: kind, loaded: 1, total: 1 }), () => {});
    const engine = await Engine.start(kind, files);
    this.#files.delete(program); // the weights stay, for the other engine
    if (this.#closing.signal.aborted) engine.stop(this.#closing.signal.reason);
    return engine;
  }

  // Each file once, though two engines want the same weights.
  #file(path, options) {
    let bytes = this.#files.get(path);
    if (!bytes) {
      bytes = download(addressOf(path, this.#base), { path, ...options, signal: this.#closing.signal });
      this.#files.set(path, bytes);
      bytes.catch(() => this.#files.delete(path));
    }
    return bytes;
  }

  #tell(progress) {
    if (!this.#closing.signal.aborted) this.#onProgress?.(progress);
  }

  #remember(kind, ms) {
    this.#times[kind] = [...this.#times[kind], ms].slice(-REMEMBERED);
  }

  #mustBeOpen() {
    if (this.#closing.signal.aborted) throw this.#closing.signal.reason;
  }
}

// What is under way in a worker ends there, unheard.
function unlessAborted(answer, signal) {
  if (!signal) return answer;
  return new Promise((resolve, reject) => {
    const end = () => reject(signal.reason);
    signal.addEventListener('abort', end);
    answer.then(resolve, reject).finally(() => signal.removeEventListener('abort', end));
  });
}

// Coordinates of a shrunk picture, given in pixels of the picture itself.
function scaled(result, width, height) {
  const x = width / result.width;
  const y = height / result.height;
  if (x === 1 && y === 1) return result;
  const faces = result.faces.map((face) => ({
    ...face,
    box: [face.box[0] * x, face.box[1] * y, face.box[2] * x, face.box[3] * y],
    landmarks: face.landmarks.map(([px, py]) => [px * x, py * y]),
  }));
  return { ...result, width, height, faces };
}

// Whether two engines have seen the same faces in a picture, in whatever order. They differ by hundredths where all is well.
function agree(some, others) {
  const isSame = (a, b) => Math.max(...a.box.map((value, index) => Math.abs(value - b.box[index]))) < 0.25 * a.box[2]
    && Math.abs(a.age - b.age) < YEARS_APART && Math.abs(a.gender.female - b.gender.female) < CHANCE_APART;
  return some.length === others.length && some.every((a) => others.some((b) => isSame(a, b)));
}

function median(values) {
  return [...values].sort((a, b) => a - b)[values.length >> 1];
}
