// What a result is called in words. Every sentence about a face comes from here.

import { joined, number, percent, range, t } from '../language.js';

/**
 * A gender is named where the network gives it at least this probability, and of a child at least that
 * one. On test pictures the default network is then right about 98 of 100
 * (docs/page.md).
 */
export const SURE = 0.8;
export const SURE_OF_CHILD = 0.9;

// Below this age somebody is called a child; above it 'young' is said while the range reaches below 18.
const CHILD = 13;
const GROWN = 18;
const ADULT = 20;

/** @typedef {import('../mien.js').Face} Face */

/** Whether no gender is named at all: the visitor's wish. */
export let ageOnly = false;

/** @param {boolean} isWished */
export function showAgeOnly(isWished) {
  ageOnly = isWished;
}

/** True where a gender is named. @param {Face} face */
export function isSure({ age, gender }) {
  return Math.max(gender.female, gender.male) >= (age < CHILD ? SURE_OF_CHILD : SURE);
}

/**
 * 'Girl', 'Child', 'Young woman', 'Woman', 'Man', ... and 'Person' where no gender is named.
 *
 * @param {Face} face
 */
export function word(face) {
  const text = noun(face);
  return text[0].toUpperCase() + text.slice(1);
}

function noun(face) {
  const [woman, man, neither] = face.age < CHILD ? [t`girl`, t`boy`, t`child`]
    : face.ageRange[0] < GROWN ? [t`young woman`, t`young man`, t`young person`] : [t`woman`, t`man`, t`person`];
  return ageOnly || !isSure(face) ? neither : face.gender.female > face.gender.male ? woman : man;
}

/** 'Woman, 93%', or 'Not sure: female 58%, male 42%'; nothing for those who wish for ages only. */
export function genderSentence(face) {
  if (ageOnly) return '';
  const { female, male } = face.gender;
  if (!isSure(face)) return t`Not sure: female ${chance(female)}, male ${chance(male)}`;
  return t`${word(face)}, ${chance(Math.max(female, male))}`;
}

export function years(age) {
  return number(Math.round(age));
}

export function yearRange({ ageRange: [low, high] }) {
  return range(Math.round(low), Math.round(high));
}

/** What the range means, and where the distribution has two hills, what these are. */
export function summary(face) {
  return joined(face.hills && hillsSentence(face), rangeSentence(face));
}

function hillsSentence({ hills }) {
  const [younger, older] = hills.map(({ age }) => (age < CHILD ? t`a child` : age < ADULT ? t`a teenager` : t`an adult`));
  const [first, second] = hills.map(({ age }) => years(age));
  return younger === older ? t`Either about ${first}, or about ${second}.` : t`Either ${younger} of about ${first}, or ${older} of about ${second}.`;
}

export function rangeSentence({ ageRange: [low, high] }) {
  return t`4 of 5 people with this result are between ${Math.round(low)} and ${Math.round(high)}.`;
}

/** With a word on the face's picture where that is poor (later/quality.js). */
export function noted(text, { poor }) {
  return poor ? t`${text} · ${poor}` : text;
}

/** One face for a screen reader: 'woman, about 34, probably 27 to 41'. */
export function describe(face) {
  if (face.settled === false) return face.poor ?? t`one moment`; // its first numbers may be years off
  const [low, high] = face.ageRange.map(Math.round);
  return noted(t`${noun(face)}, about ${years(face.age)}, probably ${low} to ${high}`, face);
}

export function describeAll(faces) {
  const settled = faces.filter((face) => face.settled !== false);
  if (settled.length === 0) return ''; // the status line says so
  return t`Guess: ${settled.map(describe).join('; ')}.`;
}

/** '93%', and never more than there is to know. */
export function chance(p) {
  return p > 0.99 ? t`over ${percent(0.99)}` : p < 0.01 ? t`under ${percent(0.01)}` : percent(p);
}
