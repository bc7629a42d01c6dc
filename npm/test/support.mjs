// What the tests need: the package as npm installs it, servers, and a browser.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { cpSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize, resolve } from 'node:path';
import { chromium } from 'playwright-core';

const { MIEN_PACKED, MIEN_PICTURE, CHROME } = process.env;
for (const name of ['MIEN_PACKED', 'MIEN_PICTURE', 'CHROME']) {
  if (!process.env[name]) throw new Error(`${name} is not said: run ./build.sh package-test`);
}

export const PACKED = resolve(MIEN_PACKED);
export const PICTURE = resolve(MIEN_PICTURE);

/** Milliseconds after which nobody believes in it any more: machines that build have much else to do. */
export const PATIENCE = 180_000;

/** Runs a program to its end. What it prints comes with the failure, too. */
export function run(program, args, options = {}) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  return new Promise((done, fail) => {
    child.on('error', fail);
    child.on('close', (code) => (code === 0 ? done(output) : fail(new Error(`${program} ${args.join(' ')}:\n${output}`))));
  });
}

/**
 * The folder of a small app of its own, with the packed package installed by npm and the picture in its `public`. What else an
 * app depends on lies further up, of the versions that are locked there: npm is not to look for newer ones. A whole one has the picture.
 */
export async function app(folder, { whole = false } = {}) {
  const manifest = join(folder, 'package.json');
  if (existsSync(manifest)) {
    const { dependencies, devDependencies, ...rest } = JSON.parse(readFileSync(manifest, 'utf8'));
    writeFileSync(manifest, JSON.stringify(rest));
  }
  for (const old of ['node_modules', 'dist', '.next', ...(whole ? [] : ['public'])]) rmSync(join(folder, old), { recursive: true, force: true });
  const options = ['--offline', '--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--ignore-scripts', '--prefix', folder];
  await run('npm', ['install', ...options, PACKED]);
  assert(existsSync(join(folder, 'node_modules/mien-faces/mien.js')), 'npm has installed the package');
  if (!whole) cpSync(PICTURE, join(folder, 'public/sample.jpg'));
  return folder;
}

const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript', '.mjs': 'text/javascript', '.json': 'application/json', '.css': 'text/css',
  '.wasm': 'application/wasm', '.jpg': 'image/jpeg',
};

/**
 * Serves folders, the first that has a file; `headers` go with everything, and `change` may put other bytes in a file's place.
 *
 * @returns {Promise<{ origin: string, asked: string[], close: () => Promise<void> }>}
 */
export async function serve(folders, { headers = {}, change = (path, bytes) => bytes } = {}) {
  const asked = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url, 'http://localhost');
    asked.push(pathname);
    const path = normalize(pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    const file = folders.map((folder) => join(folder, path)).find((it) => existsSync(it) && statSync(it).isFile());
    if (!file) return response.writeHead(pathname === '/favicon.ico' ? 204 : 404, headers).end();
    response.writeHead(200, { 'Content-Type': TYPES[extname(file)] ?? 'application/octet-stream', ...headers });
    response.end(change(path, readFileSync(file)));
  });
  await new Promise((done, fail) => server.once('error', fail).listen(0, '127.0.0.1', done));
  return {
    origin: `http://localhost:${server.address().port}`,
    asked,
    close: () => new Promise((done) => {
      server.close(done);
      server.closeAllConnections();
    }),
  };
}

/** A browser for one visit, with a camera that films the picture where `camera` is true. It is closed whatever comes of it. */
export async function visit(address, look, { camera = false, permissions = [] } = {}) {
  const args = [];
  if (camera) {
    const film = join(import.meta.dirname, 'film.mjpeg'); // JPEGs one after the other, here one
    cpSync(PICTURE, film);
    args.push('--use-fake-device-for-media-stream', `--use-file-for-fake-video-capture=${film}`);
  }
  const browser = await chromium.launch({ executablePath: CHROME, chromiumSandbox: false, args });
  try {
    const context = await browser.newContext({ permissions });
    const page = await context.newPage();
    page.setDefaultTimeout(PATIENCE);
    const said = [];
    page.on('console', (message) => ['error', 'warning'].includes(message.type()) && said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    await page.goto(address);
    return await look(page, said);
  } finally {
    await browser.close();
  }
}

/** What an app's `window.outcome` came to, or how it failed: { name, code, message }. */
export async function outcome(page) {
  await page.waitForFunction(() => window.outcome !== undefined);
  return page.evaluate(() => window.outcome.catch(({ name, code, message }) => ({ name, code, message })));
}

/** The one face of the picture, where and as old as the golden results have it (tests/golden), by a worker that is shut in. */
export function assertTheFace({ faces, sealed, ...rest }) {
  assert.deepEqual(rest, {});
  assert.equal(sealed, true);
  assert.equal(faces.length, 1);
  const [{ age, box }] = faces;
  assert(Math.abs(age - 32.3) < 2, `${age} years`);
  assert([173.5, 73.3, 102, 102].every((value, index) => Math.abs(value - box[index]) < 3), `${box}`);
}

/** Nothing that browsers call a warning or an error, but that this machine has no WebGPU. */
export function assertQuiet(said) {
  assert.deepEqual(said.filter((line) => !line.includes('No available adapters')), []);
}

/** All files below a folder, by their paths from it. */
export function filesBelow(folder, below = '') {
  return readdirSync(join(folder, below), { withFileTypes: true }).flatMap((entry) => {
    const path = join(below, entry.name);
    return entry.isDirectory() ? filesBelow(folder, path) : [path];
  });
}

/** A port that nobody has. */
export async function freePort() {
  const server = createServer();
  await new Promise((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address();
  await new Promise((done) => server.close(done));
  return port;
}

/** Starts a server program and waits for its first answer. */
export async function start(program, args, address, options) {
  // With all that it starts, as npm does.
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true, ...options });
  const end = () => process.kill(-child.pid);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data) => (output += data));
  for (let tries = 0; ; tries++) {
    const answer = await fetch(address).catch(() => undefined);
    if (answer?.ok) break;
    if (child.exitCode !== null || tries > PATIENCE / 100) {
      if (child.exitCode === null) end();
      throw new Error(`${program} ${args.join(' ')} does not serve:\n${output}`);
    }
    await new Promise((done) => setTimeout(done, 100));
  }
  return {
    stop: () => new Promise((done) => {
      child.once('close', done);
      end();
    }),
  };
}
