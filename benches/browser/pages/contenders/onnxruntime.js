// ONNX Runtime Web: WebAssembly with SIMD, one thread, on the same two networks.

import * as ort from '/peers/onnxruntime-web/dist/ort.wasm.min.mjs';
import { face, normalised, planes, rgb, whole } from '../picture.js';

ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = '/peers/onnxruntime-web/dist/';

export async function load(picture) {
  const options = { executionProviders: ['wasm'], graphOptimizationLevel: 'all' };
  const network = await ort.InferenceSession.create('/models/d-cnn.onnx', options);
  const detector = await ort.InferenceSession.create('/models/blazeface.onnx', options);
  const tensor = (pixels, side) => new ort.Tensor('float32', planes(normalised(rgb(pixels))), [1, 3, side, side]);
  const crop = tensor(face(picture), 160);
  const small = tensor(whole(picture), 128);
  return {
    async network() {
      const { distribution, age, gender } = await network.run({ input: crop });
      return [distribution.data, age.data, gender.data.subarray(1)];
    },
    async detector() {
      const { regressors, logits } = await detector.run({ input: small });
      return [regressors.data, logits.data];
    },
  };
}
