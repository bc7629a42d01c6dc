// The study that the networks come from, for the curious: what it published, what came out when its tables were trained anew, and how it
// tells a network an age. All figures are read from what `mien experiment`, `mien bench engine` and benches/pytorch/sizes.py wrote.

import { number, percent, t, translate } from '../language.js';
import { markup } from '../lib/sealed.js';
import { styles } from './styles.js';

const FILES = ['table-4-1', 'table-4-3', 'table-4-4', 'engine', 'sizes'];
const SVG = 'http://www.w3.org/2000/svg';
// The age that the soft label is shown of, and the years around it that are drawn.
const AGE = 30;
const [FROM, TO] = [20, 40];
const HEIGHT = 60;

/** @param {HTMLElement} root */
export async function showStudy(root) {
  const [files] = await Promise.all([Promise.all(FILES.map(read)), styles('study')]);
  const [networks, gaps, weights, engine, sizes] = files;
  root.innerHTML = markup`
    <p>Base CNN, D-CNN and M-CNN are the networks of a study of small networks for Asian faces. We trained its tables anew, on other pictures: so compare the rows of a column, not the columns.</p>
    <h3>The networks</h3>
    <div data-networks></div>
    <p data-networks-note></p>
    <h3>How a network is told an age</h3>
    <p>It is not told 30, but that 30 is likeliest and its neighbours are likely, too. How far that reaches is the gap.</p>
    <form><label><span data-gap></span><input type="range" name="gap" min="1" max="9" step="1" value="3"></label><svg role="img" viewBox="0 0 21 60" preserveAspectRatio="none"></svg></form>
    <p data-ages aria-hidden="true"></p>
    <p data-of-gap role="status"></p>
    <div data-gaps></div>
    <h3>What the losses weigh</h3>
    <p>Three things are to be got right at once: how likely each age is, one age in years, and the gender. The study asks how much each is to count.</p>
    <div data-weights></div>
    <p data-note></p>
    <p><a href="about/study.html">The study’s questions, and our answers</a></p>`;
  translate(root);
  const part = (name) => root.querySelector(`[data-${name}]`);

  part('networks').append(table(
    [t`Network`, t`Loss`, t`Numbers learned`, t`One face`, t`Off by, here`, t`In the study`],
    [
      ...networks.rows.map(({ names: [title, loss], cells }) => {
        const { parameters, ms } = engine.networks[title];
        return [title, loss, number(parameters), `${number(ms, 2)} ms`, off(cells.at(-1)), published(cells.at(-1))];
      }),
      ...Object.entries(sizes.networks).map(([title, { parameters, ms }]) => [title, '–', number(parameters), `${number(ms)} ms`, '–', '–']),
    ],
    t`The networks`,
  ));
  part('networks-note').textContent = t`KL and FL are two losses for the likely ages. One face: on one thread of a computer, the last two in PyTorch; the study names them as what is too large for a phone.`;

  part('ages').append(...[FROM, AGE, TO].map((age) => Object.assign(document.createElement('span'), { textContent: number(age) })));
  const svg = root.querySelector('svg');
  const input = root.querySelector('input');
  const show = () => {
    const gap = input.valueAsNumber;
    const label = softLabel(AGE, gap);
    part('gap').textContent = t`Gap: ${gap}`;
    svg.ariaLabel = t`How likely each age is said to be of somebody of 30`;
    svg.replaceChildren(...bars(label));
    const years = label.filter((share) => share > 0).length;
    part('of-gap').textContent = t`Of somebody of 30: ${percent(label[AGE])} for 30; ages with a share: ${years}.`;
    for (const row of part('gaps').querySelectorAll('tbody tr')) row.toggleAttribute('data-chosen', row.cells[0].textContent === number(gap));
  };
  part('gaps').append(table(
    [t`Gap`, t`Off by, here`, t`In the study`],
    gaps.rows.map(({ gap, cells }) => [number(gap), off(cells.at(-1)), published(cells.at(-1))]),
    t`D-CNN by the gap`,
  ));
  input.addEventListener('input', show);
  addEventListener('spoken', show);
  root.querySelector('form').addEventListener('submit', (event) => event.preventDefault());
  show();

  part('weights').append(table(
    [t`Ages`, t`Years`, t`Gender`, t`Off by, here`, t`In the study`],
    weights.rows.map(({ loss_weights: three, cells }) => [...three.map((weight) => number(weight)), off(cells.at(-1)), published(cells.at(-1))]),
    t`D-CNN by the weights of the losses`,
  ));
  const { n } = networks.test;
  part('note').textContent = t`Off by: the mean error of the age, in years; here of ${n} test pictures of All-Age-Faces after training on others of it, in the study of AFAD. With ±: the standard error of that mean.`;
}

async function read(name) {
  const response = await fetch(new URL(`../study/${name}.json`, import.meta.url));
  if (!response.ok) throw new Error(`${name}: ${response.status}`);
  return response.json();
}

/** In years, as far as it is known. */
function off({ mae }) {
  if (!mae) return t`not yet`;
  return mae.stderr === null ? number(mae.mean, 2) : `${number(mae.mean, 2)} ± ${number(mae.stderr, 2)}`;
}

const published = ({ published: there }) => (there ? number(there.mae, 2) : '–');

/** The study's soft label: max(0, 1 - |age - y| / gap), made to sum to 1. */
function softLabel(y, gap) {
  const label = Array.from({ length: 100 }, (_, age) => Math.max(0, 1 - Math.abs(age - y) / gap));
  const sum = label.reduce((all, share) => all + share, 0);
  return label.map((share) => share / sum);
}

function bars(label) {
  const years = Array.from({ length: TO - FROM + 1 }, (_, index) => FROM + index);
  return years.map((age) => {
    const bar = document.createElementNS(SVG, 'rect');
    const height = HEIGHT * label[age];
    for (const [name, value] of Object.entries({ x: age - FROM + 0.1, y: HEIGHT - height, width: 0.8, height })) bar.setAttribute(name, value);
    return bar;
  });
}

function table(titles, rows, label) {
  const made = document.createElement('table');
  const cell = (tag, text, scope) => Object.assign(document.createElement(tag), { textContent: text, ...(scope && { scope }) });
  const head = document.createElement('tr');
  head.append(...titles.map((title) => cell('th', title, 'col')));
  made.append(document.createElement('thead'), document.createElement('tbody'));
  made.tHead.append(head);
  for (const [first, ...others] of rows) {
    const row = document.createElement('tr');
    row.append(cell('th', first, 'row'), ...others.map((text) => cell('td', text)));
    made.tBodies[0].append(row);
  }
  const frame = document.createElement('div');
  Object.assign(frame, { className: 'table', tabIndex: 0, role: 'region', ariaLabel: label });
  frame.append(made);
  return frame;
}
