// Mien as a program uses it, on its CPU engine: video frames, each as if it were the first.

import { Mien } from '/mien/mien.js';

export async function load(picture) {
  const mien = await Mien.load({ engine: 'cpu' });
  return {
    async frame() {
      mien.reset();
      const { faces } = await mien.estimate(picture, { track: true });
      return faces[0] && { age: faces[0].age, female: faces[0].gender.female };
    },
  };
}
