import { MienError } from './error.js';

// The smallest module with a vector instruction: () -> v128 { i8x16.popcnt(i8x16.splat(0)) }.
const SIMD_MODULE = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 10, 1, 8, 0, 65, 0, 253, 15, 253, 98, 11,
);

// The same with one of relaxed SIMD's: () -> v128 { i8x16.relaxed_swizzle(i8x16.splat(0), i8x16.splat(0)) }.
const RELAXED_SIMD_MODULE = Uint8Array.of(
  0, 97, 115, 109, 1, 0, 0, 0, 1, 5, 1, 96, 0, 1, 123, 3, 2, 1, 0, 10, 15, 1, 13, 0, 65, 0, 253, 15, 65, 0, 253, 15, 253, 128, 2, 11,
);

/** The reason why this browser cannot run Mien, or undefined where it can. */
export function whyUnsupported() {
  const lack = (what) => new MienError(
    'unsupported-browser',
    `This browser is too old for Mien: it lacks ${what}. Any current Chrome, Edge, Firefox or Safari works.`,
  );
  if (typeof WebAssembly !== 'object' || typeof WebAssembly.validate !== 'function') return lack('WebAssembly');
  if (!WebAssembly.validate(SIMD_MODULE)) return lack('WebAssembly vector instructions (SIMD)');
  if (typeof Worker !== 'function') return lack('web workers');
  if (typeof createImageBitmap !== 'function') return lack('createImageBitmap');
  return undefined;
}

/** The name of the engine's program in pkg/: for the CPU, the one for this browser's vector instructions. */
export function programOf(kind) {
  if (kind === 'webgpu') return 'mien_gpu';
  return WebAssembly.validate(RELAXED_SIMD_MODULE) ? 'mien_cpu_relaxed' : 'mien_cpu';
}

/** True where the browser offers a WebGPU adapter; `navigator.gpu` alone does not say so. */
export async function hasWebGpu() {
  try {
    return Boolean(await navigator.gpu?.requestAdapter());
  } catch {
    return false;
  }
}
