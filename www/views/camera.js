// The camera: starting, choosing between several, stopping, and what went wrong in plain words.

const WISHES = { width: { ideal: 960 }, height: { ideal: 720 }, frameRate: { ideal: 30 } };

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
  #wanted = { facingMode: { ideal: 'user' } };
  #onLost;
  #awake = new Awake();

  /** True where there is more than one camera to choose from. Known once a camera has started. */
  hasChoice = false;
  /** True for a camera that looks at the person in front of the screen, as in a mirror. */
  mirrored = true;

  /**
   * @param {HTMLVideoElement} video
   * @param {(error: CameraError) => void} onLost the camera was unplugged or taken away
   */
  constructor(video, onLost) {
    this.#video = video;
    this.#onLost = onLost;
  }

  get running() {
    return this.#stream !== null;
  }

  async start() {
    if (!globalThis.isSecureContext) {
      throw new CameraError('insecure', 'The camera needs a secure address', 'Browsers open the camera only for pages that begin with https. Photos work all the same.');
    }
    if (!navigator.mediaDevices?.getUserMedia) {
      throw new CameraError('unsupported', 'No camera access here', 'This browser, or the app that this page opened in, gives pages no camera. Photos work all the same.');
    }
    try {
      this.#stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { ...WISHES, ...this.#wanted } });
      this.#video.srcObject = this.#stream;
      await this.#video.play();
    } catch (cause) {
      this.stop();
      throw inWords(cause);
    }
    const [track] = this.#stream.getVideoTracks();
    track.addEventListener('ended', () => {
      this.stop();
      this.#onLost(new CameraError('lost', 'The camera has gone', 'It was unplugged, or another program took it. Start it again when it is back.'));
    });
    const { facingMode } = track.getSettings();
    this.mirrored = facingMode !== 'environment';
    this.hasChoice = (await this.#devices()).length > 1;
    this.#awake.hold(); // nobody touches a screen that shows what the camera sees
  }

  /** The next camera: front and back on a phone, one after the other elsewhere. */
  async switch() {
    const { facingMode, deviceId } = this.#stream.getVideoTracks()[0].getSettings();
    if (facingMode) {
      this.#wanted = { facingMode: { ideal: facingMode === 'environment' ? 'user' : 'environment' } };
    } else {
      const ids = (await this.#devices()).map((device) => device.deviceId);
      this.#wanted = { deviceId: { exact: ids[(ids.indexOf(deviceId) + 1) % ids.length] } };
    }
    this.stop(); // phones open one camera at a time
    await this.start();
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
      return say('The camera is not allowed', 'Allow the camera for this page: in the address bar, or in the settings of the browser or the device. Then start it again.');
    case 'NotFoundError':
    case 'OverconstrainedError':
      return say('No camera found', 'This device has no camera that the browser can see. Photos work all the same.');
    case 'NotReadableError':
    case 'AbortError':
      return say('The camera is busy', 'Another program or page uses it. Close that one, then start again.');
    default:
      return say('The camera did not start', `The browser says: ${cause.message || cause.name}`);
  }
}
