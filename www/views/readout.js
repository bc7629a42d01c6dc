import { Distribution } from './distribution.js';
import { genderSentence, isSure, noted, summary, yearRange, years } from './words.js';

// A face's first numbers may be years off.
const UNSETTLED = { age: '…', range: 'One moment', gender: 'Gender', summary: 'How likely each age is, as soon as a few pictures agree.' };
const EMPTY = { who: 'Age', age: '–', range: 'No face yet', gender: 'Gender', summary: 'How likely each age is, once there is a face.' };

/** The panel of the chosen face: age, range, gender, distribution. */
export class Readout {
  #root;
  #parts;
  #distribution;

  constructor(root) {
    const part = (id) => root.querySelector(`#${id}`);
    this.#root = root;
    this.#parts = {
      who: part('who'), age: part('age'), range: part('range'),
      gender: part('gender'), scale: part('gender-scale'), summary: part('summary'),
    };
    this.#distribution = new Distribution(part('distribution'));
  }

  /**
   * @param {import('./overlay.js').Shown['face'] | null} face
   * @param {number} [number] which face it is, where there are several
   */
  show(face, number) {
    const who = number ? `Age of face ${number}` : 'Age';
    const isUnsettled = face?.settled === false;
    const range = face?.poor ?? UNSETTLED.range;
    if (isUnsettled) face = null;
    this.#root.toggleAttribute('data-empty', !face);
    const text = isUnsettled ? { who, ...UNSETTLED, range } : face ? {
      who,
      age: years(face.age),
      range: noted(`probably ${yearRange(face)}`, face),
      gender: genderSentence(face),
      summary: summary(face),
    } : EMPTY;
    for (const [name, value] of Object.entries(text)) {
      if (this.#parts[name].textContent !== value) this.#parts[name].textContent = value;
    }
    const { scale } = this.#parts;
    const width = face ? `${Math.round(100 * Math.max(face.gender.female, face.gender.male))}%` : '0%';
    if (scale.style.width !== width) scale.style.width = width;
    scale.classList.toggle('unsure', Boolean(face) && !isSure(face));
    this.#distribution.show(face);
  }
}
