// A page of docs/ in the look of the site: its colours are those of www/style.css.
//
//   node page.mjs PACKAGES MARKDOWN STYLES PAGE TITLE DESCRIPTION: with marked, of the packages in that folder.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const [, , packages, markdown, styles, page, title, description] = process.argv;
const { Marked } = await import(pathToFileURL(resolve(join(packages, 'node_modules/marked/lib/marked.esm.js'))));

// The colours by light and by dark, which come first there.
const [colours] = readFileSync(styles, 'utf8').match(/^:root \{[^]*?\n\}\n[^]*?^@media \(prefers-color-scheme: dark\) \{[^]*?\n\}\n/m);

const used = new Map();
// Headings have the names that GitHub gives them.
function anchor(text) {
  const name = text.toLowerCase().replace(/<[^>]*>|&[a-z]+;|[^\w -]/g, '').replaceAll(' ', '-');
  const count = used.get(name) ?? 0;
  used.set(name, count + 1);
  return count ? `${name}-${count}` : name;
}

// What may be wider than a phone can be moved, by the keyboard, too.
const movable = (html, what, kind = 'table') => `<div class="${kind}" tabindex="0" role="group" aria-label="${what}">${html}</div>\n`;

const marked = new Marked({
  renderer: {
    heading({ tokens, depth }) {
      const html = this.parser.parseInline(tokens);
      return `<h${depth} id="${anchor(html)}">${html}</h${depth}>\n`;
    },
    // Files of the sources are in the archive on the site.
    link({ href, tokens }) {
      const html = this.parser.parseInline(tokens);
      return href.startsWith('#') ? `<a href="${href}">${html}</a>` : html;
    },
    // With roles, since browsers forget those of what is laid out otherwise.
    table(token) {
      const { header } = token;
      const row = (cells, tag) => `<tr role="row">${cells.map(({ tokens }) => `<${tag} role="${tag === 'td' ? 'cell' : 'columnheader'}">${this.parser.parseInline(tokens)}</${tag}>`).join('')}</tr>`;
      const rows = token.rows.map((cells) => row(cells, 'td')).join('\n');
      return movable(`<table role="table"><thead role="rowgroup">${row(header, 'th')}</thead><tbody role="rowgroup">${rows}</tbody></table>`, `Table: ${header.map(({ text }) => text).join(', ')}`, header.length > 3 ? 'table wide' : 'table');
    },
    code({ text }) {
      const escaped = text.replace(/&/g, '&amp;').replace(/</g, '&lt;');
      return movable(`<pre><code>${escaped}</code></pre>`, 'Example');
    },
  },
});

writeFileSync(page, `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'">
<title>Mien: ${title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover">
<meta name="description" content="${description}">
<meta name="color-scheme" content="light dark">
<link rel="icon" href="../icon.svg" type="image/svg+xml">
<style>
${colours}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0; background: var(--page); color: var(--ink); font: 1rem/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif; overflow-wrap: anywhere; }
header, main { max-width: 52rem; margin: 0 auto; padding: 0.75rem var(--edge-right) 0 var(--edge-left); }
main { padding-bottom: 4rem; }
header a { display: inline-flex; align-items: center; gap: 0.625rem; min-height: 2.75rem; color: inherit; text-decoration: none; font-size: 1.25rem; font-weight: 650; letter-spacing: -0.03em; }
header img { width: 1.75rem; height: 1.75rem; }
main img { max-width: 100%; height: auto; border-radius: 10px; }
h1, h2, h3, h4, h5, h6 { line-height: 1.25; letter-spacing: -0.01em; margin: 2rem 0 0.5rem; }
h1 { margin-top: 0.5rem; font-size: 1.75rem; }
h2 { padding-top: 1.5rem; border-top: 1px solid var(--line); font-size: 1.5rem; }
h3 { font-size: 1.25rem; }
h4 { font-size: 1.0625rem; }
h5, h6 { margin-top: 1.25rem; font-size: 1rem; color: var(--soft); }
p, ul, blockquote { margin: 0.5rem 0; }
ul { padding-left: 1.25rem; }
a { color: var(--accent); }
hr { display: none; }
code { font-size: 0.9em; }
blockquote { padding: 0.5rem 0.75rem; border-left: 3px solid var(--accent); background: var(--card); }
.table { overflow-x: auto; margin: 0.75rem 0; border: 1px solid var(--line); border-radius: 10px; background: var(--card); overflow-wrap: normal; }
pre { margin: 0; padding: 0.75rem; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: 0.5rem 0.75rem; border-top: 1px solid var(--line); text-align: left; vertical-align: top; }
thead th { border: 0; color: var(--soft); font-weight: 600; }
td:last-child { min-width: 12rem; }
.wide td, .wide td:last-child { min-width: 5rem; }
/* A cell below the other, where three beside each other have no room. */
@media (max-width: 40rem) {
  .table:not(.wide) {
    thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); }
    table, tbody, tr, td { display: block; }
    td { padding: 0 0.75rem; border: 0; overflow-wrap: anywhere; }
    tr { padding: 0.5rem 0; border-top: 1px solid var(--line); }
    tr:first-child { border: 0; }
  }
}
:focus-visible { outline: 3px solid var(--accent); outline-offset: 3px; }
</style>
</head>
<body>
<header><a href="../"><img src="../icon.svg" alt="">mien</a></header>
<main>
${marked.parse(readFileSync(markdown, 'utf8'))}</main>
</body>
</html>
`);
