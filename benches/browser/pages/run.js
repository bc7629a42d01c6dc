// index.html?NAME loads contenders/NAME.js and offers its tasks to the benchmark, which drives this page.
//
// A contender has load(picture), the picture a canvas. It resolves to functions, each one task done once:
//   d-cnn      D-CNN on one face     ->  100 probabilities of ages, the age, the probability of female
//   lite       lite on one face          likewise
//   detector   BlazeFace's network   ->  896 x 16 regressors, 896 logits
//                                        (both as one array or several)
//   find       faces of the picture  ->  their number
//   frame      all of it             ->  { age, female } of the first face, or undefined
// A contender that has `frame` does it once at the start: that is its first result.

import { picture } from './picture.js';

const bench = { ready: false };
globalThis.bench = bench;

/** Milliseconds of one run: the mean of several, after one that is not counted. */
bench.time = async (task, runs) => {
  const run = bench.tasks[task];
  await run();
  const start = performance.now();
  for (let i = 0; i < runs; i++) await run();
  return (performance.now() - start) / runs;
};

/** All numbers that a network answers with. */
bench.numbers = async (task) => [await bench.tasks[task]()].flat().flatMap((values) => [...values]);

async function start() {
  const name = location.search.slice(1);
  const [{ load }, canvas] = await Promise.all([import(`./contenders/${name}.js`), picture()]);
  bench.tasks = await load(canvas);
  if (!bench.tasks.frame) return;
  bench.first = await bench.tasks.frame();
  bench.firstAt = performance.now(); // since the navigation began
}

await start().catch((error) => {
  bench.error = error.stack ?? String(error);
});
bench.ready = true;
