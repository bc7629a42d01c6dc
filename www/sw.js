// The service worker: after the first visit the page opens without a network.
//
// A build that stamps BUILD (any text that changes with the content) is served from one complete,
// unchanging set of files per build, so that program and weights always fit each other. Unstamped,
// the network comes first and the stored copy is the fallback, which is what one wants while working.
const BUILD = '';

const CACHE = `mien-${BUILD || 'unstamped'}`;

// The CPU module that this browser runs, as the page has found out: the other one is not fetched.
const PROGRAM = new URLSearchParams(self.location.search).get('program') ?? 'mien_cpu';

// What the page needs to work. The WebGPU module is large and joins when it is first used.
const NEEDED = [
  './', 'style.css', 'app.js', 'start.js', 'mien.js', 'worker.js', 'old-browser.js',
  'lib/download.js', 'lib/engine.js', 'lib/error.js', 'lib/pixels.js', 'lib/support.js', 'lib/traffic.js',
  'views/camera.js', 'views/distribution.js', 'views/order.js', 'views/overlay.js', 'views/photo.js', 'views/readout.js',
  'views/stage.js', 'views/status.js', 'views/words.js',
  'later/album.js', 'later/card.js', 'later/changes.js', 'later/crop.js', 'later/measured.js', 'later/networks.js', 'later/occlusion.js',
  'later/see.css', 'later/see.js', 'later/shrink-worker.js', 'later/strip.css', 'later/strip.js',
  'later/styles.js', 'later/take.css', 'later/take.js', 'later/watch.js',
  'icon.svg', 'manifest.webmanifest', 'sample.jpg',
  `pkg/${PROGRAM}.js`, `pkg/${PROGRAM}_bg.wasm`,
  'weights/blazeface-short.safetensors', 'weights/lite.safetensors',
];

// What the entrance screen needs beside that, kept where it has been opened.
const KIOSK = [
  'kiosk.html', 'kiosk/editor.css', 'kiosk/editor.html', 'kiosk/editor.js', 'kiosk/manifest.webmanifest', 'kiosk/rules.js',
  'kiosk/rules.json', 'kiosk/scene.css', 'kiosk/scene.js', 'kiosk/screen.css', 'kiosk/screen.js',
];

self.addEventListener('install', (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(CACHE);
    const kiosk = await storedOfKiosk();
    await tell([self.location.href, ...NEEDED]);
    // 'no-cache' asks whether the copy that the page has just fetched is still good; it is not sent again.
    await cache.addAll(NEEDED.map((path) => new Request(path, { cache: 'no-cache' })));
    if (kiosk.length > 0) await keep([...KIOSK, ...kiosk]);
    await self.skipWaiting();
  })());
});

self.addEventListener('activate', (event) => {
  event.waitUntil((async () => {
    const names = await caches.keys();
    await Promise.all(names.filter((name) => name.startsWith('mien-') && name !== CACHE).map((name) => caches.delete(name)));
    await self.clients.claim();
  })());
});

self.addEventListener('message', (event) => {
  if (event.data?.keep === 'kiosk') event.waitUntil(keep([...KIOSK, event.data.rules]));
});

/** The page counts what is asked for on its behalf (lib/traffic.js). @param {string[]} addresses */
async function tell(addresses) {
  const asked = addresses.map((address) => new URL(address, self.registration.scope).href);
  for (const client of await self.clients.matchAll({ includeUncontrolled: true })) client.postMessage({ asked });
}

/** Addresses of the entrance screen's files that were kept until now, rules of its owner's among them. */
async function storedOfKiosk() {
  const names = (await caches.keys()).filter((name) => name.startsWith('mien-'));
  const requests = await Promise.all(names.map(async (name) => (await caches.open(name)).keys()));
  return requests.flat().map(({ url }) => url).filter((url) => url.startsWith(new URL('kiosk', self.registration.scope).href));
}

/** Stores what is not stored yet; one that can't be had keeps none of the others away. */
async function keep(addresses) {
  const cache = await caches.open(CACHE);
  await Promise.allSettled(addresses.map(async (address) => {
    const key = new URL(address, self.registration.scope).href.split('?')[0];
    if (await cache.match(key)) return;
    await tell([key]);
    await cache.add(new Request(key, { cache: 'no-cache' }));
  }));
}

self.addEventListener('fetch', (event) => {
  const { request } = event;
  if (request.method !== 'GET' || new URL(request.url).origin !== location.origin) return;
  event.respondWith(BUILD && request.cache !== 'reload' ? storedFirst(request) : networkFirst(request));
});

async function storedFirst(request) {
  return (await stored(request)) ?? fetchAndStore(request);
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
async function stored(request) {
  const cache = await caches.open(CACHE);
  return cache.match(request, { ignoreSearch: true });
}

async function fetchAndStore(request) {
  const response = await fetch(request);
  if (response.status === 200) {
    const copy = response.clone();
    const key = request.url.split('?')[0];
    caches.open(CACHE).then((cache) => cache.put(key, copy)).catch(() => {}); // a full disk costs only the offline use
  }
  return response;
}
