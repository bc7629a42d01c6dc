/** What estimate() reads: anything with a picture in it. Files and pictures are turned upright by their EXIF data. */
export type MienSource =
  | Blob
  | HTMLImageElement
  | HTMLVideoElement
  | HTMLCanvasElement
  | OffscreenCanvas
  | ImageBitmap
  | ImageData
  | VideoFrame;

export type EngineKind = 'cpu' | 'webgpu';

export interface MienOptions {
  /** The network: 'lite' unless told; 'd-cnn', 'm-cnn' and 'base' are the study's. Its weights are `weights/MODEL.safetensors`. */
  model?: string;
  /**
   * 'auto' (unless told) starts on the CPU and moves to WebGPU where that proves faster on a real face
   * (which is not tried where the visitor asks to save data);
   * 'cpu' stays there; 'webgpu' rejects with the code 'no-webgpu' where there is none.
   */
  engine?: 'auto' | EngineKind;
  /**
   * The address of the folder that pkg/ and weights/ lie in, where they do not lie beside mien.js. Files of this build are taken from there
   * only as they were when it was made.
   */
  base?: string | URL;
  /** Closes it when aborted, also while it is still loading, which then rejects with the code 'closed'. */
  signal?: AbortSignal;
  /** While files arrive, and when the engine starts. */
  onProgress?: (progress: Progress) => void;
  /** The same news as the event 'enginechange'. */
  onEngineChange?: (change: EngineChange) => void;
  /** The same news as the event 'comparison'. */
  onComparison?: (comparison: Comparison) => void;
}

/** Milliseconds of one estimate of the same picture on each engine, the median of a few. The smaller decides. */
export type Comparison = Record<EngineKind, number>;

export interface Progress {
  /** 'download' while bytes arrive, then 'start' once, while the engine starts. */
  stage: 'download' | 'start';
  engine: EngineKind;
  /** Bytes so far. */
  loaded: number;
  /** Bytes in all: an estimate until the last file is complete. */
  total: number;
}

export interface EngineChange {
  engine: EngineKind;
  /** 'faster': WebGPU won the comparison. 'lost': the GPU failed, and the CPU took over. */
  reason: 'faster' | 'lost';
}

export interface EstimateOptions {
  /** True for the frames of one video: faces keep an id, and their numbers stand still. */
  track?: boolean;
  /** When the frame was taken, in milliseconds on any steady clock. Now, unless told. Used with `track`. */
  timestamp?: number;
  /** True for an ImageBitmap that is not needed any more: it may be used up, which spares a copy. */
  transfer?: boolean;
  /**
   * No more faces than these: those with the best scores, or with `track` those that are known longest. (Of a photo the others are not
   * estimated, which saves their time.) Unless told, all: of a photo 300 at most.
   */
  maxFaces?: number;
  /** No face whose box is smaller than that, by its longer side in pixels of the source. */
  smallestFace?: number;
  /** How often the network is shown each face of a photo: 2 unless told, once as its mirror image; 1 takes half the time, and is off by more. */
  looks?: 1 | 2;
  /** Nobody waits for this one any more when it is aborted: it rejects with the signal's reason, and is not begun if it has not been. */
  signal?: AbortSignal;
}

export interface Result {
  /** Size of the source in pixels (natural size of a picture, video size of a video). */
  width: number;
  height: number;
  faces: Face[];
  /**
   * What was done with this picture. With `track`: 'search' searched all of it, 'follow' only where faces were
   * known to be, and 'skip' repeats the last result, since nothing had changed. Without: 'search'.
   */
  mode: 'search' | 'follow' | 'skip';
  /**
   * How the picture came to the engine: 'texture', from the browser straight to the graphics device, or 'memory', pixel
   * by pixel.
   */
  path: 'texture' | 'memory';
  /** How often the network saw each face: a photo's twice, once as its mirror image, and the answers are averaged; with `track` once. */
  looks: 1 | 2;
  /**
   * By how many degrees a photo has to be turned clockwise to be upright, as its faces have it; coordinates are those of the photo as it
   * is. 0 with `track`.
   */
  turn: 0 | 90 | 180 | 270;
  /** Whether there are more faces than these: of a photo than 300, which are those with the best scores, or than `maxFaces`. */
  moreFaces: boolean;
  /** Whether several places of a photo look much like a face, but not enough: some faces may be missing. */
  mayMissFaces: boolean;
  /** Milliseconds in the engine. */
  timings: Timings;
  engine: EngineKind;
  /** The network that estimated. */
  model: string;
}

export interface Timings {
  /**
   * Finding the faces, or seeing that nothing has changed; handing the picture to the graphics device, where that is
   * done.
   */
  detect: number;
  /** Cutting them out, turned upright. */
  crop: number;
  /** Their ages and genders. With `track`, a face that is well known is not asked about in every frame. */
  network: number;
  /** Telling who is who, and averaging. */
  track: number;
  /** All of it. */
  total: number;
}

export interface Face {
  /** x, y, width, height, in pixels of the source. */
  box: [x: number, y: number, width: number, height: number];
  /** Confidence that this is a face, 0 to 1. */
  score: number;
  /** Right eye, left eye, nose, mouth, right ear, left ear, in pixels of the source. */
  landmarks: [x: number, y: number][];
  /**
   * Whether the numbers below are good enough to be shown. Always, without `track`. With it not in a face's first moments, until a few
   * estimates agree or half a second has passed (1.5 seconds for one that moves fast); those of that time may be years off.
   */
  settled: boolean;
  /**
   * Estimated age in years: the median of `ageDistribution`. With `track` it stands still until the average of estimates is beyond its
   * rounding, and moves at most twice a second.
   */
  age: number;
  /** The range that the age of four people in five lies in, in years. It holds `age`. */
  ageRange: [low: number, high: number];
  /**
   * Where the distribution has two hills, the age and the share of each, the younger first: a child of about 8, or an adult of about 30.
   * `age` may lie between them.
   */
  hills?: [Hill, Hill];
  /** Probability of each age from 0 to 99; they sum to 1. */
  ageDistribution: Float32Array;
  /** Probabilities; they sum to 1. */
  gender: { female: number; male: number };
  /**
   * With `track`: the same number for the same face from frame to frame. Another person in its place, as far as estimates tell, has
   * another one.
   */
  id?: number;
}

/** One of two hills of a distribution. */
export interface Hill {
  /** In years. */
  age: number;
  /** Its part of the probability; those of the two sum to 1. */
  share: number;
}

/**
 * What went wrong.
 *
 * - `unsupported-browser`: No WebAssembly, no SIMD, no workers.
 * - `download`: The program could not be downloaded or started. Trying again may help.
 * - `weights`: The weights could not be downloaded, or are damaged. Trying again may help.
 * - `no-webgpu`: `engine: 'webgpu'` was asked for, and there is none.
 * - `bad-picture`: The source has no picture that can be read.
 * - `estimate`: The engine failed on this picture.
 * - `closed`: `close()` has been called.
 */
export type MienErrorCode =
  | 'unsupported-browser'
  | 'download'
  | 'weights'
  | 'no-webgpu'
  | 'bad-picture'
  | 'estimate'
  | 'closed';

/**
 * Why something did not work: `code` for programs, `message` for people.
 *
 * @example
 * ```js
 * import { Mien, MienError } from 'mien-faces';
 *
 * const mien = await Mien.load({ engine: 'cpu' });
 * try {
 *   await mien.estimate(new Blob(['no picture']));
 * } catch (error) {
 *   if (!(error instanceof MienError)) throw error;
 *   console.log(error.code); // bad-picture
 * }
 * ```
 */
export class MienError extends Error {
  constructor(code: MienErrorCode, message: string, cause?: unknown);
  readonly code: MienErrorCode;
}

export interface MienEventMap {
  enginechange: CustomEvent<EngineChange>;
  comparison: CustomEvent<Comparison>;
}

/**
 * An estimator, in a worker of its own. Several can run side by side, as for several videos, since each remembers the faces that it follows.
 *
 * @example
 * ```js
 * import { Mien } from 'mien-faces';
 *
 * const mien = await Mien.load();
 * const { faces } = await mien.estimate(document.querySelector('img'));
 * for (const { age, ageRange, gender, box } of faces) {
 *   console.log(typeof age, ageRange.length, gender.female + gender.male > 0.999, box.length); // number 2 true 4
 * }
 * mien.close();
 * ```
 */
export class Mien extends EventTarget {
  private constructor();

  /**
   * Downloads the program and the weights, and starts an engine. Rejects with a MienError.
   *
   * @example
   * ```js
   * import { Mien } from 'mien-faces';
   *
   * const stages = new Set();
   * const patience = AbortSignal.timeout(60_000);
   * const mien = await Mien.load({ engine: 'cpu', model: 'lite', signal: patience, onProgress: ({ stage }) => stages.add(stage) });
   * console.log(mien.engine, mien.model, [...stages].join()); // cpu lite download,start
   * ```
   */
  static load(options?: MienOptions): Promise<Mien>;

  /** Why this browser cannot run Mien, or undefined where it can. */
  static whyUnsupported(): MienError | undefined;

  /** The engine in use. */
  readonly engine: EngineKind;
  /** The name of the network in use. */
  readonly model: string;
  /** Milliseconds of one estimate, the median of the last few, for each engine that has run. */
  readonly timings: Partial<Record<EngineKind, number>>;
  /** With engine 'auto', once both engines have run the same picture with a face. */
  readonly comparison: Comparison | undefined;

  /**
   * Finds the faces and estimates each. Runs in a worker; calls are answered in order.
   * Pictures of up to 4096 x 4096 pixels in all are read as they are, larger ones shrunk to that;
   * coordinates are those of the source either way.
   *
   * @example One face of a file, for which nobody waits longer than half a minute.
   * ```js
   * import { Mien } from 'mien-faces';
   *
   * const mien = await Mien.load({ engine: 'cpu' });
   * const file = await fetch('sample.jpg').then((response) => response.blob());
   * const { faces, looks } = await mien.estimate(file, { maxFaces: 1, smallestFace: 40, looks: 1, signal: AbortSignal.timeout(30_000) });
   * console.log(faces.length, looks); // 1 1
   * ```
   *
   * @example The frames of a video, whose faces keep a number each.
   * ```js
   * import { Mien } from 'mien-faces';
   *
   * const mien = await Mien.load({ engine: 'cpu' });
   * const canvas = Object.assign(document.createElement('canvas'), { width: 512, height: 512 });
   * canvas.getContext('2d').drawImage(document.querySelector('img'), 0, 0);
   * let result;
   * for (let timestamp = 0; timestamp < 2000; timestamp += 100) {
   *   result = await mien.estimate(canvas, { track: true, timestamp });
   * }
   * const [{ id, settled }] = result.faces;
   * console.log(typeof id, settled); // number true
   * ```
   */
  estimate(source: MienSource, options?: EstimateOptions): Promise<Result>;

  /**
   * Whether the browser itself keeps the worker that sees the pictures from every connection: the worker tries one, and the browser notes in
   * its console that it refused it. Where it is false, only Mien's own code keeps it from that.
   *
   * @example
   * ```js
   * import { Mien } from 'mien-faces';
   *
   * const mien = await Mien.load({ engine: 'cpu' });
   * console.log(await mien.isSealed()); // true
   * ```
   */
  isSealed(): Promise<boolean>;

  /** Forgets the faces followed so far. For a new camera or another video. */
  reset(): void;

  /** Ends the workers and frees their memory. Anything under way, or asked later, rejects with 'closed'. */
  close(): void;

  /** Listens to `enginechange` (another engine is in use) or `comparison` (both have run the same picture). */
  addEventListener<K extends keyof MienEventMap>(
    type: K,
    listener: (this: Mien, event: MienEventMap[K]) => void,
    options?: boolean | AddEventListenerOptions,
  ): void;
  /** @hidden */
  addEventListener(
    type: string,
    listener: EventListenerOrEventListenerObject | null,
    options?: boolean | AddEventListenerOptions,
  ): void;
}
