import { DIGESTS, OF_ANOTHER_BUILD } from './build.js';
import { MienError } from './error.js';
import { hear, unlessSilent } from './patience.js';

// A Content-Length counts compressed bytes, the stream hands out unpacked ones.
// WebAssembly and weights unpack to about this many times their compressed size.
const UNPACKED = 2.5;

/**
 * Adds up the progress of several downloads that run side by side.
 * `report` gets { loaded, total } in bytes; total is an estimate until every answer has begun.
 */
export class Progress {
  #parts = new Map();
  #count;
  #report;

  constructor(count, report) {
    this.#count = count;
    this.#report = report;
  }

  update(url, loaded, total) {
    this.#parts.set(url, { loaded, total: Math.max(loaded, total) });
    let sum = { loaded: 0, total: 0 };
    for (const part of this.#parts.values()) {
      sum = { loaded: sum.loaded + part.loaded, total: sum.total + part.total };
    }
    // Those that have not begun count as much as those that have.
    this.#report({ loaded: sum.loaded, total: (sum.total * this.#count) / this.#parts.size });
  }
}

/**
 * Fetches one file with progress and checks it. A copy that fails its check is asked for once more,
 * past every cache, since a broken copy may be a stored one.
 *
 * @param {URL} url
 * @param {{ path: string, what: string, code: 'weights' | 'download', check: (bytes: Uint8Array) => boolean,
 *           progress: Progress, signal?: AbortSignal }} options
 * @returns {Promise<Uint8Array>}
 */
export async function download(url, { path, what, code, check, progress, signal }) {
  let isWhole;
  for (const cache of ['default', 'reload']) {
    const bytes = await unlessSilent((ending) => fetchBytes(url, { what, code, progress, signal: ending, cache }), signal);
    isWhole = check(bytes);
    if (isWhole && (await isOurs(path, bytes))) return bytes;
  }
  throw new MienError(code, isWhole ? OF_ANOTHER_BUILD : `The ${what} arrived damaged or incomplete.`);
}

/** Whether these bytes are the file of this build, as far as there is anything to compare with. @param {string} path @param {BufferSource} bytes */
export async function isOurs(path, bytes) {
  const expected = DIGESTS[path];
  if (!expected || !globalThis.crypto?.subtle) return true; // no secure page
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('').startsWith(expected);
}

async function fetchBytes(url, { what, code, progress, signal, cache }) {
  let response;
  try {
    response = await fetch(url, { cache, signal });
  } catch (cause) {
    throw new MienError(code, `The ${what} could not be downloaded. Is this device online?`, cause);
  }
  hear();
  if (response.status === 409) throw new MienError(code, OF_ANOTHER_BUILD); // sw.js
  if (!response.ok) {
    throw new MienError(code, `The ${what} could not be downloaded (the site answered ${response.status}).`);
  }
  try {
    return await readBody(response, (loaded, total) => progress.update(url.href, loaded, total));
  } catch (cause) {
    throw new MienError(code, `The download of the ${what} broke off.`, cause);
  }
}

async function readBody(response, onBytes) {
  const length = Number(response.headers.get('Content-Length')) || 0;
  const total = length * (response.headers.get('Content-Encoding') ? UNPACKED : 1);
  onBytes(0, total);
  const chunks = [];
  let loaded = 0;
  const reader = response.body.getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    hear();
    chunks.push(value);
    loaded += value.length;
    onBytes(loaded, total);
  }
  onBytes(loaded, loaded);
  const bytes = new Uint8Array(loaded);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}

/** True where the bytes begin like a WebAssembly module. The browser checks the rest. */
export function isWasm(bytes) {
  return bytes.length > 8 && bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d;
}

/**
 * True where the bytes are a whole safetensors file: [u64 length n][n bytes of JSON][tensor data],
 * the data as long as the JSON says. Rust reads it again with more care; this is to tell a cut-off
 * download (or an error page) from a weight file.
 */
export function isSafetensors(bytes) {
  try {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const headerLength = Number(view.getBigUint64(0, true));
    const header = JSON.parse(new TextDecoder().decode(bytes.subarray(8, 8 + headerLength)));
    delete header.__metadata__;
    const ends = Object.values(header).map((tensor) => tensor.data_offsets[1]);
    return ends.length > 0 && 8 + headerLength + Math.max(...ends) === bytes.length;
  } catch {
    return false;
  }
}
