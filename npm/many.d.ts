import type { EstimateOptions, Mien, MienSource, Result } from './mien.js';

/** What came of one picture. */
export type Outcome = { result: Result; error?: never } | { error: unknown; result?: never };

export type ManyProgress = Outcome & {
  /** So many of all are done. */
  done: number;
  total: number;
  /** Which of them this is. */
  index: number;
};

export interface ManyOptions {
  /** After each picture. */
  onProgress?: (progress: ManyProgress) => void;
  /** Ends it, which then rejects with the signal's reason. */
  signal?: AbortSignal;
  /** For each of them. */
  estimate?: Pick<EstimateOptions, 'maxFaces' | 'smallestFace' | 'looks'>;
}

/**
 * Estimates many pictures with one Mien: sources, or functions that get one when it is its turn. One that cannot be read ends none of the
 * others: its outcome is an error. Rejects where the signal is aborted or the Mien closed. Outcomes are in the order of the sources.
 *
 * @example
 * ```js
 * import { Mien } from 'mien-faces';
 * import { estimateMany } from 'mien-faces/many';
 *
 * const mien = await Mien.load({ engine: 'cpu' });
 * const photo = async () => (await fetch('sample.jpg')).blob(); // asked for when it is its turn
 * const told = [];
 * const outcomes = await estimateMany(mien, [photo, new Blob(['no picture']), photo], {
 *   estimate: { maxFaces: 1 },
 *   onProgress: ({ done, total }) => told.push(`${done} of ${total}`),
 * });
 * console.log(outcomes.map(({ result, error }) => result?.faces.length ?? error.code).join()); // 1,bad-picture,1
 * console.log(told.join()); // 1 of 3,2 of 3,3 of 3
 * ```
 */
export function estimateMany(
  mien: Mien,
  sources: Iterable<MienSource | (() => Promise<MienSource>)>,
  options?: ManyOptions,
): Promise<Outcome[]>;
