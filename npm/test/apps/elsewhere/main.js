// The library comes from another origin, which the address of this page names.
const { library, base } = Object.fromEntries(new URLSearchParams(location.search));

window.outcome = (async () => {
  const { Mien } = await import(library);
  const mien = await Mien.load({ engine: 'cpu', base });
  const photo = await fetch('sample.jpg').then((response) => response.blob());
  const { faces } = await mien.estimate(photo);
  return { faces, sealed: await mien.isSealed() };
})();
