import { MienError } from './mien.js';

// One is estimated while the next is decoded.
const AT_ONCE = 2;

/**
 * Estimates many pictures with one Mien. One that cannot be read ends none of the others.
 *
 * @param {import('./mien.js').Mien} mien
 * @param {Iterable<import('./mien.js').MienSource | (() => Promise<import('./mien.js').MienSource>)>} sources pictures, or functions that get
 *   one when it is its turn
 * @param {import('./many.js').ManyOptions} [options]
 * @returns {Promise<import('./many.js').Outcome[]>} in the order of the sources
 */
export async function estimateMany(mien, sources, { onProgress, signal, estimate } = {}) {
  const waiting = [...sources];
  /** @type {import('./many.js').Outcome[]} */
  const outcomes = new Array(waiting.length);
  let [next, done] = [0, 0];

  async function work() {
    while (next < waiting.length) {
      const index = next++;
      signal?.throwIfAborted();
      const outcome = await one(waiting[index]);
      outcomes[index] = outcome;
      done += 1;
      onProgress?.({ done, total: waiting.length, index, ...outcome });
    }
  }

  async function one(source) {
    try {
      const picture = typeof source === 'function' ? await source() : source;
      return { result: await mien.estimate(picture, { ...estimate, ...(signal && { signal }) }) };
    } catch (error) {
      // These would come of all others, too.
      if (signal?.aborted) throw signal.reason;
      if (error instanceof MienError && error.code === 'closed') throw error;
      return { error };
    }
  }

  try {
    await Promise.all(Array.from({ length: AT_ONCE }, work));
  } finally {
    next = waiting.length; // where it was ended, nothing more is begun
  }
  return outcomes;
}
