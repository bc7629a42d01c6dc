// Puts the words of a language in the place of the English ones: those that the code says (t in language.js), and those of documents.
//
// A file of locales/ has, by the English:
//   default    what the page says: {0}, {1}, ... are values; <0>...</0>, <1/>, ... the elements in a text. Where a number changes the words, an
//              object by the categories of Intl.PluralRules, as { one, other }
//   messages   what mien.js, lib/ and worker.js say, which programs get in English
//   style      what the page's letters need beside style.css

import { language, said, shown, t, use } from '../language.js';

const ATTRIBUTES = ['aria-label', 'title', 'alt'];
const LETTERS = /\p{L}/u;
// Not every browser tells it.
const RIGHT_TO_LEFT = ['ar', 'fa', 'he', 'ur'];

/** The English that stood in a document, and what stands there now: node -> its data or attributes -> [English, now]. */
const stood = new WeakMap();
/** Elements with a text around other elements: element -> { key, parts, inner }. */
const mixed = new WeakMap();

// Not every browser lets a script have one.
const styles = document.adoptedStyleSheets && new CSSStyleSheet();
if (styles) document.adoptedStyleSheets = [...document.adoptedStyleSheets, styles];

let words = {};
let messages = {};
let patterns;
// What was said in the language before.
let before = new Map();
// The last that was asked for.
let wanted;

/**
 * @param {string} tag
 * @param {Promise<Locale> | Locale} coming
 * @param {boolean} [isChosen] by the visitor, for later visits, too
 * @typedef {{ default?: Record<string, any>, messages?: Record<string, string>, style?: string }} Locale
 */
export async function begin(tag, coming, isChosen = false) {
  wanted = tag;
  const locale = await coming;
  if (wanted !== tag) return;
  const { documentElement: root } = document;
  ({ default: words = {}, messages = {} } = locale);
  patterns = undefined;
  use(tag, { say, put });
  if (document.readyState === 'loading') await new Promise((go) => document.addEventListener('DOMContentLoaded', go));
  if (wanted !== tag) return;
  styles?.replaceSync(locale.style ?? '');
  Object.assign(root, { lang: tag, dir: RIGHT_TO_LEFT.includes(new Intl.Locale(tag).language) ? 'rtl' : 'ltr' });
  all();
  const menu = document.getElementById('language');
  if (menu) menu.value = tag;
  if (isChosen) keep(tag);
  dispatchEvent(new Event('spoken'));
}

/** The choice goes before what the address asks for. */
function keep(tag) {
  const address = new URL(location.href);
  address.searchParams.delete('lang');
  history.replaceState(history.state, '', address);
  try {
    localStorage['mien language'] = tag;
  } catch {
    // For this visit, then: this browser lets the page store nothing.
  }
}

/** What t says. */
function say(parts, values) {
  if (typeof parts === 'string') return wordsFor(parts) ?? message(parts);
  const key = parts.reduce((text, part, index) => `${text}{${index - 1}}${part}`);
  return filled(wordsFor(key) ?? key, values);
}

const wordsFor = (key) => (Object.hasOwn(words, key) ? words[key] : undefined);

function filled(text, values) {
  if (typeof text !== 'string') text = text[new Intl.PluralRules(language).select(values.find(Number.isFinite))] ?? text.other;
  return text.replace(/\{(\d)\}/g, (_, index) => shown(values[index]));
}

/** A message by its English, whatever stands in it. */
function message(text) {
  if (Object.hasOwn(messages, text)) return messages[text];
  patterns ??= Object.keys(messages).filter((key) => key.includes('{0}')).map((key) => [
    new RegExp(`^${key.split(/\{\d\}/).map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('(.+?)')}$`, 's'), key,
  ]);
  for (const [pattern, key] of patterns) {
    const found = pattern.exec(text);
    if (found) return filled(messages[key], found.slice(1).map((value) => message(value)));
  }
  return text; // the browser's own words, for one
}

/** Says everything again. */
function all() {
  before = new Map(said);
  said.clear();
  put(document.documentElement);
  before = new Map();
}

/** @param {Element} root */
function put(root) {
  for (const { element, node, field, text } of places(root)) {
    if (element) compose(element);
    else replace(node, field, text);
  }
}

/** All of the English below an element, as languages have to have it. @param {Element} root */
export function keysIn(root) {
  return [...places(root)].map(({ element, text }) => (element ? keyOf(element) : trimmed(text)));
}

/** Where there are words: elements with elements in their text, and texts by themselves, those of attributes, too. */
function* places(root) {
  for (const element of [root, ...root.querySelectorAll('*')]) {
    if (element.matches('script, style, noscript')) continue;
    for (const field of element.matches('meta[name=description]') ? ['content'] : ATTRIBUTES) {
      const text = element.getAttribute(field);
      if (LETTERS.test(text ?? '')) yield { node: element, field, text };
    }
    if (mixed.has(element) || isMixed(element)) {
      keyOf(element);
      yield { element };
      continue;
    }
    if (mixed.get(element.parentElement)?.inner.includes(element)) continue; // its text is a part of that one's
    for (const node of [...element.childNodes]) if (node instanceof Text && LETTERS.test(node.data)) yield { node, field: 'data', text: node.data };
  }
}

function replace(node, field, shownText) {
  const text = trimmed(shownText);
  const known = stood.get(node) ?? {};
  const [english, now] = known[field] ?? [];
  const key = now === text ? english : text;
  const other = before.has(text) ? again(text) : wordsFor(key) ?? key;
  if (other === text) return;
  if (node instanceof Element) node.setAttribute(field, other);
  else node.data = shownText.replace(/\S.*\S|\S/s, () => other);
  if (!before.has(text)) stood.set(node, { ...known, [field]: [key, trimmed(other)] });
}

/** What was said, now. */
function again(text) {
  const [parts, values] = before.get(text);
  return t(parts, ...values.map((value) => (before.has(value) ? again(value) : value)));
}

const trimmed = (text) => text.trim().replace(/\s+/g, ' ');

const hasText = (node) => node.textContent.trim() !== '';

/** Elements with an id, and those without a word, are what they are wherever they stand: <0/>. */
const isPlain = (child) => child.id !== '' || !hasText(child);

function isMixed({ childNodes, children }) {
  const texts = [...childNodes].filter((node) => node instanceof Text && hasText(node)).length;
  return texts > 1 || (texts === 1 && [...children].some((child) => !isPlain(child)));
}

/** Its English: the text, with the elements in it by their numbers. */
function keyOf(element) {
  if (!mixed.has(element)) {
    const parts = [...element.children];
    const text = [...element.childNodes].map((node) => {
      if (!(node instanceof Element)) return node.textContent;
      const index = parts.indexOf(node);
      return isPlain(node) ? `<${index}/>` : `<${index}>${node.textContent}</${index}>`;
    });
    mixed.set(element, { key: trimmed(text.join('')), parts, inner: parts.filter((part) => !isPlain(part)) });
  }
  return mixed.get(element).key;
}

/** Elements in a text, in the order that the language has. */
function compose(element) {
  const key = keyOf(element);
  const { parts } = mixed.get(element);
  // Text, an element's number, its text, text, ...
  const pieces = (wordsFor(key) ?? key).split(/<(\d)(?:\/>|>(.*?)<\/\d>)/);
  const nodes = pieces.flatMap((piece, index) => {
    if (index % 3 === 0) return piece ?? '';
    if (index % 3 === 2) return [];
    const part = parts[piece];
    if (pieces[index + 1] !== undefined) part.textContent = pieces[index + 1];
    return part;
  });
  element.replaceChildren(...nodes);
}
