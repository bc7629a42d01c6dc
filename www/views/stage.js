// The stage: the one picture of the page, a video or a photo, or the empty state, or trouble.

/** Shows things on the stage and knows where the picture lies on it. */
export class Stage {
  #root;
  #video;
  #photo;
  #empty;
  #trouble;
  #shown = null;
  #mirrored = false;

  constructor(root) {
    const part = (id) => root.querySelector(`#${id}`);
    this.#root = root;
    this.#video = part('video');
    this.#photo = part('photo');
    this.#empty = part('empty');
    this.#trouble = {
      card: part('trouble'), title: part('trouble-title'), text: part('trouble-text'), action: part('trouble-action'),
    };
  }

  get video() {
    return this.#video;
  }

  showVideo(mirrored) {
    this.#mirrored = mirrored;
    this.#root.classList.toggle('mirrored', mirrored);
    this.#show(this.#video);
  }

  /** @param {Blob} blob */
  async showPhoto(blob) {
    this.#mirrored = false;
    this.#root.classList.remove('mirrored');
    const former = this.#photo.src;
    this.#photo.src = URL.createObjectURL(blob);
    if (former) URL.revokeObjectURL(former);
    this.#show(this.#photo);
    await this.#photo.decode().catch(() => {}); // the estimate says what is wrong with it
  }

  showEmpty() {
    this.#show(null);
  }

  /** A message in place of the picture, with at most one way out. */
  showTrouble({ title, text, action }) {
    this.#show(null);
    this.#empty.hidden = true;
    const { card, title: heading, text: body, action: button } = this.#trouble;
    heading.textContent = title;
    body.textContent = text;
    button.hidden = !action;
    if (action) {
      button.textContent = action.label;
      button.onclick = action.run;
    }
    card.hidden = false;
  }

  /**
   * Where source pixels lie on the stage: [x, y, width, height] of the source -> of the stage, in CSS pixels.
   * A video covers the stage, a photo is contained in it; the same rule as object-fit in style.css.
   */
  mapper({ width, height }) {
    const { clientWidth, clientHeight } = this.#root;
    const fit = this.#shown === this.#video ? Math.max : Math.min;
    const scale = fit(clientWidth / width, clientHeight / height);
    const left = (clientWidth - width * scale) / 2;
    const top = (clientHeight - height * scale) / 2;
    return ([x, y, w, h]) => {
      const fromLeft = this.#mirrored ? width - x - w : x;
      return [left + fromLeft * scale, top + y * scale, w * scale, h * scale];
    };
  }

  #show(element) {
    this.#shown = element;
    this.#video.hidden = element !== this.#video;
    this.#photo.hidden = element !== this.#photo;
    this.#empty.hidden = element !== null;
    this.#trouble.card.hidden = true;
    this.#root.classList.toggle('filled', element !== null);
    this.#root.classList.toggle('filming', element === this.#video);
  }
}
