// Guess first: a picture of somebody whose age is known, a guess by those who look at it, and only then Mien's. A dialog over the
// page, which hides all of it: Mien's number is nowhere before the guess is made. The true age, the guesses and the score stay in
// this page's memory, and go with it.

import { markup } from '../lib/sealed.js';
import { Camera } from '../views/camera.js';
import { Distribution } from '../views/distribution.js';
import { readPicture } from '../views/photo.js';
import { rangeSentence, yearRange, years } from '../views/words.js';
import { styles } from './styles.js';

const WORDS = {
  title: 'Guess first',
  close: 'Close',
  rules: 'Take a picture of somebody whose age you know. The others guess it, and then you see what Mien says.',
  photo: 'Choose a photo',
  camera: 'Use the camera',
  shoot: 'Take the picture',
  back: 'Another picture',
  age: 'The true age in this picture, in years',
  ageNote: 'Type it while the others look away. It is neither stored nor sent, and is gone when this page is closed.',
  hide: 'Hide it and guess',
  ask: 'How old is this face?',
  guess: 'That is our guess',
  move: 'Move the mark to your guess.',
  you: 'You',
  mien: 'Mien',
  truth: 'True age',
  next: 'Next round',
  face: 'The face to guess',
  video: 'What the camera sees',
  looking: 'Looking for a face…',
  none: 'No face found. Faces should be uncovered, sharp and not too small.',
  several: 'There are several faces; the largest one counts.',
  opening: 'Opening the camera…',
  frame: 'The camera has no picture yet.',
  number: (age) => `${age} ${age === 1 ? 'year' : 'years'}`,
  line: (low, high) => `Age from ${low} to ${high}`,
  off: (by) => (by === 0 ? 'right' : `${WORDS.number(by)} off`),
  said: (truth, guess, you, mien, off) => `The true age is ${truth}. You said ${guess}: ${you}. Mien says ${mien}: ${off}.`,
  score: (count, you, mien) => `${count === 1 ? 'After one round' : `After ${count} rounds`} you are off by ${you} years on average, Mien by ${mien}.`,
  nearer: (you, mien, even) => `Nearer to the truth: you ${you}, Mien ${mien}${even > 0 ? `, both alike ${even}` : ''}.`,
};

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
      <h2 id="guess-title" tabindex="-1" autofocus data-words="title"></h2>
      <button class="tool" type="button" data-close><svg viewBox="0 0 24 24" aria-hidden="true"><path d="m6 6 12 12M18 6 6 18"/></svg></button>
    </div>
    <canvas width="${SIDE}" height="${SIDE}" role="img" hidden></canvas>
    <section data-step="ask">
      <p data-words="rules"></p>
      <div class="buttons">
        <label class="button primary"><input type="file" accept="image/*"><span data-words="photo"></span></label>
        <button class="button" type="button" data-camera data-words="camera"></button>
      </div>
    </section>
    <section data-step="camera">
      <video playsinline muted></video>
      <div class="buttons">
        <button class="button primary" type="button" data-shoot data-words="shoot"></button>
        <button class="button" type="button" data-back data-words="back"></button>
      </div>
    </section>
    <form data-step="age">
      <label for="guess-truth" data-words="age"></label>
      <input id="guess-truth" type="number" inputmode="numeric" min="0" max="120" step="1" required autocomplete="off" aria-describedby="guess-note">
      <p id="guess-note" class="note" data-words="ageNote"></p>
      <div class="buttons">
        <button class="button primary" data-words="hide"></button>
        <button class="button" type="button" data-back data-words="back"></button>
      </div>
    </form>
    <form data-step="guess">
      <label for="guess-line" data-words="ask"></label>
      <output class="age" for="guess-line"></output>
      <input id="guess-line" type="range" min="0" max="${OLDEST}" step="1">
      <p class="ends" aria-hidden="true"><span>0</span><span>${OLDEST}</span></p>
      <div class="buttons"><button class="button primary" data-words="guess"></button></div>
    </form>
    <section data-step="answer">
      <div class="plot"><div class="hill"></div><div class="marks" aria-hidden="true"></div></div>
      <dl></dl>
      <p data-range class="note"></p>
      <p data-score></p>
      <div class="buttons"><button class="button primary" type="button" data-next data-words="next"></button></div>
    </section>
    <p class="note" role="status"></p>`;
  const part = (selector) => dialog.querySelector(selector);
  for (const it of dialog.querySelectorAll('[data-words]')) it.textContent = WORDS[it.dataset.words];
  part('[data-close]').ariaLabel = WORDS.close;
  part('canvas').ariaLabel = WORDS.face;
  part('video').ariaLabel = WORDS.video;
  part('#guess-line').title = WORDS.line(0, OLDEST);
  const closing = new AbortController();
  const { signal } = closing;

  const say = (text) => {
    part('[role=status]').textContent = text;
  };
  const camera = new Camera(part('video'), (error) => {
    go('ask');
    say(error.message);
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
    say(WORDS.looking);
    try {
      const { picture, full } = await get();
      const { faces, width } = await mien.estimate(full ?? picture);
      full?.close();
      if (mine !== asked || signal.aborted) return picture.close();
      face = faces.reduce((best, it) => (!best || it.box[2] > best.box[2] ? it : best), undefined);
      if (face) drawFace(part('canvas'), picture, face.box, picture.width / width);
      picture.close();
      go(face ? 'age' : 'ask');
      say(face ? (faces.length > 1 ? WORDS.several : '') : WORDS.none);
      if (face) part('#guess-truth').focus();
    } catch (error) {
      if (mine !== asked || signal.aborted) return;
      go('ask');
      say(error.message);
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
    say(WORDS.opening);
    try {
      await camera.start();
      if (mine !== asked || signal.aborted) return camera.stop();
      part('video').classList.toggle('mirrored', camera.mirrored);
      go('camera');
      say('');
      part('[data-shoot]').focus();
    } catch (error) {
      if (mine === asked) say(error.message);
    }
  });
  part('[data-shoot]').addEventListener('click', async () => {
    const picture = await createImageBitmap(part('video')).catch(() => undefined);
    if (picture) read(async () => ({ picture }));
    else say(WORDS.frame);
  });
  for (const button of dialog.querySelectorAll('[data-back], [data-next]')) button.addEventListener('click', ask);

  part('form[data-step=age]').addEventListener('submit', (event) => {
    event.preventDefault();
    truth = Math.round(part('#guess-truth').valueAsNumber);
    part('#guess-truth').value = '';
    part('#guess-line').value = String(START);
    part('output').textContent = '?';
    part('form[data-step=guess] button').disabled = true;
    say(WORDS.move);
    go('guess');
    part('#guess-line').focus();
  });
  part('#guess-line').addEventListener('input', ({ target }) => {
    part('output').textContent = target.value;
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
    part('.marks').replaceChildren(...[['you', guess], ['truth', truth]].map(([name, age]) => {
      const share = Math.min(1, age / OLDEST);
      const isLeft = share < 0.6; // so that its words stay inside
      const textContent = isLeft ? `▲ ${WORDS[name]} ${age}` : `${WORDS[name]} ${age} ▲`;
      const mark = Object.assign(document.createElement('span'), { className: name, textContent });
      Object.assign(mark.style, { left: `${100 * share}%`, transform: `translateX(${isLeft ? '-0.4em' : 'calc(0.4em - 100%)'})` });
      return mark;
    }));
    part('dl').replaceChildren(...[
      [WORDS.truth, String(truth), ''],
      [WORDS.you, String(guess), WORDS.off(round.you)],
      [WORDS.mien, years(face.age), `${WORDS.off(round.mien)} · ${yearRange(face)}`],
    ].map(([name, age, note]) => {
      const group = document.createElement('div');
      for (const [tag, text] of [['dt', name], ['dd', age], ['dd', note]]) group.append(Object.assign(document.createElement(tag), { textContent: text }));
      return group;
    }));
    part('[data-range]').textContent = rangeSentence(face);
    part('[data-score]').textContent = score();
    say(WORDS.said(truth, guess, WORDS.off(round.you), mienSays, WORDS.off(round.mien)));
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

function score() {
  const mean = (name) => (rounds.reduce((sum, round) => sum + round[name], 0) / rounds.length).toFixed(1);
  const count = (is) => rounds.filter(is).length;
  return `${WORDS.score(rounds.length, mean('you'), mean('mien'))} ${WORDS.nearer(
    count(({ you, mien }) => you < mien), count(({ you, mien }) => mien < you), count(({ you, mien }) => you === mien),
  )}`;
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
