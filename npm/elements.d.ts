import type { EngineKind, Face, MienErrorCode, Progress, Result } from './mien.js';

/** What the element is at: its attribute `state`. */
export type MienElementState = 'idle' | 'loading' | 'running' | 'done' | 'error';

/**
 * What can go wrong with a camera, beside what can with the library.
 *
 * - `no-permission`: The visitor, the browser or the page around this one does not allow it.
 * - `no-camera`: There is none.
 * - `camera-busy`: Another program has it.
 * - `camera-lost`: It was unplugged or taken away.
 * - `camera-silent`: It sends no picture.
 * - `insecure`: The page does not come from a secure address.
 * - `no-camera-access`: This browser gives pages no camera.
 * - `camera`: Anything else.
 */
export type MienElementErrorCode =
  | MienErrorCode
  | 'no-permission'
  | 'no-camera'
  | 'camera-busy'
  | 'camera-lost'
  | 'camera-silent'
  | 'insecure'
  | 'no-camera-access'
  | 'camera';

export interface MienElementError {
  code: MienElementErrorCode;
  /** What went wrong, and what to do about it, in words. */
  message: string;
  error: unknown;
}

/** The events of both elements. They bubble, also out of shadow trees. */
export interface MienElementEventMap {
  'mien-result': CustomEvent<Result>;
  'mien-error': CustomEvent<MienElementError>;
  'mien-progress': CustomEvent<Progress>;
}

export interface MienCameraEventMap extends MienElementEventMap {
  /** The camera runs. */
  'mien-start': CustomEvent<null>;
  /** It does no more, for whatever reason. */
  'mien-stop': CustomEvent<null>;
}

/** As attributes of both elements. */
export interface MienElementAttributes {
  model?: string;
  engine?: 'auto' | EngineKind;
  base?: string;
}

export interface MienPhotoAttributes extends MienElementAttributes {
  src?: string;
  alt?: string;
  picker?: boolean | '';
}

export interface MienCameraAttributes extends MienElementAttributes {
  autostart?: boolean | '';
}

/**
 * `<mien-photo>`: a picture, its faces framed and estimated. Attributes, slots and parts are in the package's README.
 *
 * @example
 * ```js
 * import 'mien-faces/elements';
 *
 * const photo = Object.assign(document.createElement('mien-photo'), { label: ({ age }) => `about ${Math.round(age)}` });
 * photo.setAttribute('engine', 'cpu');
 * photo.setAttribute('src', 'sample.jpg');
 * const told = new Promise((resolve) => photo.addEventListener('mien-result', ({ detail }) => resolve(detail)));
 * document.body.append(photo);
 * const { faces } = await told;
 * console.log(faces.length, photo.getAttribute('state')); // 1 done
 * ```
 */
export class MienPhoto extends HTMLElement {
  /** A picture's file, in the place of `src`. */
  source: Blob | null;
  /** What is written at a face. */
  label: ((face: Face) => string) | null;
  /** What came of the picture that is shown. */
  readonly result: Result | null;

  /** Listens to the element's own events, and to all others. */
  addEventListener<K extends keyof MienElementEventMap>(
    type: K,
    listener: (this: MienPhoto, event: MienElementEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** @hidden */
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/**
 * `<mien-camera>`: what a camera sees, its faces framed and estimated.
 *
 * @example
 * ```js
 * import 'mien-faces/elements';
 *
 * const camera = document.createElement('mien-camera');
 * camera.setAttribute('engine', 'cpu');
 * document.body.append(camera);
 * const settled = new Promise((resolve) => camera.addEventListener('mien-result', ({ detail: { faces } }) => {
 *   if (faces.some((face) => face.settled)) resolve(faces.length);
 * }));
 * await camera.start(); // the browser asks the visitor
 * console.log(await settled, camera.running); // 1 true
 * camera.stop();
 * ```
 */
export class MienCamera extends HTMLElement {
  /** What is written at a face. */
  label: ((face: Face) => string) | null;
  /** What came of the last frame. */
  readonly result: Result | null;
  readonly running: boolean;
  /** Asks for the camera, and begins. It never rejects: what goes wrong is told by the event `mien-error`. */
  start(): Promise<void>;
  /** Lets go of the camera. */
  stop(): void;
  /** The next camera, where there are several. */
  switch(): Promise<void>;

  /** Listens to the element's own events, and to all others. */
  addEventListener<K extends keyof MienCameraEventMap>(
    type: K,
    listener: (this: MienCamera, event: MienCameraEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** @hidden */
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'mien-photo': MienPhoto;
    'mien-camera': MienCamera;
  }
}
