// The controller: wires the views to Mien, and holds what they share: the session (one camera run or
// one photo), the last result, and which face is chosen.
//
// For tests and for the curious: <html data-state> is 'loading', 'ready', 'running' or 'error', and
// window.mienApp holds { mien, lastResult, lastError }.

import { joined, language, LANGUAGES, speak, t } from './language.js';
import { later, trusted } from './lib/sealed.js';
import { programOf } from './lib/support.js';
import { MienError } from './mien.js';
import { forget, load as loadMien, wishes } from './start.js';
import { Camera, CameraError, nextFrame } from './views/camera.js';
import { byPlace, keyOf, Numbers } from './views/order.js';
import { Overlay } from './views/overlay.js';
import { photoInputs, readPicture } from './views/photo.js';
import { Readout } from './views/readout.js';
import { Stage } from './views/stage.js';
import { Meter, Rest, Status } from './views/status.js';
import { ageOnly, describeAll, showAgeOnly } from './views/words.js';

// The page is saved for offline use this long after it has opened, so that this takes nothing from the
// first result.
const SAVE_AFTER_MS = 3000;

// A face may leave the detector's sight for this long before its numbers leave the panel.
const FACE_LINGERS_MS = 800;

// Frames around faces follow the camera; words and plot are drawn this often, which is as fast as they
// are read.
const PANEL_EVERY_MS = 200;

// So many faces are shown in a strip, too; and, of a video, until there are fewer than so many.
const STRIP_FROM = 5;
const STRIP_UNTIL = 4;

// A page out of sight lets go of the camera after this long.
const AWAY_MS = 30_000;

const AGE_ONLY = 'mien age only';

const $ = (id) => document.getElementById(id);
const buttons = { start: $('start-camera'), stop: $('stop-camera'), switch: $('switch-camera'), sample: $('use-sample') };
const tools = { freeze: $('freeze'), see: $('see'), take: $('take'), guess: $('guess'), clear: $('clear') };

const app = { mien: null, lastResult: null, lastError: null };
window.mienApp = app;

const stage = new Stage($('stage'), resized);
const overlay = new Overlay($('faces'), choose);
const readout = new Readout($('readout'));
const status = new Status($('status'), $('progress'));
const meter = new Meter($('engine'));
const counted = new Rest((text) => status.say(text));
const announced = new Rest((text) => {
  $('announcer').textContent = text;
});
const numbers = new Numbers();
const camera = new Camera(stage.video, (error) => {
  endSession();
  fail(error);
}, (isPaused) => {
  counted.stop();
  tells = false; // until the next result: the last one is drawn again now and then
  status.say(isPaused ? t`The camera is paused: a call or another program has it. It goes on by itself.` : t`Looking for faces…`);
});

/** Every camera run and every photo is a session; what an earlier one still delivers is dropped. */
let session = 0;
/** The session in which loading began: while it lasts, nobody has asked for anything yet. */
let idle = 0;
let chosen; // key of the chosen face
let lastFaceAt = 0;
/** The faces on the stage: @type {import('./views/overlay.js').Shown[]} */
let shown = [];
/** The photo that is shown, as it came: a file. */
let photoShown;
/** The strip of the faces, once there have been many; the strip of several photos. */
let strip;
let album;
/** The line of what the camera's number has been, once there is one: a promise. */
let steady;
/** What tells how poor the picture of a face is, once there has been a face; before, a promise. */
let quality;

// ---- language ----

for (const tag of LANGUAGES) $('language').add(new Option(new Intl.DisplayNames(tag, { type: 'language' }).of(tag), tag, false, tag === language));

$('language').addEventListener('change', ({ target }) => {
  speak(target.value, true).catch(() => {
    target.value = language;
    status.say(t`This language could not be loaded. Is this device online?`);
  });
});

addEventListener('spoken', sayAgain);

function sayAgain() {
  if (!app.lastResult || !stage.shows) return;
  move(); // with the words on poor pictures
  panel.now();
}

// ---- ages only ----

/** @param {boolean} isWished and whether that is to be kept for later visits */
function wishAgeOnly(isWished, isChosen = false) {
  showAgeOnly(isWished);
  document.documentElement.toggleAttribute('data-age-only', isWished);
  $('age-only').ariaPressed = String(isWished);
  if (!isChosen) return;
  try {
    if (isWished) localStorage[AGE_ONLY] = 'yes';
    else delete localStorage[AGE_ONLY];
  } catch {
    // It may not be kept here.
  }
}

try {
  wishAgeOnly(Boolean(localStorage[AGE_ONLY]));
} catch {
  // Nothing may be kept here.
}

$('age-only').addEventListener('click', () => {
  wishAgeOnly(!ageOnly, true);
  sayAgain();
});

// ---- loading ----

let loading;

/** Mien, loaded once; a failed load is tried again by the next who asks. */
function load() {
  loading ??= loadMien(showProgress).then(loaded, (error) => {
    loading = undefined;
    status.progressDone();
    throw error;
  });
  return loading;
}

function loaded(mien) {
  app.mien = mien;
  mien.addEventListener('enginechange', ({ detail }) => showEngine(detail));
  mien.addEventListener('comparison', ({ detail }) => meter.compare(detail));
  status.progressDone();
  meter.idle(mien.engine);
  stampOffline();
  if (session === idle) {
    setState('ready');
    status.say(joined(t`Ready. Pictures stay on this device.`, mayFetchWebGpu() && t`After the first face, a program for WebGPU comes in.`));
  }
  setTimeout(() => {
    fetchParts();
    saveForOffline();
  }, SAVE_AFTER_MS);
  // What is fetched or tried when its place comes into sight.
  onceSeen($('about'), () => later('later/measured.js').then(({ showMeasured }) => showMeasured($('measured'), mien.model)));
  onceSeen($('private'), async () => {
    $('sealed').textContent = (await mien.isSealed()) ? t`It has tried, in this browser: it cannot.`
      : t`This browser does not keep to that: here only the page’s own code holds the worker back.`;
  });
  return mien;
}

function onceSeen(element, run) {
  new IntersectionObserver(([{ isIntersecting }], observer) => {
    if (!isIntersecting) return;
    observer.disconnect();
    run().catch(() => {});
  }).observe(element);
}

function mayFetchWebGpu() {
  return Boolean(navigator.gpu) && (wishes().engine ?? 'auto') === 'auto' && !navigator.connection?.saveData;
}

function showProgress({ stage, engine, loaded, total }) {
  if (app.mien) {
    meter.fetching(stage === 'download'); // WebGPU, in the background
    return;
  }
  status.progress({ loaded, total });
  if (session !== idle) return;
  if (stage === 'start') status.say(t`Starting…`);
  else status.say(engine === 'webgpu' ? t`Getting ready for WebGPU…` : t`Getting ready…`);
}

function showEngine({ engine, reason }) {
  meter.idle(engine);
  if (reason === 'lost') meter.lost();
}

function stampOffline() {
  $('stamp').textContent = app.mien && !navigator.onLine ? t`You are offline, and it works` : '';
}

for (const type of ['online', 'offline']) addEventListener(type, stampOffline);

/** Has a part of the page filled when it is first opened; where that fails, when it is opened again. */
function whenOpened(name, fill) {
  $(name).addEventListener('toggle', () => {
    const root = $(name).querySelector('div');
    if (!$(name).open || root.childElementCount > 0) return;
    root.textContent = '';
    fill(root).catch(() => {
      root.textContent = t`A part of the page could not be loaded. Is this device online?`;
    });
  });
}

whenOpened('watch', (root) => later('later/watch.js').then(({ watch }) => watch(root)));
whenOpened('study', (root) => later('later/study.js').then(({ showStudy }) => showStudy(root)));

/** What results bring in by themselves, so that nothing is asked for while pictures are seen. */
function fetchParts() {
  for (const part of ['later/quality.js', 'later/steady.js']) later(part).catch(() => {}); // whoever needs it asks again
}

function saveForOffline() {
  const { serviceWorker } = navigator;
  if (!serviceWorker) return;
  serviceWorker.register(trusted(`sw.js?program=${programOf('cpu')}`)).then(offerNewer).catch(() => {}); // private windows refuse; nothing else is lost
  serviceWorker.ready.then(({ active }) => {
    // What this page has asked for by its address, another network for one, is saved, too.
    const inUse = performance.getEntriesByType('resource').filter(({ responseStatus }) => !(responseStatus >= 400)).map(({ name }) => name);
    const { port1, port2 } = new MessageChannel();
    port1.onmessage = ({ data }) => {
      if (data) $('offline').textContent = t`It is saved for that now.`;
    };
    active.postMessage({ keep: [location.href, ...inUse.filter((name) => name.startsWith(location.origin))] }, [port2]);
  });
}

let registered; // the service worker's registration, as soon as this page has asked for one

/** A newer build waits until the visitor asks for it: this page goes on with its own. */
function offerNewer(registration) {
  registered = registration;
  const { serviceWorker } = navigator;
  const offer = () => {
    $('news').hidden = !(registration.waiting && serviceWorker.controller) && $('news').hidden;
  };
  const watch = () => registration.installing?.addEventListener('statechange', offer);
  registration.addEventListener('updatefound', watch);
  watch();
  offer();
}

$('change').addEventListener('click', () => {
  const waiting = registered?.waiting;
  if (!waiting) return location.reload(); // another window has asked
  navigator.serviceWorker.addEventListener('controllerchange', () => location.reload());
  waiting.postMessage('change');
});

// Another window may change all of them to a newer build, at any time.
if (navigator.serviceWorker?.controller) {
  navigator.serviceWorker.addEventListener('controllerchange', () => {
    $('news').hidden = false;
  });
}

// ---- sessions ----

/** @param {{ keepAlbum?: boolean }} [options] another of the same photos */
function beginSession({ keepAlbum = false } = {}) {
  session += 1;
  app.lastError = null;
  chosen = undefined;
  photoShown = undefined;
  forgetFaces();
  if (!keepAlbum) closeAlbum();
  return session;
}

function endSession() {
  session += 1;
  camera.stop();
  forgetFaces();
  closeAlbum();
  showControls();
}

function forgetFaces() {
  app.lastResult = null;
  counted.stop();
  announced.stop();
  panel.stop();
  shown = [];
  seen = undefined;
  lastFaceAt = 0;
  numbers.clear();
  overlay.clear();
  readout.show(null);
  closeStrip();
  steady?.then((line) => line?.close());
  steady = undefined;
}

let opening = false;

async function startCamera(begin = () => camera.start()) {
  if (opening) { // one prompt at a time
    status.say(t`The browser asks whether this page may use the camera. Answer it there first.`);
    return;
  }
  opening = true;
  released = false;
  const mine = beginSession();
  setState(app.mien ? 'running' : 'loading');
  status.say(t`Opening the camera…`);
  try {
    await begin().finally(() => {
      opening = false;
    });
    if (mine !== session) return camera.stop();
    stage.showVideo(camera.mirrored);
    showControls();
    if (document.hidden) goAway();
    if (!app.mien) status.say(t`The camera is on; getting ready to estimate…`);
    const mien = await load();
    if (mine !== session) return;
    mien.reset();
    setState('running');
    status.say(t`Looking for faces…`);
    await followVideo(mien, mine);
  } catch (error) {
    if (mine !== session) return;
    endSession();
    fail(error);
  }
}

/** One estimate at a time, of the newest frame; frames that come meanwhile are dropped. */
async function followVideo(mien, mine) {
  while (mine === session) {
    const timestamp = await nextFrame(stage.video);
    if (mine !== session) return;
    if (document.hidden || camera.paused || stage.video.readyState < 2) continue;
    try {
      const result = await mien.estimate(stage.video, { track: true, timestamp });
      if (mine === session && !camera.paused) show(result, true); // or it would speak where the pause does
    } catch (error) {
      // A frame may be unreadable while the camera turns or wakes; the next one will do.
      if (error.code !== 'bad-picture') throw error;
    }
  }
}

function readPhotos(photos) {
  return photos.length === 1 ? readPhoto(photos[0]) : readAlbum(photos);
}

async function readPhoto(photo) {
  if (camera.running) endSession();
  const mine = beginSession();
  setState(app.mien ? 'running' : 'loading');
  status.say(app.mien ? t`Reading the picture…` : t`Getting ready for the picture…`);
  try {
    const { full, shown: picture } = await readPicture(photo);
    try {
      if (mine !== session) return picture.close();
      photoShown = photo;
      stage.showPhoto(picture);
      showControls();
      const mien = await load();
      if (mine !== session) return;
      setState('running');
      status.say(t`Reading the picture…`);
      const result = await mien.estimate(full, { transfer: true });
      if (mine !== session) return;
      show(result, false);
      setState('ready');
    } finally {
      full.close();
    }
  } catch (error) {
    if (mine !== session) return;
    fail(error);
  }
}

/** Several photos, one after the other. @param {Blob[]} photos */
async function readAlbum(photos) {
  if (camera.running) endSession();
  const mine = beginSession();
  setState(app.mien ? 'running' : 'loading');
  status.say(t`Getting ready for ${photos.length} pictures…`);
  let reading;
  try {
    const [{ Album }, mien] = await Promise.all([later('later/album.js'), load()]);
    if (mine !== session) return;
    setState('running');
    reading = album = new Album($('strips'), mien, {
      onShow({ picture, result, file }) {
        beginSession({ keepAlbum: true });
        photoShown = file;
        stage.showPhoto(picture);
        showControls();
        show(result, false, false);
      },
      onTell: (text) => status.say(text),
    });
    await reading.read(photos);
    if (album === reading) setState('ready');
  } catch (error) {
    // Its pictures have sessions of their own.
    if (reading ? album !== reading : mine !== session) return;
    closeAlbum();
    fail(error);
  }
}

function closeAlbum() {
  album?.close();
  album = undefined;
}

/** The picture stays, the camera goes. */
async function freeze() {
  const mine = session;
  const bitmap = await createImageBitmap(stage.video).catch(() => undefined); // it has no picture yet
  if (!bitmap || mine !== session) return;
  session += 1; // the camera's, whose faces stay
  camera.stop();
  stage.showPhoto(bitmap, { mirrored: camera.mirrored, covers: true });
  setState('ready');
  showControls();
  panel.now();
  status.say(t`Frozen, and the camera is off.`);
}

function clear() {
  endSession();
  stage.showEmpty();
  showControls();
  meter.idle(app.mien?.engine);
  setState(app.mien ? 'ready' : 'loading');
  status.say(t`Cleared. Nothing of it is kept.`);
  buttons.start.focus();
}

async function take() {
  if (camera.running) await freeze();
  if (!app.lastResult) return;
  try {
    const { openCard } = await later('later/take.js');
    openCard({ source: stage.source, mirrored: stage.mirrored, result: app.lastResult, shown, chosen });
  } catch (error) {
    status.say(t(error.message));
  }
}

/** What the network gets of the chosen face, and what it makes of it. */
async function see() {
  if (camera.running) await freeze();
  if (camera.running) return; // it has no picture yet
  const it = shown.find(({ key }) => key === chosen);
  if (!it || it.face.settled === false || !app.mien) {
    status.say(t`There is no guess to look into yet.`);
    return;
  }
  try {
    const { openSee } = await later('later/see.js');
    await openSee({ mien: app.mien, photo: photoShown ?? stage.source, isFrame: !photoShown, face: it.face, onUse: useNetwork });
  } catch (error) {
    status.say(t(error.message));
  }
}

/** A game, which shows no number before a guess is made. */
async function guess() {
  try {
    const [{ openGuess }, mien] = await Promise.all([later('later/guess.js'), load()]);
    await openGuess(mien);
  } catch (error) {
    status.say(t(error.message));
  }
}

/** Another network, as ?model= has it, and the photo read again by that one. @param {string} model */
async function useNetwork(model) {
  const photo = photoShown;
  const query = new URLSearchParams(location.search);
  query.set('model', model);
  history.replaceState(null, '', `?${query}`);
  app.mien?.close();
  app.mien = null;
  loading = undefined;
  forget();
  if (photo) return readPhoto(photo);
  clear();
  return start();
}

// ---- results ----

let seen; // what the last result said, in one line
let tells; // whether the line of words is the result's

function show(result, isVideo, tellsIt = true) {
  app.lastResult = result;
  tells = tellsIt;
  meter.count(result, isVideo);
  const says = result.faces.map(essence).join();
  if (isVideo && says === seen) return; // nothing has changed, so nothing is drawn
  seen = says;
  move(isVideo);
  if (isVideo) panel();
  else panel.now();
  if (result.faces.length === 0) return;
  quality ??= later('later/quality.js').then(({ Quality }) => {
    quality = new Quality(redraw);
    redraw();
  }, () => {}); // offline, and never opened before
}

/** All of a face but its distribution and landmarks, which don't change without the rest. */
function essence({ ageDistribution, landmarks, ...rest }) {
  return JSON.stringify(rest);
}

/** Brings the frames to where the faces are. */
function move(isVideo = camera.running) {
  const { faces, width, height } = app.lastResult;
  const place = stage.mapper({ width, height });
  const visible = faces.filter(({ box }) => stage.holds(place(box)));
  const tracked = visible.some(({ id }) => id !== undefined);
  const ordered = tracked ? visible : byPlace(visible);
  const named = tracked ? numbers.of(ordered, performance.now()) : ordered.map((_, index) => index + 1);
  shown = ordered.map((face, index) => ({ face, key: keyOf(face, index), number: named[index] }));
  if (tracked) shown.sort((a, b) => a.number - b.number);
  quality?.judge?.(shown, stage.source, app.lastResult);
  if (shown.length > 0) lastFaceAt = performance.now();
  else if (isVideo) setTimeout(panel, FACE_LINGERS_MS);
  overlay.move(shown, place);
}

/** Words and plot; at most five times a second. */
const panel = seldom(() => {
  if (!app.lastResult || !stage.shows) return;
  const isVideo = camera.running;
  const lingers = isVideo && performance.now() - lastFaceAt < FACE_LINGERS_MS;
  const at = (key) => shown.find((it) => it.key === key);
  // A chosen face that is lost for a moment is not given up for another one.
  if (!at(chosen) && !(lingers && chosenAt + FACE_LINGERS_MS > performance.now())) chosen = largest(shown)?.key;
  const it = at(chosen);
  if (it) chosenAt = performance.now();
  const many = shown.length >= (strip && isVideo ? STRIP_UNTIL : STRIP_FROM);
  overlay.say(shown, chosen, many);
  if (it) readout.show(it.face, shown.length > 1 ? it.number : undefined);
  else if (!lingers) readout.show(null);
  if (isVideo && it && it.face.settled !== false) {
    steady ??= later('later/steady.js').then(({ Steady }) => new Steady($('readout'), () => camera.running && app.lastResult), () => {});
  }
  steady?.then((line) => line?.show(shown, chosen));
  if (many) showStrip();
  else closeStrip();
  tell(isVideo);
}, PANEL_EVERY_MS);

let chosenAt = 0;

function tell(isVideo) {
  const { length } = shown;
  const more = app.lastResult.faces.length - length;
  const poor = isVideo && length === 1 && shown[0].face.poor;
  const text = poor ? t`${poor}.` : length === 0
    ? isVideo ? t`No face in sight. Turn to the camera, with light from the front.` : t`No face found. Faces should be uncovered, sharp and not too small.`
    : length === 1 ? t`One face. This is a guess, not a measurement.` : t`${length} faces. Choose one to see more.`;
  if (tells) counted.tell(more > 0 && length === 0 ? t`A face is there, beside what is shown. Come to the middle.` : joined(text, ...beside(app.lastResult)), isVideo);
  announced.tell(describeAll(shown.map(({ face }) => face)), isVideo);
}

/** What is to be said of a photo beside the number of its faces. */
function beside({ turn, moreFaces, mayMissFaces, faces }) {
  return [
    turn > 0 && (turn === 180 ? t`The picture is upside down; it was read turned upright.` : t`The picture lies on its side; it was read turned upright.`),
    moreFaces ? t`There are more; these are the surest.` : mayMissFaces && faces.length > 0 && t`Some faces may be missing.`,
  ];
}

/** Runs at once, and then no sooner than after a while; what is asked for meanwhile is done at its end. */
function seldom(run, ms) {
  let timer;
  let again = false;
  const go = () => {
    again = false;
    timer = setTimeout(() => {
      timer = undefined;
      if (again) go();
    }, ms);
    run();
  };
  const ask = () => {
    if (timer === undefined) go();
    else again = true;
  };
  ask.stop = () => {
    again = false;
  };
  ask.now = () => {
    clearTimeout(timer);
    go();
  };
  return ask;
}

let opensStrip = false;

async function showStrip() {
  if (!strip && !opensStrip) {
    opensStrip = true;
    try {
      const { FaceStrip } = await later('later/strip.js');
      strip = new FaceStrip($('strips'), choose);
      panel();
    } catch {
      // Offline, and never opened before: the frames do without.
    }
    return;
  }
  strip?.show(shown, chosen, stage, app.lastResult);
}

function closeStrip() {
  opensStrip = false;
  strip?.close();
  strip = undefined;
}

function choose(key) {
  chosen = key;
  chosenAt = performance.now();
  panel.now();
}

function largest(faces) {
  const area = ({ face: { box } }) => box[2] * box[3];
  return faces.reduce((best, it) => (!best || area(it) > area(best) ? it : best), undefined);
}

function resized() {
  const rem = parseFloat(getComputedStyle(document.documentElement).fontSize);
  overlay.resize(stage.size, rem);
  redraw();
}

function redraw() {
  if (!app.lastResult || !stage.shows) return;
  move();
  panel();
}

// ---- trouble ----

const titles = () => ({
  'unsupported-browser': t`This browser is too old`,
  'no-webgpu': t`No WebGPU here`,
  'bad-picture': t`This picture cannot be read`,
  download: t`Loading did not finish`,
  weights: t`Loading did not finish`,
  estimate: t`The estimate failed`,
});

function fail(error) {
  app.lastError = error;
  setState('error');
  forgetFaces();
  const title = error instanceof CameraError ? error.title : titles()[error.code] ?? t`That did not work`;
  stage.showTrouble({ title, text: t(error.message), action: wayOut(error) });
  showControls();
  status.say(error instanceof MienError && !app.mien ? t`Not ready.` : t`Ready for another try.`);
  if (error.code === 'unsupported-browser') {
    for (const control of [...Object.values(buttons), $('file-input')]) control.disabled = true;
  }
}

function wayOut(error) {
  const photo = { label: t`Choose a photo`, run: () => $('file-input').click() };
  if (error.code === 'unsupported-browser') return undefined;
  if (error.code === 'no-webgpu') return { label: t`Use the CPU`, run: () => location.replace(location.pathname) };
  if (error.code === 'bad-picture') return { ...photo, label: t`Choose another` };
  if (error instanceof MienError) return { label: t`Try again`, run: start };
  if (error instanceof CameraError) return photo;
  return undefined;
}

// ---- controls ----

function showControls() {
  const { running, hasChoice } = camera;
  const hadFocus = buttons.start === document.activeElement || buttons.stop === document.activeElement;
  buttons.start.hidden = running;
  buttons.stop.hidden = !running;
  buttons.switch.hidden = !(running && hasChoice);
  buttons.sample.hidden = running && hasChoice;
  tools.freeze.hidden = !running;
  tools.guess.hidden = running;
  tools.see.hidden = tools.take.hidden = !stage.shows;
  tools.clear.hidden = running || !stage.shows;
  if (hadFocus) (running ? buttons.stop : buttons.start).focus();
}

function setState(state) {
  document.documentElement.dataset.state = state;
}

buttons.start.addEventListener('click', () => startCamera());
buttons.switch.addEventListener('click', () => startCamera(() => camera.switch()));
buttons.stop.addEventListener('click', () => {
  endSession();
  stage.showEmpty();
  showControls();
  meter.idle(app.mien?.engine);
  setState(app.mien ? 'ready' : 'loading');
  status.say(t`The camera is off.`);
});
tools.freeze.addEventListener('click', freeze);
tools.see.addEventListener('click', see);
tools.take.addEventListener('click', take);
tools.guess.addEventListener('click', guess);
tools.clear.addEventListener('click', clear);

const takeChosen = photoInputs({
  input: $('file-input'),
  sample: buttons.sample,
  stage: $('stage'),
  onPhotos: readPhotos,
  onNothing: (why) => status.say(why),
  onFailure(error) {
    endSession();
    fail(error);
  },
});

// ---- out of sight ----

let away;
let released = false;

function goAway() {
  clearTimeout(away);
  away = setTimeout(() => {
    if (!camera.running) return;
    camera.stop();
    released = true;
    showControls();
    status.say(t`The camera was switched off while this page was out of sight.`);
  }, AWAY_MS);
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    goAway();
    return;
  }
  clearTimeout(away);
  if (released) startCamera();
  else camera.resume();
});

// A page that may come back from the browser's memory takes no camera there with it.
window.addEventListener('pagehide', () => {
  if (!camera.running) return;
  camera.stop();
  released = true;
});
window.addEventListener('pageshow', ({ persisted }) => {
  if (persisted && released) startCamera();
});

// ---- start ----

async function start() {
  stage.showEmpty();
  setState('loading');
  idle = session += 1;
  status.say(t`Getting ready…`);
  status.progress({ loaded: 0, total: 0 });
  try {
    await load();
  } catch (error) {
    // A camera or photo that waits for the same load says it itself.
    if (session === idle) fail(error);
  }
}

start();

// What was done before this script was there: photos chosen, and a tap, the last one if there were several.
const { tapped } = window;
window.tapped = null;
takeChosen();
if (tapped) $(tapped)?.click();
