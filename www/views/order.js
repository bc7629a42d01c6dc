// Which face is which: what they go by, their numbers, and which of them are to be seen.

/** What a face goes by from frame to frame: its track, or its place in the list for a photo. */
export function keyOf(face, index) {
  return face.id ?? index;
}

/** Faces as they are read: rows from above, in each from the left. */
export function byPlace(faces) {
  const at = faces.map((face) => ({ face, x: face.box[0] + face.box[2] / 2, y: face.box[1] + face.box[3] / 2, half: face.box[3] / 2 }));
  at.sort((a, b) => a.y - b.y);
  const rows = [];
  for (const it of at) {
    const row = rows.at(-1);
    if (row && it.y - row[0].y < Math.min(it.half, row[0].half) * 1.5) row.push(it);
    else rows.push([it]);
  }
  return rows.flatMap((row) => row.sort((a, b) => a.x - b.x)).map(({ face }) => face);
}

/** Numbers for tracks: each keeps its own, and one that is free for a while goes to the next newcomer. */
export class Numbers {
  #numbers = new Map(); // track -> { number, seen }
  static #KEPT_MS = 3000;

  /** @param {import('../mien.js').Face[]} faces @param {number} now */
  of(faces, now) {
    for (const { id } of faces) if (this.#numbers.has(id)) this.#numbers.get(id).seen = now;
    for (const [id, { seen }] of this.#numbers) if (now - seen > Numbers.#KEPT_MS) this.#numbers.delete(id);
    for (const { id } of faces) if (!this.#numbers.has(id)) this.#numbers.set(id, { number: this.#free(), seen: now });
    return faces.map(({ id }) => this.#numbers.get(id).number);
  }

  clear() {
    this.#numbers.clear();
  }

  #free() {
    const taken = new Set([...this.#numbers.values()].map(({ number }) => number));
    let number = 1;
    while (taken.has(number)) number += 1;
    return number;
  }
}
