// The ways photos come in: chosen, dropped, pasted, or the sample; and from files to pictures.

import { t } from '../language.js';
import { unlessSilent } from '../lib/patience.js';
import { decode, MAX_PIXELS, tooLarge } from '../lib/pixels.js';
import { startSealed } from '../lib/sealed.js';

// A picture on the stage is no larger than this on its longer side, which is more than screens show of it.
const SHOWN_SIDE = 2048;
// Up to so many pixels a copy costs the page nothing that is felt.
const LIGHT = 2 ** 22;

/**
 * A file as a picture, decoded once: to be estimated, and to be shown. Large ones are made smaller by a
 * worker.
 *
 * @param {Blob} file
 * @returns {Promise<{ full: ImageBitmap, shown: ImageBitmap }>}
 */
export async function readPicture(file) {
  const bitmap = await decode(file);
  if (bitmap.width * bitmap.height <= LIGHT) return { full: bitmap, shown: await createImageBitmap(bitmap) };
  const worker = await startSealed('later/shrink-worker.js', 'mien-shrink');
  try {
    return await new Promise((resolve, reject) => {
      worker.onmessage = ({ data }) => ('error' in data ? reject(tooLarge(data.error)) : resolve(data));
      worker.onerror = () => reject(new Error(t`A part of the page could not be loaded. Is this device online?`));
      worker.postMessage({ bitmap, most: MAX_PIXELS, side: SHOWN_SIDE }, [bitmap]);
    });
  } finally {
    worker.terminate();
  }
}

/**
 * @param {{ input: HTMLInputElement, sample: HTMLElement, stage: HTMLElement,
 *           onPhotos: (photos: Blob[]) => void, onNothing: (what: string) => void, onFailure: (error: Error) => void }} parts
 * @returns {() => void} takes what was chosen before this script was there
 */
export function photoInputs({ input, sample, stage, onPhotos, onNothing, onFailure }) {
  const chosen = () => {
    const files = [...input.files];
    input.value = ''; // so that the same file can be chosen again
    if (files.length > 0) onPhotos(files);
  };
  input.addEventListener('change', chosen);

  sample.addEventListener('click', async () => {
    onNothing(t`Getting the sample picture…`);
    try {
      const blob = await unlessSilent(async (signal) => {
        const response = await fetch('sample.jpg', { signal });
        if (!response.ok) throw new Error(`The site answered ${response.status}.`);
        return response.blob();
      });
      onPhotos([blob]);
    } catch (error) {
      onFailure(new Error(t`The sample picture could not be downloaded. Is this device online?`, { cause: error }));
    }
  });

  document.addEventListener('paste', (event) => {
    const files = filesIn(event.clipboardData);
    if (files.length > 0) onPhotos(files);
    else onNothing(t`There is no picture in what was pasted. Copy a picture itself, or choose its file.`);
  });

  // Anywhere on the page: a picture that misses the stage should not replace the page.
  let depth = 0;
  const mark = (change) => {
    depth = change === 0 ? 0 : depth + change;
    stage.classList.toggle('dropping', depth > 0);
  };
  document.addEventListener('dragenter', () => mark(1));
  document.addEventListener('dragleave', () => mark(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(0);
    const files = filesIn(event.dataTransfer);
    if (files.length > 0) onPhotos(files);
    else onNothing(t`That was no picture file. Save the picture first, then drop the file.`);
  });

  return chosen;
}

/** All files: which of them are pictures shows when they are read. */
function filesIn(transfer) {
  return [...(transfer?.files ?? [])];
}
