// Several photos: read one after the other, each to be seen again by its place in a strip.

import { joined, t } from '../language.js';
import { later } from '../lib/sealed.js';
import { byPlace } from '../views/order.js';
import { readPicture } from '../views/photo.js';
import { years } from '../views/words.js';
import { SIDE, Strip } from './strip.js';

/** @typedef {{ file: Blob, name: string, result?: import('../mien.js').Result, error?: Error }} Entry */

export class Album {
  #parent;
  #mien;
  #on;
  #strip;
  /** The button for the line of hills, and the line. */
  #button;
  #years;
  /** @type {Entry[]} */
  #entries = [];
  #at = -1;
  /** The last that was asked for. */
  #wanted;
  #closed = false;
  #ending = new AbortController();

  /**
   * @param {HTMLElement} parent
   * @param {import('../mien.js').Mien} mien
   * @param {{ onShow: (shown: { picture: ImageBitmap, result: import('../mien.js').Result, file: Blob }) => void,
   *           onTell: (text: string) => void }} on
   */
  constructor(parent, mien, on) {
    this.#parent = parent;
    this.#mien = mien;
    this.#on = on;
    this.#strip = new Strip(parent, t`Photos`, (index) => this.#choose(index));
  }

  /** @param {Blob[]} files */
  async read(files) {
    this.#entries = files.map((file, index) => ({ file, name: file.name || t`Picture ${index + 1}` }));
    this.#show();
    for (const [index, entry] of this.#entries.entries()) {
      if (this.#closed) return;
      this.#on.onTell(t`Reading picture ${index + 1} of ${files.length}…`);
      try {
        const { full, shown } = await readPicture(entry.file);
        thumbnail(this.#strip.canvas(index), shown);
        entry.result = await this.#mien.estimate(full, { transfer: true }).finally(() => full.close());
        if (this.#closed) return;
        // The first that can be seen is seen.
        if (this.#at < 0) this.#reveal(index, shown);
        else shown.close();
      } catch (error) {
        if (this.#closed) return;
        if (error.code !== 'bad-picture') throw error;
        entry.error = error;
      }
      this.#show();
    }
    if (this.#at < 0) throw this.#entries[0].error;
    this.#on.onTell(this.#summary());
    if (this.#withFaces().length > 1) this.#offerYears();
  }

  close() {
    this.#closed = true;
    this.#ending.abort();
    this.#strip.close();
    this.#button?.remove();
    this.#years?.remove();
  }

  #withFaces() {
    return this.#entries.flatMap(({ file, name, result }, key) => {
      const face = largest(result?.faces ?? []);
      return face ? [{ key, file, name, face, isOneOf: result.faces.length }] : [];
    });
  }

  /** One person's photos through the years: a button that opens and closes them. */
  #offerYears() {
    const button = Object.assign(document.createElement('button'), { type: 'button', className: 'button', textContent: t`All by date, as of one person`, ariaExpanded: 'false' });
    button.addEventListener('click', async () => {
      const isOpen = button.ariaExpanded === 'true';
      button.ariaExpanded = String(!isOpen);
      if (this.#years) {
        this.#years.hidden = isOpen;
        return;
      }
      button.disabled = true;
      try {
        const { linesOfHills } = await later('later/years.js');
        const years = await linesOfHills(this.#withFaces(), (index) => this.#choose(index));
        if (this.#closed) return;
        this.#years = years;
        button.after(years);
        this.#show();
        // Dates and ranges are not said again by themselves.
        addEventListener('spoken', async () => {
          const again = await linesOfHills(this.#withFaces(), (index) => this.#choose(index));
          again.hidden = this.#years.hidden;
          this.#years.replaceWith(again);
          this.#years = again;
          this.#show();
        }, { signal: this.#ending.signal });
      } catch (error) {
        button.ariaExpanded = 'false';
        if (!this.#closed) this.#on.onTell(t(error.message));
      } finally {
        button.disabled = false;
        // Which it has lost by that, and nobody else has it since.
        if (document.activeElement === document.body) button.focus();
      }
    });
    this.#button = button;
    this.#parent.append(button);
  }

  async #choose(index) {
    const entry = this.#entries[index];
    if (entry.error) this.#on.onTell(t`${entry.name}: ${t(entry.error.message)}`);
    if (!entry.result) return;
    this.#wanted = index;
    let read;
    try {
      read = await readPicture(entry.file);
    } catch (error) {
      // It was there before; it may have been moved since.
      if (!this.#closed) this.#on.onTell(t`${entry.name}: ${t(error.message)}`);
      return;
    }
    const { full, shown } = read;
    full.close();
    if (this.#closed || this.#wanted !== index) return shown.close();
    this.#reveal(index, shown);
    this.#on.onTell(t`${entry.name}: ${faces(entry.result.faces.length)}.`);
  }

  #reveal(index, picture) {
    this.#at = index;
    const { result, file } = this.#entries[index];
    this.#on.onShow({ picture, result, file });
    this.#show();
  }

  #show() {
    this.#strip.show(this.#entries.map(({ name, result, error }, key) => {
      const ages = result && byPlace(result.faces).map(({ age }) => years(age));
      const text = error ? t`unread` : !ages ? '…' : ages.length === 0 ? t`no face` : ages.length > 3 ? faces(ages.length) : ages.join(', ');
      const said = error ? t(error.message) : !ages ? t`waiting` : ages.length === 0 ? t`no face` : t`${faces(ages.length)}, about ${ages.join(', ')}`;
      return { key, text, label: t`${text}, ${name}: ${said}`, dim: Boolean(error) || !result };
    }), this.#at);
    for (const row of this.#years?.querySelectorAll('[data-key]') ?? []) row.ariaCurrent = row.dataset.key === String(this.#at) ? 'true' : null;
  }

  #summary() {
    const read = this.#entries.filter(({ result }) => result);
    const unread = this.#entries.length - read.length;
    const total = read.reduce((sum, { result }) => sum + result.faces.length, 0);
    return joined(
      t`${read.length} pictures, ${faces(total)}.`,
      unread > 0 && (unread === 1 ? t`${unread} could not be read: tap it to see why.` : t`${unread} could not be read: tap one to see why.`),
    );
  }
}

function faces(count) {
  return count === 1 ? t`one face` : t`${count} faces`;
}

function largest(faces) {
  const area = ({ box: [, , width, height] }) => width * height;
  return faces.reduce((best, face) => (!best || area(face) > area(best) ? face : best), undefined);
}

/** The middle of a picture. */
function thumbnail(canvas, picture) {
  const { width, height } = picture;
  const side = Math.min(width, height);
  canvas?.getContext('2d').drawImage(picture, (width - side) / 2, (height - side) / 2, side, side, 0, 0, SIDE, SIDE);
}
