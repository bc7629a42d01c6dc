// What Lighthouse says of the page, on a phone and on a desktop: node lighthouse.mjs DIST LIGHTHOUSE REPORT
//
// DIST is the site, served here as hosts do, compressed; LIGHTHOUSE a folder with its packages; REPORT the document to write. Each of the two is
// judged several times, since its times differ from run to run; the report has the medians, of the other scores the lowest. Fails below the
// limits.

import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { cpus } from 'node:os';
import { extname, join, normalize } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { gzipSync } from 'node:zlib';

const [, , dist, packages, report] = process.argv;
const RUNS = Number(process.env.LIGHTHOUSE_RUNS ?? 5);
const LEAST = { mobile: 90, desktop: 98 };
const BELOW = '/mien/';
const TYPES = {
  '.html': 'text/html; charset=utf-8', '.js': 'text/javascript; charset=utf-8', '.css': 'text/css; charset=utf-8', '.wasm': 'application/wasm',
  '.svg': 'image/svg+xml', '.png': 'image/png', '.jpg': 'image/jpeg', '.json': 'application/json', '.webmanifest': 'application/manifest+json',
};
const PACKED = ['.png', '.jpg', '.gz'];

const load = (path) => import(pathToFileURL(join(packages, 'node_modules', path)));
const [{ default: lighthouse, desktopConfig }, chromeLauncher] = await Promise.all([load('lighthouse/core/index.js'), load('chrome-launcher/dist/index.js')]);

// As over a good line to a host in the same country. Without either all files are there before anything is painted, as nowhere on the internet,
// and Lighthouse takes it that painting waits for all of them.
const AWAY_MS = 40;
const PIECE = 16_384;
const BYTES_A_MS = 50e6 / 8 / 1000;
let sent = 0; // when the line will have sent what was asked for so far

/** When the line has sent so many bytes more. */
function line(bytes) {
  sent = Math.max(sent, performance.now()) + bytes / BYTES_A_MS;
  return setTimeout(sent - performance.now());
}

const server = createServer(async (request, response) => {
  await setTimeout(AWAY_MS);
  const { pathname } = new URL(request.url, 'http://localhost');
  const path = normalize(join(dist, decodeURIComponent(pathname.slice(BELOW.length)), pathname.endsWith('/') ? 'index.html' : ''));
  if (!pathname.startsWith(BELOW) || !path.startsWith(normalize(dist)) || !statSync(path, { throwIfNoEntry: false })?.isFile()) {
    response.writeHead(404).end();
    return;
  }
  const type = extname(path);
  const isPacked = PACKED.includes(type);
  const bytes = isPacked ? readFileSync(path) : gzipSync(readFileSync(path));
  response.writeHead(200, {
    'Content-Type': TYPES[type] ?? 'application/octet-stream', 'Cache-Control': 'max-age=600', ...(!isPacked && { 'Content-Encoding': 'gzip' }),
  });
  for (let at = 0; at < bytes.length; at += PIECE) {
    const piece = bytes.subarray(at, at + PIECE);
    await line(piece.length);
    response.write(piece);
  }
  response.end();
}).listen(0, '127.0.0.1');
await new Promise((resolve) => server.once('listening', resolve));
const page = `http://localhost:${server.address().port}${BELOW}`;

const median = (values) => [...values].sort((a, b) => a - b)[values.length >> 1];
const rows = [];
const low = [];
let version;
for (const device of ['mobile', 'desktop']) {
  const results = [];
  for (let run = 0; run < RUNS; run++) {
    const chrome = await chromeLauncher.launch({ chromePath: process.env.CHROME_PATH, chromeFlags: ['--headless=new', '--no-sandbox'] });
    try {
      const { lhr } = await lighthouse(page, { port: chrome.port, logLevel: 'error' }, device === 'desktop' ? desktopConfig : undefined);
      if (lhr.runtimeError) throw new Error(lhr.runtimeError.message);
      results.push(lhr);
      version = lhr.lighthouseVersion;
    } finally {
      chrome.kill();
    }
  }
  const scores = (category) => results.map(({ categories }) => Math.round(100 * categories[category].score));
  const times = (audit) => median(results.map(({ audits }) => audits[audit].numericValue));
  const seconds = (audit) => `${(times(audit) / 1000).toFixed(1)} s`;
  const performance = median(scores('performance'));
  const rest = ['accessibility', 'best-practices', 'seo'].map((category) => Math.min(...scores(category)));
  rows.push([device, performance, ...rest, seconds('first-contentful-paint'), seconds('largest-contentful-paint'), `${Math.round(times('total-blocking-time'))} ms`,
    times('cumulative-layout-shift').toFixed(3)]);
  if (performance < LEAST[device]) low.push(`${device}: performance ${performance}, ${LEAST[device]} is asked for`);
  for (const { categories, audits } of results) {
    for (const category of ['accessibility', 'best-practices', 'seo']) {
      if (categories[category].score === 1) continue;
      const failed = categories[category].auditRefs.filter(({ id, weight }) => weight > 0 && audits[id].score !== null && audits[id].score < 1);
      low.push(`${device}: ${category} ${Math.round(100 * categories[category].score)}: ${failed.map(({ id }) => id).join(', ')}`);
    }
  }
}
server.close();

const row = (cells) => `| ${cells.join(' | ')} |`;
const text = `# Lighthouse

What Lighthouse ${version} says of the page (\`./build.sh lighthouse\` writes this): of performance and the times the median of ${RUNS} runs, of the other scores the
lowest, of 100. The page comes from a server on the same machine that compresses as hosts do and answers as over a line of 50 Mbit/s to a host ${AWAY_MS} ms away. A phone
is Lighthouse's slow one on a slow network, made up from what the page asked for and computed. Machine: ${cpus().length} cores of ${cpus()[0].model}, otherwise idle.

${row(['device', 'performance', 'accessibility', 'best practices', 'SEO', 'first contentful paint', 'largest contentful paint', 'total blocking time', 'layout shift'])}
${row(Array(9).fill('---'))}
${rows.map(row).join('\n')}
`;
console.log(text);
for (const complaint of new Set(low)) console.error(complaint);
if (RUNS >= 5) writeFileSync(report, text);
process.exit(low.length > 0 ? 1 : 0);
