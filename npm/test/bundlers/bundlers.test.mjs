// The packed package in small apps, as others build them, in a real browser on a real photo.

import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { before, describe, test } from 'node:test';
import { PACKED, app, assertQuiet, assertTheFace, filesBelow, freePort, outcome, run, serve, start, visit } from '../support.mjs';

const require = createRequire(import.meta.url);
const APPS = join(import.meta.dirname, 'apps');
const VITE = join(import.meta.dirname, 'node_modules/vite/bin/vite.js');

describe('Vite', () => {
  let folder;
  before(async () => {
    folder = await app(join(APPS, 'vite'));
  });
  test('its server for development', async () => {
    const port = await freePort();
    const address = `http://localhost:${port}/`;
    const server = await start(process.execPath, [VITE, '--port', `${port}`, '--strictPort'], address, { cwd: folder });
    try {
      await visit(address, async (page) => assertTheFace(await outcome(page)));
    } finally {
      await server.stop();
    }
  });

  test('what it builds', async () => {
    await run(process.execPath, [VITE, 'build', '--base', './'], { cwd: folder });
    const site = await serve([join(folder, 'dist')]);
    try {
      await visit(`${site.origin}/`, async (page, said) => {
        assertTheFace(await outcome(page));
        assertQuiet(said);
      });
      assert.deepEqual(site.asked.filter((path) => path.includes('node_modules')), []);
    } finally {
      await site.close();
    }
  });
});

describe('webpack', () => {
  test('what it builds', async () => {
    const folder = await app(join(APPS, 'webpack'));
    const webpack = require('webpack');
    const compiler = webpack({ mode: 'production', context: folder, entry: './main.js', output: { path: join(folder, 'dist') } });
    const stats = await promisify(compiler.run.bind(compiler))();
    await promisify(compiler.close.bind(compiler))();
    const { errors, warnings } = stats.toJson({ all: false, errors: true, warnings: true });
    assert.deepEqual(errors.map(({ message }) => message), []);
    // It finds half a megabyte of weights large.
    assert.deepEqual(warnings.map(({ message }) => message).filter((message) => !/size limit|code splitting/.test(message)), []);
    for (const file of filesBelow(join(folder, 'dist')).filter((name) => name.endsWith('.js'))) {
      assert(!readFileSync(join(folder, 'dist', file), 'utf8').includes('file:///'), `${file} names no path of this machine`);
    }
    const site = await serve([join(folder, 'dist'), folder, join(folder, 'public')]);
    try {
      await visit(`${site.origin}/`, async (page, said) => {
        assertTheFace(await outcome(page));
        assertQuiet(said);
      });
    } finally {
      await site.close();
    }
  });
});

describe('Next.js', () => {
  for (const bundler of ['turbopack', 'webpack']) {
    test(`what it builds with ${bundler}`, async () => {
      const folder = await app(join(APPS, 'next'));
      const next = require.resolve('next/dist/bin/next');
      const options = { cwd: folder, env: { ...process.env, NEXT_TELEMETRY_DISABLED: '1' } };
      await run(process.execPath, [next, 'build', `--${bundler}`], options);
      const port = await freePort();
      const server = await start(process.execPath, [next, 'start', '--port', `${port}`], `http://localhost:${port}/`, options);
      try {
        await visit(`http://localhost:${port}/`, async (page, said) => {
          assert.equal(await page.textContent('#server'), 'function function');
          assertTheFace(await outcome(page));
          assert.match(await page.textContent('#faces'), /^\d\d$/);
          assertQuiet(said);
        });
      } finally {
        await server.stop();
      }
    });
  }
});

describe('examples', () => {
  for (const [name, options] of [['react', ['--strictPort']], ['vue', ['--strictPort']], ['plain', []]]) {
    test(`${name}, by npm run dev`, async () => {
      const folder = join(import.meta.dirname, 'examples', name);
      const { dependencies } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
      assert.equal(dependencies['mien-faces'], `file:../../target/package/${basename(PACKED)}`, 'what ./build.sh package makes');
      assert(['sample.jpg', 'public/sample.jpg'].some((picture) => existsSync(join(folder, picture))), 'it has the picture that it shows');
      await app(folder, { whole: true });
      const port = await freePort();
      const address = `http://localhost:${port}/`;
      const server = await start('npm', ['run', 'dev', '--', '--port', `${port}`, ...options], address, { cwd: folder });
      try {
        await visit(address, async (page) => {
          await page.waitForFunction(() => /^(Ages: )?\d\d$/.test(document.querySelector('#words')?.textContent));
        });
      } finally {
        await server.stop();
      }
    });
  }

  for (const name of ['react', 'vue']) {
    test(`${name}, by npm run build`, async () => {
      const folder = await app(join(import.meta.dirname, 'examples', name), { whole: true });
      await run('npm', ['run', 'build'], { cwd: folder });
      const site = await serve([join(folder, 'dist')]);
      try {
        await visit(`${site.origin}/`, async (page, said) => {
          await page.waitForFunction(() => /^\d\d$/.test(document.querySelector('#words')?.textContent));
          await page.setInputFiles('input[type=file]', { name: 'none.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('none') });
          await page.waitForFunction(() => document.querySelector('#words').textContent.startsWith('The picture is damaged'));
          assertQuiet(said);
        });
      } finally {
        await site.close();
      }
    });
  }
});
