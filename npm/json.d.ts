import type { Result } from './mien.js';

/** Which form the JSON has: another number where a field goes or means something else. */
export const SCHEMA: 1;

export interface JsonFace {
  /** Of a video. */
  id?: number;
  /** What the page calls it. */
  number?: number;
  settled?: boolean;
  box: [left: number, top: number, width: number, height: number];
  score: number;
  landmarks: [x: number, y: number][];
  age: number;
  age_range: [low: number, high: number];
  hills?: [{ age: number; share: number }, { age: number; share: number }];
  age_distribution: number[];
  gender?: { female: number; male: number };
}

/** What `result.schema.json` says, which lies in the package: the program's JSON has the same fields. */
export interface JsonResult {
  schema: typeof SCHEMA;
  model: string;
  engine: 'cpu' | 'webgpu';
  width: number;
  height: number;
  mode: 'search' | 'follow' | 'skip';
  path: 'texture' | 'memory';
  looks: number;
  turn: 0 | 90 | 180 | 270;
  more_faces: boolean;
  may_miss_faces: boolean;
  timings: { detect: number; crop: number; network: number; track: number; total: number };
  faces: JsonFace[];
}

/**
 * A result as JSON has it, in the very form that `mien predict --json` and `mien watch --json` print.
 *
 * @example
 * ```js
 * import { Mien } from 'mien-faces';
 * import { toJson } from 'mien-faces/json';
 *
 * const mien = await Mien.load({ engine: 'cpu' });
 * const result = await mien.estimate(document.querySelector('img'));
 * const text = JSON.stringify(toJson(result));
 * console.log(JSON.parse(text).faces[0].age_distribution.length); // 100
 * ```
 */
export function toJson(result: Result): JsonResult;
