import { MienError } from './error.js';
import { after } from './patience.js';
import { FOREIGN, readPixels, transferable } from './pixels.js';
import { forgetScripts, hold, startSealed } from './sealed.js';
import { programOf } from './support.js';

// What a GPU's engine knows of the faces is in main memory, and at hand as soon as the frame before is done with.
const STATE_TIME_LIMIT_MS = 8000;
// A worker that has not started by then has been ended, or its device does not answer.
const START_TIME_LIMIT_MS = 60_000;
// Nobody waits for it.
const PROBE_TIME_LIMIT_MS = 120_000;

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
   * @param {Record<'wasm' | 'detector' | 'network', Promise<Uint8Array>>} files
   * @returns {Promise<Engine>}
   */
  static async start(kind, files) {
    try {
      return await Engine.#begin(kind, files);
    } catch (error) {
      if (error.unexplained) return Engine.#begin(kind, files).catch(forgetting);
      return forgetting(error);
    }
  }

  static async #begin(kind, files) {
    const glue = hold(`pkg/${programOf(kind)}.js`);
    glue.catch(() => {}); // told where it is waited for
    const engine = new Engine(kind, await startSealed('worker.js', `mien-${kind}`));
    try {
      const scripts = glue.then((address) => engine.call('scripts', { glue: address }, [], START_TIME_LIMIT_MS));
      const program = Promise.all([files.wasm, scripts]).then(([wasm]) => engine.call('program', { wasm }, [], START_TIME_LIMIT_MS));
      const [detector, network] = await Promise.all([files.detector, files.network, program]);
      const { model, readsPixels } = await engine.call('start', { kind, detector, network }, [], START_TIME_LIMIT_MS);
      engine.model = model;
      engine.#workerReads = readsPixels;
      return engine;
    } catch (error) {
      engine.stop(error);
      throw error.silent ? new MienError('download', 'The program does not start.', error) : error;
    }
  }

  constructor(kind, worker) {
    this.kind = kind;
    this.#worker = worker;
    worker.onmessage = ({ data }) => this.#settle(data);
    worker.onerror = (event) => {
      event.preventDefault?.();
      const error = new MienError('download', 'A part of the program could not be loaded.', event.message);
      // Scripts that fail say why. But now and then Chromium does not start one, and that is all that is heard.
      this.stop(Object.assign(error, { unexplained: !event.message }));
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
      const answer = await this.call('estimate', { frame, ...options }, [transferable(frame)], timeLimit);
      // What a sealed worker sends is made of the classes of the document that started it, so that nothing is `instanceof` this page's.
      return { ...answer, result: structuredClone(answer.result) };
    } finally {
      image.close?.();
    }
  }

  /**
   * One estimate of these pixels, as of a photo or, with `track`, of a video: milliseconds, the median of a few after a warm-up, and
   * the faces. What is followed meanwhile stays known.
   */
  probe(pixels, track) {
    return this.call('probe', { pixels, track }, [], PROBE_TIME_LIMIT_MS);
  }

  /** Whether the browser keeps the worker from every connection. @returns {Promise<boolean>} */
  isSealed() {
    return this.call('sealed');
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
      const callOff = timeLimit > 0 && after(timeLimit, () => {
        // Somebody else may have ended its worker, of which nobody is told.
        this.stop(Object.assign(new MienError('estimate', `The ${this.kind} engine does not answer.`), { silent: true }));
      });
      this.#calls.set(id, { resolve, reject, callOff });
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
    if (call?.callOff) call.callOff();
    return call;
  }
}

/** The next try fetches the scripts anew: they may be what is wrong. @returns {never} */
function forgetting(error) {
  forgetScripts();
  throw error;
}

async function pixelsOf(image) {
  let rgba;
  const size = await readPixels(image, (width, height) => (rgba = new Uint8Array(width * height * 4)));
  return { rgba, ...size };
}
