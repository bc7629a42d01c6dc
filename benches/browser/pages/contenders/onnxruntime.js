// ONNX Runtime Web: WebAssembly with SIMD, one thread, on the same three networks.

import * as ort from '/peers/onnxruntime-web/dist/ort.wasm.min.mjs';
import { face, normalised, planes, rgb, whole } from '../picture.js';

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = '/peers/onnxruntime-web/dist/';

export async function load(picture) {
  const options = { executionProviders: ['wasm'], graphOptimizationLevel: 'all' };
  const open = (name) => ort.InferenceSession.create(`/models/${name}.onnx`, options);
  const [detector, dCnn, lite] = [await open('blazeface'), await open('d-cnn'), await open('lite')];
  const tensor = (pixels, side) => new ort.Tensor('float32', planes(normalised(rgb(pixels))), [1, 3, side, side]);
  const [crop, liteCrop] = [160, 112].map((side) => tensor(face(picture, side), side));
  const small = tensor(whole(picture), 128);
  const estimate = async (network, input) => {
    const { distribution, age, gender } = await network.run({ input });
    return [distribution.data, age.data, gender.data.subarray(1)];
  };
  return {
    'd-cnn': () => estimate(dCnn, crop),
    lite: () => estimate(lite, liteCrop),
    async detector() {
      const { regressors, logits } = await detector.run({ input: small });
      return [regressors.data, logits.data];
    },
  };
}
