// Mien's networks by themselves, and one pass of the detector.

import init, { WebNetworks } from '/networks/mien_bench.js';
import { face, rgb, whole } from '../picture.js';

export async function load(picture) {
  const [detector, dCnn, lite] = await Promise.all(['blazeface-short', 'd-cnn', 'lite'].map(weights));
  await init();
  const networks = WebNetworks.create(detector, dCnn);
  const liteToo = WebNetworks.create(detector, lite);
  const [crop, liteCrop] = [160, 112].map((side) => rgb(face(picture, side)));
  const small = rgb(whole(picture));
  const context = picture.getContext('2d');
  return {
    'd-cnn': () => networks.estimate(crop),
    lite: () => liteToo.estimate(liteCrop),
    detector: () => networks.detect(small),
    find() {
      const { data, width, height } = context.getImageData(0, 0, picture.width, picture.height);
      return networks.find(new Uint8Array(data.buffer), width, height).length / 5;
    },
  };
}

async function weights(name) {
  const response = await fetch(`/mien/weights/${name}.safetensors`);
  return new Uint8Array(await response.arrayBuffer());
}
