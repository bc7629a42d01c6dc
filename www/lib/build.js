// What a build knows of its files, so that a page never has some of another build: the site may be renewed while a page is open, and
// caches on the way keep files of its former state, for ten minutes on GitHub Pages.

// The beginning of each file's SHA-256, as build.sh states it; while working there is nothing to compare.
const DIGESTS = {};

const BASE = new URL('../', import.meta.url);

export const OF_ANOTHER_BUILD = 'The site has a newer version of this page by now. Open the page again.';

/** A file's address, which is another one in each build, as that of this script. @param {string} path from where mien.js is */
export function addressOf(path) {
  return new URL(path + new URL(import.meta.url).search, BASE);
}

/**
 * Whether these bytes are the file of this build, as far as there is anything to compare with.
 *
 * @param {URL | string} address
 * @param {BufferSource} bytes
 */
export async function isOurs(address, bytes) {
  const expected = DIGESTS[`${address}`.split('?')[0].slice(BASE.href.length)];
  if (!expected || !globalThis.crypto?.subtle) return true; // no secure page
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('').startsWith(expected);
}
