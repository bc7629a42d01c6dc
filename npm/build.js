// What the package knows of its files: in the package this is lib/build.js, in the place of the page's (www/lib/build.js).

import { MienError } from './error.js';

const worker = () => import('../scripts/worker.js');

// The beginning of each file's SHA-256, as make.mjs states it.
const DIGESTS = {};
export { DIGESTS };

/**
 * Workers' scripts as texts: no bundler takes them apart, and no other site has to be asked for them.
 *
 * @type {Record<string, () => Promise<{ default: Record<string, string> }>>}
 */
export const SCRIPTS = {
  'worker.js': worker,
  'lib/pixels.js': worker,
  'lib/error.js': worker,
  'pkg/mien_cpu.js': () => import('../scripts/mien_cpu.js'),
  'pkg/mien_cpu_relaxed.js': () => import('../scripts/mien_cpu_relaxed.js'),
  'pkg/mien_gpu.js': () => import('../scripts/mien_gpu.js'),
};

// Bundlers take a file along, and put its new address in, where it stands in just these words.
const FILES = {
  'pkg/mien_cpu_bg.wasm': () => new URL('../pkg/mien_cpu_bg.wasm', import.meta.url),
  'pkg/mien_cpu_relaxed_bg.wasm': () => new URL('../pkg/mien_cpu_relaxed_bg.wasm', import.meta.url),
  'pkg/mien_gpu_bg.wasm': () => new URL('../pkg/mien_gpu_bg.wasm', import.meta.url),
  'weights/blazeface-short.safetensors': () => new URL('../weights/blazeface-short.safetensors', import.meta.url),
  'weights/lite.safetensors': () => new URL('../weights/lite.safetensors', import.meta.url),
};

/** No scripts lie beside these. */
export const BASE = undefined;

export const OF_ANOTHER_BUILD = 'The files of Mien are not those of this version of the package. Where base names them, copy them there once more.';

/**
 * A file's address.
 *
 * @param {string} path in the package
 * @param {URL} [elsewhere] where the files are that no bundler knows of
 */
export function addressOf(path, elsewhere) {
  if (elsewhere) return new URL(path, elsewhere);
  const address = FILES[path];
  if (!address) throw new MienError('weights', `${path} is not in the package: say by base where it is.`);
  return address();
}
