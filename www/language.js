// The page's language. Others are looked up by the English, which stands in the code and the documents, and costs nothing: later/translate.js.

export const LANGUAGES = ['en', 'de', 'ja', 'ko', 'vi', 'zh-Hans', 'zh-Hant'];

export let language = 'en';

/** What was said lately, of what it was made: to be said again. */
export const said = new Map();

let speech;
let formats = {};

/** Says a text that the code has in English, t`${count} faces`, or one as it comes, t(error.message). */
export function t(parts, ...values) {
  if (said.has(parts)) return parts;
  const text = speech ? speech.say(parts, values) : String.raw({ raw: parts }, ...values.map(shown));
  if (said.size > 999) said.clear();
  said.set(text, [parts, values]);
  return text;
}

/** Those texts that there are, as one. */
export const joined = (...texts) => texts.reduce((all, text) => (all && text ? t`${all} ${text}` : all || text || ''), '');

/** Has what a script put into the page in English say it in the page's language. */
export const translate = (root) => speech?.put(root);

export const shown = (value) => (typeof value === 'number' ? number(value) : value);
export const number = (value, digits) => format(digits).format(value);
export const percent = (share) => format(0, 'percent').format(share);
export const range = (low, high) => format().formatRange?.(low, high) ?? `${low}–${high}`;

function format(digits = 0, style) {
  return (formats[[digits, style]] ??= new Intl.NumberFormat(language, { style, minimumFractionDigits: digits, maximumFractionDigits: digits }));
}

/** From now on. */
export function use(tag, translation) {
  language = tag;
  speech = translation;
  formats = {};
}

/** Says all of it in another language, when that has come; `isChosen`: and at later visits. */
export async function speak(tag, isChosen) {
  const of = (path) => import(`./${path}.js${new URL(import.meta.url).search}`);
  const words = tag === 'en' ? {} : of(`locales/${tag}`);
  return (await of('later/translate')).begin(tag, words, isChosen);
}

/** The language that is meant by what somebody wishes, if it is one of ours. */
function known(wish) {
  try {
    const tag = wish();
    // Those without scripts are known by their names: asking the browser about them takes it some milliseconds at first.
    const [start] = tag.toLowerCase().split(/[-_]/, 1);
    if (LANGUAGES.includes(start)) return start;
    const { language, script } = new Intl.Locale(tag).maximize();
    return LANGUAGES.find((it) => it === `${language}-${script}`);
  } catch {
    // None is wished, or may be kept here.
  }
}

window.t = t; // for the document's own script

const wishes = [() => new URLSearchParams(location.search).get('lang'), () => localStorage['mien language'], ...navigator.languages.map((tag) => () => tag)];
const wish = wishes.map(known).find(Boolean) ?? language;
if (wish !== language) {
  // Rather nothing than English, for a moment.
  const { style } = document.documentElement;
  if (!performance.getEntriesByType('paint').length) style.visibility = 'hidden';
  const show = () => (style.visibility = '');
  setTimeout(show, 500);
  speak(wish).then(show, show);
}
