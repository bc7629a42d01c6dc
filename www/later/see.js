// See what it sees: the crop that the network gets, the same picture changed, which parts the age depends on, and the
// networks side by side. A dialog over the page; all that it starts ends with it.

import { joined, number, t, translate } from '../language.js';
import { later, markup } from '../lib/sealed.js';
import { readPicture } from '../views/photo.js';
import { describe, genderSentence, yearRange, years } from '../views/words.js';
import { changed, changes, sameFace } from './changes.js';
import { alignment, drawCrop, INPUTS } from './crop.js';
import { byPart, called, COLOURS, drawMap, occlusion } from './occlusion.js';
import { NETWORKS } from './networks.js';
import { styles } from './styles.js';

const MAP_SIDE = 240;

/**
 * @param {{ mien: import('../mien.js').Mien, photo: Blob | HTMLCanvasElement, isFrame: boolean, face: import('../mien.js').Face,
 *           onUse: (model: string) => void }} what `photo`: the file that was read, or a frame of a video
 */
export async function openSee({ mien, photo, isFrame, face, onUse }) {
  await styles('see');
  const closing = new AbortController();
  const { signal } = closing;
  const title = NETWORKS[mien.model]?.title ?? mien.model;
  const input = INPUTS[mien.model] ?? INPUTS['d-cnn'];

  const dialog = document.createElement('dialog');
  dialog.className = 'see';
  dialog.setAttribute('aria-labelledby', 'see-title');
  dialog.innerHTML = markup`
    <div class="head">
      <h2 id="see-title" tabindex="-1" autofocus>What the network sees</h2>
      <button class="tool" type="button" data-close aria-label="Close"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="m6 6 12 12M18 6 6 18"/></svg></button>
    </div>
    <p class="note"><span data-crop></span> <span data-looks hidden>It sees it twice, once as its mirror image, and the two answers are averaged.</span></p>
    <div class="pair">
      <figure data-before><div class="crops"></div><figcaption><b>As it is</b> <span>…</span></figcaption></figure>
      <figure data-after><div class="crops"></div><figcaption><b>Changed</b> <span>Choose a change below.</span></figcaption></figure>
    </div>
    <fieldset class="changes"><legend>Change the picture, and the guess is made anew</legend></fieldset>
    <p class="unseen" role="status"></p>
    <section>
      <h3>Which parts does the age depend on?</h3>
      <p class="note">One place after the other is covered, and the age guessed anew.</p>
      <div class="run"><button class="button" type="button" data-map>Find out</button>
        <progress aria-label="Places covered" hidden></progress></div>
      <div class="map" hidden></div>
    </section>
    <details data-networks>
      <summary>Other networks, side by side</summary>
      <p class="note">Opened for the first time, this fetches up to 5 MB from this page’s own site: three more networks. No picture goes there.</p>
      <div class="networks"></div>
    </details>`;
  translate(dialog);
  const part = (selector) => dialog.querySelector(selector);
  const say = (text) => {
    part('[role=status]').textContent = text;
  };
  const fail = (error) => {
    if (!signal.aborted) say(t`That did not work: ${t(error.message)}`);
  };
  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog || target.closest('[data-close]')) dialog.close();
  });
  dialog.addEventListener('close', () => {
    closing.abort();
    dialog.remove();
    picture?.close?.();
  });

  part('[data-crop]').textContent = input.extents.length > 1
    ? t`Of the picture ${title} gets these ${input.extents.length} cuts of the face, turned upright, of ${input.side} × ${input.side} pixels each.`
    : t`Of the picture ${title} gets this cut of the face, turned upright, of ${input.side} × ${input.side} pixels.`;
  document.body.append(dialog);
  dialog.showModal();

  let picture = photo;
  if (photo instanceof Blob) {
    const { full, shown } = await readPicture(photo);
    shown.close();
    picture = full;
    if (signal.aborted) return picture.close();
  }

  // ---- before and after ----

  const showCrop = (figure, source, landmarks, words) => {
    const crops = input.extents.map((extent) => {
      const canvas = Object.assign(document.createElement('canvas'), { width: input.side, height: input.side, role: 'img', ariaLabel: words });
      drawCrop(canvas.getContext('2d'), source, alignment(landmarks), { side: input.side, extent, centre: input.centre });
      return canvas;
    });
    figure.querySelector('.crops').replaceChildren(...crops);
  };
  const estimate = async (source, landmarks) => {
    const { faces, looks } = await mien.estimate(source);
    part('[data-looks]').hidden = !(looks > 1);
    return sameFace(faces, landmarks);
  };

  const before = await estimate(picture, face.landmarks).catch(fail);
  if (signal.aborted) return;
  if (!before) {
    part('[data-before] span').textContent = t`No face found in this one picture.`;
    return;
  }
  showCrop(part('[data-before]'), picture, before.landmarks, t`What the network gets of the picture as it is`);
  part('[data-before] span').textContent = isFrame
    ? t`${answer(before)}. Of this one frame; the number beside the camera is an average of many.` : answer(before);

  const wanted = new Set();
  let asked = 0;
  const ask = async () => {
    const mine = asked += 1;
    const figure = part('[data-after]');
    if (wanted.size === 0) {
      figure.querySelector('.crops').replaceChildren();
      figure.querySelector('span').textContent = t`Choose a change below.`;
      say('');
      return;
    }
    await new Promise((resume) => setTimeout(resume)); // several in a row are one
    if (mine !== asked) return;
    const { canvas, landmarks } = changed(picture, before.landmarks, wanted);
    const after = await estimate(canvas, landmarks);
    if (mine !== asked || signal.aborted) return;
    showCrop(figure, canvas, after?.landmarks ?? landmarks, t`What the network gets of the changed picture`);
    const text = after ? t`${answer(after)}. ${difference(before, after)}` : t`No face found any more, so there is no guess.`;
    figure.querySelector('span').textContent = text;
    say(after ? t`Before: ${describe(before)}. Now: ${describe(after)}. ${difference(before, after)}` : text);
  };
  for (const [name, words] of Object.entries(changes())) {
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'button', textContent: words });
    button.dataset.change = name;
    button.setAttribute('aria-pressed', 'false');
    button.addEventListener('click', () => {
      if (!wanted.delete(name)) wanted.add(name);
      button.setAttribute('aria-pressed', String(wanted.has(name)));
      ask().catch(fail);
    });
    part('.changes').append(button);
  }

  // ---- the map ----

  const progress = part('progress');
  const start = part('[data-map]');
  let running;
  const find = async () => {
    const run = running = new AbortController();
    start.textContent = t`Stop`;
    progress.hidden = false;
    say(t`Covering one place after the other…`);
    try {
      const found = await occlusion(mien, picture, before, {
        isStopped: () => signal.aborted || run.signal.aborted,
        onProgress: (done, total) => Object.assign(progress, { value: done, max: total }),
      });
      if (signal.aborted) return;
      if (found) say(showMap(part('.map'), picture, before, found));
      else say(t`Stopped.`);
    } finally {
      running = undefined;
      progress.hidden = true;
      start.textContent = part('.map').hidden ? t`Find out` : t`Once more`;
    }
  };
  start.addEventListener('click', () => {
    if (running) running.abort();
    else find().catch(fail);
  });

  // ---- the networks ----

  const open = () => {
    const details = part('[data-networks]');
    if (!details.open) return;
    details.removeEventListener('toggle', open);
    later('later/networks.js').then(({ showNetworks }) => showNetworks(part('.networks'), {
      picture, face: before, inUse: mien.model, signal, onSay: say,
      onUse(model) {
        dialog.close();
        onUse(model);
      },
    })).catch(fail);
  };
  part('[data-networks]').addEventListener('toggle', open);
  open();
  dialog.dataset.ready = '';
}

function answer(face) {
  return [t`${years(face.age)}, probably ${yearRange(face)}`, genderSentence(face)].filter(Boolean).join(' · ');
}

/** In years as they are said. */
function difference(before, after) {
  const by = Math.round(after.age) - Math.round(before.age);
  if (by === 0) return t`The same age as before.`;
  if (Math.abs(by) === 1) return by > 0 ? t`1 year older than before.` : t`1 year younger than before.`;
  return by > 0 ? t`${by} years older than before.` : t`${-by} years younger than before.`;
}

/** Draws the map, and the same as a table; returns the sentence about it. */
function showMap(root, picture, face, { cells, hidden, total }) {
  const parts = byPart(cells);
  const moved = ({ years: by }) => (Math.abs(by) < 0.5 ? t`under half a year`
    : by > 0 ? t`${number(by, 1)} years older` : t`${number(-by, 1)} years younger`);
  const most = parts[0];
  const sentence = most && Math.abs(most.years) >= 0.5
    ? t`Covering ${called(most.part)[1]} moves it most: the face is then taken for ${moved(most)}, on average.`
    : t`No single place moves the age by half a year, on average.`;
  root.innerHTML = markup`
    <canvas width="${MAP_SIDE}" height="${MAP_SIDE}" role="img" aria-label="The crop, coloured where covering it changes the age; the table says the same"></canvas>
    <div>
      <p></p>
      <ul class="legend"><li><i data-up></i>covered, it is taken for older</li><li><i data-down></i>for younger</li></ul>
      <table><thead><tr><th scope="col">Covered</th><th scope="col">The age moves by</th></tr></thead><tbody></tbody></table>
      <p class="note">Stronger colour: more years, up to <span></span>. A covered face is a picture like none that the network learned from: the map
        shows what this number hangs on, not how people age.</p>
    </div>`;
  translate(root);
  const context = root.querySelector('canvas').getContext('2d');
  drawCrop(context, picture, alignment(face.landmarks), { side: MAP_SIDE });
  root.querySelector('.note span').textContent = number(drawMap(context, cells), 1);
  root.querySelector('p').textContent = joined(
    sentence,
    hidden > 0 && t`In ${hidden} of ${total} places covering hid the face from the finder; these are left out.`,
  );
  for (const [name, colour] of Object.entries(COLOURS)) root.querySelector(`[data-${name}]`).style.background = `rgb(${colour.join(' ')})`;
  const body = root.querySelector('tbody');
  for (const it of parts) {
    const row = body.insertRow();
    row.append(Object.assign(document.createElement('th'), { scope: 'row', textContent: called(it.part)[0] }));
    row.insertCell().textContent = moved(it);
  }
  root.hidden = false;
  return sentence;
}
