// The rules of the entrance screen: what their file may say, who fits a rule, and when the content changes.
// Nothing here knows of a page, a camera or a clock; of the page's language alone.

import { percent, t } from '../language.js';

const AGES = 100;

// Something else may be wanted for so long before a rule counts as broken: detectors blink.
const BLINK_MS = 300;

const MOST = { rules: 100, contents: 100, shapes: 40 };
const ID = /^[\p{L}\p{N}][\p{L}\p{N}_-]{0,39}$/u;
const COLOUR = /^#[0-9a-f]{6}$/i;
const TIME = /^([01][0-9]|2[0-3]):[0-5][0-9]$/;

// ---- what the file may say ----

// What may be chosen, and how it is said.
const WHO = { nearest: () => t`the nearest`, anyone: () => t`anyone`, everyone: () => t`everyone` };
const GENDERS = { any: () => t`any`, female: () => t`female`, male: () => t`male` };
const KINDS_OF_SHAPES = {
  circle: () => t`circle`, ring: () => t`ring`, square: () => t`square`, triangle: () => t`triangle`, hill: () => t`hill`, star: () => t`star`,
};

/**
 * The fields of each part: to check a file by, and to make a form of. What is not `needed` has a `default`,
 * or does without. Their labels are said when they are shown, since the language may come or change later.
 */
export const SETTINGS = {
  notice: { kind: 'text', label: () => t`Notice, in words of your own`, from: 20, to: 500, long: true },
  idle: { kind: 'contents', label: () => t`Shown while nobody is there`, needed: true },
  otherwise: { kind: 'content', label: () => t`Shown where no rule holds` },
  steadySeconds: { kind: 'number', label: () => t`A rule has to hold for so many seconds`, from: 0.2, to: 60, default: 1 },
  minimumSeconds: { kind: 'number', label: () => t`A content stays for at least so many seconds`, from: 1, to: 600, default: 8 },
  absentSeconds: { kind: 'number', label: () => t`Nobody has to be there for so many seconds`, from: 0.5, to: 600, default: 4 },
  idleSeconds: { kind: 'number', label: () => t`Seconds of each content while nobody is there`, from: 2, to: 3600, default: 15 },
  smallestFace: { kind: 'number', label: () => t`Smallest face, as a part of the picture’s width`, from: 0, to: 1, default: 0.05 },
};

export const RULE = {
  name: { kind: 'text', label: () => t`Name`, needed: true, from: 1, to: 80 },
  show: { kind: 'content', label: () => t`Shows`, needed: true },
  who: { kind: 'choice', label: () => t`Who has to fit`, of: WHO, default: 'nearest' },
  age: { kind: 'range', label: () => t`Age`, from: 0, to: AGES - 1 },
  gender: { kind: 'choice', label: () => t`Gender`, of: GENDERS, default: 'any' },
  certainty: { kind: 'number', label: () => t`Certainty, 0 to 1`, from: 0, to: 1, default: 0.5 },
  people: { kind: 'range', label: () => t`How many people`, from: 1, to: 50 },
  time: { kind: 'times', label: () => t`Time of day` },
};

export const CONTENT = {
  title: { kind: 'text', label: () => t`Title`, needed: true, from: 1, to: 120 },
  text: { kind: 'text', label: () => t`Text`, from: 0, to: 600, long: true },
  background: { kind: 'colour', label: () => t`Background` },
  ink: { kind: 'colour', label: () => t`Letters` },
};

export const SHAPE = {
  kind: { kind: 'choice', label: () => t`Shape`, of: KINDS_OF_SHAPES, needed: true },
  x: { kind: 'number', label: () => t`From the left, %`, from: -50, to: 150, needed: true },
  y: { kind: 'number', label: () => t`From above, %`, from: -50, to: 150, needed: true },
  size: { kind: 'number', label: () => t`Size, %`, from: 1, to: 200, needed: true },
  colour: { kind: 'colour', label: () => t`Colour` },
};

/**
 * What is wrong with a value, as a sentence; undefined where nothing is. Whole sentences, since languages have other orders. What the file
 * has, and may have, is named as it stands there: its numbers have no marks of a language.
 *
 * @typedef {object} Place
 * @property {() => string} where the value is: a rule, say, which is named only where something is wrong with it
 * @property {string} name of the field
 * @property {object} contents of the file
 */
const KINDS = {
  text(value, { from, to }, { where, name }) {
    if (typeof value !== 'string') return t`${where()}, field “${name}”: is ${named(value)} and has to be text in quotes.`;
    const { length } = value.trim();
    if (length >= from && value.length <= to) return undefined;
    return t`${where()}, field “${name}”: has ${named(length)} characters and has to have ${named(from)} to ${named(to)}.`;
  },
  number: (value, { from, to }, { where, name }) => !isNumber(value) ? t`${where()}, field “${name}”: is ${named(value)} and has to be a number.`
    : value < from || value > to ? t`${where()}, field “${name}”: is ${named(value)} and has to be from ${named(from)} to ${named(to)}.` : undefined,
  choice: (value, { of }, { where, name }) => typeof value === 'string' && Object.hasOwn(of, value) ? undefined
    : t`${where()}, field “${name}”: is ${named(value)} and has to be one of ${Object.keys(of).map(named).join(', ')}.`,
  range(value, { from, to }, { where, name }) {
    if (!Array.isArray(value) || value.length !== 2 || !value.every(Number.isInteger)) {
      return t`${where()}, field “${name}”: is ${named(value)} and has to be two whole numbers in brackets, such as [${named(from)}, ${named(to)}].`;
    }
    const [low, high] = value;
    if (low < from || high > to) {
      return t`${where()}, field “${name}”: is from ${named(low)} to ${named(high)} and has to lie within ${named(from)} to ${named(to)}.`;
    }
    return low > high ? t`${where()}, field “${name}”: begins at ${named(low)}, which is after its end, ${named(high)}.` : undefined;
  },
  times: (value, _, { where, name }) => Array.isArray(value) && value.length === 2 && value.every((it) => typeof it === 'string' && TIME.test(it)) ? undefined
    : t`${where()}, field “${name}”: is ${named(value)} and has to be two times in brackets, such as ["08:00", "17:30"].`,
  colour: (value, _, { where, name }) => typeof value === 'string' && COLOUR.test(value) ? undefined
    : t`${where()}, field “${name}”: is ${named(value)} and has to be a colour such as "#17604d".`,
  content(value, _, { where, name, contents }) {
    if (typeof value !== 'string') return t`${where()}, field “${name}”: is ${named(value)} and has to be the name of a content.`;
    if (Object.hasOwn(contents, value)) return undefined;
    return t`${where()}, field “${name}”: names ${named(value)}, which is not among the contents (${listed(Object.keys(contents))}).`;
  },
  contents(value, field, place) {
    if (Array.isArray(value) && value.length > 0) return value.map((it) => KINDS.content(it, field, place)).find(Boolean);
    return t`${place.where()}, field “${place.name}”: is ${named(value)} and has to be a list of at least one content.`;
  },
};

// What a field has to be that holds other parts.
const noObject = (value, where, name) => value === undefined ? t`${where()}, field “${name}”: is missing and has to be an object in braces.`
  : t`${where()}, field “${name}”: is ${named(value)} and has to be an object in braces.`;
const noList = (value, where, name) => value === undefined ? t`${where()}, field “${name}”: is missing and has to be a list in brackets.`
  : t`${where()}, field “${name}”: is ${named(value)} and has to be a list in brackets.`;

/**
 * All that is wrong with a file: sentences that name the rule and the field, with the way to the value.
 *
 * @param {unknown} file
 * @returns {{ text: string, path: (string | number)[] }[]}
 */
export function check(file) {
  const inFile = () => t`The file`;
  const problems = [];
  const tell = (text, ...path) => problems.push({ text, path });
  const tellNoObject = (value, where, path) => tell(t`${where()} is ${named(value)} and has to be an object in braces.`, ...path);
  if (!isObject(file)) {
    tellNoObject(file, inFile, []);
    return problems;
  }
  const contents = isObject(file.contents) ? file.contents : {};

  const part = (value, fields, where, path, others = []) => {
    if (!isObject(value)) {
      tellNoObject(value, where, path);
      return;
    }
    const known = [...Object.keys(fields), ...others];
    for (const name of Object.keys(value)) {
      if (!known.includes(name)) tell(t`${where()}, field “${name}”: is unknown; there are ${listed(known)}.`, ...path, name);
    }
    for (const [name, field] of Object.entries(fields)) {
      const given = Object.hasOwn(value, name) ? value[name] : undefined;
      const wrong = given !== undefined ? KINDS[field.kind](given, field, { where, name, contents })
        : field.needed ? t`${where()}, field “${name}”: is missing.` : undefined;
      if (wrong) tell(wrong, ...path, name);
    }
  };

  part(file, SETTINGS, inFile, [], ['rules', 'contents']);

  const { rules } = file;
  if (!Array.isArray(rules)) tell(noList(rules, inFile, 'rules'), 'rules');
  else if (rules.length > MOST.rules) {
    tell(t`${inFile()}, field “${'rules'}”: has ${named(rules.length)} rules; ${named(MOST.rules)} are the most.`, 'rules');
  } else {
    rules.forEach((rule, index) => part(rule, RULE, () => whichRule(rule, index), ['rules', index]));
  }

  const entries = Object.entries(contents);
  if (!isObject(file.contents)) tell(noObject(file.contents, inFile, 'contents'), 'contents');
  else if (entries.length > MOST.contents) {
    tell(t`${inFile()}, field “${'contents'}”: has ${named(entries.length)} contents; ${named(MOST.contents)} are the most.`, 'contents');
  }
  for (const [id, content] of entries.slice(0, MOST.contents)) {
    const where = () => t`Content “${id}”`;
    const path = ['contents', id];
    if (!ID.test(id)) tell(t`${inFile()}, field “${id}”: has to be a name of letters, digits, - and _, 40 at most.`, ...path);
    part(content, CONTENT, where, path, ['shapes']);
    const shapes = isObject(content) ? content.shapes ?? [] : [];
    if (!Array.isArray(shapes)) tell(noList(shapes, where, 'shapes'), ...path, 'shapes');
    else if (shapes.length > MOST.shapes) {
      tell(t`${where()}, field “${'shapes'}”: has ${named(shapes.length)} shapes; ${named(MOST.shapes)} are the most.`, ...path, 'shapes');
    } else {
      shapes.forEach((shape, index) => part(shape, SHAPE, () => t`Content “${id}”, shape ${index + 1}`, [...path, 'shapes', index]));
    }
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
    return { file: undefined, problems: [{ text: t`The file is not JSON: ${error.message}.`, path: [] }] };
  }
}

export function whichRule(rule, index) {
  const name = typeof rule?.name === 'string' && rule.name.trim();
  return name ? t`Rule ${index + 1} (“${name}”)` : t`Rule ${index + 1}`;
}

/** A value as it stands in the file. */
function named(value) {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

function listed(names) {
  return names.length > 0 ? names.join(', ') : t`there are none`;
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
 * Why a rule does not hold, in words: a part of a sentence; undefined where it does.
 *
 * @param {Person[]} people
 * @param {number} minute of the day
 */
export function whyNot(rule, people, minute) {
  return obstacle(rule, people, minute)?.();
}

/** What says it; the screen asks for every picture, and wants no words. */
function obstacle(rule, people, minute) {
  const { who = RULE.who.default, certainty = RULE.certainty.default, people: [few, many] = [RULE.people.from, RULE.people.to], time } = rule;
  if (people.length < few || people.length > many) {
    const asked = () => few === many ? String(few) : t`${few} to ${many}`;
    return () => people.length === 1 ? t`1 person is there, and it asks for ${asked()}` : t`${people.length} people are there, and it asks for ${asked()}`;
  }
  if (time && !isWithin(time.map(minuteOf), minute)) return () => t`it is ${clock(minute)}, and it asks for ${t`${time[0]} to ${time[1]}`}`;
  const nearest = people.reduce((best, it) => (it.width > best.width ? it : best));
  const chances = (who === 'nearest' ? [nearest] : people).map((person) => chance(rule, person));
  const decides = who === 'anyone' ? Math.max(...chances) : Math.min(...chances);
  if (decides >= certainty) return undefined;
  return () => {
    const [part, asked] = [percent(Math.floor(100 * decides) / 100), percent(certainty)];
    if (who === 'nearest') return t`the nearest fits by ${part}, and it asks for ${asked}`;
    return who === 'anyone' ? t`the best of them fits by ${part}, and it asks for ${asked}` : t`one of them fits by ${part}, and it asks for ${asked}`;
  };
}

/**
 * The first rule that holds and what is to be shown; nothing where that is what is shown to nobody.
 *
 * @returns {{ content?: string, rule?: number }}
 */
export function decide({ rules, otherwise }, people, minute) {
  if (people.length === 0) return {};
  const rule = rules.findIndex((it) => !obstacle(it, people, minute));
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
