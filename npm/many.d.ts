import type { Mien, MienSource, Result } from './mien.js';

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
}

/**
 * Estimates many pictures with one Mien: sources, or functions that get one when it is its turn. One that cannot be read ends none of the
 * others: its outcome is an error. Rejects where the signal is aborted or the Mien closed.
 */
export function estimateMany(
  mien: Mien,
  sources: Iterable<MienSource | (() => Promise<MienSource>)>,
  options?: ManyOptions,
): Promise<Outcome[]>;
