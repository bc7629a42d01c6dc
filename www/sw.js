// The service worker: after the first visit the page opens without a network.
//
// A build that stamps BUILD and DIGESTS is served from one complete, unchanging set of files per build, each of which is what
// it was when the build was made. A newer build is stored beside it and waits until the visitor asks for it, or no page of the former is open.
// Pages that are open then go on with the files of their own build. Unstamped, the network comes first and the stored copy is the
// fallback, which is what one wants while working.
const BUILD = '';

// The beginning of each file's SHA-256: a site that is just changing, or caches on the way, may answer with files of two builds.
const DIGESTS = {};

const SCOPE = self.registration.scope;

// Other copies of the page, on the same origin, have caches of their own.
const OURS = `mien ${SCOPE} `;
const CACHE = OURS + (BUILD || 'unstamped');

// Which pages run which former build; there is one after the first change of builds.
const NOTES = `mien-notes ${SCOPE}`;

// The CPU module that this browser runs, as the page has found out: the other one is not fetched.
const PROGRAM = new URLSearchParams(self.location.search).get('program') ?? 'mien_cpu';

// What the page needs to work. The WebGPU module is large and joins when it is first used.
const NEEDED = [
  './', 'style.css', 'app.js', 'language.js', 'start.js', 'mien.js', 'worker.js',
  'lib/build.js', 'lib/download.js', 'lib/engine.js', 'lib/error.js', 'lib/patience.js', 'lib/pixels.js', 'lib/sealed.js', 'lib/support.js', 'lib/traffic.js',
  'views/camera.js', 'views/distribution.js', 'views/order.js', 'views/overlay.js', 'views/photo.js', 'views/readout.js',
  'views/stage.js', 'views/status.js', 'views/words.js',
  'later/album.js', 'later/card.js', 'later/changes.js', 'later/crop.js', 'later/dates.js', 'later/guess.css', 'later/guess.js', 'later/json.js', 'later/measured.js',
  'later/networks.js', 'later/occlusion.js', 'later/quality.js', 'later/see.css', 'later/see.js', 'later/shrink-worker.js',
  'later/steady.css', 'later/steady.js', 'later/strip.css', 'later/strip.js', 'later/study.css', 'later/study.js', 'later/styles.js', 'later/take.css',
  'later/take.js', 'later/translate.js', 'later/watch.js', 'later/years.css', 'later/years.js',
  'icon.svg', 'manifest.webmanifest', 'sample.jpg',
  `pkg/${PROGRAM}.js`, `pkg/${PROGRAM}_bg.wasm`,
  'weights/blazeface-short.safetensors', 'weights/lite.safetensors',
];

// What the entrance screen needs beside that, kept where it has been opened. (A language is kept where it has been used.)
const KIOSK = [
  'kiosk.html', 'kiosk/editor.css', 'kiosk/editor.html', 'kiosk/editor.js', 'kiosk/manifest.webmanifest', 'kiosk/rules.js',
  'kiosk/rules.json', 'kiosk/scene.css', 'kiosk/scene.js', 'kiosk/screen.css', 'kiosk/screen.js',
];

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const [kiosk, locales] = await Promise.all([storedIn('kiosk'), storedIn('locales/')]);
    await tell([self.location.href]);
    try {
      await Promise.all(NEEDED.map(store));
    } catch (error) {
      if (!self.registration.active) await caches.delete(CACHE);
      throw error;
    }
    await keep([...(kiosk.length > 0 ? KIOSK : []), ...kiosk, ...locales]);
  })());
});

// Some browsers ask for files before that is done.
let assigned;
const isAssigned = new Promise((resolve) => (assigned = resolve));

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    const others = (await caches.keys()).filter((name) => name.startsWith(OURS) && name !== CACHE);
    const { pages, former } = await notes();
    const last = others.find((name) => !former.includes(name));
    if (others.length > 0) {
      for (const { id } of await self.clients.matchAll({ type: 'window' })) pages[id] ??= last;
      await note({ pages, former: others });
      assigned();
      await sweep();
    } else {
      await self.clients.claim();
    }
    await forgetUnnamed();
  })().finally(assigned));
});

self.addEventListener('message', (event) => {
  const { data, ports: [port] } = event;
  if (data === 'change') self.skipWaiting();
  if (data?.keep === 'kiosk') event.waitUntil(keep([...KIOSK, data.rules, ...(data.locales ?? [])]));
  else if (data?.keep) event.waitUntil(keep(data.keep).then((all) => port?.postMessage(all)));
});

/** The page counts what is asked for on its behalf (lib/traffic.js). @param {string[]} addresses */
async function tell(addresses) {
  const asked = addresses.map((address) => new URL(address, self.registration.scope).href);
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage({ asked });
}

/** Addresses that begin so of what was kept until now: the entrance screen's, rules of its owner's among them, or languages. */
async function storedIn(place) {
  const names = (await caches.keys()).filter((name) => name.startsWith(OURS) || name.startsWith('mien-'));
  const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  return requests.flat().map(({ url }) => url).filter((url) => url.startsWith(new URL(place, self.registration.scope).href));
}

/** Stores what is not stored yet; one that can't be had keeps none of the others away. Resolves with whether all are there. */
async function keep(addresses) {
  const kept = await Promise.allSettled(addresses.map(async (address) => {
    const { origin, pathname } = new URL(address, SCOPE);
    if (origin !== location.origin) return; // whoever asks: nothing goes to another site
    const key = origin + pathname;
    if (!(await caches.match(key, { cacheName: CACHE }))) await store(key);
  }));
  return kept.every(({ status }) => status === 'fulfilled');
}

/** Stores a file of this build, asking whether the copy that the page has just fetched is still good; and else past every cache. */
async function store(address) {
  const cache = await caches.open(CACHE);
  const { href } = new URL(address, SCOPE);
  for (const mode of ['no-cache', 'reload']) {
    await tell([href]);
    const response = await fetch(href, { cache: mode });
    if (!response.ok) throw new Error(`${href}: the site answered ${response.status}`);
    if (await isOurs(pathOf({ url: href }), response)) return cache.put(href, response);
  }
  throw new Error(`${href} is of another build`);
}

/** Whether a file is that of this build, as far as is known. */
async function isOurs(path, response) {
  const expected = DIGESTS[path];
  if (!expected) return true;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', await response.clone().arrayBuffer()));
  return [...digest].map((byte) => byte.toString(16).padStart(2, '0')).join('').startsWith(expected);
}

async function notes() {
  const stored = await caches.match(SCOPE, { cacheName: NOTES });
  return stored ? stored.json() : { pages: {}, former: [] };
}

async function note(what) {
  await (await caches.open(NOTES)).put(SCOPE, new Response(JSON.stringify(what)));
}

/** Deletes former builds that no open page runs. Not while another one is being stored, which nobody runs yet, either. */
async function sweep() {
  if (self.registration.installing || self.registration.waiting || !(await caches.has(NOTES))) return;
  const { pages, former } = await notes();
  const open = new Set((await self.clients.matchAll({ type: 'window', includeUncontrolled: true })).map(({ id }) => id));
  const running = Object.fromEntries(Object.entries(pages).filter(([id]) => open.has(id)));
  const kept = former.filter((name) => name !== CACHE && Object.values(running).includes(name));
  await Promise.all(former.map((name) => !kept.includes(name) && name !== CACHE && caches.delete(name)));
  if (kept.length > 0) await note({ pages: running, former: kept });
  else await caches.delete(NOTES);
}

/** Caches of builds that did not name them after their place: this copy's are those that have its page. */
async function forgetUnnamed() {
  for (const name of (await caches.keys()).filter((name) => /^mien-(\d+|unstamped)$/.test(name))) {
    if (await caches.match(SCOPE, { cacheName: name })) await caches.delete(name);
  }
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== location.origin) return;
  if (request.mode === 'navigate') event.waitUntil(sweep().catch(() => {}));
  const answer = BUILD && request.cache !== 'reload' ? storedFirst(event) : networkFirst(request);
  // Browsers may fail to read what they have stored. What is not of this build the page notices itself.
  event.respondWith(answer.catch(() => fetch(request)));
});

async function storedFirst({ request, clientId }) {
  if (['installed', 'activating'].includes(self.serviceWorker?.state)) await isAssigned;
  // A page that was opened with a former build.
  const former = request.mode === 'navigate' ? undefined : (await notes()).pages[clientId];
  const copy = await stored(request, former);
  if (copy) return copy;
  // What it has not stored is on the site no more.
  if (former && DIGESTS[pathOf(request)]) return ofAnotherBuild();
  return fetchAndStore(request);
}

async function networkFirst(request) {
  try {
    return await fetchAndStore(request);
  } catch (error) {
    const copy = await stored(request);
    if (copy) return copy;
    throw error;
  }
}

// The query chooses engine and model on the page; the files are the same.
async function stored(request, name = CACHE) {
  return caches.match(request, { ignoreSearch: true, cacheName: name });
}

const pathOf = ({ url }) => url.split(/[?#]/)[0].slice(SCOPE.length) || './';

const ofAnotherBuild = () => new Response('This file is of another build than the page.', { status: 409, statusText: 'Of another build' });

async function fetchAndStore(request) {
  let response = await fetch(request);
  if (response.status !== 200) return response;
  const path = pathOf(request);
  if (!(await isOurs(path, response))) {
    response = await fetch(request, { cache: 'reload' }); // past the caches on the way
    if (response.status !== 200 || !(await isOurs(path, response))) return ofAnotherBuild();
  }
  const copy = response.clone();
  const key = request.url.split('?')[0];
  caches.open(CACHE).then((cache) => cache.put(key, copy)).catch(() => {}); // a full disk costs only the offline use
  return response;
}
