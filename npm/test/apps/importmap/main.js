import { Mien } from 'mien-faces';

window.outcome = (async () => {
  const mien = await Mien.load({ engine: 'cpu' });
  const photo = await fetch('sample.jpg').then((response) => response.blob());
  const { faces } = await mien.estimate(photo);
  return { faces, sealed: await mien.isSealed() };
})();
