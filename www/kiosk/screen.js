// The entrance screen: camera and estimates in, contents out, and up again by itself whatever goes wrong.
//
// For tests and for the curious: <html data-state> is 'loading', 'waiting' (for a tap), 'running', 'trouble'
// (another try is to come) or 'error' (none is), and window.kiosk has what was seen and shown last.

import { joined, language, t } from '../language.js';
import { unlessSilent } from '../lib/patience.js';
import { trusted } from '../lib/sealed.js';
import { programOf } from '../lib/support.js';
import { Mien } from '../mien.js';
import { load, wishes } from '../start.js';
import { Awake, Camera, nextFrame } from '../views/camera.js';
import { Scenes } from './scene.js';
import { Director, parse, peopleIn } from './rules.js';

const SAVE_AFTER_MS = 3000;
// Contents change by the clock, too.
const TICK_MS = 250;
// What a result said holds for so long.
const FRESH_MS = 2000;
// Longer than this no camera keeps silent, and no engine thinks; the first answer may wait for shaders.
const PICTURE_MS = 8000;
const ANSWER_MS = { first: 75_000, later: 8000 };
// Unreadable pictures in a row that are more than a camera waking up.
const UNREADABLE = 100;
const RETRY_MS = { first: 2000, most: 30_000 };
const RULES_RETRY_MS = 5000;
// As the page with photos does.
const AWAY_MS = 30_000;
const STILL_MS = 3000;

const $ = (id) => document.getElementById(id);
const root = document.documentElement;

/** Said in place of the camera's or the engine's own words, which speak of photos and of things to click. */
const sentences = () => ({
  NotFoundError: t`No camera is connected. The screen goes on by itself when one is.`,
  OverconstrainedError: t`No camera is connected. The screen goes on by itself when one is.`,
  NotReadableError: t`Another program uses the camera. Trying again by itself.`,
  AbortError: t`The camera did not start. Trying again by itself.`,
  lost: t`The camera has gone. The screen goes on by itself when it is back.`,
  silent: t`The camera sends no pictures. Trying again by itself.`,
  stuck: t`The estimates have stopped. They are being started anew.`,
  estimate: t`The estimates have stopped. They are being started anew.`,
  insecure: t`The camera needs an address that begins with https.`,
  unsupported: t`This browser gives pages no camera.`,
  download: t`The program could not be loaded. Trying again by itself.`,
  weights: t`The program could not be loaded. Trying again by itself.`,
});
// Nothing that time would mend.
const FOR_GOOD = ['insecure', 'unsupported', 'unsupported-browser', 'no-webgpu'];
const NOT_ALLOWED = ['NotAllowedError', 'SecurityError'];

class Trouble extends Error {
  constructor(name) {
    super(sentences()[name]);
    this.name = name;
  }
}

const kiosk = { lastResult: null, lastError: null, shown: null, results: 0, changes: 0, starts: 0 };
window.kiosk = kiosk;

const scenes = new Scenes($('scenes'));
const camera = new Camera($('video'), () => interrupt(new Trouble('lost')));
const awake = new Awake();

let interrupt = () => {}; // ends the run that is under way
let file;
let director;
let people = [];
let seenAt = 0;

function setState(state) {
  root.dataset.state = state;
}

function say(text) {
  if ($('status').textContent !== text) $('status').textContent = text;
}

const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// ---- rules ----

/** Another file of this site's by ?rules=ADDRESS. */
const address = new URL(new URLSearchParams(location.search).get('rules') ?? 'kiosk/rules.json', location.href);

async function readRules() {
  let response;
  let text;
  try {
    await unlessSilent(async (signal) => {
      response = await fetch(address, { cache: 'reload', signal }); // what is on the site now, and the stored copy offline
      text = await response.text();
    });
  } catch {
    return { problems: [{ text: t`The rules file ${address.pathname} could not be loaded. Is this device online?` }] };
  }
  if (!response.ok) return { problems: [{ text: t`The rules file ${address.pathname} could not be loaded: the site answered ${response.status}.` }] };
  return parse(text);
}

/** Rules that can be used, however long they take. */
async function rules() {
  for (;;) {
    const { file: read, problems } = await readRules();
    $('trouble').hidden = problems.length === 0;
    if (problems.length === 0) return read;
    setState('trouble');
    say('');
    const list = problems.map(({ text }) => Object.assign(document.createElement('li'), { textContent: text }));
    if ($('problems').textContent !== list.map((it) => it.textContent).join('')) $('problems').replaceChildren(...list);
    await pause(RULES_RETRY_MS);
  }
}

// ---- contents ----

function show() {
  const now = performance.now();
  const date = new Date();
  const there = now - seenAt < FRESH_MS ? people : [];
  const { content, rule } = director.see(there, now, 60 * date.getHours() + date.getMinutes());
  kiosk.rule = rule === undefined ? null : file.rules[rule].name;
  if (content === kiosk.shown) return;
  kiosk.shown = content;
  kiosk.changes += 1;
  scenes.show(file.contents[content]);
}

// ---- camera and estimates ----

let mien;
let closed = false;

async function estimator() {
  if (mien) return mien;
  // The first one is under way since before this script was there.
  mien = await (closed ? Mien.load(wishes()) : load(() => {}));
  return mien;
}

function giveUp() {
  mien?.close();
  mien = undefined;
  closed = true;
}

/** From the camera's start to what ends it, which is thrown. */
async function run() {
  const estimates = await estimator();
  await camera.start();
  kiosk.starts += 1;
  let waits = { for: 'picture', since: performance.now(), limit: PICTURE_MS };
  let isOver = false;

  const follow = async () => {
    let unreadable = 0;
    let answer = ANSWER_MS.first;
    estimates.reset();
    setState('running');
    say('');
    while (!isOver) {
      waits = { for: 'picture', since: performance.now(), limit: PICTURE_MS };
      const timestamp = await nextFrame($('video'));
      if (isOver || document.hidden) continue;
      waits = { for: 'answer', since: performance.now(), limit: answer };
      try {
        const result = await estimates.estimate($('video'), { track: true, timestamp });
        if (isOver) return;
        answer = ANSWER_MS.later;
        unreadable = 0;
        kiosk.lastResult = result;
        kiosk.results += 1;
        people = peopleIn(result, file.smallestFace);
        seenAt = performance.now();
        show();
      } catch (error) {
        // A frame may be unreadable while the camera turns or wakes; the next one will do.
        if (error.code !== 'bad-picture' || ++unreadable > UNREADABLE) throw error;
      }
    }
  };

  const watchdog = setInterval(() => {
    if (document.hidden) waits.since = performance.now();
    else if (performance.now() - waits.since > waits.limit) interrupt(new Trouble(waits.for === 'picture' ? 'silent' : 'stuck'));
  }, 1000);
  try {
    await new Promise((_, reject) => {
      interrupt = reject;
      follow().catch(reject);
    });
  } finally {
    isOver = true;
    interrupt = () => {};
    clearInterval(watchdog);
    camera.stop();
    people = [];
  }
}

/** One run after the other. */
async function runs() {
  let wait = RETRY_MS.first;
  for (;;) {
    await inSight();
    const before = kiosk.results;
    try {
      await run();
    } catch (error) {
      if (error.name === 'away') continue;
      kiosk.lastError = error;
      const kind = error.code ?? error.name;
      if (FOR_GOOD.includes(kind)) {
        setState('error');
        say(sentences()[kind] ?? t(error.message));
        return;
      }
      if (kind === 'stuck') giveUp();
      if (kiosk.results > before) wait = RETRY_MS.first;
      if (NOT_ALLOWED.includes(kind)) {
        await allowed(t`The camera is not allowed. Allow it for this page in the browser’s address bar or settings.`);
        continue;
      }
      setState('trouble');
      say(sentences()[kind] ?? joined(t(error.message), t`Trying again by itself.`));
      await Promise.race([pause(wait), newDevice(), backOnline()]);
      wait = Math.min(2 * wait, RETRY_MS.most);
    }
  }
}

const once = (target, type) => new Promise((resolve) => target?.addEventListener(type, resolve, { once: true }));
const newDevice = () => once(navigator.mediaDevices, 'devicechange');
const backOnline = () => once(window, 'online');

// ---- out of sight ----

async function inSight() {
  while (document.hidden) await once(document, 'visibilitychange');
}

let away;
document.addEventListener('visibilitychange', () => {
  clearTimeout(away);
  if (document.hidden) {
    away = setTimeout(() => interrupt(Object.assign(new Error('out of sight'), { name: 'away' })), AWAY_MS);
  } else {
    camera.resume();
    awake.hold();
  }
});

// ---- starting, and the whole screen ----

/** Whether the browser gives the camera unasked; undefined where it does not say. */
async function permission() {
  try {
    return await navigator.permissions.query({ name: 'camera' });
  } catch {
    return undefined;
  }
}

/** A tap on the large button, or that the camera is allowed in the meantime. */
async function allowed(text) {
  setState('waiting');
  say(text);
  $('start').hidden = false;
  $('scenes').hidden = true;
  const given = await permission();
  let granted;
  await Promise.race([
    once($('start-screen'), 'click'),
    new Promise((resolve) => {
      granted = () => given.state === 'granted' && resolve();
      given?.addEventListener('change', granted);
    }),
  ]);
  given?.removeEventListener('change', granted);
  $('start').hidden = true;
  $('scenes').hidden = false;
  say('');
}

async function fillScreen() {
  if (document.fullscreenElement) return;
  await root.requestFullscreen?.({ navigationUI: 'hide' }).catch(() => {}); // the button is still there
}

function showTools() {
  $('full-screen').hidden = !document.fullscreenEnabled || Boolean(document.fullscreenElement);
}

// Browsers fill the screen on somebody's wish alone: the first tap or key anywhere counts as one.
const isWish = ({ target, key, ctrlKey, altKey, metaKey }) => !target.closest?.('a, button')
  && !(ctrlKey || altKey || metaKey || ['Tab', 'Escape', 'Shift', 'Control', 'Alt', 'Meta'].includes(key));

function onFirstWish(event) {
  if (!isWish(event)) return;
  for (const type of ['pointerup', 'keydown']) document.removeEventListener(type, onFirstWish);
  fillScreen();
}
for (const type of ['pointerup', 'keydown']) document.addEventListener(type, onFirstWish);

$('full-screen').addEventListener('click', fillScreen);
$('start-screen').addEventListener('click', fillScreen);
document.addEventListener('fullscreenchange', showTools);

let still;
document.addEventListener('pointermove', () => {
  document.body.classList.remove('still');
  clearTimeout(still);
  still = setTimeout(() => document.body.classList.add('still'), STILL_MS);
}, { passive: true });

// ---- without a network ----

/** The worker that stores the page's files is asked to store this page's, too: they came before it was there. */
function saveForOffline() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  const locales = language === 'en' ? [] : [new URL(`locales/${language}.js`, location.href).href];
  const keep = () => serviceWorker.ready.then(({ active }) => active.postMessage({ keep: 'kiosk', rules: address.href, locales }));
  serviceWorker.addEventListener('controllerchange', keep); // another build's
  serviceWorker.register(trusted(`sw.js?program=${programOf('cpu')}`)).then((registration) => {
    registration.waiting?.postMessage('change'); // a newer build: nobody is here to be asked, and the next start has it
    return keep();
  }).catch(() => {}); // private windows refuse
}

async function start() {
  showTools();
  file = await rules();
  if (file.notice) $('notice').textContent = file.notice;
  director = new Director(file, performance.now());
  const given = await permission();
  if (given?.state !== 'granted') await allowed('');
  setState('loading');
  say(t`Getting ready…`);
  show();
  setInterval(show, TICK_MS);
  awake.hold();
  setTimeout(saveForOffline, SAVE_AFTER_MS);
  await runs();
}

start();
