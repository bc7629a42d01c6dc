// Mien's networks by themselves, and one pass of the detector.

import init, { WebNetworks } from '/networks/mien_bench.js';
import { face, rgb, whole } from '../picture.js';

export async function load(picture) {
  const [detector, network] = await Promise.all(['blazeface-short', 'd-cnn'].map(weights));
  await init();
  const networks = WebNetworks.create(detector, network);
  const crop = rgb(face(picture));
  const small = rgb(whole(picture));
  const context = picture.getContext('2d');
  return {
    network: () => networks.estimate(crop),
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
