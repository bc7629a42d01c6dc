import { Distribution } from './distribution.js';
import { describeDistribution, genderSentence, isSure, yearRange, years } from './words.js';

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
   * @param {import('../mien.js').Face | null} face
   * @param {{ index: number, count: number }} place which of how many faces
   */
  show(face, { index, count } = { index: 0, count: 0 }) {
    this.#root.toggleAttribute('data-empty', !face);
    const { who, age, range, gender, scale, summary } = this.#parts;
    const text = face ? {
      who: count > 1 ? `Age, face ${index + 1} of ${count}` : 'Age',
      age: years(face.age),
      range: `likely ${yearRange(face)}`,
      gender: genderSentence(face),
      summary: describeDistribution(face),
    } : {
      who: 'Age', age: '–', range: 'No face yet', gender: 'Gender', summary: 'How likely each age is, once there is a face.',
    };
    for (const [name, value] of Object.entries(text)) {
      if (this.#parts[name].textContent !== value) this.#parts[name].textContent = value;
    }
    scale.style.width = face ? `${Math.round(100 * Math.max(face.gender.female, face.gender.male))}%` : '0';
    scale.classList.toggle('unsure', Boolean(face) && !isSure(face));
    this.#distribution.show(face);
  }
}
