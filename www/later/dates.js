// When a photo was taken: as its camera wrote, else as its file's name says, else when the file was last changed.

// Cameras write it near the file's beginning; WebP files have it at their end.
const LOOKED_AT = 2 ** 18;
// Tags of Exif 2.32: when a picture was taken; and when it was made a file, and that was changed, which of a scanned one is much later.
const TAKEN = 0x9003;
const MADE = [0x9004, 0x0132];
const EXIF_IFD = 0x8769;
const ASCII = 2;
// What looks like their beginning and is none may come by chance, and by malice at every byte.
const TRIES = 16;

/**
 * @typedef {object} Taken
 * @property {Date} date
 * @property {'day' | 'year'} to how precisely it is known
 * @property {'camera' | 'name' | 'file'} by what says so: a file is changed by much else than a camera
 */

/**
 * @param {File} file
 * @returns {Promise<Taken>}
 */
export async function taken(file) {
  const now = Date.now();
  const isPast = (date) => date && Number(date) <= now + 86_400_000; // a camera's clock may be in another zone
  const { at, made } = await byCamera(file);
  if (isPast(at)) return { date: at, to: 'day', by: 'camera' };
  const named = byName(file.name ?? '');
  if (named && (isPast(named.date) || (named.to === 'year' && named.date.getFullYear() <= new Date().getFullYear()))) return named;
  return { date: isPast(made) ? made : new Date(file.lastModified ?? now), to: 'day', by: 'file' };
}

/** When it was taken, and when it was made a file, as far as it says so. */
async function byCamera(file) {
  const found = {};
  for (const part of [file.slice(0, LOOKED_AT), file.slice(-LOOKED_AT)]) {
    let bytes;
    try {
      bytes = new DataView(await part.arrayBuffer());
    } catch {
      break; // it has been moved, or taken away
    }
    let tries = 0;
    for (let at = 0; at + 8 < bytes.byteLength && tries < TRIES && !found.at; at++) {
      const order = bytes.getUint32(at);
      if (order !== 0x49492a00 && order !== 0x4d4d002a) continue; // 'II*\0', 'MM\0*'
      tries += 1;
      const dates = inTiff(new DataView(bytes.buffer, at), order === 0x49492a00);
      found.at ??= dates.get(TAKEN);
      found.made ??= MADE.map((tag) => dates.get(tag)).find(Boolean);
    }
    if (found.at || file.size <= LOOKED_AT) break;
  }
  return found;
}

/** The dates in a TIFF's first directory and the one below it, by their tags; none in what is no TIFF, or where it is damaged. */
function inTiff(tiff, isLittle) {
  const found = new Map();
  const read = (directory) => {
    const count = tiff.getUint16(directory, isLittle);
    for (let at = directory + 2; at < directory + 2 + 12 * count; at += 12) {
      const tag = tiff.getUint16(at, isLittle);
      const value = tiff.getUint32(at + 8, isLittle);
      if (found.has(tag)) continue;
      if (tag === EXIF_IFD) {
        found.set(tag, undefined);
        within(() => read(value));
      } else if ((tag === TAKEN || MADE.includes(tag)) && tiff.getUint16(at + 2, isLittle) === ASCII) {
        within(() => found.set(tag, asDate(String.fromCharCode(...new Uint8Array(tiff.buffer, tiff.byteOffset + value, 19)))));
      }
    }
  };
  within(() => read(tiff.getUint32(4, isLittle)));
  return found;
}

/** What ends beyond the file is left out. */
function within(run) {
  try {
    run();
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
  }
}

/** '2019:05:03 14:02:11', by the clock of where it was. */
function asDate(text) {
  const [, ...parts] = /^(\d{4}):(\d\d):(\d\d) (\d\d):(\d\d):(\d\d)/.exec(text) ?? [];
  return dateOf(parts.map(Number));
}

/** 'IMG_20190503_140211.jpg', '2019-05-03.png', 'Grandma 1987.jpg'; not 'IMG_1987.jpg' and 'IMG (1987).jpg', which count, nor '1920 x 1080.png'. */
function byName(name) {
  const [, ...day] = /(?:^|\D)((?:18|19|20)\d\d)([-_.]?)(0[1-9]|1[0-2])\2(0[1-9]|[12]\d|3[01])(?:\D|$)/.exec(name) ?? [];
  const date = dateOf([day[0], day[2], day[3]].map(Number));
  if (date) return { date, to: 'day', by: 'name' };
  const [, year] = /\d\s*[x×]\s*\d/i.test(name) ? [] : /(?:^|\s)((?:18|19|20)\d\d)(?:[\s.,]|$)/.exec(name) ?? [];
  // Its middle, so that it is in order beside whole dates.
  return year ? { date: new Date(Number(year), 6, 1), to: 'year', by: 'name' } : undefined;
}

function dateOf([year, month, day, ...time]) {
  if (!(year > 1800)) return undefined;
  const date = new Date(year, month - 1, day, ...time);
  // 31 February is 3 March.
  return date.getMonth() === month - 1 && date.getDate() === day ? date : undefined;
}
