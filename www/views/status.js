import { describeAll } from './words.js';

const ENGINE_NAMES = { cpu: 'CPU', webgpu: 'WebGPU' };
const METER_EVERY_MS = 500;
// A camera's numbers waver; only a face that comes or goes is news worth telling soon.
const ANNOUNCE_EVERY_MS = { news: 1500, same: 8000 };

/** The line of words over the buttons, and the slim progress line under it. */
export class Status {
  #line;
  #progress;
  #bar;

  constructor(line, progress) {
    this.#line = line;
    this.#progress = progress;
    this.#bar = progress.querySelector('i');
  }

  say(text) {
    if (this.#line.textContent !== text) this.#line.textContent = text;
  }

  progress({ loaded, total }) {
    const fraction = total > 0 ? Math.min(1, loaded / total) : 0;
    this.#progress.hidden = false;
    this.#progress.setAttribute('aria-valuenow', String(Math.round(100 * fraction)));
    this.#bar.style.transform = `scaleX(${fraction.toFixed(3)})`;
  }

  progressDone() {
    this.#progress.hidden = true;
  }
}

/** Engine, milliseconds, and for a camera estimates a second; then what is to be said of the other engine. */
export class Meter {
  #root;
  #ends = [];
  #drawn = 0;
  #parts = [];
  #note;

  constructor(root) {
    this.#root = root;
  }

  /** Nothing measured yet. */
  idle(engine) {
    this.#ends = [];
    this.#write([ENGINE_NAMES[engine]]);
  }

  /** @param {import('../mien.js').Result} result */
  count({ engine, timings }, isVideo) {
    const now = performance.now();
    this.#ends = [...this.#ends, now].filter((end) => now - end <= 2000);
    if (isVideo && now - this.#drawn < METER_EVERY_MS) return;
    this.#drawn = now;
    const parts = [ENGINE_NAMES[engine], milliseconds(timings.detect + timings.network)];
    const span = (now - this.#ends[0]) / 1000;
    if (isVideo && span > 0.3) parts.push(`${Math.round((this.#ends.length - 1) / span)} fps`);
    this.#write(parts);
  }

  /** Both engines have run the same picture. @param {import('../mien.js').Comparison} times */
  compare(times) {
    const other = times.webgpu < times.cpu ? 'cpu' : 'webgpu';
    this.#note = `${ENGINE_NAMES[other]}: ${milliseconds(times[other])}`;
    this.#root.title = `On the same picture: CPU ${milliseconds(times.cpu)}, WebGPU ${milliseconds(times.webgpu)}`;
    this.#write(this.#parts);
  }

  /** WebGPU is gone. Said here, where it stays; the line of words is the next result's. */
  lost() {
    this.#note = 'WebGPU has stopped';
    this.#write(this.#parts);
  }

  #write(parts) {
    this.#parts = parts;
    this.#root.textContent = [...parts, this.#note].filter(Boolean).join(' · ');
  }
}

function milliseconds(ms) {
  return `${ms < 10 ? ms.toFixed(1) : Math.round(ms)} ms`;
}

/** Tells screen readers what was found, politely and not at every frame. */
export class Announcer {
  #root;
  #last = { text: '', at: -Infinity, count: -1 };

  constructor(root) {
    this.#root = root;
  }

  announce(faces, isVideo) {
    const text = describeAll(faces);
    const now = performance.now();
    const pause = faces.length === this.#last.count ? ANNOUNCE_EVERY_MS.same : ANNOUNCE_EVERY_MS.news;
    if (isVideo && (text === this.#last.text || now - this.#last.at < pause)) return;
    this.#last = { text, at: now, count: faces.length };
    this.#root.textContent = text;
  }
}
