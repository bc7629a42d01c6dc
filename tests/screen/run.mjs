// The page's own rules (www/kiosk/rules.js) before the people of tests/screen.rs: JSON in, what is shown and what is wrong with files out.

import { readFileSync } from 'node:fs';

// What a page has, and its module of languages asks for.
globalThis.window = globalThis;
Object.defineProperty(globalThis, 'navigator', { value: { languages: ['en'] }, configurable: true });
const { Director, madeUp, parse } = await import(new URL('../../www/kiosk/rules.js', import.meta.url));

const { plays = [], files = [], people = {} } = JSON.parse(readFileSync(0, 'utf8'));
const known = Object.fromEntries(Object.entries(people).map(([name, as]) => [name, madeUp(as)]));

/** What changes, and when: name of the content, seconds, name of the rule. */
function play({ rules, steps, every = 100, minute = 720 }) {
  const director = new Director(rules, 0);
  const changes = [];
  let now = 0;
  for (const { people: there, seconds } of steps) {
    const seen = there.map((person) => (typeof person === 'string' ? known[person] : person));
    for (const end = now + 1000 * seconds; now < end; now += every) {
      const { content, rule } = director.see(seen, now, (minute + Math.floor(now / 60_000)) % 1440);
      const name = rule === undefined ? null : rules.rules[rule].name;
      const [last] = changes.slice(-1);
      if (content !== last?.[0] || name !== last[2]) changes.push([content, now / 1000, name]);
    }
  }
  return changes;
}

console.log(JSON.stringify({
  plays: plays.map(play),
  files: files.map((text) => parse(text).problems.map((problem) => problem.text)),
}));
