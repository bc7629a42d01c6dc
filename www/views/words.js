// What a result is called in words. Every sentence about a face comes from here.

/** Below this probability no gender is named. */
export const SURE = 0.7;
const CHILD = 16;

/** @typedef {import('../mien.js').Face} Face */

/** @param {Face} face */
export function isSure({ gender }) {
  return Math.max(gender.female, gender.male) >= SURE;
}

/** 'Woman', 'Man', 'Girl', 'Boy' or 'Unsure'. */
export function genderWord(face) {
  if (!isSure(face)) return 'Unsure';
  const child = face.age < CHILD;
  return face.gender.female > face.gender.male ? (child ? 'Girl' : 'Woman') : (child ? 'Boy' : 'Man');
}

/** 'Woman, 93%' or 'Unsure: female 58%, male 42%'. */
export function genderSentence(face) {
  const { female, male } = face.gender;
  if (!isSure(face)) return `Unsure: female ${percent(female)}, male ${percent(male)}`;
  return `${genderWord(face)}, ${percent(Math.max(female, male))}`;
}

export function years(age) {
  return String(Math.round(age));
}

export function yearRange({ ageRange: [low, high] }) {
  return `${Math.round(low)}–${Math.round(high)}`;
}

/** One face for a screen reader: 'woman, about 34, likely 27 to 41'. */
export function describe(face) {
  const who = isSure(face) ? genderWord(face).toLowerCase() : 'gender unsure';
  const [low, high] = face.ageRange.map(Math.round);
  return `${who}, about ${years(face.age)}, likely ${low} to ${high}`;
}

/** The plot in a sentence. */
export function describeDistribution({ ageDistribution, ageRange }) {
  const [low, high] = ageRange.map(Math.round);
  let peak = 0;
  ageDistribution.forEach((p, age) => {
    if (p > ageDistribution[peak]) peak = age;
  });
  return `Likely between ${low} and ${high}; the single likeliest age is ${peak}.`;
}

export function describeAll(faces) {
  if (faces.length === 0) return ''; // the status line says so
  return `Estimate: ${faces.map(describe).join('; ')}.`;
}

function percent(p) {
  return `${Math.round(100 * p)}%`;
}
