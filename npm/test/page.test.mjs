// The packed package in pages that nothing has built, in a real browser on a real photo.

import assert from 'node:assert/strict';
import { cpSync, existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { app, assertQuiet, assertTheFace, filesBelow, outcome, run, serve, visit } from './support.mjs';

describe('without a bundler', () => {
  let folder;
  let installed;
  before(async () => {
    folder = await app(join(import.meta.dirname, 'apps/importmap'));
    installed = join(folder, 'node_modules/mien-faces');
  });

  test('the package holds what it needs and nothing else', () => {
    const files = filesBelow(installed);
    assert.deepEqual(files.filter((file) => !/\.(js|d\.ts|wasm|safetensors|md|html|json)$|^LICENSE/.test(file)), []);
    const { version, license, exports } = JSON.parse(readFileSync(join(installed, 'package.json'), 'utf8'));
    assert.match(version, /^\d+\.\d+\.\d+$/);
    assert.equal(license, '(MIT OR Apache-2.0) AND LicenseRef-Mien-Weights');
    for (const { types, default: script } of ['.', './elements', './many', './json'].map((name) => exports[name])) {
      assert(existsSync(join(installed, types)) && existsSync(join(installed, script)));
    }
    for (const file of ['README.md', 'LICENSE-MIT', 'LICENSE-APACHE', 'notices.html', 'weights/TERMS.md']) assert(files.includes(file), file);
    // Bundlers cannot follow an address that is put together, and write their own machine's paths for a bare one.
    for (const file of files.filter((name) => /^(mien|elements|many|json|lib\/.*|views\/.*)\.js$/.test(name))) {
      const text = readFileSync(join(installed, file), 'utf8').replace(/new URL\('\.\.\/[a-z0-9_./-]+', import\.meta\.url\)/g, '');
      assert(!text.includes('import.meta'), file);
    }
  });

  test('a page with an import map', async () => {
    const site = await serve([folder, join(folder, 'public')]);
    try {
      await visit(`${site.origin}/`, async (page, said) => {
        assertTheFace(await outcome(page));
        assertQuiet(said);
        assert.equal(await page.evaluate(() => typeof SharedArrayBuffer), 'undefined', 'nothing has to be isolated for it');
      });
      assert(site.asked.some((path) => path.endsWith('/weights/lite.safetensors')));
      assert(!site.asked.some((path) => path.includes('mien_gpu')), 'nothing that is not needed');
    } finally {
      await site.close();
    }
  });

  test('many pictures, one that nobody waits for, and several at once', async () => {
    const site = await serve([folder, join(folder, 'public')]);
    try {
      await visit(`${site.origin}/`, async (page) => {
        const came = await page.evaluate(async () => {
          await outcome;
          const [{ Mien, MienError }, { estimateMany }] = await Promise.all([import('mien-faces'), import('mien-faces/many')]);
          const miens = await Promise.all([Mien.load({ engine: 'cpu' }), Mien.load({ engine: 'cpu' })]);
          const photo = await fetch('sample.jpg').then((response) => response.blob());
          const reason = (promise) => promise.then(() => 'nothing', (error) => (error instanceof MienError ? error.code : error.name));

          const both = await Promise.all(miens.map((mien) => mien.estimate(photo)));

          const told = [];
          const sources = [photo, new Blob(['none']), async () => photo, () => Promise.reject(new Error('away'))];
          const many = await estimateMany(miens[0], sources, { onProgress: ({ done, total, index }) => told.push([done, total, index]) });

          const before = new AbortController();
          before.abort();
          const between = new AbortController();
          const during = new AbortController();
          const answers = [
            reason(miens[0].estimate(photo, { signal: before.signal })),
            reason(miens[0].estimate(photo, { signal: during.signal })),
            reason(miens[0].estimate(photo, { signal: between.signal })),
            reason(miens[0].estimate(photo)),
          ];
          between.abort();
          setTimeout(() => during.abort(new TypeError('enough')), 1);
          const abortion = new AbortController();
          const called = await Promise.all(answers);
          const ended = reason(estimateMany(miens[1], [photo, photo, photo], { signal: abortion.signal, onProgress: () => abortion.abort() }));
          const aborted = await ended;
          miens[1].close();
          const closed = await reason(estimateMany(miens[1], [photo]));
          const still = await miens[0].estimate(photo);
          return {
            ages: [...both, many[0].result, many[2].result, still].map(({ faces }) => faces[0].age),
            errors: [many[1], many[3]].map(({ error }) => error.message),
            told, called, aborted, closed,
          };
        });
        assert(came.ages.length === 5 && came.ages.every((age) => age === came.ages[0]), came.ages.join());
        assert.match(came.errors[0], /^The picture is damaged/);
        assert.equal(came.errors[1], 'away');
        assert.deepEqual(came.told.map(([done, total]) => [done, total]), [[1, 4], [2, 4], [3, 4], [4, 4]]);
        assert.deepEqual(came.told.map(([, , index]) => index).sort(), [0, 1, 2, 3]);
        assert.deepEqual(came.called, ['AbortError', 'TypeError', 'AbortError', 'nothing']);
        assert.equal(came.aborted, 'AbortError');
        assert.equal(came.closed, 'closed');
      });
    } finally {
      await site.close();
    }
  });

  // Each in a page of its own; what it prints stands beside it.
  test('examples in the types', async () => {
    const examples = ['mien', 'many', 'json', 'elements'].flatMap((name) => {
      const text = readFileSync(join(installed, `${name}.d.ts`), 'utf8');
      return [...text.matchAll(/^ *\* ```js\n([^]*?)\n *\* ```$/gm)].map(([, lines]) => ({ name, script: lines.replace(/^ *\* ?/gm, '') }));
    });
    assert(['mien', 'many', 'json', 'elements'].every((name) => examples.some((it) => it.name === name)));
    const site = await serve([folder, join(folder, 'public')]);
    try {
      await visit(`${site.origin}/example.html`, async (page) => {
        for (const { name, script } of examples) {
          const expected = [...script.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map(([, words]) => words);
          assert(expected.length > 0, `says what it prints: ${script}`);
          await page.goto(`${site.origin}/example.html`);
          await page.waitForFunction(() => document.querySelector('img').complete);
          const printed = await page.evaluate((text) => new Promise((done, fail) => {
            const lines = [];
            console.log = (...values) => lines.push(values.join(' '));
            window.ended = () => done(lines);
            addEventListener('error', ({ message }) => fail(new Error(message)));
            addEventListener('unhandledrejection', ({ reason }) => fail(reason));
            document.head.append(Object.assign(document.createElement('script'), { type: 'module', textContent: `${text}\nended();` }));
          }), script);
          assert.deepEqual(printed, expected, `${name}:\n${script}`);
        }
      }, { camera: true, permissions: ['camera'] });
    } finally {
      await site.close();
    }
  });

  test('how many faces, how small, how many looks, and in which order', async () => {
    const site = await serve([folder, join(folder, 'public')]);
    try {
      await visit(`${site.origin}/`, async (page) => {
        const came = await page.evaluate(async () => {
          await outcome;
          const { Mien } = await import('mien-faces');
          const mien = await Mien.load({ engine: 'cpu' });
          const photo = await createImageBitmap(await (await fetch('sample.jpg')).blob());
          // The face twice, the second half as large.
          const { width, height } = photo;
          const canvas = Object.assign(document.createElement('canvas'), { width: 1.5 * width, height });
          const context = canvas.getContext('2d');
          context.drawImage(photo, 0, 0);
          context.drawImage(photo, width, 0, width / 2, height / 2);
          const told = ({ faces, moreFaces, looks }) => [faces.map(({ box }) => Math.round(box[2] / 10)), moreFaces, looks];
          const answers = {};
          for (const [name, options] of Object.entries({
            all: {}, one: { maxFaces: 1 }, large: { smallestFace: 80 }, small: { smallestFace: 40, looks: 1 },
          })) answers[name] = told(await mien.estimate(canvas, options));
          const track = async (options) => {
            mien.reset();
            let result;
            for (let timestamp = 0; timestamp < 2500; timestamp += 100) result = await mien.estimate(canvas, { track: true, timestamp, ...options });
            return result;
          };
          const [all, one, large] = [await track(), await track({ maxFaces: 1 }), await track({ smallestFace: 80 })];
          // Who was there first stays, whoever comes.
          mien.reset();
          context.clearRect(0, 0, width, height);
          let last;
          for (let timestamp = 0; timestamp < 5000; timestamp += 100) {
            if (timestamp === 2500) context.drawImage(photo, 0, 0);
            last = await mien.estimate(canvas, { track: true, timestamp, maxFaces: 1 });
          }
          answers.first = told(last);
          answers.video = [all, one, large].map(({ faces, moreFaces }) => [faces.length, moreFaces]);
          answers.refused = await Promise.all([{ looks: 3 }, { maxFaces: 0 }, { smallestFace: -1 }, { maxFaces: NaN }].map(
            (options) => mien.estimate(canvas, options).then(() => 'nothing', ({ name }) => name),
          ));
          const two = await mien.estimate(photo);
          const once = await mien.estimate(photo, { looks: 1 });
          answers.another = two.faces[0].age !== once.faces[0].age;
          // The first takes longest.
          const large4 = Object.assign(document.createElement('canvas'), { width: 4 * width, height: 4 * height });
          large4.getContext('2d').drawImage(photo, 0, 0, 4 * width, 4 * height);
          answers.order = [];
          await Promise.all([large4, photo, new ImageData(8, 8)].map((source, index) => mien.estimate(source).then(() => answers.order.push(index))));
          return answers;
        });
        assert.deepEqual(came, {
          all: [[10, 5], false, 2], one: [[10], true, 2], large: [[10], false, 2], small: [[10, 5], false, 1],
          video: [[2, false], [1, true], [1, false]], first: [[5], true, 1],
          refused: ['TypeError', 'TypeError', 'TypeError', 'TypeError'],
          another: true, order: [0, 1, 2],
        });
      });
    } finally {
      await site.close();
    }
  });

  test('the worker reaches nobody, though the page allows everything', async () => {
    const other = await serve([folder], { headers: { 'Access-Control-Allow-Origin': '*' } });
    let tries = '';
    const start = '"worker.js": "';
    const change = (path, bytes) => {
      if (!path.endsWith('/scripts/worker.js')) return bytes;
      const text = bytes.toString();
      assert(text.includes(start));
      return text.replace(start, () => start + JSON.stringify(tries).slice(1, -1));
    };
    const site = await serve([folder, join(folder, 'public')], { change });
    // With what the worker itself takes away, since this comes before.
    const doors = (name) => [site, other].map(({ origin }) => `
      fetch('${origin}/${name}-fetch', { mode: 'no-cors' }).catch(() => {});
      import('${origin}/${name}-import.js').catch(() => {});
      try { const request = new XMLHttpRequest(); request.open('GET', '${origin}/${name}-request'); request.send(); } catch {}
      try { new WebSocket('${origin.replace('http', 'ws')}/${name}-socket'); } catch {}
      try { new EventSource('${origin}/${name}-events'); } catch {}
    `).join('\n');
    const asked = (name) => [...site.asked, ...other.asked].filter((path) => path.startsWith(`/${name}-`)).length;
    tries = `${doors('worker')}\n`;
    try {
      await visit(`${site.origin}/`, async (page) => {
        assertTheFace(await outcome(page));
        assert.equal(asked('worker'), 0);
        await page.evaluate(doors('page'));
        for (let waits = 0; asked('page') < 8 && waits < 100; waits++) await new Promise((done) => setTimeout(done, 50));
        assert(asked('page') >= 8, `the same from the page: ${asked('page')}`);
        assert.equal(asked('worker'), 0);
      });
    } finally {
      await site.close();
      await other.close();
    }
  });

  test('altered files are refused', async () => {
    for (const [file, code] of [['weights/lite.safetensors', 'weights'], ['pkg/mien_cpu', 'download']]) {
      const change = (path, bytes) => {
        if (path.includes(file)) bytes[bytes.length - 1] ^= 1;
        return bytes;
      };
      const site = await serve([folder, join(folder, 'public')], { change });
      try {
        const came = await visit(`${site.origin}/`, outcome);
        assert.equal(came.name, 'MienError', JSON.stringify(came));
        assert.equal(came.code, code);
        assert.match(came.message, /not those of this version/);
      } finally {
        await site.close();
      }
    }
  });

  // The library and its files on another origin than the page, whose own policy forbids whatever is not needed (README.md).
  describe('from another origin', () => {
    let library;
    before(async () => {
      library = await serve([join(folder, 'node_modules')], { headers: { 'Access-Control-Allow-Origin': '*' } });
    });
    after(() => library.close());

    const policy = (parts) => Object.entries(parts).map(([name, value]) => `${name} ${value}`).join('; ');
    const needed = (origin) => ({
      'default-src': "'none'",
      'script-src': `'self' ${origin} blob: 'wasm-unsafe-eval'`,
      'worker-src': 'blob:',
      'connect-src': `'self' ${origin}`,
      'require-trusted-types-for': "'script'",
      'trusted-types': 'mien',
    });

    async function visitUnder(parts, { base = '' } = {}) {
      const elsewhere = join(import.meta.dirname, 'apps/elsewhere');
      const site = await serve([elsewhere, join(folder, 'public')], { headers: { 'Content-Security-Policy': policy(parts) } });
      const query = new URLSearchParams({ library: `${library.origin}/mien-faces/mien.js`, ...(base && { base }) });
      try {
        return await visit(`${site.origin}/?${query}`, outcome);
      } finally {
        await site.close();
      }
    }

    test('under a strict policy', async () => {
      assertTheFace(await visitUnder(needed(library.origin)));
    });

    test('with the files on a third', async () => {
      const files = await serve([join(folder, 'node_modules/mien-faces')], { headers: { 'Access-Control-Allow-Origin': '*' } });
      try {
        const asked = library.asked.length;
        const parts = needed(library.origin);
        const base = files.origin;
        assertTheFace(await visitUnder({ ...parts, 'connect-src': `'self' ${files.origin}` }, { base }));
        assert(files.asked.includes('/weights/lite.safetensors'), files.asked.join());
        assert(!library.asked.slice(asked).some((path) => /wasm|safetensors/.test(path)));
      } finally {
        await files.close();
      }
    });

    test('it says so in words where the policy leaves one of these out', async () => {
      const parts = needed(library.origin);
      for (const [name, value, words] of [
        ['worker-src', "'none'", /lets no worker start|could not be loaded/],
        ['script-src', `'self' ${library.origin} 'wasm-unsafe-eval'`, /A part of the program could not be loaded/],
        ['script-src', `'self' ${library.origin} blob:`, /could not be started .*Content Security Policy/],
        ['connect-src', "'self'", /could not be downloaded/],
        ['trusted-types', 'other', /lets no worker start/],
      ]) {
        const came = await visitUnder({ ...parts, [name]: value });
        assert.equal(came.name, 'MienError', `${name} ${value}: ${JSON.stringify(came)}`);
        assert.match(came.message, words, `${name} ${value}`);
      }
    });
  });
});

describe('elements, in the example for plain pages', () => {
  let site;
  before(async () => {
    const folder = await app(join(import.meta.dirname, 'examples/plain'));
    site = await serve([folder, join(folder, 'public')]);
  });
  after(() => site.close());

  const isAt = (page, name, state) => page.waitForFunction(
    ([element, wanted]) => document.querySelector(element).getAttribute('state') === wanted, [name, state],
  );
  const shown = (page, name, part) => page.locator(`${name} [part=${part}]:visible`).allTextContents();
  // The words that stand in a part, be they the page's own.
  const words = (page, name, part) => page.evaluate(([element, wanted]) => {
    const text = (node) => (node.localName === 'slot' ? node.assignedNodes({ flatten: true }) : [...node.childNodes]).map(text).join('') || node.data || '';
    return text(document.querySelector(element).shadowRoot.querySelector(`[part=${wanted}]`)).trim();
  }, [name, part]);

  test('a photo, another one, and a file that is none', () => visit(`${site.origin}/`, async (page, said) => {
    await isAt(page, 'mien-photo', 'done');
    assert.match(await page.textContent('#words'), /^Ages: \d\d$/);
    assert.match((await shown(page, 'mien-photo', 'label')).join(), /^\d\d \(\d\d–\d\d\), (gender not sure|(fe)?male \d+ %)$/);
    const { box, inside } = await page.evaluate(() => {
      const photo = document.querySelector('mien-photo');
      const [frame, picture] = ['frame', 'picture'].map((part) => photo.shadowRoot.querySelector(`[part=${part}]`).getBoundingClientRect());
      const { box: [x], width } = { ...photo.result.faces[0], width: photo.result.width };
      return { box: [(frame.left - picture.left) / picture.width, x / width], inside: frame.top >= picture.top && frame.bottom <= picture.bottom };
    });
    assert(Math.abs(box[0] - box[1]) < 0.01 && inside, `${box}`);

    await page.evaluate(async () => {
      const canvas = Object.assign(document.createElement('canvas'), { width: 64, height: 64 });
      document.querySelector('mien-photo').source = await new Promise((done) => canvas.toBlob(done));
    });
    await page.waitForFunction(() => document.querySelector('#words').textContent === 'Nobody there.');
    assert.deepEqual(await shown(page, 'mien-photo', 'frame'), []);

    await page.setInputFiles('mien-photo input', { name: 'none.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('none') });
    await isAt(page, 'mien-photo', 'error');
    assert.match(await page.textContent('#words'), /^bad-picture: The picture is damaged/);
    assert.equal(await words(page, 'mien-photo', 'error'), 'This picture cannot be read. Try another one.');

    await page.evaluate(() => {
      const photo = document.querySelector('mien-photo');
      photo.querySelector('[slot=error-bad-picture]').remove();
      Object.assign(photo, { source: null }).setAttribute('src', 'missing.jpg');
    });
    await page.waitForFunction(() => document.querySelector('#words').textContent.includes('could not be loaded'));
    assert.equal(await words(page, 'mien-photo', 'error'), 'The picture could not be loaded.');
    assertQuiet(said.filter((line) => !line.includes('404')));
  }));

  test('a camera, started, stopped, started again and taken away', () => visit(`${site.origin}/`, async (page, said) => {
    await page.evaluate(() => {
      window.told = [];
      for (const type of ['start', 'stop', 'result', 'error']) {
        document.addEventListener(`mien-${type}`, ({ target, detail }) => target.localName === 'mien-camera' && told.push([type, detail?.message ?? detail?.faces?.length]));
      }
    });
    await page.click('mien-camera button:visible');
    await isAt(page, 'mien-camera', 'running');
    await page.waitForFunction(() => document.querySelector('mien-camera').shadowRoot.querySelector('[part=label]'));
    assert.match((await shown(page, 'mien-camera', 'label')).join(), /^about \d\d \(\d\d to \d\d\)$/);
    assert.equal(await page.evaluate(() => document.querySelector('mien-camera').running), true);
    await page.click('mien-camera button:visible');
    await isAt(page, 'mien-camera', 'idle');
    // Stopped and started while it still opens.
    await page.evaluate(async () => {
      const camera = document.querySelector('mien-camera');
      camera.start();
      camera.stop();
      window.video = camera.shadowRoot.querySelector('video');
      await camera.start();
    });
    await isAt(page, 'mien-camera', 'running');
    assert.equal(await page.evaluate(() => video.srcObject.active), true);
    await page.evaluate(() => {
      window.stream = video.srcObject;
      document.querySelector('mien-camera').remove();
    });
    assert.deepEqual(await page.evaluate(() => [video.srcObject, stream.active]), [null, false]);
    const told = await page.evaluate(() => told);
    assert.deepEqual(told.filter(([type]) => type === 'error'), []);
    assert(told.some(([type, faces]) => type === 'result' && faces === 1), JSON.stringify(told));
    assert.deepEqual(told.map(([type]) => type).filter((type) => type !== 'result'), ['start', 'stop', 'stop', 'start']);
    assertQuiet(said);
  }, { camera: true, permissions: ['camera'] }));

  for (const [what, options, code, text] of [
    ['no camera', { permissions: ['camera'] }, 'no-camera', /^No camera found\. /],
    ['no permission', { camera: true }, 'no-permission', /^Without the camera this does not work/],
  ]) {
    test(`${what} is told`, () => visit(`${site.origin}/`, async (page) => {
      await page.evaluate(() => {
        window.failure = new Promise((done) => document.addEventListener('mien-error', ({ detail }) => done(detail.code)));
      });
      await page.click('mien-camera button:visible');
      assert.equal(await page.evaluate(() => failure), code);
      assert.match(await words(page, 'mien-camera', 'error'), text);
      assert.equal(await page.getAttribute('mien-camera', 'state'), 'error');
    }, options));
  }
});

test('the types fit a program that uses the package', async () => {
  const folder = await app(join(import.meta.dirname, 'types'));
  const compiler = join(import.meta.dirname, 'node_modules/typescript/bin/tsc');
  const written = join(folder, 'written');
  cpSync(join(folder, 'node_modules/mien-faces'), written, { recursive: true });
  for (const name of ['elements', 'many', 'json']) rmSync(join(written, `${name}.d.ts`));
  await run(process.execPath, [compiler, '-p', folder]);
  const types = join(folder, 'node_modules/mien-faces/elements.d.ts');
  const right = readFileSync(types, 'utf8');
  for (const [from, to, complaint] of [
    ['  switch(): Promise<void>;\n', '', /switch/],
    ['  readonly running: boolean;', '  readonly running: boolean;\n  readonly paused: boolean;', /paused/],
  ]) {
    const wrong = right.replace(from, to);
    assert.notEqual(wrong, right);
    writeFileSync(types, wrong);
    await assert.rejects(run(process.execPath, [compiler, '-p', folder]), complaint);
  }
});
