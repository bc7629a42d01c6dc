// Share, save and copy: a dialog with a card drawn on the device.

import { t, translate } from '../language.js';
import { markup } from '../lib/sealed.js';
import { ageOnly, describe, summary } from '../views/words.js';
import { drawCard, where } from './card.js';
import { toJson } from './json.js';
import { styles } from './styles.js';

const kinds = () => ({ picture: t`With the picture`, blurred: t`Faces blurred`, hill: t`Numbers only` });
const QUALITY = 0.9;

/** @param {Parameters<typeof drawCard>[1]} what */
export async function openCard(what) {
  await styles('take');
  const dialog = document.createElement('dialog');
  dialog.className = 'take';
  dialog.innerHTML = markup`
    <form method="dialog">
      <h2 id="take-title">Share or save</h2>
      <canvas role="img" aria-label="The card"></canvas>
      <fieldset><legend class="unseen">What the card shows</legend></fieldset>
      <p class="note"></p>
      <div class="buttons"></div>
      <p class="said" role="status"></p>
    </form>`;
  translate(dialog);
  const part = (selector) => dialog.querySelector(selector);
  dialog.setAttribute('aria-labelledby', 'take-title');
  const canvas = part('canvas');
  const said = part('.said');
  let kind = 'picture';

  const draw = () => {
    drawCard(canvas, what, { kind });
    part('.note').textContent = kind === 'blurred' ? t`Faces that were found are blurred, and no others. Look before you share.` : t`The card is drawn on this device, and goes where you send it.`;
  };
  for (const [name, words] of Object.entries(kinds())) {
    const label = document.createElement('label');
    const input = Object.assign(document.createElement('input'), { type: 'radio', name: 'kind', value: name, checked: name === kind });
    input.addEventListener('change', () => {
      kind = name;
      draw();
    });
    label.append(input, words);
    part('fieldset').append(label);
  }

  const button = (words, run, isPrimary = false) => {
    const made = Object.assign(document.createElement('button'), { type: 'button', className: `button${isPrimary ? ' primary' : ''}`, textContent: words });
    made.addEventListener('click', async () => {
      try {
        said.textContent = (await run()) ?? '';
      } catch (error) {
        if (error.name !== 'AbortError') said.textContent = t`That did not work: ${t(error.message)}`;
      }
    });
    part('.buttons').append(made);
  };
  const file = async () => {
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, 'image/jpeg', QUALITY));
    return new File([blob], 'mien.jpg', { type: blob.type });
  };
  const copy = async (text, done) => {
    await navigator.clipboard.writeText(text);
    return done;
  };
  const canShare = navigator.canShare?.({ files: [new File([], 'mien.jpg', { type: 'image/jpeg' })] });
  if (canShare) button(t`Share…`, async () => navigator.share({ files: [await file()], title: 'Mien' }), true);
  button(t`Save picture`, async () => save(await file()), !canShare);
  button(t`Copy as text`, () => copy(asText(what), t`Copied as text.`));
  button(t`Copy as JSON`, () => copy(asJson(what), t`Copied as JSON.`));
  button(t`Close`, () => dialog.close());

  dialog.addEventListener('click', ({ target }) => {
    if (target === dialog) dialog.close(); // beside it
  });
  dialog.addEventListener('close', () => dialog.remove());
  document.body.append(dialog);
  draw();
  dialog.showModal();
}

function save(file) {
  const url = URL.createObjectURL(file);
  Object.assign(document.createElement('a'), { href: url, download: file.name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  return t`Saved as mien.jpg, among your downloads.`;
}

function asText({ shown }) {
  const faces = shown.filter(({ face }) => face.settled !== false).map(({ face, number }) => (
    shown.length > 1 ? t`Face ${number}: ${describe(face)}. ${summary(face)}` : t`${describe(face)}. ${summary(face)}`
  ));
  return [...(faces.length > 0 ? faces : [t`No face found.`]), t`A guess, not a measurement; made ${where()} with Mien.`].join('\n');
}

function asJson({ result, shown }) {
  const faces = shown.map(({ face, number }) => ({ ...face, number, ...(ageOnly && { gender: undefined }) }));
  return JSON.stringify(toJson({ ...result, faces }), null, 2);
}
