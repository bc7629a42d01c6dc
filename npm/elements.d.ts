import type { EngineKind, Face, MienErrorCode, Progress, Result } from './mien.js';

/** What the element is at: its attribute `state`. */
export type MienElementState = 'idle' | 'loading' | 'running' | 'done' | 'error';

/** Beside those of the library, what can go wrong with a camera. */
export type MienElementErrorCode =
  | MienErrorCode
  /** The visitor, the browser or the page around this one does not allow it. */
  | 'no-permission'
  /** There is none. */
  | 'no-camera'
  /** Another program has it. */
  | 'camera-busy'
  /** It was unplugged or taken away. */
  | 'camera-lost'
  /** It sends no picture. */
  | 'camera-silent'
  /** The page does not come from a secure address. */
  | 'insecure'
  /** This browser gives pages no camera. */
  | 'no-camera-access'
  /** Anything else. */
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

/** <mien-photo>: a picture, its faces framed and estimated. */
export class MienPhoto extends HTMLElement {
  /** A picture's file, in the place of `src`. */
  source: Blob | null;
  /** What is written at a face. */
  label: ((face: Face) => string) | null;
  /** What came of the picture that is shown. */
  readonly result: Result | null;

  addEventListener<K extends keyof MienElementEventMap>(
    type: K,
    listener: (this: MienPhoto, event: MienElementEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

/** <mien-camera>: what a camera sees, its faces framed and estimated. */
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

  addEventListener<K extends keyof MienCameraEventMap>(
    type: K,
    listener: (this: MienCamera, event: MienCameraEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  addEventListener(type: string, listener: EventListenerOrEventListenerObject | null, options?: boolean | AddEventListenerOptions): void;
}

declare global {
  interface HTMLElementTagNameMap {
    'mien-photo': MienPhoto;
    'mien-camera': MienCamera;
  }
}
