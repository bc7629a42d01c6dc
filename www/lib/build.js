// What a build knows of its files, so that a page never has some of another build: the site may be renewed while a page is open, and
// caches on the way keep files of its former state, for ten minutes on GitHub Pages.

// The beginning of each file's SHA-256, as build.sh states it; while working there is nothing to compare.
const DIGESTS = {};
export { DIGESTS };

/** Workers' scripts that are no files, but texts in others (npm/build.js). @type {Record<string, () => Promise<any>>} */
export const SCRIPTS = {};

export const BASE = new URL('../', import.meta.url);

export const OF_ANOTHER_BUILD = 'The site has a newer version of this page by now. Open the page again.';

/** A file's address, which is another one in each build, as that of this script. @param {string} path from where mien.js is @param {URL} [elsewhere] */
export function addressOf(path, elsewhere) {
  return elsewhere ? new URL(path, elsewhere) : new URL(path + new URL(import.meta.url).search, BASE);
}
