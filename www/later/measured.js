// How far off the network is, as `mien evaluate --json` printed it: fetched when its place comes into sight.

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
    element('h3', `Measured on ${total.n} test pictures of ${names.join(' and ')}`),
    element('p', `The age is off by ${total.mae.toFixed(1)} years on average, the range holds ${hundred(total.range_coverage)}, `
      + `and the likelier gender is right for ${hundred(total.gender_accuracy)}. ${leaning(rows)}`),
    table(rows),
  );
}

/** Means over several sets, each face counting the same. */
function pooled(parts) {
  const n = parts.reduce((sum, part) => sum + part.n, 0);
  const mean = (name) => parts.reduce((sum, part) => sum + part.n * part[name], 0) / n;
  return { n, mae: mean('mae'), bias: mean('bias'), gender_accuracy: mean('gender_accuracy'), range_coverage: mean('range_coverage') };
}

/** Whom it shows much too old or too young, in words. */
function leaning(rows) {
  const say = (sign, what) => {
    const far = rows.filter(([, { bias }]) => sign * bias >= 3);
    return far.map(([decade, { bias }], index) => {
      const [who, by] = [decade.replace(/^0/, '').replace('-0', '-').replace('-', ' to '), Math.abs(bias).toFixed(0)];
      return index === 0 ? `people of ${who} are shown ${by} years ${what}` : `of ${who} ${by} years`;
    }).join(', ');
  };
  const parts = [say(1, 'too old'), say(-1, 'too young')].filter(Boolean);
  return parts.length > 0 ? `On average ${parts.join('; ')}.` : '';
}

function table(rows) {
  const made = document.createElement('table');
  const head = element('tr');
  for (const title of ['Age', 'Faces', 'Off by, years', 'On average', 'Range holds', 'Gender right']) {
    head.append(Object.assign(element('th', title), { scope: 'col' }));
  }
  made.append(document.createElement('thead'), document.createElement('tbody'));
  made.tHead.append(head);
  for (const [decade, { n, mae, bias, range_coverage: range, gender_accuracy: gender }] of rows) {
    const row = element('tr');
    row.append(Object.assign(element('th', decade.replace(/^0/, '').replace('-0', '-').replace('-', '–')), { scope: 'row' }));
    const lean = `${Math.abs(bias).toFixed(1)} ${bias > 0 ? 'too old' : 'too young'}`;
    for (const text of [n, mae.toFixed(1), lean, percent(range), percent(gender)]) row.append(element('td', text));
    made.tBodies[0].append(row);
  }
  const frame = document.createElement('div');
  Object.assign(frame, { className: 'table', tabIndex: 0, role: 'region', ariaLabel: 'Measured by age' });
  frame.append(made);
  return frame;
}

const percent = (share) => `${Math.round(100 * share)}%`;
const hundred = (share) => `${Math.round(100 * share)} of 100`;

function element(name, text = '') {
  return Object.assign(document.createElement(name), { textContent: text });
}
