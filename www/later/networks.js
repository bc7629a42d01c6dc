// The networks side by side, about one face: each started in a worker of its own, one after the other, and ended.

import { joined, number, t, translate } from '../language.js';
import { addressOf } from '../lib/build.js';
import { markup } from '../lib/sealed.js';
import { Mien } from '../mien.js';
import { yearRange, years } from '../views/words.js';
import { sameFace } from './changes.js';
import { listed, measured } from './measured.js';

/** What they are: names, and where they come from. */
export const NETWORKS = {
  lite: { title: 'lite', what: () => t`the first ten blocks of EfficientNet-Lite0; the page’s default` },
  'd-cnn': { title: 'D-CNN', what: () => t`convolutions on one crop` },
  'm-cnn': { title: 'M-CNN', what: () => t`the same convolutions on three small crops, from wide to close` },
  base: { title: 'Base CNN', what: () => t`one convolution and one dense layer, to compare with` },
};

// Milliseconds are the median of so many.
const RUNS = 7;

/**
 * One network's answer.
 *
 * @param {string} model
 * @param {ImageBitmap | HTMLCanvasElement} picture
 * @param {import('../mien.js').Face} face
 * @param {AbortSignal} signal
 * @returns {Promise<{ face?: import('../mien.js').Face, ms: number, bytes?: number, error?: { mae: number, n: number, names: string[] } }>}
 */
export async function ask(model, picture, face, signal) {
  const mien = await Mien.load({ model, engine: 'cpu', signal });
  try {
    const times = [];
    let found;
    for (let run = 0; run < RUNS; run++) {
      const { faces, timings, looks = 1 } = await mien.estimate(picture);
      found = sameFace(faces, face.landmarks);
      times.push(timings.network / Math.max(1, faces.length) / looks);
    }
    const { total, names } = await measured(model);
    return { face: found, ms: times.sort((a, b) => a - b)[RUNS >> 1], bytes: size(model), error: total && { ...total, names } };
  } finally {
    mien.close();
  }
}

/** As the browser reports it of what was fetched. */
function size(model) {
  return performance.getEntriesByName(addressOf(`weights/${model}.safetensors`).href).map(({ decodedBodySize }) => decodedBodySize).filter(Boolean).at(-1);
}

/**
 * Fills the view.
 *
 * @param {HTMLElement} root
 * @param {{ picture: ImageBitmap | HTMLCanvasElement, face: import('../mien.js').Face, inUse: string, signal: AbortSignal,
 *           onUse: (model: string) => void, onSay: (text: string) => void }} options
 */
export async function showNetworks(root, { picture, face, inUse, signal, onUse, onSay }) {
  root.innerHTML = markup`<ul class="cards"></ul><p class="note"></p>`;
  const cards = Object.entries(NETWORKS).map(([model, { title }]) => {
    const card = document.createElement('li');
    card.innerHTML = markup`<h4></h4><p class="age">…</p><p data-range></p>
      <dl><div><dt>Time</dt><dd data-ms></dd></div><div><dt>File</dt><dd data-bytes></dd></div><div><dt>Off by</dt><dd data-error></dd></div></dl>`;
    translate(card);
    card.querySelector('h4').textContent = title;
    card.dataset.network = model;
    if (model === inUse) {
      card.append(Object.assign(document.createElement('p'), { className: 'used', textContent: t`In use` }));
    } else {
      const use = Object.assign(document.createElement('button'), { type: 'button', className: 'button', textContent: t`Use`, ariaLabel: t`Use ${title}` });
      use.addEventListener('click', () => onUse(model));
      card.append(use);
    }
    root.querySelector('.cards').append(card);
    return { model, title, write: (selector, text) => { card.querySelector(selector).textContent = text; } };
  });
  const sets = new Set();
  const said = [];
  for (const { model, title, write } of cards) {
    if (signal.aborted) return;
    onSay(t`Asking ${title}…`);
    try {
      const { face: found, ms, bytes, error } = await ask(model, picture, face, signal);
      error?.names.forEach((name) => sets.add(name));
      write('.age', found ? years(found.age) : '–');
      write('[data-range]', found ? t`probably ${yearRange(found)}` : t`no face found`);
      write('[data-ms]', `${number(ms, 1)} ms`);
      write('[data-bytes]', bytes ? megabytes(bytes) : '–');
      write('[data-error]', error ? t`${number(error.mae, 1)} years` : t`not measured`);
      said.push(found ? t`${title}: ${years(found.age)}, probably ${yearRange(found)}` : t`${title}: no face`);
    } catch (error) {
      if (signal.aborted) return;
      write('.age', '–');
      write('[data-range]', t(error.message));
    }
  }
  if (signal.aborted) return;
  root.querySelector('.note').textContent = joined(
    ...Object.values(NETWORKS).map(({ title, what }) => t`${title}: ${what()}.`),
    t`The time is that of the network alone, once over one face, on this device’s processor.`,
    sets.size > 0 && t`“Off by” is the mean error of the age on labelled test pictures of ${listed([...sets])}.`,
    t`A network that is better on average need not be better for this face.`,
  );
  onSay(`${said.join('; ')}.`);
}

function megabytes(bytes) {
  return bytes < 1e6 ? `${number(bytes / 1000)} kB` : `${number(bytes / 1e6, 1)} MB`;
}
