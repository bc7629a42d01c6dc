// Photos of one person, in the order of their dates: a hill each, one below the other.

import { joined, language, number, t } from '../language.js';
import { yearRange, years } from '../views/words.js';
import { taken } from './dates.js';
import { styles } from './styles.js';

const SVG = 'http://www.w3.org/2000/svg';
const AGES = 100;
const TICKS = [0, 20, 40, 60, 80];
// Of a hill's drawing; on the page it is as wide as there is room.
const [WIDTH, HEIGHT] = [100, 24];
// Flat distributions stay flat, as in the panel's plot.
const LEAST_TOP = 0.04;
const MS_A_YEAR = 365.2425 * 86_400_000;

/** @typedef {{ key: number, file: File, name: string, face: import('../mien.js').Face, isOneOf: number }} Photo the largest face of each picture, and of how many */

/**
 * @param {Photo[]} photos at least two
 * @param {(key: number) => void} onChoose
 * @returns {Promise<HTMLElement>}
 */
export async function linesOfHills(photos, onChoose) {
  const [dated] = await Promise.all([
    Promise.all(photos.map(async (photo) => ({ ...photo, taken: await taken(photo.file) }))),
    styles('years'),
  ]);
  dated.sort((a, b) => a.taken.date - b.taken.date);
  const section = Object.assign(document.createElement('section'), { className: 'years', ariaLabel: t`By date` });
  const list = document.createElement('ol');
  list.append(...dated.map((photo) => row(photo, onChoose)));
  section.append(list, scale());
  const isByFile = dated.some(({ taken: { by } }) => by === 'file');
  const note = Object.assign(document.createElement('p'), { className: 'note' });
  note.textContent = joined(
    photos.some(({ isOneOf }) => isOneOf > 1) && t`Of each picture, the largest face.`,
    isByFile ? t`Dates with a question mark are those of the files, which may be younger than the pictures.` : passed(dated),
  );
  section.append(note);
  return section;
}

/** What lies between the first and the last, where that is years. */
function passed(dated) {
  const [first, last] = [dated[0], dated.at(-1)];
  const byDates = Math.round((last.taken.date - first.taken.date) / MS_A_YEAR);
  const byGuesses = Math.round(last.face.age) - Math.round(first.face.age);
  return byDates > 1 && t`From the first to the last: ${byDates} years by their dates, ${byGuesses} by the guesses.`;
}

function row({ key, name, face, taken: { date, to, by } }, onChoose) {
  const [item, button] = ['li', 'button'].map((tag) => document.createElement(tag));
  const day = new Intl.DateTimeFormat(language, to === 'year' ? { year: 'numeric' } : { dateStyle: 'medium' }).format(date);
  const when = by === 'file' ? `${day}?` : day;
  button.type = 'button';
  button.dataset.key = String(key);
  const time = Object.assign(document.createElement('time'), { textContent: when, dateTime: `${date.getFullYear()}`.padStart(4, '0') });
  const age = Object.assign(document.createElement('b'), { textContent: years(face.age) });
  const more = Object.assign(document.createElement('span'), { className: 'unseen', textContent: `${t`probably ${yearRange(face)}`}, ${name}` });
  button.append(time, hill(face), age, more);
  button.addEventListener('click', () => onChoose(key));
  item.append(button);
  return item;
}

function hill({ age, ageRange, ageDistribution: p }) {
  const top = Math.max(LEAST_TOP, ...p);
  const points = [...p].map((value, at) => `${at} ${(HEIGHT * (1 - value / top)).toFixed(2)}`);
  const [low, high] = ageRange.map((bound) => Math.max(0, Math.min(AGES - 1, Math.round(bound))));
  const area = (from, to) => `M${from} ${HEIGHT}L${points.slice(from, to + 1).join('L')}L${to} ${HEIGHT}Z`;
  return svg(
    ['path', { class: 'hill', d: area(0, AGES - 1) }],
    ['path', { class: 'range', d: area(low, high) }],
    ['path', { class: 'outline', d: `M${points.join('L')}` }],
    ['line', { class: 'mean', x1: age, x2: age, y1: 0, y2: HEIGHT }],
  );
}

function svg(...shapes) {
  const root = document.createElementNS(SVG, 'svg');
  const set = (element, attributes) => Object.entries(attributes).forEach(([name, value]) => element.setAttribute(name, value));
  set(root, { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  for (const [name, attributes] of shapes) {
    const shape = document.createElementNS(SVG, name);
    set(shape, attributes);
    root.append(shape);
  }
  return root;
}

/** The ages below the hills. */
function scale() {
  const [root, ticks] = ['div', 'div'].map((tag) => document.createElement(tag));
  Object.assign(root, { className: 'scale-of-ages', ariaHidden: 'true' });
  ticks.append(...TICKS.map((age) => {
    const tick = Object.assign(document.createElement('span'), { textContent: number(age) });
    tick.style.insetInlineStart = `${(100 * age) / WIDTH}%`;
    return tick;
  }));
  root.append(ticks);
  return root;
}
