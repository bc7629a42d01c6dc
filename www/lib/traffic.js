// Counts what the page asks for and what it sends, from before its other scripts run. later/watch.js shows it.
// The workers that see pictures can ask for nothing (lib/sealed.js).

const asked = new Map(); // address -> how often, as the browser reports it
const called = new Map(); // the same, as the page's own scripts ask

class Traffic extends EventTarget {
  /** Bytes of content that the page handed over to be sent; NaN where that can't be told. */
  sent = 0;

  /** How often each address was asked for. What the browser stopped before it was a request counts, too. */
  get addresses() {
    const of = (address) => Math.max(asked.get(address) ?? 0, called.get(address) ?? 0);
    return new Map([...new Set([...asked.keys(), ...called.keys()])].map((address) => [address, of(address)]));
  }

  get count() {
    return [...this.addresses.values()].reduce((sum, count) => sum + count, 0);
  }
}

/** Tells of each `change`. */
export const traffic = new Traffic();

function note(where, address) {
  let href = String(address);
  try {
    href = new URL(address, location.href).href;
  } catch {
    // No address at all, which the browser says itself.
  }
  if (/^(blob|data):/.test(href)) return; // in the browser's own memory
  where.set(href, (where.get(href) ?? 0) + 1);
  traffic.dispatchEvent(new Event('change'));
}

async function weigh(body) {
  if (body === undefined || body === null) return;
  const isStream = typeof ReadableStream === 'function' && body instanceof ReadableStream;
  const whole = isStream ? Promise.reject() : (body instanceof Request ? body : new Response(body)).arrayBuffer();
  const bytes = await whole.then(({ byteLength }) => byteLength, () => NaN);
  traffic.sent += bytes;
  traffic.dispatchEvent(new Event('change'));
}

const report = ({ data }) => data?.asked?.forEach((address) => note(asked, address));

note(asked, location.href);
new PerformanceObserver((list) => list.getEntries().forEach(({ name }) => note(asked, name))).observe({ type: 'resource', buffered: true });
navigator.serviceWorker?.addEventListener('message', report);

const wrap = (target, name, before) => {
  const original = target[name];
  if (original) target[name] = function (...args) { before(...args); return original.apply(this, args); };
};
wrap(window, 'fetch', (resource, init) => {
  note(called, resource.url ?? resource);
  weigh(init?.body ?? (resource.body && resource.clone()));
});
wrap(XMLHttpRequest.prototype, 'open', (method, address) => note(called, address));
wrap(XMLHttpRequest.prototype, 'send', weigh);
wrap(Navigator.prototype, 'sendBeacon', (address, body) => {
  note(called, address);
  weigh(body);
});

const scope = /** @type {any} */ (window);
const extend = (name, seen) => {
  const Original = scope[name];
  if (Original) scope[name] = class extends Original { constructor(...args) { super(...args); seen(this, ...args); } };
};
extend('EventSource', (source, address) => note(called, address));
// What goes over these is not weighed.
for (const name of ['WebSocket', 'WebSocketStream', 'WebTransport', 'RTCPeerConnection']) {
  extend(name, (connection, address) => {
    note(called, typeof address === 'string' ? address : 'webrtc:');
    traffic.sent = NaN;
  });
}
