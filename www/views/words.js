// What a result is called in words. Every sentence about a face comes from here.

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
  const [woman, man, neither] = face.age < CHILD ? ['girl', 'boy', 'child'] : ['woman', 'man', 'person'];
  const noun = !isSure(face) ? neither : face.gender.female > face.gender.male ? woman : man;
  const text = face.age >= CHILD && face.ageRange[0] < GROWN ? `young ${noun}` : noun;
  return text[0].toUpperCase() + text.slice(1);
}

/** 'Woman, 93%', or 'Not sure: female 58%, male 42%'. */
export function genderSentence(face) {
  const { female, male } = face.gender;
  if (!isSure(face)) return `Not sure: female ${percent(female)}, male ${percent(male)}`;
  return `${word(face)}, ${percent(Math.max(female, male))}`;
}

export function years(age) {
  return String(Math.round(age));
}

export function yearRange({ ageRange: [low, high] }) {
  return `${Math.round(low)}–${Math.round(high)}`;
}

/** What the range means, and where the distribution has two hills, what these are. */
export function summary(face) {
  return face.hills ? `${hillsSentence(face)} ${rangeSentence(face)}` : rangeSentence(face);
}

function hillsSentence({ hills }) {
  const [younger, older] = hills.map(({ age }) => (age < CHILD ? 'a child' : age < ADULT ? 'a teenager' : 'an adult'));
  const [first, second] = hills.map(({ age }) => years(age));
  return younger === older ? `Either about ${first}, or about ${second}.` : `Either ${younger} of about ${first}, or ${older} of about ${second}.`;
}

export function rangeSentence({ ageRange: [low, high] }) {
  return `4 of 5 people with this result are between ${Math.round(low)} and ${Math.round(high)}.`;
}

/** With a word on the face's picture where that is poor (later/quality.js). */
export function noted(text, { poor }) {
  return poor ? `${text} · ${poor}` : text;
}

/** One face for a screen reader: 'woman, about 34, probably 27 to 41'. */
export function describe(face) {
  if (face.settled === false) return face.poor ?? 'one moment'; // its first numbers may be years off
  const [low, high] = face.ageRange.map(Math.round);
  return noted(`${word(face).toLowerCase()}, about ${years(face.age)}, probably ${low} to ${high}`, face);
}

export function describeAll(faces) {
  const settled = faces.filter((face) => face.settled !== false);
  if (settled.length === 0) return ''; // the status line says so
  return `Guess: ${settled.map(describe).join('; ')}.`;
}

/** '93%', and never more than there is to know. */
export function percent(p) {
  return p > 0.99 ? 'over 99%' : p < 0.01 ? 'under 1%' : `${Math.round(100 * p)}%`;
}
