// A program that uses every part of the API, as a page would. It is compiled, not run.

import { Mien, MienError, type EngineKind, type Face, type MienErrorCode, type MienSource, type Result } from './mien.js';

export async function photo(source: MienSource): Promise<string[]> {
  const lack: MienError | undefined = Mien.whyUnsupported();
  if (lack) return [lack.code, lack.message];
  const mien = await Mien.load({
    model: 'lite',
    engine: 'auto',
    onProgress: ({ stage, engine, loaded, total }) => console.log(stage === 'download', engine, loaded / total),
    onEngineChange: ({ engine, reason }) => console.log(engine, reason === 'faster'),
    onComparison: ({ cpu, webgpu }) => console.log(cpu < webgpu),
  });
  try {
    const options = { maxFaces: 3, smallestFace: 40, looks: 1, signal: AbortSignal.timeout(60_000) } as const;
    const { width, height, faces, mode, path, looks, moreFaces, timings, engine, model }: Result = await mien.estimate(source, options);
    console.log(looks === 2, moreFaces, model === mien.model);
    console.log(width * height, mode === 'search', path === 'texture', timings.total, engine === mien.engine, mien.model);
    return faces.map(words);
  } finally {
    mien.close();
  }
}

function words({ box: [x, y, width, height], score, landmarks, settled, age, ageRange: [low, high], hills, ageDistribution, gender, id }: Face): string {
  if (!settled) return 'one moment';
  const [rightEye, leftEye] = landmarks;
  const likeliest = ageDistribution.indexOf(Math.max(...ageDistribution));
  const sides = hills?.map((hill) => `${hill.age}: ${100 * hill.share} %`).join(' or ') ?? 'one hill';
  return [x + width / 2, y + height / 2, score, rightEye?.[0], leftEye?.[1], age, high - low, likeliest, sides, gender.female - gender.male, id ?? 'unknown'].join();
}

export async function video(mien: Mien, element: HTMLVideoElement): Promise<void> {
  mien.addEventListener('enginechange', function ({ detail }) {
    const kind: EngineKind = detail.engine;
    console.log(kind, this.timings[kind]);
  });
  mien.addEventListener('comparison', ({ detail }) => console.log(detail.cpu, mien.comparison?.webgpu), { once: true });
  mien.reset();
  try {
    await mien.estimate(element, { track: true, timestamp: 40 });
  } catch (error) {
    if (error instanceof MienError) tell(error.code);
  }
}

function tell(code: MienErrorCode): string {
  switch (code) {
    case 'unsupported-browser':
    case 'download':
    case 'weights':
    case 'no-webgpu':
    case 'bad-picture':
    case 'estimate':
    case 'closed':
      return code;
  }
}

// What must not compile.
// @ts-expect-error: Mien.load() makes them
new Mien();
// @ts-expect-error: no such engine
void Mien.load({ engine: 'cuda' });
// @ts-expect-error: not a picture
void photo('portrait.jpg');
export const thrice = (mien: Mien, picture: Blob): unknown =>
  // @ts-expect-error: once or twice
  mien.estimate(picture, { looks: 3 });
