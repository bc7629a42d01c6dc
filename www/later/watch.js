// What this page has asked for and sent, as it goes on, and what it has stored on the device.

import { language, number, t, translate } from '../language.js';
import { markup } from '../lib/sealed.js';
import { traffic } from '../lib/traffic.js';

/** @param {HTMLElement} root */
export function watch(root) {
  root.innerHTML = markup`
    <dl>
      <div><dt>Requests since it was opened</dt><dd data-count></dd></div>
      <div><dt>Bytes of content sent</dt><dd data-sent></dd></div>
      <div><dt>Last request</dt><dd data-last></dd></div>
    </dl>
    <p data-connection></p>
    <details><summary>Each address</summary><ul data-addresses></ul></details>
    <h3>Stored on this device</h3>
    <ul data-stored></ul>
    <p><button class="button" type="button">Look again</button></p>`;
  translate(root);
  const part = (name) => root.querySelector(`[data-${name}]`);
  let last = [0, new Date()];
  let waits = false;
  const show = () => {
    waits = false;
    const { addresses, count, sent } = traffic;
    if (count !== last[0]) last = [count, new Date()];
    part('count').textContent = number(count);
    part('sent').textContent = Number.isNaN(sent) ? t`cannot be told` : number(sent);
    part('last').textContent = last[1].toLocaleTimeString(language);
    const lines = [...addresses].map(([address, times]) => (times > 1 ? t`${short(address)} (${times} times)` : short(address)));
    const list = part('addresses');
    lines.forEach((line, index) => {
      const item = list.children[index] ?? list.appendChild(document.createElement('li'));
      if (item.textContent !== line) item.textContent = line;
    });
    part('connection').textContent = navigator.onLine
      ? t`This device is online. A request is the address of a file, and headers that each browser sends; what was asked for a second time may have come from this device. That it looks for a newer version of the page (sw.js), the browser does not tell.`
      : t`This device is offline: whatever is asked for now comes from what is stored on it.`;
  };
  // Many come at once.
  const soon = () => {
    if (waits) return;
    waits = true;
    setTimeout(show, 100);
  };
  traffic.addEventListener('change', soon);
  for (const type of ['online', 'offline', 'spoken']) addEventListener(type, soon);
  root.querySelector('button').addEventListener('click', () => stored(part('stored')));
  show();
  return stored(part('stored'));
}

function short(address) {
  const base = new URL('./', location.href).href;
  return address.startsWith(base) ? address.slice(base.length) || t`the page itself` : address;
}

async function stored(list) {
  const lines = await Promise.all([kept(), cookies(), databases()]);
  list.replaceChildren(...lines.flat().map((text) => Object.assign(document.createElement('li'), { textContent: text })));
}

/** Of each cache of this site: files and bytes as they are when unpacked. */
async function kept() {
  const names = (await globalThis.caches?.keys().catch(() => [])) ?? [];
  if (names.length === 0) return [t`No files for use offline.`];
  return Promise.all(names.map(async (name) => {
    const cache = await caches.open(name);
    const sizes = await Promise.all((await cache.keys()).map(async (request) => (await (await cache.match(request))?.blob())?.size ?? 0));
    const bytes = sizes.reduce((sum, size) => sum + size, 0);
    return t`${sizes.length} files of this site for use offline, ${number(bytes / 1e6, 1)} MB (${name}).`;
  }));
}

function cookies() {
  const count = document.cookie ? document.cookie.split(';').length : 0;
  return [count === 0 ? t`No cookies.` : t`${count} cookies of this site.`];
}

async function databases() {
  let [count, entries] = [0, 0];
  try {
    count = (await indexedDB.databases?.())?.length ?? 0;
    entries = localStorage.length + sessionStorage.length;
  } catch {
    return [t`This browser lets the page store nothing else.`];
  }
  return [count + entries === 0 ? t`Nothing else: no database, no entry in the browser’s storage.`
    : t`${count} databases and ${entries} entries in the browser’s storage, of pages of this site.`];
}
