import { MienError } from './error.js';
import { FOREIGN, readPixels, transferable } from './pixels.js';
import { programOf } from './support.js';

// What a GPU's engine knows of the faces is in main memory, and at hand as soon as the frame before is done with.
const STATE_TIME_LIMIT_MS = 8000;

/**
 * One engine: a worker with its own WebAssembly module, behind promises.
 * Each engine has a worker of its own, so a GPU that stalls or a module that traps takes nothing
 * else with it, and the page itself never waits.
 */
export class Engine {
  #worker;
  #calls = new Map();
  #nextId = 1;
  #failure;
  #workerReads;

  /** @type {'cpu' | 'webgpu'} */
  kind;
  /** @type {string} the name of the network, as the weights state it */
  model;

  /**
   * The worker begins at once, and has its own scripts by the time that the files arrive: it gets each as it comes.
   *
   * @param {'cpu' | 'webgpu'} kind
   * @param {URL} base where worker.js and pkg/ are
   * @param {Record<'wasm' | 'detector' | 'network', Promise<Uint8Array>>} files
   */
  static async start(kind, base, files) {
    const engine = new Engine(kind, new Worker(new URL('worker.js', base), { type: 'module', name: `mien-${kind}` }));
    try {
      const [detector, network] = await Promise.all([
        files.detector,
        files.network,
        engine.call('scripts', { glue: new URL(`pkg/${programOf(kind)}.js`, base).href }),
        files.wasm.then((wasm) => engine.call('program', { wasm })),
      ]);
      const { model, readsPixels } = await engine.call('start', { kind, detector, network });
      engine.model = model;
      engine.#workerReads = readsPixels;
      return engine;
    } catch (error) {
      engine.stop(error);
      throw error;
    }
  }

  constructor(kind, worker) {
    this.kind = kind;
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#settle(data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      this.stop(new MienError('download', 'A part of the program could not be loaded.', event.message));
    };
  }

  /** False once the engine is gone: stopped, or its module has trapped. */
  get alive() {
    return this.#failure === undefined;
  }

  /**
   * Uses the image up, whatever comes of it.
   *
   * @returns {Promise<any>} the result from Rust, and the frame's pixels where `keep` asks for them
   */
  async estimate(image, options, timeLimit) {
    try {
      const frame = this.#workerReads ? image : await pixelsOf(image);
      return await this.call('estimate', { frame, ...options }, [transferable(frame)], timeLimit);
    } finally {
      image.close?.();
    }
  }

  /** Milliseconds of one estimate of these pixels: the median of a few, after a warm-up. */
  probe(pixels) {
    return this.call('probe', { pixels });
  }

  reset() {
    if (this.alive) this.call('reset').catch(() => {});
  }

  /** Goes on with the faces that another engine follows; with none if that one does not answer. */
  async takeOver(other) {
    try {
      const state = await other.call('state', {}, [], other.kind === 'cpu' ? 0 : STATE_TIME_LIMIT_MS);
      await this.call('restore', { state });
    } catch {
      this.reset();
    }
  }

  call(type, payload = {}, transfer = [], timeLimit = 0) {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      const id = this.#nextId++;
      const timer = timeLimit > 0 && setTimeout(() => {
        this.stop(new MienError('estimate', `The ${this.kind} engine does not answer.`));
      }, timeLimit);
      this.#calls.set(id, { resolve, reject, timer });
      try {
        this.#worker.postMessage({ id, type, ...payload }, transfer);
      } catch (cause) {
        this.#take(id);
        reject(new MienError('bad-picture', FOREIGN, cause));
      }
    });
  }

  /** Ends the worker; whatever waits for it is rejected with `reason`. */
  stop(reason) {
    if (this.#failure) return;
    this.#failure = reason;
    this.#worker.terminate();
    for (const id of [...this.#calls.keys()]) this.#take(id).reject(reason);
  }

  #settle({ id, value, error }) {
    const failure = error && new MienError(error.code, error.message);
    if (error?.fatal) return this.stop(failure);
    const call = this.#take(id);
    if (failure) call?.reject(failure);
    else call?.resolve(value);
  }

  #take(id) {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    if (call?.timer) clearTimeout(call.timer);
    return call;
  }
}

async function pixelsOf(image) {
  let rgba;
  const size = await readPixels(image, (width, height) => (rgba = new Uint8Array(width * height * 4)));
  return { rgba, ...size };
}
