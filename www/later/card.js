// A result as a picture to keep or to send, drawn on the device.

import { t } from '../language.js';
import { genderSentence, summary, yearRange, years } from '../views/words.js';

const FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif';
// Blurred faces are so many squares wide: too few to tell who it is, by whatever means.
const SQUARES = 6;
// And more is hidden than the frame, which ends at brows and chin.
const HIDDEN = 1.7;
const AGES = 100;
const TICKS = [0, 20, 40, 60, 80];

/** @typedef {'picture' | 'blurred' | 'hill'} Kind */

/** 'on my phone' where that is what it was. */
export function where() {
  const phone = navigator.userAgentData?.mobile ?? (matchMedia('(pointer: coarse)').matches && Math.min(screen.width, screen.height) < 600);
  return phone ? t`on my phone` : t`on my computer`;
}

/**
 * @param {HTMLCanvasElement} canvas which takes the size that the card needs
 * @param {{ source?: HTMLCanvasElement | HTMLVideoElement, mirrored: boolean, result: import('../mien.js').Result,
 *           shown: import('../views/overlay.js').Shown[], chosen: number | undefined }} what
 * @param {{ kind: Kind, isWide?: boolean, by?: string }} as
 */
export function drawCard(canvas, { source, mirrored, result, shown, chosen }, { kind, isWide = false, by = t`Guessed ${where()}` }) {
  shown = shown.filter(({ face }) => face.settled !== false);
  const it = shown.find(({ key }) => key === chosen) ?? shown[0];
  const others = shown.length - 1;
  const withPicture = kind !== 'hill' && Boolean(source);
  const ratio = result.height / result.width;
  const [width, panelHeight] = isWide ? [1200, 630] : [1080, it ? 620 : 220];
  const pictureHeight = isWide ? 630 : Math.round(Math.min(1350, 1080 * ratio));
  Object.assign(canvas, { width, height: isWide ? 630 : panelHeight + (withPicture ? pictureHeight : 0) });
  const context = canvas.getContext('2d');
  const colours = theme();
  context.fillStyle = colours.card;
  context.fillRect(0, 0, canvas.width, canvas.height);
  const left = isWide && withPicture ? 630 : 0;
  if (withPicture) {
    const area = isWide ? [0, 0, 630, 630] : [0, 0, 1080, pictureHeight];
    context.fillStyle = colours.stage;
    context.fillRect(...area);
    drawPicture(context, area, { source, mirrored, result, shown, it, isBlurred: kind === 'blurred', colours });
  }
  const top = isWide || !withPicture ? 0 : pictureHeight;
  drawPanel(context, [left, top, width - left, isWide ? 630 : panelHeight], { it, others, by, colours, result });
}

function theme() {
  const style = getComputedStyle(document.documentElement);
  const of = (name) => style.getPropertyValue(`--${name}`).trim();
  return Object.fromEntries(['card', 'stage', 'ink', 'soft', 'line', 'accent', 'hill', 'range'].map((name) => [name, of(name)]));
}

function drawPicture(context, [x, y, width, height], { source, mirrored, result, shown, it, isBlurred, colours }) {
  const size = [source.videoWidth || source.width, source.videoHeight || source.height];
  // Whole where the area has its shape, and else filling it.
  const scale = Math.max(width / result.width, height / result.height);
  context.save();
  context.beginPath();
  context.rect(x, y, width, height);
  context.clip();
  context.translate(x + width / 2, y + height / 2);
  context.scale(mirrored ? -scale : scale, scale);
  context.translate(-result.width / 2, -result.height / 2);
  context.drawImage(source, 0, 0, result.width, result.height);
  if (isBlurred) for (const { box } of result.faces) blur(context, source, size[0] / result.width, box);
  context.restore();

  const [left, top] = [x + (width - result.width * scale) / 2, y + (height - result.height * scale) / 2];
  for (const one of shown) {
    const [bx, by, w, h] = one.face.box;
    const fx = left + (mirrored ? result.width - bx - w : bx) * scale;
    frame(context, [fx, top + by * scale, w * scale, h * scale], one === it && shown.length > 1 ? '#9be5c6' : '#fff');
    if (shown.length > 1) chip(context, `${years(one.face.age)}`, fx + (w * scale) / 2, top + (by + h) * scale, [x, y, width, height], colours);
  }
}

function blur(context, source, scale, [x, y, w, h]) {
  const side = HIDDEN * Math.max(w, h);
  const [left, top] = [x + w / 2 - side / 2, y + h / 2 - side / 2];
  const small = Object.assign(document.createElement('canvas'), { width: SQUARES, height: SQUARES });
  const squares = small.getContext('2d');
  squares.imageSmoothingQuality = 'high';
  squares.drawImage(source, left * scale, top * scale, side * scale, side * scale, 0, 0, SQUARES, SQUARES);
  context.save();
  context.beginPath();
  context.ellipse(x + w / 2, y + h / 2, side / 2, side / 2, 0, 0, 7);
  context.clip();
  context.drawImage(small, left, top, side, side);
  context.restore();
}

function frame(context, [x, y, w, h], colour) {
  const length = Math.max(10, 0.22 * Math.min(w, h));
  context.strokeStyle = colour;
  context.lineWidth = Math.max(3, Math.min(6, w / 40));
  context.shadowColor = '#000a';
  context.shadowBlur = 6;
  for (const [cx, cy, dx, dy] of [[x, y, 1, 1], [x + w, y, -1, 1], [x, y + h, 1, -1], [x + w, y + h, -1, -1]]) {
    context.beginPath();
    context.moveTo(cx, cy + dy * length);
    context.lineTo(cx, cy);
    context.lineTo(cx + dx * length, cy);
    context.stroke();
  }
  context.shadowBlur = 0;
}

function chip(context, text, middle, top, [x, y, width, height]) {
  context.font = `600 30px ${FONT}`;
  const w = context.measureText(text).width + 24;
  const left = Math.max(x + 4, Math.min(x + width - w - 4, middle - w / 2));
  const at = Math.min(top + 6, y + height - 46);
  context.fillStyle = '#0b1512d9';
  context.beginPath();
  context.roundRect(left, at, w, 42, 14);
  context.fill();
  context.fillStyle = '#fff';
  context.textAlign = 'center';
  context.fillText(text, left + w / 2, at + 32);
  context.textAlign = 'left';
}

function drawPanel(context, [x, y, width, height], { it, others, by, colours, result }) {
  const edge = 56;
  const [left, right] = [x + edge, x + width - edge];
  // No larger than there is room for.
  const write = (text, at, baseline, size, weight, colour) => {
    const font = (size) => `${weight} ${size}px ${FONT}`;
    context.font = font(size);
    const room = (right - at) / context.measureText(text).width;
    if (room < 1) context.font = font(Math.floor(size * room));
    context.fillStyle = colour;
    context.fillText(text, at, baseline);
    return context.measureText(text).width;
  };
  const foot = y + height - 40;
  write(t`${by} · Mien. A guess, not a measurement.`, left, foot, 26, 400, colours.soft);
  if (!it) {
    write(result.faces.length > 0 ? t`No number yet` : t`No face found`, left, y + 110, 64, 300, colours.ink);
    return;
  }
  const { face } = it;
  const beside = left + write(years(face.age), left, y + 168, 168, 300, colours.ink) + 36;
  const lines = [t`probably ${yearRange(face)}`, genderSentence(face), others > 0 ? t`face ${it.number} of ${others + 1}` : ''].filter(Boolean);
  const isNarrow = right - beside < 400;
  const besides = isNarrow ? lines.filter((line) => line !== lines[1]) : lines;
  besides.forEach((line, index) => write(line, beside, y + 86 + 48 * index, 36, 400, colours.ink));
  if (isNarrow) write(lines[1], left, y + 222, 32, 400, colours.ink);
  write(summary(face), left, foot - 46, 26, 400, colours.soft);
  const top = y + (isNarrow ? 262 : 224);
  hill(context, [left, top, right - left, foot - 130 - top], face, colours);
}

function hill(context, [x, y, width, height], { age, ageRange, ageDistribution: p }, colours) {
  const top = Math.max(0.04, ...p);
  const at = (i) => x + (width * i) / (AGES - 1);
  const level = (i) => y + height - height * (p[i] / top);
  const area = (from, to) => {
    context.beginPath();
    context.moveTo(at(from), y + height);
    for (let i = from; i <= to; i++) context.lineTo(at(i), level(i));
    context.lineTo(at(to), y + height);
    context.fill();
  };
  const bound = (value) => Math.max(0, Math.min(AGES - 1, Math.round(value)));
  context.fillStyle = colours.hill;
  area(0, AGES - 1);
  context.fillStyle = colours.range;
  area(...ageRange.map(bound));
  context.strokeStyle = colours.accent;
  context.lineWidth = 3;
  context.beginPath();
  for (let i = 0; i < AGES; i++) context.lineTo(at(i), level(i));
  context.stroke();
  context.beginPath();
  context.moveTo(at(age), y - 8);
  context.lineTo(at(age), y + height);
  context.stroke();
  context.fillStyle = colours.line;
  context.fillRect(x, y + height, width, 2);
  context.fillStyle = colours.soft;
  context.font = `400 24px ${FONT}`;
  context.textAlign = 'center';
  for (const tick of TICKS) context.fillText(String(tick), Math.max(x + 8, at(tick)), y + height + 32);
  context.textAlign = 'left';
}
