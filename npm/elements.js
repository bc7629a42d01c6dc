/**
 * Two elements for pages: <mien-photo> shows a picture with its faces framed and estimated, <mien-camera> does so with what a
 * camera sees.
 *
 *     import 'mien-faces/elements';
 *
 *     <mien-photo src="portrait.jpg"></mien-photo>
 *     <mien-camera></mien-camera>
 *
 * Their attributes, events, slots and parts are in README.md, their types in elements.d.ts.
 */

import { Mien, MienError } from './mien.js';
import { Camera, CameraError, nextFrame } from './views/camera.js';
import { isSure } from './views/words.js';

// Servers import this, too, and have no elements.
const Base = /** @type {typeof HTMLElement} */ (globalThis.HTMLElement ?? class {});

// Errors of the camera have the browser's names.
const CODES = {
  NotAllowedError: 'no-permission',
  SecurityError: 'no-permission',
  NotFoundError: 'no-camera',
  OverconstrainedError: 'no-camera',
  NotReadableError: 'camera-busy',
  AbortError: 'camera-busy',
  insecure: 'insecure',
  unsupported: 'no-camera-access',
  silent: 'camera-silent',
  lost: 'camera-lost',
};

// No policy of a page's forbids these, as it may a <style>.
const STYLES = `
  :host { display: block; color: inherit; font: inherit; }
  :host([hidden]), [hidden] { display: none !important; }
  .stage { position: relative; overflow: hidden; }
  .picture { display: block; width: 100%; height: auto; }
  .mirrored { transform: scaleX(-1); }
  .frame { position: absolute; box-sizing: border-box; border: 2px solid #fff; border-radius: 4px; box-shadow: 0 0 0 1px #0008, inset 0 0 0 1px #0008; }
  .label {
    position: absolute; left: -2px; bottom: 100%; padding: 0.1em 0.4em; border-radius: 4px;
    background: #000b; color: #fff; font-size: 0.9em; line-height: 1.4; white-space: nowrap;
  }
  .inside .label { bottom: auto; top: 0; }
  .controls { display: flex; flex-wrap: wrap; align-items: center; gap: 0.75em; }
  .controls p { margin: 0.5em 0; }
`;
let sheet;

// Photos of one page share what is downloaded and started.
/** @type {Map<string, { users: number, mien: Promise<Mien> }>} */
const shared = new Map();

function share(key, load) {
  const entry = shared.get(key) ?? { users: 0, mien: load() };
  shared.set(key, entry);
  entry.users += 1;
  const leave = () => {
    entry.users -= 1;
    if (entry.users > 0) return;
    if (shared.get(key) === entry) shared.delete(key);
    entry.mien.then((mien) => mien.close(), () => {});
  };
  entry.mien.catch(() => shared.get(key) === entry && shared.delete(key)); // the next one tries again
  return { mien: entry.mien, leave };
}

function element(name, properties = {}, ...children) {
  const { part, ...others } = properties;
  const made = Object.assign(document.createElement(name), others);
  if (part) made.setAttribute('part', part);
  made.append(...children);
  return made;
}

const slot = (name, ...fallback) => element('slot', { name }, ...fallback);

/** What both elements have: a shadow tree with frames over a picture, words below it, and events. */
class Shell {
  #host;
  #stage;
  #status;
  #error;
  #frames = [];

  constructor(host, picture, ...controls) {
    this.#host = host;
    const root = host.attachShadow({ mode: 'open' });
    if (!sheet) {
      sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLES);
    }
    root.adoptedStyleSheets = [sheet];
    picture.className = 'picture';
    this.#stage = element('div', { className: 'stage', part: 'stage', hidden: true }, picture);
    this.#status = element('p', { part: 'status', hidden: true });
    this.#status.setAttribute('role', 'status');
    this.#error = element('p', { part: 'error', hidden: true });
    this.#error.setAttribute('role', 'alert');
    root.append(this.#stage, element('div', { className: 'controls', part: 'controls' }, ...controls, this.#status, this.#error));
  }

  /** @param {'idle' | 'loading' | 'running' | 'done' | 'error'} state */
  turn(state) {
    this.#host.setAttribute('state', state);
    this.#stage.hidden = state === 'idle' || (state === 'error' && !this.shows);
    this.#status.hidden = state !== 'loading';
    this.#error.hidden = state !== 'error';
    if (state === 'loading') this.#status.replaceChildren(slot('loading', 'One moment…'));
    if (state !== 'running' && state !== 'done') this.frame(undefined);
  }

  /** Whether there is a picture to be seen though something went wrong. */
  shows = false;

  tell(type, detail) {
    return this.#host.dispatchEvent(new CustomEvent(`mien-${type}`, { detail, bubbles: true, composed: true }));
  }

  fail(error) {
    const code = error instanceof CameraError ? CODES[error.name] ?? 'camera' : error?.code ?? 'estimate';
    const message = error instanceof CameraError ? `${error.title}. ${error.message}` : error?.message ?? String(error);
    // Words for this error, for any, or the library's own.
    this.#error.replaceChildren(slot(`error-${code}`, slot('error', message)));
    this.turn('error');
    this.tell('error', { code, message, error });
  }

  /**
   * Frames and labels of these faces, in place of those before.
   *
   * @param {import('./mien.js').Result} [result]
   * @param {{ mirrored?: boolean, label?: (face: import('./mien.js').Face) => string }} [options]
   */
  frame(result, { mirrored = false, label = describe } = {}) {
    const faces = (result?.faces ?? []).filter((face) => face.settled);
    while (this.#frames.length > faces.length) this.#frames.pop().remove();
    while (this.#frames.length < faces.length) {
      const frame = element('div', { className: 'frame', part: 'frame' }, element('span', { className: 'label', part: 'label' }));
      this.#frames.push(frame);
      this.#stage.append(frame);
    }
    faces.forEach((face, index) => {
      const [x, y, width, height] = face.box;
      const frame = this.#frames[index];
      const left = mirrored ? result.width - x - width : x;
      const percent = (part, whole) => `${(100 * part) / whole}%`;
      Object.assign(frame.style, {
        left: percent(left, result.width), top: percent(y, result.height), width: percent(width, result.width), height: percent(height, result.height),
      });
      // Where there is no room above it.
      frame.classList.toggle('inside', y < result.height / 12);
      const text = label(face);
      if (frame.firstChild.textContent !== text) frame.firstChild.textContent = text;
    });
  }
}

// A gender is named by the page's rule.
/** @param {import('./mien.js').Face} face */
function describe(face) {
  const { age, ageRange: [low, high], gender: { female, male } } = face;
  const years = (value) => Math.round(value);
  const gender = !isSure(face) ? 'gender not sure'
    : `${female > male ? 'female' : 'male'} ${Math.round(100 * Math.max(female, male))} %`;
  return `${years(age)} (${years(low)}–${years(high)}), ${gender}`;
}

const optionsOf = (host, onProgress) => {
  const options = { onProgress };
  for (const name of ['model', 'engine', 'base']) if (host.hasAttribute(name)) options[name] = host.getAttribute(name);
  return options;
};

// What was set before the element was defined.
function upgrade(host, ...names) {
  for (const name of names) {
    if (!Object.hasOwn(host, name)) continue;
    const value = host[name];
    delete host[name];
    host[name] = value;
  }
}

export class MienPhoto extends Base {
  static observedAttributes = ['src', 'alt', 'model', 'engine', 'base', 'picker'];

  /** @type {Shell} */ #shell;
  #image;
  #picker;
  /** @type {Blob | null} */ #source = null;
  /** @type {import('./mien.js').Result | null} */ #result = null;
  #label = describe;
  /** @type {{ mien: Promise<Mien>, leave: () => void } | undefined} */ #loaded;
  #run = 0;
  #isDue = false;

  connectedCallback() {
    if (!this.#shell) {
      this.#image = element('img', { part: 'picture', crossOrigin: 'anonymous' });
      const input = element('input', { type: 'file', accept: 'image/*', part: 'input' });
      input.addEventListener('change', () => {
        if (input.files[0]) this.source = input.files[0];
      });
      this.#picker = element('label', { part: 'picker' }, slot('picker', 'Choose a picture '), input);
      this.#shell = new Shell(this, this.#image, this.#picker);
      this.addEventListener('dragover', (event) => this.hasAttribute('picker') && event.preventDefault());
      this.addEventListener('drop', (event) => {
        if (!this.hasAttribute('picker')) return;
        event.preventDefault();
        if (event.dataTransfer?.files[0]) this.source = event.dataTransfer.files[0];
      });
    }
    upgrade(this, 'source', 'label');
    this.#changed();
  }

  disconnectedCallback() {
    this.#run += 1;
    this.#leave();
    this.#show('');
  }

  attributeChangedCallback(name, before, now) {
    if (before === now) return;
    if (['model', 'engine', 'base'].includes(name)) this.#leave();
    this.#changed();
  }

  /** A picture's file, in the place of `src`. */
  get source() {
    return this.#source;
  }

  set source(source) {
    this.#source = source ?? null;
    this.#changed();
  }

  /** What is written at a face. */
  get label() {
    return this.#label;
  }

  set label(label) {
    this.#label = label ?? describe;
    if (this.#result) this.#shell?.frame(this.#result, { label: this.#label });
  }

  /** What came of the picture that is shown. */
  get result() {
    return this.#result;
  }

  // Once, when all attributes are there.
  #changed() {
    if (this.#isDue || !this.isConnected || !this.#shell) return;
    this.#isDue = true;
    queueMicrotask(() => {
      this.#isDue = false;
      if (this.isConnected) this.#look();
    });
  }

  async #look() {
    const run = (this.#run += 1);
    this.#picker.hidden = !this.hasAttribute('picker');
    this.#image.alt = this.getAttribute('alt') ?? '';
    this.#result = null;
    this.#shell.shows = false;
    const source = this.#source ?? this.getAttribute('src');
    if (source === null) return this.#shell.turn('idle');
    this.#shell.turn('loading');
    try {
      this.#loaded ??= this.#load();
      const { mien } = this.#loaded;
      mien.catch(() => {}); // told where it is waited for
      const isFile = typeof source !== 'string';
      this.#show(isFile ? URL.createObjectURL(source) : source);
      if (!isFile) await this.#image.decode().catch(because('The picture could not be loaded.'));
      if (run !== this.#run) return;
      this.#shell.shows = true;
      const result = await (await mien).estimate(isFile ? source : this.#image);
      if (run !== this.#run) return;
      this.#result = result;
      this.#shell.turn('done');
      this.#shell.frame(result, { label: this.#label });
      this.#shell.tell('result', result);
    } catch (error) {
      if (run !== this.#run) return;
      this.#shell.shows = this.#image.naturalWidth > 0;
      if (error.code !== 'bad-picture') this.#leave(); // the next picture tries again
      this.#shell.fail(error);
    }
  }

  #load() {
    const options = optionsOf(this, (progress) => this.#shell.tell('progress', progress));
    return share(JSON.stringify(options), () => Mien.load(options));
  }

  #leave() {
    this.#loaded?.leave();
    this.#loaded = undefined;
  }

  #show(address) {
    if (!this.#image) return;
    if (this.#image.src.startsWith('blob:')) URL.revokeObjectURL(this.#image.src);
    if (address) this.#image.src = address;
    else this.#image.removeAttribute('src');
  }
}

export class MienCamera extends Base {
  static observedAttributes = ['model', 'engine', 'base'];

  /** @type {Shell} */ #shell;
  #video;
  #start;
  #stop;
  /** @type {Camera} */ #camera;
  #label = describe;
  /** @type {Promise<Mien> | undefined} */ #loaded;
  /** @type {import('./mien.js').Result | null} */ #result = null;
  #run = 0;
  #opened = Promise.resolve();
  #isOn = false;
  #inSight = () => document.hidden || this.#camera.resume();

  connectedCallback() {
    if (!this.#shell) {
      this.#video = element('video', { part: 'picture', muted: true, playsInline: true });
      this.#start = element('button', { type: 'button', part: 'button' }, slot('start', 'Start the camera'));
      this.#stop = element('button', { type: 'button', part: 'button', hidden: true }, slot('stop', 'Stop the camera'));
      this.#start.addEventListener('click', () => this.start());
      this.#stop.addEventListener('click', () => this.stop());
      this.#camera = new Camera(this.#video, (error) => this.#end(error));
      this.#shell = new Shell(this, this.#video, this.#start, this.#stop);
      this.#shell.turn('idle');
    }
    upgrade(this, 'label');
    document.addEventListener('visibilitychange', this.#inSight);
    if (this.hasAttribute('autostart')) this.start();
  }

  disconnectedCallback() {
    document.removeEventListener('visibilitychange', this.#inSight);
    this.stop();
    this.#close();
  }

  attributeChangedCallback(name, before, now) {
    if (before !== now && this.#loaded) {
      this.stop();
      this.#close();
    }
  }

  /** What is written at a face. */
  get label() {
    return this.#label;
  }

  set label(label) {
    this.#label = label ?? describe;
  }

  /** What came of the last frame. */
  get result() {
    return this.#result;
  }

  get running() {
    return this.#isOn;
  }

  /** Asks for the camera, and begins. What goes wrong is told by the event mien-error; it never rejects. */
  async start() {
    if (this.#isOn || !this.isConnected) return;
    const run = (this.#run += 1);
    this.#turn(true);
    this.#shell.turn('loading');
    try {
      this.#loaded ??= this.#load();
      const [mien] = await Promise.all([this.#loaded, this.#open(run)]);
      if (run !== this.#run) return;
      mien.reset();
      this.#video.classList.toggle('mirrored', this.#camera.mirrored);
      this.#shell.turn('running');
      this.#shell.tell('start');
      this.#watch(run, mien);
    } catch (error) {
      if (run === this.#run) this.#end(error);
    }
  }

  // One after the other: a camera that was asked for comes, though nobody wants it any more.
  #open(run) {
    const opened = this.#opened.then(async () => {
      if (run !== this.#run) return;
      await this.#camera.start();
      if (run !== this.#run) this.#camera.stop();
    });
    this.#opened = opened.catch(() => {});
    return opened;
  }

  /** Lets go of the camera. */
  stop() {
    if (this.#isOn) this.#end();
  }

  /** The next camera, where there are several. */
  async switch() {
    if (!this.#isOn || !this.#camera.hasChoice) return;
    try {
      await this.#camera.switch();
      this.#video.classList.toggle('mirrored', this.#camera.mirrored);
    } catch (error) {
      this.#end(error);
    }
  }

  async #watch(run, mien) {
    try {
      for (;;) {
        await nextFrame(this.#video);
        if (run !== this.#run) return;
        const result = await mien.estimate(this.#video, { track: true });
        if (run !== this.#run) return;
        this.#result = result;
        this.#shell.frame(result, { mirrored: this.#camera.mirrored, label: this.#label });
        if (result.mode !== 'skip') this.#shell.tell('result', result);
      }
    } catch (error) {
      if (run === this.#run) this.#end(error);
    }
  }

  #end(error) {
    this.#run += 1;
    this.#turn(false);
    this.#camera.stop();
    this.#result = null;
    if (error instanceof MienError) this.#close(); // the next start tries again
    if (error) this.#shell.fail(error);
    else this.#shell.turn('idle');
    this.#shell.tell('stop');
  }

  #turn(isOn) {
    this.#isOn = isOn;
    this.#start.hidden = isOn;
    this.#stop.hidden = !isOn;
  }

  // Its own, since it remembers the faces that it follows.
  #load() {
    const mien = Mien.load(optionsOf(this, (progress) => this.#shell.tell('progress', progress)));
    mien.catch(() => {}); // told where it is waited for
    return mien;
  }

  #close() {
    this.#loaded?.then((mien) => mien.close(), () => {});
    this.#loaded = undefined;
  }
}

const because = (words) => (cause) => {
  throw new MienError('bad-picture', words, cause);
};

if (globalThis.customElements && !customElements.get('mien-photo')) {
  customElements.define('mien-photo', MienPhoto);
  customElements.define('mien-camera', MienCamera);
}
