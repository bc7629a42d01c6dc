// Runs tests that were compiled to WebAssembly for no system at all: `node run.mjs FILE`.
// Their words go nowhere, but one that fails ends in a trap, and the names on the stack say which it was.
import { readFile } from 'node:fs/promises';
import { setFlagsFromString } from 'node:v8';

const code = await readFile(process.argv[2]);
// Node 20 has relaxed SIMD behind a flag; later ones have it and know no flag of that name.
if (!WebAssembly.validate(code)) setFlagsFromString('--experimental-wasm-relaxed-simd');
const { instance } = await WebAssembly.instantiate(code, {});
const failed = instance.exports.main(0, 0); // a module without tests has no main
if (failed !== 0) throw new Error(`the tests return ${failed}`);
