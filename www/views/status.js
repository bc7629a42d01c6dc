import { describeAll } from './words.js';

const ENGINE_NAMES = { cpu: 'CPU', webgpu: 'WebGPU' };
const METER_EVERY_MS = 500;
// What its milliseconds and frames a second are the mean of.
const METER_OVER_MS = 2000;
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

/**
 * Engine, milliseconds, for a camera estimates a second, and what is to be said of the other engine; on demand, the
 * milliseconds of each stage.
 */
export class Meter {
  #root;
  #summary;
  #stages;
  #sentences;
  #frames = [];
  #drawn = 0;
  #parts = [];
  #note;

  /** @param {HTMLDetailsElement} root */
  constructor(root) {
    this.#root = root;
    this.#summary = root.querySelector('summary');
    this.#stages = root.querySelectorAll('[data-stage]');
    this.#sentences = root.querySelector('p');
    root.addEventListener('keydown', ({ key }) => {
      if (key !== 'Escape' || !root.open) return;
      root.open = false;
      this.#summary.focus();
    });
    document.addEventListener('pointerdown', ({ target }) => {
      if (!root.contains(target)) root.open = false;
    });
  }

  /** Nothing measured yet. */
  idle(engine) {
    this.#frames = [];
    this.#drawn = 0;
    this.#root.hidden = !engine;
    this.#write([ENGINE_NAMES[engine]]);
    for (const stage of this.#stages) stage.textContent = '–';
    this.#sentences.textContent = 'Shown once there is a picture.';
  }

  /** @param {import('../mien.js').Result} result */
  count({ engine, timings, look, path }, isVideo) {
    const now = performance.now();
    const frame = { end: now, timings, look };
    this.#frames = isVideo ? [...this.#frames, frame].filter(({ end }) => now - end <= METER_OVER_MS) : [frame];
    if (isVideo && now - this.#drawn < METER_EVERY_MS) return;
    this.#drawn = now;
    const count = this.#frames.length;
    const mean = (stage) => this.#frames.reduce((sum, { timings }) => sum + timings[stage], 0) / count;
    const parts = [ENGINE_NAMES[engine], milliseconds(mean('total'))];
    const span = (now - this.#frames[0].end) / 1000;
    if (span > 0.3) parts.push(`${Math.round((count - 1) / span)} fps`);
    this.#root.hidden = false;
    this.#write(parts);
    for (const stage of this.#stages) stage.textContent = milliseconds(mean(stage.dataset.stage));
    const skipped = this.#frames.filter(({ look }) => look === 'skip').length;
    const sentences = isVideo ? [`On average, over the last ${count === 1 ? 'picture' : `${count} pictures`}.`] : [];
    if (skipped > 0) sentences.push(`${skipped} showed nothing new and ${skipped === 1 ? 'was' : 'were'} skipped.`);
    if (engine === 'webgpu') sentences.push(path === 'texture' ? 'Pictures go straight to the GPU.' : 'Pictures go to the GPU by way of main memory.');
    this.#sentences.textContent = sentences.join(' ');
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
    this.#summary.textContent = [...parts, this.#note].filter(Boolean).join(' · ');
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
