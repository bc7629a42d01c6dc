// A program that uses the package as it is installed. It is compiled, not run.

import { Mien, MienError, type Result } from 'mien-faces';
import { estimateMany } from 'mien-faces/many';
import { toJson } from 'mien-faces/json';
import { MienCamera, MienPhoto, type MienElementErrorCode } from 'mien-faces/elements';

export async function library(photo: Blob): Promise<Result> {
  const mien = await Mien.load({ engine: 'cpu', base: new URL('https://example.org/mien/') });
  try {
    const result = await mien.estimate(photo, { maxFaces: 3, smallestFace: 40, looks: 1 });
    console.log(toJson(result).faces[0]?.age_range[1], result.model);
    return result;
  } catch (error) {
    if (error instanceof MienError && error.code === 'bad-picture') console.log(error.message);
    throw error;
  }
}

export async function many(mien: Mien, files: FileList): Promise<number> {
  const { signal } = new AbortController();
  await mien.estimate(files[0]!, { signal });
  const get = async () => (await fetch('photo.jpg')).blob();
  const outcomes = await estimateMany(mien, [...files, get], { signal, onProgress: ({ done, total, index, result }) => console.log(done / total, index, result) });
  return outcomes.reduce((sum, outcome) => sum + (outcome.result ? outcome.result.faces.length : 0), 0);
}

export function elements(): void {
  const photo = document.querySelector('mien-photo');
  photo?.addEventListener('mien-result', function ({ detail }) {
    console.log(detail.faces[0]?.age, this.result?.mode === 'search');
  });
  if (photo) photo.label = ({ age }) => `${age}`;
  const camera: MienCamera = document.createElement('mien-camera');
  camera.addEventListener('mien-error', ({ detail }) => {
    const code: MienElementErrorCode = detail.code;
    console.log(code === 'no-permission', detail.message);
  });
  camera.addEventListener('mien-stop', () => void camera.start().then(() => camera.switch()));
  new MienPhoto().source = new Blob();
}

// What must not compile.
// @ts-expect-error: no such state of a camera
export const running: string = new MienCamera().running;
// @ts-expect-error: not a picture
new MienPhoto().source = 'portrait.jpg';
// @ts-expect-error: nothing but what is exported
import 'mien-faces/lib/engine.js';
