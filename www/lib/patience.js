// How long to wait for what may never come.

/**
 * Runs `end` after so many milliseconds. Those in which the tab was frozen, or the computer asleep, are no waiting: if there were many, they
 * begin anew.
 *
 * @param {number} ms
 * @param {() => void} end
 * @returns {() => void} calls it off
 */
export function after(ms, end) {
  let timer;
  const begin = () => {
    const start = performance.now();
    timer = setTimeout(() => (performance.now() - start > 1.25 * ms + 1000 ? begin() : end()), ms);
  };
  begin();
  return () => clearTimeout(timer);
}

// A network that sends nothing at all for so many seconds, whoever has asked, is taken for gone: nobody may ever say so.
const SILENCE = 30;

let heard = 0;

/** Something has come from the network. */
export function hear() {
  heard += 1;
}

/**
 * What comes of a task, whose signal is aborted where the network falls silent.
 *
 * @template T
 * @param {(signal: AbortSignal) => Promise<T>} task
 * @param {AbortSignal} [signal] aborts it, too
 * @returns {Promise<T>}
 */
export async function unlessSilent(task, signal) {
  const ending = new AbortController();
  const end = () => ending.abort(signal?.reason);
  if (signal?.aborted) end();
  signal?.addEventListener('abort', end);
  let [last, seconds] = [heard, 0];
  const timer = setInterval(() => {
    seconds = last === heard ? seconds + 1 : 0;
    last = heard;
    if (seconds >= SILENCE) ending.abort(new DOMException('The network is silent.', 'TimeoutError'));
  }, 1000);
  try {
    return await task(ending.signal);
  } finally {
    clearInterval(timer);
    signal?.removeEventListener('abort', end);
  }
}
