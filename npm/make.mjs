// Makes the package's folder of the built site and of what is beside this script; build.sh calls it.
//
//   node npm/make.mjs SITE FOLDER

import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const [site, folder] = process.argv.slice(2);
const npm = dirname(fileURLToPath(import.meta.url));
const root = dirname(npm);
const www = join(root, 'www');

// What takes another file's place in the package, or is in the package alone.
const OWN = { 'lib/build.js': 'build.js', 'elements.js': 'elements.js', 'many.js': 'many.js' };
// What has another place there than on the page.
const MOVED = { 'json.js': 'later/json.js' };

const BINARIES = [
  'pkg/mien_cpu_bg.wasm', 'pkg/mien_cpu_relaxed_bg.wasm', 'pkg/mien_gpu_bg.wasm',
  'weights/blazeface-short.safetensors', 'weights/lite.safetensors',
];
const GLUE = ['mien_cpu', 'mien_cpu_relaxed', 'mien_gpu'];

const read = (...path) => readFileSync(join(...path), 'utf8');

function write(path, content) {
  const to = join(folder, path);
  mkdirSync(dirname(to), { recursive: true });
  writeFileSync(to, content);
}

// The package never asks for parts of the page, and no bundler is to wonder where they are.
const LATER = 'import(addressOf(path).href)';

// From here on it is the page's language alone: elements on somebody else's page, or on a server, are to wish for none.
const PAGES = '/** Says all of it in another language';

function source(path) {
  if (OWN[path]) return read(npm, OWN[path]);
  const text = read(www, MOVED[path] ?? path);
  if (path === 'language.js') {
    if (!text.includes(PAGES)) throw new Error(`www/${path} has no ${PAGES}`);
    return text.slice(0, text.indexOf(PAGES));
  }
  if (path !== 'lib/sealed.js') return text;
  if (!text.includes(LATER)) throw new Error(`www/${path} has no ${LATER}`);
  return text.replace(LATER, LATER.replace('(', '(/* webpackIgnore: true */ /* @vite-ignore */ '));
}

const IMPORTS = /^(?:(?:import|export) .* from|import) '(\.[^']+)';$/gm;

// A script, and all that it and those import.
function reached(path, found = new Map()) {
  if (found.has(path)) return found;
  const text = source(path);
  found.set(path, text);
  for (const [, other] of text.matchAll(IMPORTS)) reached(normalize(join(dirname(path), other)), found);
  return found;
}

function manifest() {
  const [, version] = read(root, 'Cargo.toml').match(/^version = "(.*)"$/m);
  const { name, ...rest } = JSON.parse(read(npm, 'package.json'));
  return `${JSON.stringify({ name, version, ...rest }, null, 2)}\n`;
}

rmSync(folder, { recursive: true, force: true });
write('package.json', manifest());

for (const path of BINARIES) write(path, readFileSync(join(site, path)));
const digests = BINARIES.map((path) => {
  const digest = createHash('sha256').update(readFileSync(join(site, path))).digest('hex');
  return `'${path}':'${digest.slice(0, 24)}'`;
});

for (const [path, text] of ['mien.js', 'elements.js', 'many.js', 'json.js'].reduce((found, path) => reached(path, found), new Map())) {
  const line = 'const DIGESTS = {};';
  if (path === 'lib/build.js' && !text.includes(line)) throw new Error(`npm/build.js has no line ${line}`);
  write(path, path === 'lib/build.js' ? text.replace(line, `const DIGESTS = {${digests}};`) : text);
}
write('mien.d.ts', read(www, 'mien.d.ts'));
for (const types of ['elements.d.ts', 'many.d.ts', 'json.d.ts']) write(types, read(npm, types));
write('result.schema.json', read(www, 'result.schema.json'));

// As texts, by the paths that lib/sealed.js asks for; the worker with what it imports.
const texts = { worker: Object.fromEntries(reached('worker.js')) };
for (const name of GLUE) texts[name] = { [`pkg/${name}.js`]: read(site, 'pkg', `${name}.js`) };
for (const [name, scripts] of Object.entries(texts)) {
  for (const path of Object.keys(scripts)) {
    if (!source('lib/build.js').includes(`\n  '${path}': `)) throw new Error(`npm/build.js does not name ${path}`);
  }
  write(`scripts/${name}.js`, `// Runs in a worker that can load nothing (lib/sealed.js).\nexport default ${JSON.stringify(scripts, null, 2)};\n`);
}

write('README.md', read(npm, 'README.md'));
for (const name of ['LICENSE-MIT', 'LICENSE-APACHE']) cpSync(join(root, name), join(folder, name));
for (const name of ['TERMS.md', 'MODEL_CARD.md']) cpSync(join(root, 'model-weights', name), join(folder, 'weights', name));
cpSync(join(site, 'about', 'notices.html'), join(folder, 'notices.html'));
