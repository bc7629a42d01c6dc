// face-api: tiny detector, age and gender, on TensorFlow.js' WebAssembly back end with SIMD.

import * as faceapi from '/peers/@vladmandic/face-api/dist/face-api.esm.js';

export async function load(picture) {
  faceapi.tf.setWasmPaths('/peers/@tensorflow/tfjs-backend-wasm/dist/');
  if (!(await faceapi.tf.setBackend('wasm'))) throw new Error('face-api has no WebAssembly back end here');
  await faceapi.tf.ready();
  const models = '/peers/@vladmandic/face-api/model';
  await Promise.all([faceapi.nets.tinyFaceDetector.loadFromUri(models), faceapi.nets.ageGenderNet.loadFromUri(models)]);
  const options = new faceapi.TinyFaceDetectorOptions();
  return {
    async frame() {
      const found = await faceapi.detectSingleFace(picture, options).withAgeAndGender();
      if (!found) return undefined;
      const { age, gender, genderProbability } = found;
      return { age, female: gender === 'female' ? genderProbability : 1 - genderProbability };
    },
  };
}
