import { joined, number, t } from '../language.js';

const ENGINE_NAMES = { cpu: 'CPU', webgpu: 'WebGPU' };
const METER_EVERY_MS = 500;
// What its milliseconds and frames a second are the mean of.
const METER_OVER_MS = 2000;
const STALLED_MS = 10_000;
// A camera's numbers waver: what has been the same for so long is told.
const REST_MS = 1000;

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
  #stalled;

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
    addEventListener('spoken', () => this.#write(this.#parts));
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
    this.#sentences.textContent = t`Shown once there is a picture.`;
  }

  /** @param {import('../mien.js').Result} result */
  count({ engine, timings, mode, path }, isVideo) {
    const now = performance.now();
    const frame = { end: now, timings, mode };
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
    const skipped = this.#frames.filter(({ mode }) => mode === 'skip').length;
    this.#sentences.textContent = joined(
      isVideo && (count === 1 ? t`On average, over the last picture.` : t`On average, over the last ${count} pictures.`),
      skipped > 0 && (skipped === 1 ? t`${skipped} showed nothing new and was skipped.` : t`${skipped} showed nothing new and were skipped.`),
      engine === 'webgpu' && (path === 'texture' ? t`Pictures go straight to the GPU.` : t`Pictures go to the GPU by way of main memory.`),
    );
  }

  /** Both engines have run the same picture. @param {import('../mien.js').Comparison} times */
  compare(times) {
    const other = times.webgpu < times.cpu ? 'cpu' : 'webgpu';
    this.#note = () => `${ENGINE_NAMES[other]}: ${milliseconds(times[other])}`;
    this.#root.title = t`On the same picture: CPU ${milliseconds(times.cpu)}, WebGPU ${milliseconds(times.webgpu)}`;
    this.#write(this.#parts);
  }

  /** WebGPU's program is on its way: in a browser's list of requests it should be no surprise. */
  fetching(isUnderWay) {
    clearTimeout(this.#stalled);
    if (isUnderWay) this.#stalled = setTimeout(() => this.fetching(false), STALLED_MS); // it broke off, and nothing more is said
    this.#note = isUnderWay ? () => t`fetching the WebGPU program` : undefined;
    this.#write(this.#parts);
  }

  /** WebGPU is gone. Said here, where it stays; the line of words is the next result's. */
  lost() {
    this.#note = () => t`WebGPU has stopped`;
    this.#write(this.#parts);
  }

  #write(parts) {
    this.#parts = parts;
    this.#summary.textContent = [...parts, this.#note?.()].filter(Boolean).join(' · ');
  }
}

function milliseconds(ms) {
  return `${number(ms, ms < 10 ? 1 : 0)} ms`;
}

/** Says what has come to rest: of a photo at once, of a camera after a second without a change. */
export class Rest {
  #say;
  #text;
  #timer;

  /** @param {(text: string) => void} say */
  constructor(say) {
    this.#say = say;
  }

  tell(text, isVideo) {
    if (text === this.#text) return;
    this.stop();
    this.#text = text;
    if (isVideo) this.#timer = setTimeout(() => this.#say(text), REST_MS);
    else this.#say(text);
  }

  /** Nothing more is to be said of what was told so far. */
  stop() {
    clearTimeout(this.#timer);
    this.#text = undefined;
  }
}
