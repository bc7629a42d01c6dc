// The API as Markdown, out of the types and the comments in them: what typedoc makes of each module, one below the other.
//
//   node make.mjs PACKAGES FILE [--check]: with typedoc of the packages in that folder. With --check it writes nothing, and fails where
//   the file is another.

import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');

// By what programs import it.
const MODULES = {
  'mien-faces': 'www/mien.d.ts',
  'mien-faces/many': 'npm/many.d.ts',
  'mien-faces/json': 'npm/json.d.ts',
  'mien-faces/elements': 'npm/elements.d.ts',
};

const HEAD = `# The API

What programs get from the package (\`./build.sh package\`, [its README](../npm/README.md)). From the page's own files it is the same, by addresses in place of
names: \`import { Mien } from './mien.js'\`. Written by \`./build.sh api\` from the types and the comments in them; the examples run in the tests.
`;

const compilerOptions = { target: 'esnext', module: 'esnext', moduleResolution: 'bundler', lib: ['esnext', 'dom', 'dom.iterable'], types: [], strict: true, noEmit: true };

function written(packages) {
  const folder = mkdtempSync(join(tmpdir(), 'mien-api-'));
  try {
    // Beside each other, as in the package.
    const names = Object.values(MODULES).map((path) => {
      const name = path.replace(/.*\//, '');
      cpSync(join(root, path), join(folder, name));
      return name;
    });
    writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: names }));
    const modules = resolve(packages, 'node_modules');
    const tables = ['parameters', 'interfaceProperties', 'classProperties', 'typeDeclaration'].flatMap((of) => [`--${of}Format`, 'table']);
    execFileSync(process.execPath, [
      join(modules, 'typedoc/bin/typedoc'), '--plugin', join(modules, 'typedoc-plugin-markdown/dist/index.js'), '--entryPoints', ...names,
      '--name', 'Mien', '--out', 'out', '--outputFileStrategy', 'modules', '--readme', 'none', '--sort', 'source-order',
      '--disableSources', '--hidePageHeader', '--hideBreadcrumbs', '--hideGroupHeadings', '--excludePrivate', '--excludeExternals',
      '--logLevel', 'Warn', '--treatWarningsAsErrors', ...tables,
    ], { cwd: folder, stdio: ['ignore', 'inherit', 'inherit'] });
    const parts = Object.entries(MODULES).map(([name, path]) => {
      const text = readFileSync(join(folder, 'out', path.replace(/.*\//, '').replace('.d.ts', '.md')), 'utf8');
      return part(name, text);
    });
    const list = parts.map(({ name, items }) => `- [\`${name}\`](#${anchor(name)}): ${items.map((item) => `[${item}](#${anchor(item)})`).join(', ')}`);
    return `${HEAD}\n${list.join('\n')}\n\n${parts.map(({ text }) => text).join('\n\n')}\n`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

// A heading lower, and with links into this file.
function part(name, markdown) {
  const items = [];
  let isCode = false;
  const lines = markdown.trim().split('\n').slice(1).map((line) => {
    if (line.startsWith('```')) isCode = !isCode;
    if (isCode) return line;
    const [, item] = line.match(/^## (.*)$/) ?? [];
    if (item) items.push(item.replace(/\(\)$/, ''));
    return line.replace(/^#/, '##').replace(/\]\([a-z]+\.md#/g, '](#').replace(/^\*\*\*$/, '---');
  });
  return { name, items, text: `## ${name}\n${lines.join('\n')}` };
}

const anchor = (heading) => heading.toLowerCase().replace(/[^\w -]/g, '').replaceAll(' ', '-');

const [, , packages, file, check] = process.argv;
const text = written(packages);
if (!check) writeFileSync(file, text);
else if (readFileSync(file, 'utf8') !== text) {
  console.error(`${file} is not what the types say by now. Run: ./build.sh api`);
  process.exit(1);
}
