// Contents as they are seen: words and shapes, and one giving way to the next.

const FADE_MS = 1200;

// So many letters of a title fill a scene at full size, and a letter of the text takes this part of one's
// room: more of them are smaller.
const ROOM = 65;
const TEXT_PART = 0.225;

/**
 * A content, drawn.
 *
 * @param content of a file that is right
 * @param {string} heading 'h1' where it is the page's own
 */
export function draw({ title, text, background, ink, shapes = [] }, heading = 'h1') {
  const scene = made('article', 'scene');
  // By properties: the page's policy knows no styles in text.
  if (background) scene.style.backgroundColor = background;
  if (ink) scene.style.color = ink;
  scene.style.setProperty('--fit', Math.min(1, Math.sqrt(ROOM / (title.length + TEXT_PART * (text ?? '').length))).toFixed(3));
  const behind = made('div', 'shapes');
  behind.ariaHidden = 'true';
  for (const { kind, x, y, size, colour } of shapes) {
    const shape = made('i', `shape ${kind}`);
    Object.assign(shape.style, { left: `${x}%`, top: `${y}%`, width: `${size}cqmin` });
    if (colour) shape.style.color = colour;
    behind.append(shape);
  }
  const words = made('div', 'words');
  words.append(Object.assign(document.createElement(heading), { textContent: title }));
  if (text) words.append(Object.assign(document.createElement('p'), { textContent: text }));
  scene.append(behind, words);
  return scene;
}

/** Shows one scene at a time; the next comes over it. */
export class Scenes {
  #root;
  #shown;

  constructor(root) {
    this.#root = root;
  }

  show(content) {
    const before = this.#shown;
    this.#shown = draw(content);
    const gone = [...this.#root.children];
    this.#root.append(this.#shown);
    const leave = () => gone.forEach((it) => it.remove());
    if (!before || matchMedia('(prefers-reduced-motion: reduce)').matches) {
      leave();
      return;
    }
    before.ariaHidden = 'true';
    const fade = this.#shown.animate({ opacity: [0, 1] }, { duration: FADE_MS, easing: 'ease-in-out' });
    fade.finished.then(leave, leave);
  }
}

function made(tag, className) {
  return Object.assign(document.createElement(tag), { className });
}
