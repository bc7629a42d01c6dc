// The rules of the entrance screen: what their file may say, who fits a rule, and when the content changes.
// Nothing here knows of a page, a camera or a clock.

const AGES = 100;

// Something else may be wanted for so long before a rule counts as broken: detectors blink.
const BLINK_MS = 300;

const MOST = { rules: 100, contents: 100, shapes: 40 };
const ID = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,39}$/u;
const COLOUR = /^#[0-9a-f]{6}$/i;
const TIME = /^([01][0-9]|2[0-3]):[0-5][0-9]$/;

// ---- what the file may say ----

/**
 * The fields of each part: to check a file by, and to make a form of. What is not `needed` has a `default`,
 * or does without.
 */
export const SETTINGS = {
  notice: { kind: 'text', label: 'Notice, in words of your own', from: 20, to: 500, long: true },
  idle: { kind: 'contents', label: 'Shown while nobody is there', needed: true },
  otherwise: { kind: 'content', label: 'Shown where no rule holds' },
  steadySeconds: { kind: 'number', label: 'A rule has to hold for so many seconds', from: 0.2, to: 60, default: 1 },
  minimumSeconds: { kind: 'number', label: 'A content stays for at least so many seconds', from: 1, to: 600, default: 8 },
  absentSeconds: { kind: 'number', label: 'Nobody has to be there for so many seconds', from: 0.5, to: 600, default: 4 },
  idleSeconds: { kind: 'number', label: 'Seconds of each content while nobody is there', from: 2, to: 3600, default: 15 },
  smallestFace: { kind: 'number', label: 'Smallest face, as a part of the picture’s width', from: 0, to: 1, default: 0.05 },
};

export const RULE = {
  name: { kind: 'text', label: 'Name', needed: true, from: 1, to: 80 },
  show: { kind: 'content', label: 'Shows', needed: true },
  who: { kind: 'choice', label: 'Who has to fit', of: { nearest: 'the nearest', anyone: 'anyone', everyone: 'everyone' }, default: 'nearest' },
  age: { kind: 'range', label: 'Age', from: 0, to: AGES - 1 },
  gender: { kind: 'choice', label: 'Gender', of: { any: 'any', female: 'female', male: 'male' }, default: 'any' },
  certainty: { kind: 'number', label: 'Certainty, 0 to 1', from: 0, to: 1, default: 0.5 },
  people: { kind: 'range', label: 'How many people', from: 1, to: 50 },
  time: { kind: 'times', label: 'Time of day' },
};

export const CONTENT = {
  title: { kind: 'text', label: 'Title', needed: true, from: 1, to: 120 },
  text: { kind: 'text', label: 'Text', from: 0, to: 600, long: true },
  background: { kind: 'colour', label: 'Background' },
  ink: { kind: 'colour', label: 'Letters' },
};

export const SHAPE = {
  kind: { kind: 'choice', label: 'Shape', of: { circle: 'circle', ring: 'ring', square: 'square', triangle: 'triangle', hill: 'hill', star: 'star' }, needed: true },
  x: { kind: 'number', label: 'From the left, %', from: -50, to: 150, needed: true },
  y: { kind: 'number', label: 'From above, %', from: -50, to: 150, needed: true },
  size: { kind: 'number', label: 'Size, %', from: 1, to: 200, needed: true },
  colour: { kind: 'colour', label: 'Colour' },
};

/** What is wrong with a value, as the end of a sentence; undefined where nothing is. */
const KINDS = {
  text: (value, { from, to }) => typeof value !== 'string' ? `is ${named(value)} and has to be text in quotes`
    : value.trim().length < from || value.length > to ? `has ${value.trim().length} characters and has to have ${from} to ${to}` : undefined,
  number: (value, { from, to }) => !isNumber(value) ? `is ${named(value)} and has to be a number`
    : value < from || value > to ? `is ${value} and has to be from ${from} to ${to}` : undefined,
  choice: (value, { of }) => typeof value === 'string' && Object.hasOwn(of, value) ? undefined
    : `is ${named(value)} and has to be one of ${Object.keys(of).map(named).join(', ')}`,
  range(value, { from, to }) {
    if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger)) {
      return `is ${named(value)} and has to be two whole numbers in brackets, such as [${from}, ${to}]`;
    }
    const [low, high] = value;
    if (low < from || high > to) return `is from ${low} to ${high} and has to lie within ${from} to ${to}`;
    return low > high ? `begins at ${low}, which is after its end, ${high}` : undefined;
  },
  times: (value) => Array.isArray(value) && value.length === 2 && value.every((it) => typeof it === 'string' && TIME.test(it)) ? undefined
    : `is ${named(value)} and has to be two times in brackets, such as ["08:00", "17:30"]`,
  colour: (value) => typeof value === 'string' && COLOUR.test(value) ? undefined : `is ${named(value)} and has to be a colour such as "#17604d"`,
  content: (value, _, contents) => typeof value !== 'string' ? `is ${named(value)} and has to be the name of a content`
    : Object.hasOwn(contents, value) ? undefined : `names ${named(value)}, which is not among the contents (${listed(Object.keys(contents))})`,
  contents(value, field, contents) {
    if (!Array.isArray(value) || value.length === 0) return `is ${named(value)} and has to be a list of at least one content`;
    return value.map((it) => KINDS.content(it, field, contents)).find(Boolean);
  },
};

/**
 * All that is wrong with a file: sentences that name the rule and the field, with the way to the value.
 *
 * @param {unknown} file
 * @returns {{ text: string, path: (string | number)[] }[]}
 */
export function check(file) {
  if (!isObject(file)) return [{ text: `The file is ${named(file)} and has to be an object in braces.`, path: [] }];
  const problems = [];
  const tell = (where, path, what) => problems.push({ text: `${where}, field “${path.at(-1)}”: ${what}.`, path });
  const contents = isObject(file.contents) ? file.contents : {};

  const part = (value, fields, where, path, others = []) => {
    if (!isObject(value)) {
      problems.push({ text: `${where} is ${named(value)} and has to be an object in braces.`, path });
      return;
    }
    const known = [...Object.keys(fields), ...others];
    for (const name of Object.keys(value)) {
      if (!known.includes(name)) tell(where, [...path, name], `is unknown; there are ${listed(known)}`);
    }
    for (const [name, field] of Object.entries(fields)) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      const wrong = given !== undefined ? KINDS[field.kind](given, field, contents) : field.needed ? 'is missing' : undefined;
      if (wrong) tell(where, [...path, name], wrong);
    }
  };

  part(file, SETTINGS, 'The file', [], ['rules', 'contents']);

  if (!Array.isArray(file.rules)) tell('The file', ['rules'], `is ${named(file.rules)} and has to be a list in brackets`);
  else if (file.rules.length > MOST.rules) tell('The file', ['rules'], `has ${file.rules.length} rules; ${MOST.rules} are the most`);
  else file.rules.forEach((rule, index) => part(rule, RULE, whichRule(rule, index), ['rules', index]));

  if (!isObject(file.contents)) tell('The file', ['contents'], `is ${named(file.contents)} and has to be an object in braces`);
  else if (Object.keys(contents).length > MOST.contents) tell('The file', ['contents'], `has ${Object.keys(contents).length} contents; ${MOST.contents} are the most`);
  for (const [id, content] of Object.entries(contents).slice(0, MOST.contents)) {
    const where = `Content “${id}”`;
    if (!ID.test(id)) tell('The file', ['contents', id], 'has to be a name of letters, digits, - and _, 40 at most');
    part(content, CONTENT, where, ['contents', id], ['shapes']);
    const shapes = isObject(content) ? content.shapes ?? [] : [];
    if (!Array.isArray(shapes)) tell(where, ['contents', id, 'shapes'], `is ${named(shapes)} and has to be a list in brackets`);
    else if (shapes.length > MOST.shapes) tell(where, ['contents', id, 'shapes'], `has ${shapes.length} shapes; ${MOST.shapes} are the most`);
    else shapes.forEach((shape, index) => part(shape, SHAPE, `${where}, shape ${index + 1}`, ['contents', id, 'shapes', index]));
  }
  return problems;
}

/**
 * The file in a text, and all that is wrong with it.
 *
 * @param {string} text
 */
export function parse(text) {
  try {
    const file = JSON.parse(text.replace(/^\uFEFF/, ''));
    return { file, problems: check(file) };
  } catch (error) {
    return { file: undefined, problems: [{ text: `The file is not JSON: ${error.message}.`, path: [] }] };
  }
}

export function whichRule(rule, index) {
  const named = typeof rule?.name === 'string' && rule.name.trim();
  return `Rule ${index + 1}${named ? ` (“${named}”)` : ''}`;
}

function named(value) {
  if (value === undefined) return 'missing';
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function listed(names) {
  return names.length > 0 ? names.join(', ') : 'there are none';
}

function isObject(value) {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isNumber(value) {
  return typeof value === 'number' && Number.isFinite(value);
}

// ---- who fits ----

/**
 * Somebody before the screen.
 *
 * @typedef {object} Person
 * @property {ArrayLike<number>} ages probability of each age from 0 to 99
 * @property {number} female probability
 * @property {number} width of the face, as a part of the picture's
 */

/**
 * Those who are near enough and whose first moments are over.
 *
 * @param {import('../mien.js').Result} result
 * @param {number} smallest width of a face, as a part of the picture's
 * @returns {Person[]}
 */
export function peopleIn({ faces, width }, smallest = SETTINGS.smallestFace.default) {
  return faces
    .filter(({ settled, box }) => settled && box[2] / width >= smallest)
    .map(({ ageDistribution, gender, box }) => ({ ages: ageDistribution, female: gender.female, width: box[2] / width }));
}

/**
 * Somebody made up, to try rules with: this age, four people in five within so many years of it.
 *
 * @param {{ age: number, years: number, female: number, width?: number }} as
 * @returns {Person}
 */
export function madeUp({ age, years, female, width = 0.2 }) {
  const deviation = Math.max(0.3, years / 1.2816); // four fifths of a normal distribution
  const ages = Array.from({ length: AGES }, (_, at) => Math.exp(-0.5 * ((at - age) / deviation) ** 2));
  const sum = ages.reduce((a, b) => a + b, 0);
  return { ages: ages.map((it) => it / sum), female, width };
}

/** How probable it is that somebody is of a rule's age and gender, by the network's own distribution. */
export function chance({ age, gender = RULE.gender.default }, { ages, female }) {
  const [low, high] = age ?? [0, AGES - 1];
  let sum = 0;
  for (let at = low; at <= high; at++) sum += ages[at];
  return Math.min(1, age ? sum : 1) * (gender === 'female' ? female : gender === 'male' ? 1 - female : 1);
}

/**
 * Why a rule does not hold, in words; undefined where it does.
 *
 * @param {Person[]} people
 * @param {number} minute of the day
 */
export function whyNot(rule, people, minute) {
  const { who = RULE.who.default, certainty = RULE.certainty.default, people: [few, many] = [RULE.people.from, RULE.people.to], time } = rule;
  if (people.length < few || people.length > many) {
    return `${people.length === 1 ? '1 person is' : `${people.length} people are`} there, and it asks for ${few === many ? few : `${few} to ${many}`}`;
  }
  if (time && !isWithin(time.map(minuteOf), minute)) return `it is ${clock(minute)}, and it asks for ${time.join(' to ')}`;
  const nearest = people.reduce((best, it) => (it.width > best.width ? it : best));
  const chances = (who === 'nearest' ? [nearest] : people).map((person) => chance(rule, person));
  const decides = who === 'anyone' ? Math.max(...chances) : Math.min(...chances);
  if (decides >= certainty) return undefined;
  const whom = { nearest: 'the nearest fits', anyone: 'the best of them fits', everyone: 'one of them fits' }[who];
  return `${whom} by ${Math.floor(100 * decides)}%, and it asks for ${Math.round(100 * certainty)}%`;
}

/**
 * The first rule that holds and what is to be shown; nothing where that is what is shown to nobody.
 *
 * @returns {{ content?: string, rule?: number }}
 */
export function decide({ rules, otherwise }, people, minute) {
  if (people.length === 0) return {};
  const rule = rules.findIndex((it) => whyNot(it, people, minute) === undefined);
  return rule >= 0 ? { content: rules[rule].show, rule } : { content: otherwise };
}

export function minuteOf(time) {
  const [hours, minutes] = time.split(':').map(Number);
  return 60 * hours + minutes;
}

function clock(minute) {
  return [Math.floor(minute / 60), minute % 60].map((it) => String(it).padStart(2, '0')).join(':');
}

// From the first minute to before the last one; over midnight where it begins later than it ends.
function isWithin([from, to], minute) {
  return from <= to ? minute >= from && minute < to : minute >= from || minute < to;
}

// ---- when the content changes ----

/**
 * Calm changes: a content is shown once its rule has held for a while, and stays for a while. What is shown
 * to nobody gives way at any time.
 */
export class Director {
  #file;
  #times;
  /** What has been wanted since when, and for how long something else has been wanted since. */
  #wanted = new Map();
  #last;
  #at;
  #shown = ''; // nobody's
  #since;
  #rule;
  #turn = 0;

  /** @param file one that `check` finds nothing wrong with @param {number} now in milliseconds */
  constructor(file, now) {
    this.#file = file;
    const seconds = ['steadySeconds', 'minimumSeconds', 'absentSeconds', 'idleSeconds'];
    this.#times = Object.fromEntries(seconds.map((name) => [name, 1000 * (file[name] ?? SETTINGS[name].default)]));
    this.#at = this.#since = now;
  }

  /**
   * @param {Person[]} people who are there now
   * @param {number} now in milliseconds, on a steady clock
   * @param {number} minute of the day
   * @returns {{ content: string, rule?: number, isIdle: boolean }} what is to be shown, and by which rule
   */
  see(people, now, minute) {
    const { content: wanted = '', rule } = decide(this.#file, people, minute);
    this.#note(wanted, now);
    if (wanted === this.#shown) {
      this.#rule = rule;
    } else {
      const { steadySeconds, absentSeconds, minimumSeconds } = this.#times;
      const isSteady = now - this.#wanted.get(wanted).since >= (people.length > 0 ? steadySeconds : absentSeconds);
      const isOver = this.#shown === '' || now - this.#since >= minimumSeconds;
      const isHeld = (this.#wanted.get(this.#shown)?.away ?? Infinity) <= BLINK_MS;
      if (isSteady && isOver && !isHeld) {
        this.#shown = wanted;
        this.#since = now;
        this.#rule = rule;
      }
    }
    if (this.#shown !== '') return { content: this.#shown, rule: this.#rule, isIdle: false };
    // Whose content is about to come is not shown another one before.
    const { idle } = this.#file;
    if (wanted === '') this.#turn = Math.floor((now - this.#since) / this.#times.idleSeconds) % idle.length;
    return { content: idle[this.#turn], isIdle: true };
  }

  // The time between two calls counts for what was wanted at the first.
  #note(wanted, now) {
    for (const [name, it] of this.#wanted) if (name !== this.#last) it.away += now - this.#at;
    const it = this.#wanted.get(wanted);
    if (it && it.away <= BLINK_MS) it.away = 0;
    else this.#wanted.set(wanted, { since: now, away: 0 });
    this.#last = wanted;
    this.#at = now;
  }
}
