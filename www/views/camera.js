// The camera: starting, choosing between several, stopping, and what went wrong in plain words.

import { joined, t } from '../language.js';
import { after } from '../lib/patience.js';

const WISHES = { width: { ideal: 960 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

const FRONT = { facingMode: { ideal: 'user' } };

// Longer than this no camera takes for its first picture.
const SILENT_MS = 15_000;

export class CameraError extends Error {
  constructor(name, title, message, cause) {
    super(message, { cause });
    this.name = name;
    this.title = title;
  }
}

export class Camera {
  #video;
  #stream = null;
  #wanted = FRONT;
  #onLost;
  #onPause;
  #awake = new Awake();

  /** True where there is more than one camera to choose from. Known once a camera has started. */
  hasChoice = false;
  /** True for a camera that looks at the person in front of the screen, as in a mirror. */
  mirrored = true;

  /**
   * @param {HTMLVideoElement} video
   * @param {(error: CameraError) => void} onLost the camera was unplugged or taken away
   * @param {(isPaused: boolean) => void} [onPause] a call or another program has the camera for a while, and has given it back
   */
  constructor(video, onLost, onPause = () => {}) {
    this.#video = video;
    this.#onLost = onLost;
    this.#onPause = onPause;
  }

  get running() {
    return this.#stream !== null;
  }

  /** True while the device sends nothing. */
  get paused() {
    return this.#stream?.getVideoTracks()[0].muted ?? false;
  }

  async start() {
    if (!globalThis.isSecureContext) {
      throw new CameraError('insecure', t`The camera needs a secure address`, t`Browsers open the camera only for pages that begin with https. Photos work all the same.`);
    }
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new CameraError('unsupported', t`No camera access here`, t`This browser, or the app that this page opened in, gives pages no camera. Photos work all the same.`);
    }
    try {
      this.#stream = await this.#open();
      this.#video.srcObject = this.#stream;
      await this.#plays();
    } catch (cause) {
      this.stop();
      this.#wanted = FRONT; // not the same one again: it may be busy for long
      throw cause instanceof CameraError ? cause : inWords(cause);
    }
    const [track] = this.#stream.getVideoTracks();
    track.addEventListener('ended', async () => {
      this.stop();
      const permission = await navigator.permissions?.query({ name: 'camera' }).catch(() => undefined);
      this.#onLost(permission?.state === 'denied' ? inWords({ name: 'NotAllowedError' })
        : new CameraError('lost', t`The camera has gone`, t`It was unplugged, or another program took it. Start it again when it is back.`));
    });
    for (const type of ['mute', 'unmute']) track.addEventListener(type, () => track.readyState === 'live' && this.#onPause(type === 'mute'));
    const { facingMode } = track.getSettings();
    this.mirrored = facingMode !== 'environment';
    this.hasChoice = (await this.#devices()).length > 1;
    this.#awake.hold(); // nobody touches a screen that shows what the camera sees
  }

  /** Until its first picture. */
  #plays() {
    return new Promise((resolve, reject) => {
      const callOff = after(SILENT_MS, () => reject(new CameraError('silent', t`The camera sends no picture`,
        t`A call or another program may have it, or a switch on the device keeps it off. Then start it again.`)));
      this.#video.play().then(resolve, reject).finally(callOff);
    });
  }

  /** The next camera, one after the other. */
  async switch() {
    const { deviceId } = this.#stream.getVideoTracks()[0].getSettings();
    const ids = (await this.#devices()).map((device) => device.deviceId);
    this.#wanted = { deviceId: { exact: ids[(ids.indexOf(deviceId) + 1) % ids.length] } };
    this.stop(); // phones open one camera at a time
    await this.start();
  }

  async #open() {
    const open = () => navigator.mediaDevices.getUserMedia({ audio: false, video: { ...WISHES, ...this.#wanted } });
    try {
      return await open();
    } catch (cause) {
      // The one that was chosen is gone: any other.
      if (this.#wanted === FRONT || !['OverconstrainedError', 'NotFoundError'].includes(cause.name)) throw cause;
      this.#wanted = FRONT;
      return open();
    }
  }

  stop() {
    for (const track of this.#stream?.getTracks() ?? []) track.stop();
    this.#stream = null;
    this.#video.srcObject = null;
    this.#awake.release();
  }

  /** The page is in sight again. Phones pause the video of a page in the background, and let the screen go dark. */
  resume() {
    if (!this.running) return;
    if (this.#video.paused) this.#video.play().catch(() => {});
    this.#awake.hold();
  }

  async #devices() {
    const devices = await navigator.mediaDevices.enumerateDevices().catch(() => []);
    return devices.filter(({ kind }) => kind === 'videoinput');
  }
}

/** Keeps the screen on. A browser takes the lock back from a page out of sight, so it is asked for again in sight. */
export class Awake {
  #lock;

  hold() {
    const former = this.#lock;
    this.#lock = navigator.wakeLock?.request('screen').catch(() => undefined); // refused where the battery is low
    former?.then((lock) => lock?.release());
  }

  release() {
    this.#lock?.then((lock) => lock?.release());
    this.#lock = undefined;
  }
}

/** Resolves with the time of the video's next picture. @param {HTMLVideoElement} video */
export function nextFrame(video) {
  return new Promise((resolve) => {
    if (video.requestVideoFrameCallback) video.requestVideoFrameCallback(resolve);
    else requestAnimationFrame(resolve);
  });
}

function inWords(cause) {
  const say = (title, message) => new CameraError(cause.name, title, message, cause);
  switch (cause.name) {
    case 'NotAllowedError':
    case 'SecurityError':
      return say(t`The camera is not allowed`, joined(
        t`Allow the camera for this page: in the address bar, or in the settings of the browser or the device. Then start it again.`,
        globalThis.self !== globalThis.top && t`This page is shown inside another one, which may keep the camera from it: open it by itself.`,
      ));
    case 'NotFoundError':
    case 'OverconstrainedError':
      return say(t`No camera found`, t`This device has no camera that the browser can see. Photos work all the same.`);
    case 'NotReadableError':
    case 'AbortError':
      return say(t`The camera is busy`, t`Another program or page uses it. Close that one, then start again.`);
    default:
      return say(t`The camera did not start`, t`The browser says: ${cause.message || cause.name}`);
  }
}
