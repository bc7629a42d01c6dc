// node validate.mjs AJV SCHEMA: what the schema says of the JSON in each line of standard input, a line each; nothing where all is well.
// Fields that it does not name, which it lets others add, count here, too.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';

const [, , ajv, path] = process.argv;
const { Ajv2020 } = createRequire(import.meta.url)(resolve(ajv, 'dist/2020.js'));
const schema = JSON.parse(readFileSync(path, 'utf8'), (key, it) => (
  it?.type === 'object' && it.properties ? { ...it, additionalProperties: false } : it
));
const validate = new Ajv2020({ allErrors: true, strict: true, strictRequired: false, strictTypes: false }).compile(schema);
for (const line of readFileSync(0, 'utf8').split('\n').filter(Boolean)) {
  if (validate(JSON.parse(line))) continue;
  console.log(validate.errors.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`).join('; '));
}
