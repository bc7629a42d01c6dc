// The editor of the entrance screen's rules: a form made of the fields that rules.js knows, what is wrong in
// words, and made-up people to try the rules with.

import { check, CONTENT, decide, madeUp, minuteOf, parse, RULE, SETTINGS, SHAPE, whichRule, whyNot } from './rules.js';
import { draw } from './scene.js';

const $ = (id) => document.getElementById(id);

const FIRST = {
  idle: ['welcome'],
  rules: [],
  contents: { welcome: { title: 'Welcome', text: 'Come closer, and this screen changes.' } },
};
const NEW_RULE = (contents) => ({ name: 'New rule', age: [0, 99], show: contents[0] ?? '' });
const NEW_SHAPE = { kind: 'circle', x: 80, y: 40, size: 30 };
const LARGEST_FILE = 1 << 20;
const WIDTH = 0.2; // of the nearest face; each after it is a little smaller

let file = structuredClone(FIRST);
let isSaved = true;

// ---- building ----

function made(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

function button(text, run, name, isOff = false) {
  const it = made('button', { type: 'button', className: 'small', textContent: text, disabled: isOff });
  if (name) it.ariaLabel = name;
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
  const labelled = (input) => made('label', { className: `field${field.long ? ' long' : ''}` }, field.label, marked(input));
  const group = (...children) => made('fieldset', { className: 'field' }, made('legend', { textContent: field.label }), ...children);
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
      return labelled(choice(Object.entries(field.of), value ?? field.default, set, field.needed));
    case 'content': {
      const names = Object.keys(contentsOf()).map((it) => [it, it]);
      return labelled(choice(field.needed ? names : [['', 'as while nobody is there'], ...names], value ?? '', (it) => set(it === '' ? undefined : it)));
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
        ariaLabel: `${field.label}, ${end === 0 ? 'from' : 'to'}`,
      }));
      const read = () => {
        if (ends.every((it) => it.value === '')) return set(undefined);
        set(ends.map((it, end) => (isTime ? it.value : numberIn(it) ?? [field.from, field.to][end])));
      };
      ends.forEach((it) => onInput(it, read));
      marked(ends[0]);
      return group(made('div', { className: 'pair' }, ends[0], made('span', { textContent: 'to' }), ends[1]));
    }
    case 'colour': {
      const box = made('input', { type: 'checkbox', checked: value !== undefined, ariaLabel: `${field.label}: a colour of its own` });
      const colour = made('input', { type: 'color', value: typeof value === 'string' ? value : '#17604d', disabled: !box.checked, ariaLabel: `${field.label}: colour` });
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
  const all = known ? options : [...options, [String(value), `${JSON.stringify(value)} (unknown)`]];
  const input = made('select', {}, ...all.map(([name, text]) => made('option', { value: name, textContent: text, selected: name === (known ? value : String(value)) })));
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
function odd(legend, remove) {
  return made('fieldset', { className: 'part' }, made('legend', { textContent: legend }), button('Remove', remove, `Remove ${legend}`));
}

function ruleForm(rule, index, rules) {
  const name = `Rule ${index + 1}`;
  const remove = () => {
    rules.splice(index, 1);
    rebuilt('#add-rule');
  };
  if (!isObject(rule)) return odd(name, remove);
  const move = (by, word) => () => {
    rules.splice(index + by, 0, ...rules.splice(index, 1));
    rebuilt(`[data-path="rules/${index + by}"] [aria-label$="${word}"]:enabled, [data-path="rules/${index + by}"] button`);
  };
  const form = made(
    'fieldset', { className: 'part' }, made('legend', { textContent: name }), fields(rule, RULE, ['rules', index]),
    made('div', { className: 'row' },
      button('Up', move(-1, 'up'), `${name} up`, index === 0),
      button('Down', move(1, 'down'), `${name} down`, index === rules.length - 1),
      button('Remove', remove, `Remove ${name.toLowerCase()}`)),
  );
  form.dataset.path = `rules/${index}`;
  return form;
}

function contentForm([id, content]) {
  const remove = () => {
    delete file.contents[id];
    rebuilt('#content-name');
  };
  if (!isObject(content)) return odd(id, remove);
  const path = ['contents', id];
  const shapes = shapesOf(content).map((shape, index) => {
    const name = `Shape ${index + 1} of ${id}`;
    const removeShape = () => {
      content.shapes.splice(index, 1);
      rebuilt(`[aria-label="Add a shape to ${CSS.escape(id)}"]`);
    };
    if (!isObject(shape)) return odd(name, removeShape);
    return made('fieldset', { className: 'part' }, made('legend', { textContent: name }), fields(shape, SHAPE, [...path, 'shapes', index]),
      made('div', { className: 'row' }, button('Remove', removeShape, `Remove shape ${index + 1} of ${id}`)));
  });
  const add = () => {
    content.shapes = [...shapesOf(content), { ...NEW_SHAPE }];
    rebuilt(`[data-path="${CSS.escape(key([...path, 'shapes', content.shapes.length - 1, 'kind']))}"]`);
  };
  return made(
    'fieldset', { className: 'part' }, made('legend', { textContent: id }), fields(content, CONTENT, path),
    ...(shapes.length > 0 ? [made('details', { open: opened.has(id) , ontoggle: ({ target }) => opened[target.open ? 'add' : 'delete'](id) },
      made('summary', { textContent: shapes.length === 1 ? '1 shape' : `${shapes.length} shapes` }), made('div', { className: 'list' }, ...shapes))] : []),
    made('div', { className: 'row' }, button('Add a shape', () => {
      opened.add(id);
      add();
    }, `Add a shape to ${id}`), button('Show', () => preview(id), `Show ${id}`), button('Remove', remove, `Remove ${id}`)),
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

function changed() {
  isSaved = false;
  tellProblems(check(file));
  tryOut();
}

function tellProblems(problems) {
  $('wrong').hidden = problems.length === 0;
  for (const it of document.querySelectorAll('[aria-invalid]')) it.removeAttribute('aria-invalid');
  const items = problems.map(({ text, path }) => {
    const input = path.length > 0 ? document.querySelector(`[data-path="${CSS.escape(key(path))}"]`) : null;
    if (input) input.ariaInvalid = 'true';
    const item = made('li', {}, made('span', { textContent: text }));
    if (input) item.append(button('Go there', () => reveal(input), `Go there: ${text}`));
    else if (holds(path)) item.append(button('Remove it', () => removeAt(path), `Remove it: ${text}`));
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
      return made('label', { className: 'field' }, label, it);
    };
    const remove = button('Remove', () => {
      people.splice(index, 1);
      buildPeople('#add-person');
    }, `Remove person ${index + 1}`);
    return made('fieldset', { className: 'part' }, made('legend', { textContent: index === 0 ? 'Person 1, the nearest' : `Person ${index + 1}` }),
      made('div', { className: 'fields' }, input('age', 'Age', 0, 99), input('years', '4 of 5 within so many years', 0, 50), input('female', 'Female, %', 0, 100)),
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
    $('outcome').textContent = 'The rules can be tried once nothing is wrong with them.';
    $('reasons').replaceChildren();
    preview(undefined);
    return;
  }
  const { content, rule } = decide(file, there, minute);
  const idle = file.idle.map((it) => `“${it}”`).join(', then ');
  $('outcome').textContent = rule !== undefined ? `${whichRule(file.rules[rule], rule)} holds and shows “${content}”.`
    : content !== undefined ? `No rule holds. Shown is “${content}”.`
      : there.length === 0 ? `Nobody is there. Shown is ${idle}.` : `No rule holds. Shown is ${idle}.`;
  const reasons = file.rules.map((it, index) => {
    const why = there.length === 0 ? 'nobody is there' : whyNot(it, there, minute);
    const text = index === rule ? 'holds' : why === undefined ? 'would hold, after one before it' : why;
    return made('li', { textContent: `${it.name}: ${text}.`, className: index === rule ? 'holds' : '' });
  });
  $('reasons').replaceChildren(...reasons);
  preview(content ?? file.idle[0]);
}

function preview(id) {
  const content = id !== undefined && Object.hasOwn(contentsOf(), id) ? file.contents[id] : undefined;
  $('preview').replaceChildren(...(content && check(file).length === 0 ? [draw(content, 'h3')] : []));
}

// ---- files ----

function say(text) {
  $('said').textContent = text;
}

/** @param {string} text of a file @param {string} name to speak of it by */
function take(text, name) {
  const { file: read, problems } = parse(text);
  if (!isObject(read)) {
    say(`${name} was not opened, and the form has what it had.`);
    tellProblems(problems);
    return;
  }
  file = read;
  rebuilt();
  isSaved = true;
  say(problems.length === 0 ? `${name} is open.` : `${name} is open. ${problems.length === 1 ? 'One thing is' : `${problems.length} things are`} wrong with it.`);
}

async function openSitesOwn() {
  const address = new URLSearchParams(location.search).get('rules') ?? 'rules.json';
  try {
    const response = await fetch(new URL(address, location.href), { cache: 'reload' });
    if (!response.ok) throw new Error(`the site answered ${response.status}`);
    take(await response.text(), 'The site’s own file');
  } catch (error) {
    say(`The site’s own file could not be loaded (${error.message}).`);
    rebuilt();
    isSaved = true;
  }
  document.documentElement.dataset.state = 'ready';
}

$('open').addEventListener('change', async ({ target }) => {
  const [chosen] = target.files;
  target.value = '';
  if (!chosen) return;
  if (chosen.size > LARGEST_FILE) say(`${chosen.name} is larger than a file of rules can be (1 MB).`);
  else take(await chosen.text(), chosen.name);
});

$('fresh').addEventListener('click', openSitesOwn);

$('save').addEventListener('click', () => {
  const { length } = check(file);
  if (length > 0) {
    say(`Not saved: ${length === 1 ? 'one thing is' : `${length} things are`} wrong, and the screen would not take it.`);
    return;
  }
  const url = URL.createObjectURL(new Blob([`${JSON.stringify(file, null, 2)}\n`], { type: 'application/json' }));
  made('a', { href: url, download: 'rules.json' }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
  isSaved = true;
  say('Saved as rules.json, among your downloads.');
});

$('add-rule').addEventListener('click', () => {
  file.rules = [...rulesOf(), NEW_RULE(Object.keys(contentsOf()))];
  rebuilt(`[data-path="rules/${file.rules.length - 1}/name"]`);
});

$('add-content').addEventListener('submit', (event) => {
  event.preventDefault();
  const id = $('content-name').value.trim();
  if (id === '' || Object.hasOwn(contentsOf(), id)) {
    say(id === '' ? 'The new content needs a name.' : `There is a content “${id}” already.`);
    $('content-name').focus();
    return;
  }
  // Not by assignment: a name such as __proto__ would be something else.
  file.contents = Object.fromEntries([...Object.entries(contentsOf()), [id, { title: 'A title' }]]);
  $('content-name').value = '';
  say('');
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

buildPeople();
openSitesOwn();
