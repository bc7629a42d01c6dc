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
  #covers = false;
  #size = [0, 0];

  /** @param {() => void} onResize the stage has another size, or the page's letters have */
  constructor(root, onResize) {
    const part = (id) => root.querySelector(`#${id}`);
    this.#root = root;
    this.#video = part('video');
    this.#photo = part('photo');
    this.#empty = part('empty');
    this.#trouble = {
      card: part('trouble'), title: part('trouble-title'), text: part('trouble-text'), action: part('trouble-action'),
    };
    // Asked for here and nowhere else: at each picture it would have the page laid out again.
    new ResizeObserver(([{ contentRect: { width, height } }]) => {
      this.#size = [width, height];
      onResize();
    }).observe(root);
  }

  get video() {
    return this.#video;
  }

  /** The canvas with the photo. */
  get photo() {
    return this.#photo;
  }

  /** Width and height in CSS pixels. */
  get size() {
    return this.#size;
  }

  /** 'video', 'photo', or null. */
  get shows() {
    return this.#shown === this.#video ? 'video' : this.#shown && 'photo';
  }

  get mirrored() {
    return this.#mirrored;
  }

  /** What is on the stage, to be drawn elsewhere. */
  get source() {
    return this.#shown;
  }

  showVideo(mirrored) {
    this.#show(this.#video, { mirrored, covers: true });
  }

  /**
   * @param {ImageBitmap} bitmap which is used up
   * @param {{ mirrored?: boolean, covers?: boolean }} [as] a frame of a video: as the video was
   */
  showPhoto(bitmap, { mirrored = false, covers = false } = {}) {
    const { width, height } = bitmap;
    Object.assign(this.#photo, { width, height });
    this.#photo.getContext('bitmaprenderer').transferFromImageBitmap(bitmap);
    this.#photo.classList.toggle('frozen', covers);
    this.#show(this.#photo, { mirrored, covers });
  }

  showEmpty() {
    this.#forget();
    this.#show(null);
  }

  /** A message in place of the picture, with at most one way out. */
  showTrouble({ title, text, action }) {
    this.showEmpty();
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
    const [stageWidth, stageHeight] = this.#size;
    const fit = this.#covers ? Math.max : Math.min;
    const scale = fit(stageWidth / width, stageHeight / height);
    const left = (stageWidth - width * scale) / 2;
    const top = (stageHeight - height * scale) / 2;
    return ([x, y, w, h]) => {
      const fromLeft = this.#mirrored ? width - x - w : x;
      return [left + fromLeft * scale, top + y * scale, w * scale, h * scale];
    };
  }

  /** Whether the middle of such a box is on the stage: a video that covers it is cut off at two sides. */
  holds([x, y, width, height]) {
    const [stageWidth, stageHeight] = this.#size;
    const [middle, centre] = [x + width / 2, y + height / 2];
    return middle >= 0 && middle <= stageWidth && centre >= 0 && centre <= stageHeight;
  }

  #forget() {
    this.#photo.getContext('bitmaprenderer').transferFromImageBitmap(null);
  }

  #show(element, { mirrored = false, covers = false } = {}) {
    this.#shown = element;
    this.#mirrored = mirrored;
    this.#covers = covers;
    this.#video.hidden = element !== this.#video;
    this.#photo.hidden = element !== this.#photo;
    this.#empty.hidden = element !== null;
    this.#trouble.card.hidden = true;
    this.#root.classList.toggle('mirrored', mirrored);
    this.#root.classList.toggle('filled', element !== null);
    this.#root.classList.toggle('filming', element === this.#video);
  }
}
