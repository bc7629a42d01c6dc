// The editor of the entrance screen's rules: a form made of the fields that rules.js knows, what is wrong in
// words, and made-up people to try the rules with.

import { language, LANGUAGES, speak, t } from '../language.js';
import { check, CONTENT, decide, madeUp, minuteOf, parse, RULE, SETTINGS, SHAPE, whichRule, whyNot } from './rules.js';
import { draw } from './scene.js';

const $ = (id) => document.getElementById(id);

/** What there is where the site has no file: in the language that is spoken then, and the writer's own from then on. */
const FIRST = () => ({
  idle: ['welcome'],
  rules: [],
  contents: { welcome: { title: t`A warm welcome`, text: t`Come closer, and something else is shown here.` } },
});
const NEW_RULE = (contents) => ({ name: t`New rule`, age: [0, 99], show: contents[0] ?? '' });
const NEW_SHAPE = { kind: 'circle', x: 80, y: 40, size: 30 };
const LARGEST_FILE = 1 << 20;
const WIDTH = 0.2; // of the nearest face; each after it is a little smaller

let file = FIRST();
let isSaved = true;
/** What there was before anything was opened. */
const untouched = file;

// ---- building ----

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** @param {string} [name] for those who don't see what it stands beside @param {object} [marks] to be found by, in any language */
function button(text, run, name, marks = {}, isOff = false) {
  const it = made('button', { type: 'button', className: 'small', textContent: text, disabled: isOff });
  if (name) it.ariaLabel = name;
  Object.assign(it.dataset, marks);
  it.addEventListener('click', run);
  return it;
}

const key = (path) => path.join('/');
const isObject = (value) => typeof value === 'object' && value !== null && !Array.isArray(value);
const rulesOf = () => (Array.isArray(file.rules) ? file.rules : []);
const contentsOf = () => (isObject(file.contents) ? file.contents : {});
const shapesOf = (content) => (Array.isArray(content.shapes) ? content.shapes : []);

/**
 * Inputs for one field of an object of the file.
 *
 * @param part the object @param {string} name of the field @param {(string | number)[]} path to the object
 */
function control(part, name, field, path) {
  const at = [...path, name];
  const label = field.label();
  const value = Object.hasOwn(part, name) ? part[name] : undefined;
  const set = (next) => {
    if (next === undefined) delete part[name];
    else part[name] = next;
    changed();
  };
  const marked = (input) => {
    input.dataset.path = key(at);
    return input;
  };
  // The words in an element of their own: beside a menu they would be one text with what can be chosen (translate.js).
  const labelled = (input) => made('label', { className: `field${field.long ? ' long' : ''}` }, made('span', { textContent: label }), marked(input));
  const group = (...children) => made('fieldset', { className: 'field' }, made('legend', { textContent: label }), ...children);
  const onInput = (input, run) => {
    input.addEventListener('input', run);
    return input;
  };

  switch (field.kind) {
    case 'text': {
      const input = made(field.long ? 'textarea' : 'input', { value: value === undefined ? '' : String(value), maxLength: field.to });
      return labelled(onInput(input, () => set(input.value === '' && !field.needed ? undefined : input.value)));
    }
    case 'number': {
      const input = made('input', { type: 'number', step: 'any', min: field.from, max: field.to, value: value ?? '' });
      if (field.default !== undefined) input.placeholder = field.default;
      return labelled(onInput(input, () => set(numberIn(input))));
    }
    case 'choice':
      return labelled(choice(Object.entries(field.of).map(([of, words]) => [of, words()]), value ?? field.default, set, field.needed));
    case 'content': {
      const names = Object.keys(contentsOf()).map((it) => [it, it]);
      return labelled(choice(field.needed ? names : [['', t`as while nobody is there`], ...names], value ?? '', (it) => set(it === '' ? undefined : it)));
    }
    case 'contents': {
      const boxes = Object.keys(contentsOf()).map((it) => {
        const box = made('input', { type: 'checkbox', checked: Array.isArray(value) && value.includes(it) });
        box.addEventListener('input', () => {
          const others = (Array.isArray(part[name]) ? part[name] : []).filter((other) => other !== it && Object.hasOwn(contentsOf(), other));
          set(box.checked ? [...others, it] : others);
        });
        return made('label', {}, box, it);
      });
      if (boxes[0]) marked(boxes[0].firstChild);
      const all = group(made('div', { className: 'checks' }, ...boxes));
      all.classList.add('long');
      return all;
    }
    case 'range':
    case 'times': {
      const isTime = field.kind === 'times';
      const ends = [0, 1].map((end) => made('input', {
        type: isTime ? 'time' : 'number',
        ...(isTime ? {} : { min: field.from, max: field.to, placeholder: [field.from, field.to][end] }),
        value: Array.isArray(value) ? value[end] ?? '' : '',
        ariaLabel: end === 0 ? t`${label}, from` : t`${label}, to`,
      }));
      const read = () => {
        if (ends.every((it) => it.value === '')) return set(undefined);
        set(ends.map((it, end) => (isTime ? it.value : numberIn(it) ?? [field.from, field.to][end])));
      };
      ends.forEach((it) => onInput(it, read));
      marked(ends[0]);
      return group(made('div', { className: 'pair' }, ends[0], made('span', { textContent: t`to` }), ends[1]));
    }
    case 'colour': {
      const box = made('input', { type: 'checkbox', checked: value !== undefined, ariaLabel: t`${label}: a colour of its own` });
      const present = typeof value === 'string' ? value : '#17604d';
      const colour = made('input', { type: 'color', value: present, disabled: !box.checked, ariaLabel: t`${label}: colour` });
      const read = () => {
        colour.disabled = !box.checked;
        set(box.checked ? colour.value : undefined);
      };
      onInput(box, read);
      onInput(colour, read);
      marked(box);
      return group(made('div', { className: 'pair' }, box, colour));
    }
    default:
      throw new Error(`no inputs for ${field.kind}`);
  }
}

/** A menu; a value that it does not have stays in it, to be seen. */
function choice(options, value, set) {
  const known = options.some(([name]) => name === value);
  const all = known ? options : [...options, [String(value), t`${JSON.stringify(value)} (unknown)`]];
  const chosen = known ? value : String(value);
  const input = made('select', {}, ...all.map(([name, text]) => made('option', { value: name, textContent: text, selected: name === chosen })));
  input.addEventListener('input', () => set(input.value));
  return input;
}

function numberIn(input) {
  return input.value === '' ? undefined : input.valueAsNumber;
}

function fields(part, known, path) {
  return made('div', { className: 'fields' }, ...Object.entries(known).map(([name, field]) => control(part, name, field, path)));
}

/** What cannot be edited, since it is nothing that has fields. */
function odd(legend, remove, name) {
  return made('fieldset', { className: 'part' }, made('legend', { textContent: legend }), button(t`Remove`, remove, name));
}

function ruleForm(rule, index, rules) {
  const name = t`Rule ${index + 1}`;
  const removeName = t`Remove rule ${index + 1}`;
  const remove = () => {
    rules.splice(index, 1);
    rebuilt('#add-rule');
  };
  if (!isObject(rule)) return odd(name, remove, removeName);
  const move = (by, way) => () => {
    rules.splice(index + by, 0, ...rules.splice(index, 1));
    rebuilt(`[data-path="rules/${index + by}"] [data-move="${way}"]:enabled, [data-path="rules/${index + by}"] button`);
  };
  const form = made(
    'fieldset', { className: 'part' }, made('legend', { textContent: name }), fields(rule, RULE, ['rules', index]),
    made('div', { className: 'row' },
      button(t`Up`, move(-1, 'up'), t`Rule ${index + 1} up`, { move: 'up' }, index === 0),
      button(t`Down`, move(1, 'down'), t`Rule ${index + 1} down`, { move: 'down' }, index === rules.length - 1),
      button(t`Remove`, remove, removeName)),
  );
  form.dataset.path = `rules/${index}`;
  return form;
}

function contentForm([id, content]) {
  const remove = () => {
    delete file.contents[id];
    rebuilt('#content-name');
  };
  if (!isObject(content)) return odd(id, remove, t`Remove ${id}`);
  const path = ['contents', id];
  const shapes = shapesOf(content).map((shape, index) => {
    const name = t`Shape ${index + 1} of ${id}`;
    const removeName = t`Remove shape ${index + 1} of ${id}`;
    const removeShape = () => {
      content.shapes.splice(index, 1);
      rebuilt(`[data-add-to="${CSS.escape(id)}"]`);
    };
    if (!isObject(shape)) return odd(name, removeShape, removeName);
    return made('fieldset', { className: 'part' }, made('legend', { textContent: name }), fields(shape, SHAPE, [...path, 'shapes', index]),
      made('div', { className: 'row' }, button(t`Remove`, removeShape, removeName)));
  });
  const add = () => {
    opened.add(id);
    content.shapes = [...shapesOf(content), { ...NEW_SHAPE }];
    rebuilt(`[data-path="${CSS.escape(key([...path, 'shapes', content.shapes.length - 1, 'kind']))}"]`);
  };
  const fold = ({ target }) => opened[target.open ? 'add' : 'delete'](id);
  return made(
    'fieldset', { className: 'part' }, made('legend', { textContent: id }), fields(content, CONTENT, path),
    ...(shapes.length > 0 ? [made('details', { open: opened.has(id), ontoggle: fold },
      made('summary', { textContent: shapes.length === 1 ? t`1 shape` : t`${shapes.length} shapes` }), made('div', { className: 'list' }, ...shapes))] : []),
    made('div', { className: 'row' },
      button(t`Add a shape`, add, t`Add a shape to ${id}`, { addTo: id }),
      button(t`Show`, () => preview(id), t`Show ${id}`),
      button(t`Remove`, remove, t`Remove ${id}`)),
  );
}

/** Contents whose shapes are unfolded. */
const opened = new Set();

/** The form anew, for another file or other parts of it. @param {string} [focus] selector of what has the focus then */
function rebuilt(focus) {
  $('rules').replaceChildren(...rulesOf().map(ruleForm));
  $('contents').replaceChildren(...Object.entries(contentsOf()).map(contentForm));
  $('settings').replaceChildren(...Object.entries(SETTINGS).map(([name, field]) => control(file, name, field, [])));
  changed();
  if (focus) document.querySelector(focus)?.focus();
}

// ---- what is wrong ----

/** Finds what is wrong, of the form's file or of one that could not be opened. */
let finds = () => check(file);

function changed() {
  isSaved = false;
  finds = () => check(file);
  tellProblems();
  tryOut();
}

function tellProblems() {
  const problems = finds();
  $('wrong').hidden = problems.length === 0;
  for (const it of document.querySelectorAll('[aria-invalid]')) it.removeAttribute('aria-invalid');
  const items = problems.map(({ text, path }) => {
    const input = path.length > 0 ? document.querySelector(`[data-path="${CSS.escape(key(path))}"]`) : null;
    if (input) input.ariaInvalid = 'true';
    const item = made('li', {}, made('span', { textContent: text }));
    if (input) item.append(button(t`Go there`, () => reveal(input), t`Go there: ${text}`));
    else if (holds(path)) item.append(button(t`Remove it`, () => removeAt(path), t`Remove it: ${text}`));
    return item;
  });
  $('problems').replaceChildren(...items);
}

function reveal(input) {
  const folded = input.closest('details');
  if (folded) folded.open = true;
  input.focus();
}

const parent = (path) => path.slice(0, -1).reduce((part, name) => part?.[name], file);

function holds(path) {
  const part = parent(path);
  return path.length > 0 && typeof part === 'object' && part !== null && Object.hasOwn(part, path.at(-1));
}

function removeAt(path) {
  const part = parent(path);
  if (Array.isArray(part)) part.splice(path.at(-1), 1);
  else delete part[path.at(-1)];
  rebuilt('#save');
}

// ---- trying ----

const people = [{ age: 36, years: 8, female: 90 }];

function buildPeople(focus) {
  const rows = people.map((person, index) => {
    const input = (name, label, from, to) => {
      const it = made('input', { type: 'number', min: from, max: to, value: person[name] });
      it.addEventListener('input', () => {
        if (Number.isFinite(it.valueAsNumber)) person[name] = Math.min(to, Math.max(from, it.valueAsNumber));
        tryOut();
      });
      return made('label', { className: 'field' }, made('span', { textContent: label }), it);
    };
    const remove = button(t`Remove`, () => {
      people.splice(index, 1);
      buildPeople('#add-person');
    }, t`Remove person ${index + 1}`);
    return made('fieldset', { className: 'part' }, made('legend', { textContent: index === 0 ? t`Person 1, the nearest` : t`Person ${index + 1}` }),
      made('div', { className: 'fields' },
        input('age', t`Age`, 0, 99), input('years', t`4 of 5 within so many years`, 0, 50), input('female', t`Female, %`, 0, 100)),
      made('div', { className: 'row' }, remove));
  });
  $('people').replaceChildren(...rows);
  tryOut();
  if (focus) document.querySelector(focus).focus();
}

function tryOut() {
  const there = people.map(({ age, years, female }, index) => madeUp({ age, years, female: female / 100, width: WIDTH / (index + 1) }));
  const minute = minuteOf($('time').value || '12:00');
  if (check(file).length > 0) {
    $('outcome').textContent = t`The rules can be tried once nothing is wrong with them.`;
    $('reasons').replaceChildren();
    preview(undefined);
    return;
  }
  const { content, rule } = decide(file, there, minute);
  const idle = file.idle.map((it) => t`“${it}”`).reduce((shown, next) => t`${shown}, then ${next}`);
  $('outcome').textContent = rule !== undefined ? t`${whichRule(file.rules[rule], rule)} holds and shows “${content}”.`
    : content !== undefined ? t`No rule holds. Shown is “${content}”.`
      : there.length === 0 ? t`Nobody is there. Shown is ${idle}.` : t`No rule holds. Shown is ${idle}.`;
  const reasons = file.rules.map((it, index) => {
    const why = there.length === 0 ? t`nobody is there` : whyNot(it, there, minute);
    const text = index === rule ? t`holds` : why ?? t`would hold, after one before it`;
    return made('li', { textContent: t`${it.name}: ${text}.`, className: index === rule ? 'holds' : '' });
  });
  $('reasons').replaceChildren(...reasons);
  preview(content ?? file.idle[0]);
}

function preview(id) {
  const content = id !== undefined && Object.hasOwn(contentsOf(), id) ? file.contents[id] : undefined;
  $('preview').replaceChildren(...(content && check(file).length === 0 ? [draw(content, 'h3')] : []));
}

// ---- files ----

/** What is said below the buttons, to be said again in another language. */
let saying = () => '';

function say(what) {
  saying = what;
  $('said').textContent = what();
}

/** @param {string} text of a file @param {() => string} name to speak of it by */
function take(text, name) {
  const { file: read, problems } = parse(text);
  if (!isObject(read)) {
    say(() => t`${name()} was not opened, and the form has what it had.`);
    finds = () => parse(text).problems;
    tellProblems();
    return;
  }
  file = read;
  rebuilt();
  isSaved = true;
  const { length } = problems;
  say(() => length === 0 ? t`${name()} is open.`
    : length === 1 ? t`${name()} is open. One thing is wrong with it.` : t`${name()} is open. ${length} things are wrong with it.`);
}

async function openSitesOwn() {
  const address = new URLSearchParams(location.search).get('rules') ?? 'rules.json';
  const { dataset } = document.documentElement;
  let status;
  try {
    const response = await fetch(new URL(address, location.href), { cache: 'reload' });
    if (!response.ok) ({ status } = response);
    else take(await response.text(), () => t`The site’s own file`);
  } catch (error) {
    status = error;
  }
  if (status !== undefined) {
    const why = () => typeof status === 'number' ? t`the site answered ${status}` : status.message;
    say(() => t`The site’s own file could not be loaded (${why()}).`);
    // The language may have come since the first one was made.
    if (file === untouched && isSaved) {
      file = FIRST();
      rebuilt();
      isSaved = true;
    }
  }
  dataset.state = 'ready';
}

$('open').addEventListener('change', async ({ target }) => {
  const [chosen] = target.files;
  target.value = '';
  if (!chosen) return;
  if (chosen.size > LARGEST_FILE) say(() => t`${chosen.name} is larger than a file of rules can be (1 MB).`);
  else take(await chosen.text(), () => chosen.name);
});

$('fresh').addEventListener('click', openSitesOwn);

$('save').addEventListener('click', () => {
  const { length } = check(file);
  if (length > 0) {
    say(() => length === 1 ? t`Not saved: one thing is wrong, and the screen would not take it.`
      : t`Not saved: ${length} things are wrong, and the screen would not take it.`);
    return;
  }
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(file, null, 2)}\n`], { type: 'application/json' }));
  made('a', { href: url, download: 'rules.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  isSaved = true;
  say(() => t`Saved as rules.json, among your downloads.`);
});

$('add-rule').addEventListener('click', () => {
  file.rules = [...rulesOf(), NEW_RULE(Object.keys(contentsOf()))];
  rebuilt(`[data-path="rules/${file.rules.length - 1}/name"]`);
});

$('add-content').addEventListener('submit', (event) => {
  event.preventDefault();
  const id = $('content-name').value.trim();
  if (id === '' || Object.hasOwn(contentsOf(), id)) {
    say(() => id === '' ? t`The new content needs a name.` : t`There is a content “${id}” already.`);
    $('content-name').focus();
    return;
  }
  // Not by assignment: a name such as __proto__ would be something else.
  file.contents = Object.fromEntries([...Object.entries(contentsOf()), [id, { title: t`A title` }]]);
  $('content-name').value = '';
  say(() => '');
  rebuilt(`[data-path="${CSS.escape(key(['contents', id, 'title']))}"]`);
});

$('add-person').addEventListener('click', () => {
  people.push({ age: 8, years: 3, female: 50 });
  buildPeople();
  $('people').lastElementChild.querySelector('input').focus();
});

$('time').addEventListener('input', tryOut);

addEventListener('beforeunload', (event) => {
  if (!isSaved) event.preventDefault();
});

// ---- language ----

for (const tag of LANGUAGES) $('language').add(new Option(new Intl.DisplayNames(tag, { type: 'language' }).of(tag), tag, false, tag === language));

$('language').addEventListener('change', ({ target }) => {
  speak(target.value, true).catch(() => {
    target.value = language;
    say(() => t`This language could not be loaded. Is this device online?`);
  });
});

// All that was made here, anew: from the file, which has what was typed. Names that the writer gave are among it, which no language changes.
addEventListener('spoken', () => {
  const before = { isSaved, finds, path: document.activeElement?.dataset.path };
  rebuilt(before.path === undefined ? undefined : `[data-path="${CSS.escape(before.path)}"]`);
  buildPeople();
  ({ isSaved, finds } = before);
  tellProblems();
  say(saying);
});

buildPeople();
openSitesOwn();
