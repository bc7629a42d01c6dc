// How far off the network is, as `mien evaluate --json` printed it: fetched when its place comes into sight.

import { joined, language, number, percent, range, t } from '../language.js';

const SETS = { 'aaf-test': 'All-Age-Faces', 'utkface-test': 'UTKFace' };
// Fewer faces than this say little.
const FEW = 20;

/**
 * What was measured of a network: of all sets together, and of each.
 *
 * @param {string} model the network's name
 */
export async function measured(model) {
  const all = await Promise.all(Object.keys(SETS).map((set) => (
    fetch(new URL(`../weights/${model}.${set}.json`, import.meta.url)).then((response) => (response.ok ? response.json() : undefined)).catch(() => undefined)
  )));
  const names = Object.values(SETS).filter((_, index) => all[index]);
  const sets = all.filter(Boolean);
  return { total: sets.length > 0 ? pooled(sets) : undefined, sets, names };
}

/** @param {HTMLElement} root @param {string} model the network's name */
export async function showMeasured(root, model) {
  const { total, sets, names } = await measured(model);
  if (!total) return;
  const decades = [...new Set(sets.flatMap(({ by_decade: decades }) => Object.keys(decades)))].sort();
  const rows = decades.map((decade) => [decade, pooled(sets.map(({ by_decade: decades }) => decades[decade]).filter(Boolean))])
    .filter(([, { n }]) => n >= FEW);

  root.replaceChildren(
    element('h3', t`Measured on ${total.n} test pictures of ${listed(names)}`),
    element('p', joined(
      t`The age is off by ${number(total.mae, 1)} years on average, the range holds ${hundred(total.range_coverage)} of 100, and the likelier gender is right for ${hundred(total.gender_accuracy)} of 100.`,
      leaning(rows),
    )),
    table(rows.map(([decade, part]) => [titled(decade), part]), t`Measured by age`),
    yours(rows),
    ...labelled(sets),
  );
}

/** What somebody of an age is shown as on average, by an age that is typed in and goes nowhere. */
function yours(rows) {
  const [form, label, input, output] = ['form', 'label', 'input', 'output'].map((name) => document.createElement(name));
  Object.assign(input, { type: 'number', inputMode: 'numeric', min: 0, max: 99, step: 1, autocomplete: 'off', name: 'age' });
  label.append(element('span', t`How old are you? It stays in this page.`), input);
  input.addEventListener('input', () => {
    const age = Math.floor(input.valueAsNumber);
    const [decade, { bias }] = rows.find(([decade]) => ends(decade).from <= age && age <= ends(decade).to) ?? [undefined, {}];
    if (!decade) {
      output.textContent = Number.isNaN(age) ? '' : t`There were too few test pictures of that age.`;
      return;
    }
    const { from, to } = ends(decade);
    const [years, as] = [number(Math.abs(bias), 1), Math.round(Math.max(0, age + bias))];
    output.textContent = bias > 0
      ? t`Test faces of ${from} to ${to} were taken for ${years} years older on average: ${age} for ${as}.`
      : t`Test faces of ${from} to ${to} were taken for ${years} years younger on average: ${age} for ${as}.`;
  });
  form.addEventListener('submit', (event) => event.preventDefault());
  form.append(label, output);
  return form;
}

/** The same by the labels of gender and race that the pictures have. */
function labelled(sets) {
  const names = { female: t`Labelled female`, male: t`Labelled male`, Asian: t`Labelled Asian`, Black: t`Labelled Black`, Indian: t`Labelled Indian`, White: t`Labelled White`, Others: t`Labelled otherwise` };
  const rows = ['by_gender', 'by_race'].flatMap((by) => {
    const labels = [...new Set(sets.flatMap((set) => Object.keys(set[by] ?? {})))].sort();
    return labels.map((label) => [names[label] ?? label, pooled(sets.map((set) => set[by]?.[label]).filter(Boolean))]);
  }).filter(([, { n }]) => n >= FEW);
  if (rows.length === 0) return [];
  const details = document.createElement('details');
  details.append(element('summary', t`By the pictures’ labels of gender and race`), table(rows, t`Measured by label`, t`Label`));
  return [details];
}

/** Means over several sets, each face counting the same. */
function pooled(parts) {
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  const mean = (name) => parts.reduce((sum, part) => sum + part.n * part[name], 0) / n;
  return { n, mae: mean('mae'), bias: mean('bias'), gender_accuracy: mean('gender_accuracy'), range_coverage: mean('range_coverage') };
}

/** Whom it shows much too old or too young, in words. */
function leaning(rows) {
  const far = (sign) => rows.filter(([, { bias }]) => sign * bias >= 3)
    .map(([decade, { bias }]) => ({ ...ends(decade), by: Math.round(Math.abs(bias)) }));
  const rest = (all) => all.slice(1).map(({ from, to, by }) => t`, of ${from} to ${to} ${by} years`).join('');
  const [older, younger] = [far(1), far(-1)];
  const parts = [
    older.length > 0 && t`people of ${older[0].from} to ${older[0].to} are shown ${older[0].by} years too old` + rest(older),
    younger.length > 0 && t`people of ${younger[0].from} to ${younger[0].to} are shown ${younger[0].by} years too young` + rest(younger),
  ].filter(Boolean);
  return parts.length > 0 && t`On average ${parts.join('; ')}.`;
}

/** @param {[string, object][]} rows their titles, and what was measured @param {string} label @param {string} [first] what the titles are */
function table(rows, label, first = t`Age`) {
  const made = document.createElement('table');
  const head = element('tr');
  for (const title of [first, t`Faces`, t`Off by, years`, t`On average`, t`Range holds`, t`Gender right`]) {
    head.append(Object.assign(element('th', title), { scope: 'col' }));
  }
  made.append(document.createElement('thead'), document.createElement('tbody'));
  made.tHead.append(head);
  for (const [title, { n, mae, bias, range_coverage: held, gender_accuracy: gender }] of rows) {
    const row = element('tr');
    row.append(Object.assign(element('th', title), { scope: 'row' }));
    const years = number(Math.abs(bias), 1);
    const lean = bias > 0 ? t`${years} too old` : t`${years} too young`;
    for (const text of [number(n), number(mae, 1), lean, percent(held), percent(gender)]) row.append(element('td', text));
    made.tBodies[0].append(row);
  }
  const frame = document.createElement('div');
  Object.assign(frame, { className: 'table', tabIndex: 0, role: 'region', ariaLabel: label });
  frame.append(made);
  return frame;
}

const hundred = (share) => Math.round(100 * share);

function titled(decade) {
  const { from, to } = ends(decade);
  return Number.isNaN(to) ? decade : range(from, to);
}

/** Of a decade's name, as 00-09. */
function ends(decade) {
  const [from, to] = decade.split('-').map(Number);
  return { from, to };
}

/** @param {string[]} names */
export function listed(names) {
  return new Intl.ListFormat(language).format(names);
}

function element(name, text = '') {
  return Object.assign(document.createElement(name), { textContent: text });
}
