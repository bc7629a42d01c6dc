// Guess first: a picture of somebody whose age is known, a guess by those who look at it, and only then Mien's. A dialog over the
// page, which hides all of it: Mien's number is nowhere before the guess is made. The true age, the guesses and the score stay in
// this page's memory, and go with it.

import { joined, number, t, translate } from '../language.js';
import { markup } from '../lib/sealed.js';
import { Camera } from '../views/camera.js';
import { Distribution } from '../views/distribution.js';
import { readPicture } from '../views/photo.js';
import { rangeSentence, yearRange, years } from '../views/words.js';
import { styles } from './styles.js';

const OLDEST = 99; // of the network's ages
const START = 50;
// The picture of the face, in pixels, and how much is shown around its box.
const SIDE = 320;
const AROUND = 2;

/** @typedef {{ you: number, mien: number }} Round by how many years each was off */

/** @type {Round[]} kept while the page is open */
const rounds = [];

/** @param {import('../mien.js').Mien} mien */
export async function openGuess(mien) {
  await styles('guess');
  const dialog = document.createElement('dialog');
  dialog.className = 'guess';
  dialog.setAttribute('aria-labelledby', 'guess-title');
  dialog.innerHTML = markup`
    <div class="head">
      <h2 id="guess-title" tabindex="-1" autofocus>Guess first</h2>
      <button class="tool" type="button" data-close aria-label="Close"><svg viewBox="0 0 24 24" aria-hidden="true"><path d="m6 6 12 12M18 6 6 18"/></svg></button>
    </div>
    <canvas width="${SIDE}" height="${SIDE}" role="img" aria-label="The face to guess" hidden></canvas>
    <section data-step="ask">
      <p>Take a picture of somebody whose age you know. The others guess it, and then you see what Mien says.</p>
      <div class="buttons">
        <label class="button primary"><input type="file" accept="image/*"><span>Choose a photo</span></label>
        <button class="button" type="button" data-camera>Use the camera</button>
      </div>
    </section>
    <section data-step="camera">
      <video playsinline muted aria-label="What the camera sees"></video>
      <div class="buttons">
        <button class="button primary" type="button" data-shoot>Take the picture</button>
        <button class="button" type="button" data-back>Another picture</button>
      </div>
    </section>
    <form data-step="age">
      <label for="guess-truth">The true age in this picture, in years</label>
      <input id="guess-truth" type="number" inputmode="numeric" min="0" max="120" step="1" required autocomplete="off" aria-describedby="guess-note">
      <p id="guess-note" class="note">Type it while the others look away. It is neither stored nor sent, and is gone when this page is closed.</p>
      <div class="buttons">
        <button class="button primary">Hide it and guess</button>
        <button class="button" type="button" data-back>Another picture</button>
      </div>
    </form>
    <form data-step="guess">
      <label for="guess-line">How old is this face?</label>
      <output class="age" for="guess-line"></output>
      <input id="guess-line" type="range" min="0" max="${OLDEST}" step="1">
      <p class="ends" aria-hidden="true"><span>0</span><span>${OLDEST}</span></p>
      <div class="buttons"><button class="button primary">That is our guess</button></div>
    </form>
    <section data-step="answer">
      <div class="plot"><div class="hill"></div><div class="marks" aria-hidden="true"></div></div>
      <dl></dl>
      <p data-range class="note"></p>
      <p data-score></p>
      <div class="buttons"><button class="button primary" type="button" data-next>Next round</button></div>
    </section>
    <p class="note" role="status"></p>`;
  translate(dialog);
  const part = (selector) => dialog.querySelector(selector);
  part('#guess-line').title = t`Age from ${0} to ${OLDEST}`;
  const closing = new AbortController();
  const { signal } = closing;

  const say = (text) => {
    part('[role=status]').textContent = text;
  };
  const camera = new Camera(part('video'), (error) => {
    go('ask');
    say(t(error.message));
  });
  /** What is guessed: nothing of the answer is in the document before the guess is. */
  let face;
  let truth;
  let asked = 0; // a picture that is read while another one is chosen is dropped
  let hill;

  const go = (step) => {
    dialog.dataset.step = step;
    for (const it of dialog.querySelectorAll('section, form')) it.hidden = it.dataset.step !== step;
    part('canvas').hidden = !['age', 'guess', 'answer'].includes(step);
    part('[role=status]').classList.toggle('unseen', step === 'answer'); // there, it is all to be seen above
    if (step !== 'camera') camera.stop();
  };

  const ask = () => {
    asked += 1;
    face = truth = undefined;
    part('#guess-truth').value = '';
    say('');
    go('ask');
    part('[type=file]').focus();
  };

  /** @param {() => Promise<{ picture: ImageBitmap, full?: ImageBitmap }>} get `full`: as it is estimated, where that is another one */
  const read = async (get) => {
    const mine = asked += 1;
    say(t`Looking for a face…`);
    try {
      const { picture, full } = await get();
      const { faces, width } = await mien.estimate(full ?? picture);
      full?.close();
      if (mine !== asked || signal.aborted) return picture.close();
      face = faces.reduce((best, it) => (!best || it.box[2] > best.box[2] ? it : best), undefined);
      if (face) drawFace(part('canvas'), picture, face.box, picture.width / width);
      picture.close();
      go(face ? 'age' : 'ask');
      say(face ? (faces.length > 1 ? t`There are several faces; the largest one counts.` : '') : t`No face found. Faces should be uncovered, sharp and not too small.`);
      if (face) part('#guess-truth').focus();
    } catch (error) {
      if (mine !== asked || signal.aborted) return;
      go('ask');
      say(t(error.message));
    }
  };
  const readFile = (file) => read(async () => {
    const { full, shown } = await readPicture(file);
    return { full, picture: shown };
  });

  part('[type=file]').addEventListener('change', ({ target }) => {
    const [file] = target.files;
    target.value = '';
    if (file) readFile(file);
  });
  // Not for the page below.
  const take = (event, transfer) => {
    event.preventDefault();
    event.stopImmediatePropagation();
    const [file] = transfer?.files ?? [];
    if (file && ['ask', 'age'].includes(dialog.dataset.step)) readFile(file);
  };
  addEventListener('paste', (event) => event.clipboardData?.files.length > 0 && take(event, event.clipboardData), { capture: true, signal });
  addEventListener('drop', (event) => take(event, event.dataTransfer), { capture: true, signal });

  part('[data-camera]').addEventListener('click', async () => {
    const mine = asked += 1;
    say(t`Opening the camera…`);
    try {
      await camera.start();
      if (mine !== asked || signal.aborted) return camera.stop();
      part('video').classList.toggle('mirrored', camera.mirrored);
      go('camera');
      say('');
      part('[data-shoot]').focus();
    } catch (error) {
      if (mine === asked) say(t(error.message));
    }
  });
  part('[data-shoot]').addEventListener('click', async () => {
    const picture = await createImageBitmap(part('video')).catch(() => undefined);
    if (picture) read(async () => ({ picture }));
    else say(t`The camera has no picture yet.`);
  });
  for (const button of dialog.querySelectorAll('[data-back], [data-next]')) button.addEventListener('click', ask);

  part('form[data-step=age]').addEventListener('submit', (event) => {
    event.preventDefault();
    truth = Math.round(part('#guess-truth').valueAsNumber);
    part('#guess-truth').value = '';
    part('#guess-line').value = String(START);
    part('output').textContent = '?';
    part('form[data-step=guess] button').disabled = true;
    say(t`Move the mark to your guess.`);
    go('guess');
    part('#guess-line').focus();
  });
  part('#guess-line').addEventListener('input', ({ target }) => {
    part('output').textContent = number(target.valueAsNumber);
    part('form[data-step=guess] button').disabled = false;
    say('');
  });
  part('form[data-step=guess]').addEventListener('submit', (event) => {
    event.preventDefault();
    show(part('#guess-line').valueAsNumber);
  });

  const show = (guess) => {
    const mienSays = Math.round(face.age);
    const round = { you: Math.abs(guess - truth), mien: Math.abs(mienSays - truth) };
    rounds.push(round);
    go('answer');
    hill ??= new Distribution(part('.hill'));
    hill.show(face);
    part('.marks').replaceChildren(...[['you', t`You`, guess], ['truth', t`True age`, truth]].map(([className, name, age]) => {
      const share = Math.min(1, age / OLDEST);
      const isLeft = share < 0.6; // so that its words stay inside
      const text = `${name} ${number(age)}`;
      const mark = Object.assign(document.createElement('span'), { className, textContent: isLeft ? `▲ ${text}` : `${text} ▲` });
      Object.assign(mark.style, { left: `${100 * share}%`, transform: `translateX(${isLeft ? '-0.4em' : 'calc(0.4em - 100%)'})` });
      return mark;
    }));
    part('dl').replaceChildren(...[
      [t`True age`, number(truth), ''],
      [t`You`, number(guess), off(round.you)],
      ['Mien', years(face.age), t`${off(round.mien)} · ${yearRange(face)}`],
    ].map(([name, age, note]) => {
      const group = document.createElement('div');
      for (const [tag, text] of [['dt', name], ['dd', age], ['dd', note]]) group.append(Object.assign(document.createElement(tag), { textContent: text }));
      return group;
    }));
    part('[data-range]').textContent = rangeSentence(face);
    part('[data-score]').textContent = score();
    say(t`The true age is ${truth}. You said ${guess}: ${off(round.you)}. Mien says ${mienSays}: ${off(round.mien)}.`);
    part('[data-next]').focus({ preventScroll: true });
    dialog.scrollTop = 0; // on a small screen the answer comes before the button
  };

  dialog.addEventListener('click', ({ target }) => {
    if (target.closest('[data-close]')) dialog.close();
  });
  dialog.addEventListener('close', () => {
    closing.abort();
    camera.stop();
    dialog.remove();
  });
  document.body.append(dialog);
  go('ask');
  dialog.showModal();
}

function off(by) {
  return by === 0 ? t`right` : by === 1 ? t`1 year off` : t`${by} years off`;
}

function score() {
  const mean = (name) => number(rounds.reduce((sum, round) => sum + round[name], 0) / rounds.length, 1);
  const count = (is) => rounds.filter(is).length;
  const [you, mien, even] = [count((it) => it.you < it.mien), count((it) => it.mien < it.you), count((it) => it.you === it.mien)];
  return joined(
    rounds.length === 1 ? t`After one round you are off by ${mean('you')} years on average, Mien by ${mean('mien')}.`
      : t`After ${rounds.length} rounds you are off by ${mean('you')} years on average, Mien by ${mean('mien')}.`,
    even === 0 ? t`Nearer to the truth: you ${you}, Mien ${mien}.` : t`Nearer to the truth: you ${you}, Mien ${mien}, both alike ${even}.`,
  );
}

/** A square around the face. @param {number} scale from the picture that was read to the one that is drawn */
function drawFace(canvas, picture, box, scale) {
  const [x, y, width, height] = box.map((value) => value * scale);
  const side = Math.min(AROUND * Math.max(width, height), Math.max(picture.width, picture.height));
  const context = canvas.getContext('2d');
  context.imageSmoothingQuality = 'high';
  context.clearRect(0, 0, SIDE, SIDE);
  context.drawImage(picture, x + width / 2 - side / 2, y + height / 2 - side / 2, side, side, 0, 0, SIDE, SIDE);
}
