import { describe, genderWord, isSure, yearRange, years } from './words.js';

// A face narrower than this on the stage gets a label of one number.
const ROOM_FOR_WORDS = 76;
const MANY = 5;
const CHIP = { full: 46, brief: 30, gap: 6, edge: 6 }; // heights as in style.css

/** The frames over the picture: a button each, so that fingers and keyboards can choose a face. */
export class Overlay {
  #root;
  #onChoose;
  /** @type {Map<number, { button: HTMLButtonElement, chip: HTMLElement, title: HTMLElement, note: HTMLElement }>} */
  #marks = new Map();

  constructor(root, onChoose) {
    this.#root = root;
    this.#onChoose = onChoose;
  }

  /**
   * @param {import('../mien.js').Face[]} faces
   * @param {(box: number[]) => number[]} place from Stage.mapper
   * @param {number | undefined} chosen key of the chosen face
   */
  show(faces, place, chosen) {
    const keys = new Set(faces.map(keyOf));
    for (const [key, mark] of this.#marks) {
      if (keys.has(key)) continue;
      mark.button.remove();
      this.#marks.delete(key);
    }
    faces.forEach((face, index) => this.#draw(face, index, faces.length, place(face.box), chosen));
  }

  clear() {
    this.show([], () => [], undefined);
  }

  #draw(face, index, count, [x, y, width, height], chosen) {
    const key = keyOf(face, index);
    const { button, chip, title, note } = this.#mark(key);
    const { clientWidth, clientHeight } = this.#root;
    const isChosen = key === chosen;

    button.hidden = x + width < 8 || y + height < 8 || x > clientWidth - 8 || y > clientHeight - 8;
    Object.assign(button.style, { transform: `translate(${x.toFixed(1)}px, ${y.toFixed(1)}px)`, width: `${width.toFixed(1)}px`, height: `${height.toFixed(1)}px` });
    button.setAttribute('aria-pressed', String(isChosen));
    const label = `Face ${index + 1} of ${count}: ${describe(face)}`;
    if (button.getAttribute('aria-label') !== label) button.setAttribute('aria-label', label);

    const brief = !isChosen && count > 1 && (width < ROOM_FOR_WORDS || count > MANY);
    button.classList.toggle('brief', brief);
    const sure = isSure(face);
    setText(title, brief || !sure ? years(face.age) : `${genderWord(face)} · ${years(face.age)}`);
    setText(note, sure ? yearRange(face) : `${yearRange(face)} · gender unsure`);

    // Above the frame where there is room, else below it, else inside its top edge; never off the stage.
    const chipHeight = brief ? CHIP.brief : CHIP.full;
    const above = y >= chipHeight + CHIP.gap + CHIP.edge;
    const below = y + height + CHIP.gap + chipHeight + CHIP.edge <= clientHeight;
    const inside = Math.max(CHIP.edge - y, CHIP.gap);
    const chipY = above ? -chipHeight - CHIP.gap : below ? height + CHIP.gap : inside;
    const chipX = clamp(width / 2 - chip.offsetWidth / 2, CHIP.edge - x, clientWidth - CHIP.edge - x - chip.offsetWidth);
    chip.style.transform = `translate(${chipX.toFixed(1)}px, ${chipY.toFixed(1)}px)`;
  }

  #mark(key) {
    if (this.#marks.has(key)) return this.#marks.get(key);
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'face';
    const chip = document.createElement('span');
    chip.className = 'chip';
    const title = document.createElement('b');
    const note = document.createElement('small');
    chip.append(title, note);
    button.append(chip);
    button.addEventListener('click', () => this.#onChoose(key));
    this.#root.append(button);
    const mark = { button, chip, title, note };
    this.#marks.set(key, mark);
    return mark;
  }
}

/** What a face goes by from frame to frame: its track, or its place in the list for a photo. */
export function keyOf(face, index) {
  return face.id ?? index;
}

function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function clamp(value, low, high) {
  return Math.max(low, Math.min(high, value));
}
