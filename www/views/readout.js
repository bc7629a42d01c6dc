import { t } from '../language.js';
import { Distribution } from './distribution.js';
import { genderSentence, isSure, noted, summary, yearRange, years } from './words.js';

// A face's first numbers may be years off.
const unsettled = () => ({ age: '…', range: t`One moment`, gender: t`Gender`, summary: t`How likely each age is, as soon as a few pictures agree.` });
const empty = () => ({ who: t`Age`, age: '–', range: t`No face yet`, gender: t`Gender`, summary: t`How likely each age is, once there is a face.` });

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
    const who = number ? t`Age of face ${number}` : t`Age`;
    const isUnsettled = face?.settled === false;
    const poor = face?.poor;
    if (isUnsettled) face = null;
    this.#root.toggleAttribute('data-empty', !face);
    const text = isUnsettled ? { who, ...unsettled(), ...(poor && { range: poor }) } : face ? {
      who,
      age: years(face.age),
      range: noted(t`probably ${yearRange(face)}`, face),
      gender: genderSentence(face),
      summary: summary(face),
    } : empty();
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
