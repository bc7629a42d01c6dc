// Workers that see pictures, shut in by the browser itself.
//
// A worker from an address has the policy that its file came with, and static sites send none. One from the page's
// memory has the policy of the document that starts it. So an empty document, which is forbidden every connection,
// starts them all: the page fetches their scripts, and they themselves can load nothing, neither from this site nor from another.

import { addressOf, BASE, OF_ANOTHER_BUILD, SCRIPTS } from './build.js';
import { isOurs } from './download.js';
import { MienError } from './error.js';
import { hear, unlessSilent } from './patience.js';

const POLICY = "default-src 'none'; script-src blob: 'wasm-unsafe-eval'; worker-src blob:; require-trusted-types-for 'script'; trusted-types mien";

/** @type {Map<string, Promise<string>>} */
const held = new Map();
let frame;
let room;
let policy;

/**
 * Starts a module worker that has no way out but its messages.
 *
 * @param {string} path of its script, beside mien.js
 * @param {string} name
 */
export async function startSealed(path, name) {
  const [address, { Worker }] = await Promise.all([hold(path), sealedRoom()]);
  try {
    return new Worker(trusted(address), { type: 'module', name });
  } catch (cause) {
    throw new MienError('download', 'The policy of this page lets no worker start.', cause);
  }
}

/**
 * The address, in this page's memory, of a script whose imports are there, too. Fetched once, so that a worker that is started anew
 * is of the same build.
 *
 * @param {string} path
 * @returns {Promise<string>}
 */
export function hold(path) {
  let address = held.get(path);
  if (!address) {
    address = copy(path);
    held.set(path, address);
    address.catch(() => held.delete(path));
  }
  return address;
}

/** Has scripts fetched anew by the next worker. */
export function forgetScripts() {
  held.clear();
}

/** @param {string} path @returns {Promise<string>} */
async function copy(path) {
  const parts = (await text(path)).split(/^(import .* from ')(\.[^']+)(?=';$)/m);
  // Of every three, the last names another script.
  const own = await Promise.all(parts.map((part, index) => (index % 3 === 2 ? hold(new URL(part, `x:/${path}`).pathname.slice(1)) : part)));
  return URL.createObjectURL(new Blob(own, { type: 'text/javascript' }));
}

async function text(path) {
  try {
    const own = await SCRIPTS[path]?.();
    if (own) return own.default[path];
    for (const cache of /** @type {RequestCache[]} */ (['default', 'reload'])) {
      const bytes = await unlessSilent(async (signal) => {
        const response = await fetch(addressOf(path), { cache, signal });
        hear();
        if (!response.ok) throw new Error(`the site answered ${response.status}`);
        return response.arrayBuffer();
      });
      hear();
      if (await isOurs(path, bytes)) return new TextDecoder().decode(bytes);
    }
  } catch (cause) {
    throw new MienError('download', 'A part of the program could not be loaded. Is this device online?', cause);
  }
  throw new MienError('download', OF_ANOTHER_BUILD);
}

/**
 * A part of the page that is fetched when it is first used, with all that it imports.
 *
 * @param {string} path
 */
export async function later(path) {
  await hold(path); // which sees to it that none of it is of another build
  return import(addressOf(path).href);
}

function sealedRoom() {
  if (typeof document === 'undefined') return globalThis; // a worker, which cannot make documents
  if (!frame?.isConnected) {
    frame = Object.assign(document.createElement('iframe'), { hidden: true });
    room = new Promise((resolve) => {
      frame.onload = ({ target: { contentDocument: inside, contentWindow } }) => {
        inside.head.append(Object.assign(inside.createElement('meta'), { httpEquiv: 'Content-Security-Policy', content: POLICY }));
        resolve(contentWindow);
      };
    });
    document.documentElement.append(frame);
  }
  return room;
}

/** An address that a script may be started from, in the form that the page's policy asks for (trusted types). @param {string} address */
export function trusted(address) {
  return trust().createScriptURL(new URL(address, BASE).href);
}

/** Markup that is written in a script, in that form: of what it is made up with, numbers alone. */
export function markup(parts, ...numbers) {
  if (!numbers.every(Number.isFinite)) throw new TypeError('Text is put into elements, not into markup.');
  return trust().createHTML(String.raw(parts, ...numbers));
}

function trust() {
  const as = {
    createHTML: (text) => text,
    createScriptURL(url) {
      if (url.startsWith('blob:') || url.startsWith(`${BASE}sw.js?`)) return url;
      throw new TypeError(`${url} is no script of this page's`);
    },
  };
  policy ??= globalThis.trustedTypes?.createPolicy('mien', as) ?? as;
  return policy;
}
