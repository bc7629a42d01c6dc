// The controller: wires the views to Mien, and holds what they share: the session (one camera run or
// one photo), the last result, and which face is chosen.
//
// For tests and for the curious: <html data-state> is 'loading', 'ready', 'running' or 'error', and
// window.mienApp holds { mien, lastResult, lastError }.

import { programOf } from './lib/support.js';
import { MienError } from './mien.js';
import { load as loadMien } from './start.js';
import { Camera, CameraError } from './views/camera.js';
import { keyOf, Overlay } from './views/overlay.js';
import { photoInputs } from './views/photo.js';
import { Readout } from './views/readout.js';
import { Stage } from './views/stage.js';
import { Announcer, Meter, Status } from './views/status.js';

// The page is saved for offline use this long after it has opened, so that this takes nothing from the first result.
const SAVE_AFTER_MS = 3000;

// A face may leave the detector's sight for this long before its numbers leave the panel.
const FACE_LINGERS_MS = 800;

const $ = (id) => document.getElementById(id);
const buttons = { start: $('start-camera'), stop: $('stop-camera'), switch: $('switch-camera'), sample: $('use-sample') };

const app = { mien: null, lastResult: null, lastError: null };
window.mienApp = app;

const stage = new Stage($('stage'));
const overlay = new Overlay($('faces'), choose);
const readout = new Readout($('readout'));
const status = new Status($('status'), $('progress'));
const meter = new Meter($('engine'));
const announcer = new Announcer($('announcer'));
const camera = new Camera(stage.video, (error) => {
  endSession();
  fail(error);
});

/** Every camera run and every photo is a session; what an earlier one still delivers is dropped. */
let session = 0;
/** The session in which loading began: while it lasts, nobody has asked for anything yet. */
let idle = 0;
let chosen; // key of the chosen face
let lastFaceAt = 0;

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
  if (session === idle) {
    setState('ready');
    status.say('Ready. Pictures stay on this device.');
  }
  setTimeout(saveForOffline, SAVE_AFTER_MS);
  // The numbers are fetched when their place comes into sight.
  new IntersectionObserver(([{ isIntersecting }], observer) => {
    if (!isIntersecting) return;
    observer.disconnect();
    showMeasured(mien.model);
  }).observe($('about'));
  return mien;
}

function showProgress({ stage, engine, loaded, total }) {
  if (app.mien) return; // WebGPU, in the background: no fuss
  status.progress({ loaded, total });
  if (session !== idle) return;
  if (stage === 'start') status.say('Starting…');
  else status.say(engine === 'webgpu' ? 'Getting ready for WebGPU…' : 'Getting ready…');
}

function showEngine({ engine, reason }) {
  meter.idle(engine);
  if (reason === 'lost') meter.lost();
}

function saveForOffline() {
  if (!navigator.serviceWorker) return;
  navigator.serviceWorker.register(`sw.js?program=${programOf('cpu')}`).catch(() => {}); // private windows refuse; nothing else is lost
  navigator.serviceWorker.ready.then(() => {
    $('offline').textContent = 'It is saved for that now.';
  });
}

// Accuracy is stated where it has been measured, and only as it was measured.
async function showMeasured(model) {
  const measured = await fetch(`weights/${model}.json`).then((response) => (response.ok ? response.json() : {})).catch(() => ({}));
  const { test_mae: mae, gender_accuracy: gender, test_set: testSet } = measured;
  if (!(mae > 0)) return;
  const sentence = [`Measured${testSet ? ` on ${testSet}` : ''}: the age is off by ${mae.toFixed(1)} years on average`];
  if (gender > 0) sentence.push(`the gender is right for ${Math.round(100 * gender)} of 100 faces`);
  $('measured').textContent = `${sentence.join(', and ')}.`;
  $('measured').hidden = false;
}

// ---- sessions ----

function beginSession() {
  session += 1;
  app.lastError = null;
  chosen = undefined;
  lastFaceAt = 0;
  overlay.clear();
  readout.show(null);
  return session;
}

function endSession() {
  session += 1;
  camera.stop();
  overlay.clear();
  showCameraButtons();
}

let opening = false;

async function startCamera(begin = () => camera.start()) {
  if (opening) return; // one prompt at a time
  opening = true;
  const mine = beginSession();
  setState(app.mien ? 'running' : 'loading');
  status.say('Opening the camera…');
  try {
    await begin().finally(() => {
      opening = false;
    });
    if (mine !== session) return camera.stop();
    stage.showVideo(camera.mirrored);
    showCameraButtons();
    if (!app.mien) status.say('The camera is on; getting ready to estimate…');
    const mien = await load();
    if (mine !== session) return;
    mien.reset();
    setState('running');
    status.say('Looking for faces…');
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
    if (document.hidden || stage.video.readyState < 2) continue;
    try {
      const result = await mien.estimate(stage.video, { track: true, timestamp });
      if (mine === session) show(result, true);
    } catch (error) {
      // A frame may be unreadable while the camera turns or wakes; the next one will do.
      if (error.code !== 'bad-picture') throw error;
    }
  }
}

function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
    else requestAnimationFrame(resolve);
  });
}

async function readPhoto(photo) {
  if (camera.running) endSession();
  const mine = beginSession();
  setState(app.mien ? 'running' : 'loading');
  status.say('Looking for faces…');
  try {
    await stage.showPhoto(photo);
    const mien = await load();
    if (mine !== session) return;
    mien.reset();
    const result = await mien.estimate(photo);
    if (mine !== session) return;
    setState('ready');
    show(result, false);
  } catch (error) {
    if (mine === session) fail(error);
  }
}

// ---- results ----

function show(result, isVideo) {
  app.lastResult = result;
  meter.count(result, isVideo);
  announcer.announce(result.faces, isVideo);
  draw(isVideo);
  const { length } = result.faces;
  if (length === 0) status.say(isVideo ? 'No face in sight. Turn to the camera, with light from the front.' : 'No face found. Faces should be upright, uncovered and not too small.');
  else status.say(length === 1 ? 'One face. This is a guess, not a measurement.' : `${length} faces. Choose one to see more.`);
}

function draw(isVideo = camera.running) {
  const { faces, width, height } = app.lastResult;
  const keys = faces.map(keyOf);
  if (!keys.includes(chosen)) chosen = keys[largest(faces)];
  overlay.show(faces, stage.mapper({ width, height }), faces.length > 1 ? chosen : undefined);
  const index = keys.indexOf(chosen);
  const now = performance.now();
  if (index >= 0) {
    lastFaceAt = now;
    readout.show(faces[index], { index, count: faces.length });
  } else if (!isVideo || now - lastFaceAt > FACE_LINGERS_MS) {
    readout.show(null);
  }
}

function choose(key) {
  chosen = key;
  draw();
}

function largest(faces) {
  const area = ({ box }) => box[2] * box[3];
  return faces.reduce((best, face, index) => (area(face) > area(faces[best]) ? index : best), 0);
}

// ---- trouble ----

const TITLES = {
  'unsupported-browser': 'This browser is too old',
  'no-webgpu': 'No WebGPU here',
  'bad-picture': 'This picture cannot be read',
  download: 'Loading did not finish',
  weights: 'Loading did not finish',
  estimate: 'The estimate failed',
};

function fail(error) {
  app.lastError = error;
  setState('error');
  overlay.clear();
  readout.show(null);
  const title = error instanceof CameraError ? error.title : TITLES[error.code] ?? 'That did not work';
  stage.showTrouble({ title, text: error.message, action: wayOut(error) });
  status.say(error instanceof MienError && !app.mien ? 'Not ready.' : 'Ready for another try.');
  if (error.code === 'unsupported-browser') {
    for (const control of [...Object.values(buttons), $('file-input')]) control.disabled = true;
  }
}

function wayOut(error) {
  const photo = { label: 'Choose a photo', run: () => $('file-input').click() };
  if (error.code === 'unsupported-browser') return undefined;
  if (error.code === 'no-webgpu') return { label: 'Use the CPU', run: () => location.replace(location.pathname) };
  if (error.code === 'bad-picture') return { ...photo, label: 'Choose another' };
  if (error instanceof MienError) return { label: 'Try again', run: start };
  if (error instanceof CameraError) return photo;
  return undefined;
}

// ---- controls ----

function showCameraButtons() {
  const { running, hasChoice } = camera;
  const hadFocus = buttons.start === document.activeElement || buttons.stop === document.activeElement;
  buttons.start.hidden = running;
  buttons.stop.hidden = !running;
  buttons.switch.hidden = !(running && hasChoice);
  buttons.sample.hidden = running && hasChoice;
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
  readout.show(null);
  meter.idle(app.mien?.engine);
  setState(app.mien ? 'ready' : 'loading');
  status.say('The camera is off.');
});

photoInputs({
  input: $('file-input'),
  sample: buttons.sample,
  stage: $('stage'),
  onPhoto: readPhoto,
  onFailure(error) {
    endSession();
    fail(error);
  },
});

document.addEventListener('visibilitychange', () => {
  if (!document.hidden) camera.resume();
});

new ResizeObserver(() => {
  if (app.lastResult && $('stage').classList.contains('filled')) draw();
}).observe($('stage'));

// ---- start ----

async function start() {
  stage.showEmpty();
  setState('loading');
  idle = session += 1;
  status.say('Getting ready…');
  status.progress({ loaded: 0, total: 0 });
  try {
    await load();
  } catch (error) {
    // A camera or photo that waits for the same load says it itself.
    if (session === idle) fail(error);
  }
}

start();
