// Loads Mien as soon as this script is there: before the page's other scripts and styles, which need not be waited for.

// First: it counts what the others ask for.
import './lib/traffic.js';
import { Mien } from './mien.js';

let loading;
let tell = () => {};

/**
 * Mien, loaded once; a failed load is tried again by the next who asks.
 *
 * @param {import('./mien.js').MienOptions['onProgress']} onProgress hears of what comes from now on
 */
export function load(onProgress) {
  tell = onProgress;
  return begin();
}

/** What is wished for may have changed: the next who asks gets it. */
export function forget() {
  loading = undefined;
}

function begin() {
  loading ??= Mien.load({ ...wishes(), onProgress: (progress) => tell(progress) }).catch((error) => {
    loading = undefined;
    throw error;
  });
  return loading;
}

/** ?engine=cpu|webgpu|auto and ?model=NAME choose what is loaded. */
export function wishes() {
  const query = new URLSearchParams(location.search);
  const wished = {};
  if (['cpu', 'webgpu', 'auto'].includes(query.get('engine'))) wished.engine = query.get('engine');
  if (/^[a-z0-9-]+$/.test(query.get('model') ?? '')) wished.model = query.get('model');
  return wished;
}

begin().catch(() => {}); // the page asks, too, and tells what is wrong
