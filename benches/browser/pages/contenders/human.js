// Human: detector, age and gender, on TensorFlow.js' WebAssembly back end with SIMD; nothing else of it, and nothing
// cached.

import { Human } from '/peers/@vladmandic/human/dist/human.esm.js';

const off = { enabled: false };

export async function load(picture) {
  const human = new Human({
    backend: 'wasm',
    wasmPath: '/peers/@tensorflow/tfjs-backend-wasm/dist/',
    modelBasePath: '/peers/@vladmandic/human/models/',
    cacheSensitivity: 0,
    warmup: 'none',
    filter: off,
    gesture: off,
    face: {
      enabled: true,
      detector: { maxDetected: 1, skipFrames: 0, skipTime: 0 },
      description: { enabled: true, skipFrames: 0, skipTime: 0 },
      mesh: off,
      attention: off,
      iris: off,
      emotion: off,
      antispoof: off,
      liveness: off,
    },
    body: off,
    hand: off,
    object: off,
    segmentation: off,
  });
  await human.load();
  return {
    async frame() {
      const { face, error } = await human.detect(picture);
      if (error) throw new Error(error);
      if (human.tf.getBackend() !== 'wasm') throw new Error(`Human runs on ${human.tf.getBackend()}`);
      if (!face[0]) return undefined;
      const { age, gender, genderScore } = face[0];
      return { age, female: gender === 'female' ? genderScore : 1 - genderScore };
    },
  };
}
