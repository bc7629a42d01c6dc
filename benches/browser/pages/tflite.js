// A TFLite model with the metadata that MediaPipe's tasks ask for and its own npm package leaves out.
//
// Both are flatbuffers: see TensorFlow's schema.fbs and metadata_schema.fbs. Offsets lead forward only, so what is
// added goes before the file, which stays as it is; only its root table is made anew.

const FIELDS = { version: 0, operatorCodes: 1, subgraphs: 2, description: 3, buffers: 4, metadata: 6 };

/**
 * States how the input is made: (pixel - mean) / deviation, pixels from 0 to 255.
 *
 * @param {ArrayBuffer} model without metadata
 * @returns {Uint8Array}
 */
export function withNormalisation(model, mean, deviation) {
  const view = new DataView(model);
  const follow = (at) => at + view.getUint32(at, true);
  const root = follow(0);
  const fieldsAt = root - view.getInt32(root, true);
  const known = (view.getUint16(fieldsAt, true) - 4) / 2;
  const place = (field) => (field < known ? view.getUint16(fieldsAt + 4 + 2 * field, true) : 0);
  if (place(FIELDS.metadata)) throw new Error('this model has metadata already');
  const value = (field) => view.getUint32(root + place(field), true);
  const old = (field) => ({ old: follow(root + place(field)) });

  const { old: buffersAt } = old(FIELDS.buffers);
  const buffers = Array.from({ length: view.getUint32(buffersAt, true) }, (_, i) => ({ old: follow(buffersAt + 4 + 4 * i) }));
  const entry = table(string('TFLITE_METADATA'), buffers.length);
  const added = flatbuffer('TFL3', table(
    value(FIELDS.version),
    old(FIELDS.operatorCodes),
    old(FIELDS.subgraphs),
    old(FIELDS.description),
    vector([...buffers, table(bytes(normalisation(mean, deviation)))]),
    undefined,
    vector([entry]),
  ));
  const whole = new Uint8Array(added.length + model.byteLength);
  whole.set(added);
  whole.set(new Uint8Array(model), added.length);
  return whole;
}

/** Metadata: one subgraph with one input, which has one step of processing, of the kind 1, normalisation. */
function normalisation(mean, deviation) {
  const unit = table(1, table(vector([floatBits(mean)]), vector([floatBits(deviation)])));
  const input = table(undefined, undefined, undefined, undefined, vector([unit]));
  const subgraph = table(undefined, undefined, vector([input]));
  return flatbuffer('M001', table(undefined, undefined, undefined, vector([subgraph])));
}

const floatBits = (value) => new Uint32Array(new Float32Array([value]).buffer)[0];

// ---- writing ----

/** Writes from the root on. What is referred to is a function that writes it and returns its place, or { old }, a place after the end. */
function flatbuffer(identifier, root) {
  const out = { data: [], waiting: [], after: [] };
  item(out, root);
  out.data.push(...new TextEncoder().encode(identifier));
  for (const { at, write } of out.waiting) {
    align(out, 4);
    patch(out, at, write(out) - at);
  }
  align(out, 16); // as far as anything in the old file is aligned
  for (const { at, old } of out.after) patch(out, at, out.data.length + old - at);
  return Uint8Array.from(out.data);
}

/** A number as it is, and anything else as a reference that is written later. */
function item(out, value) {
  const at = out.data.length;
  if (typeof value === 'function') out.waiting.push({ at, write: value });
  else if (typeof value === 'object') out.after.push({ at, ...value });
  out.data.push(0, 0, 0, 0);
  if (typeof value === 'number') patch(out, at, value);
}

/** Four bytes for each field; `undefined` is left out. */
const table = (...fields) => (out) => {
  const fieldsAt = out.data.length;
  const places = fields.map((field, i) => (field === undefined ? 0 : 4 + 4 * i));
  for (const short of [4 + 2 * fields.length, 4 + 4 * fields.length, ...places]) out.data.push(short & 255, short >> 8);
  align(out, 4);
  const at = out.data.length;
  item(out, at - fieldsAt);
  for (const field of fields) item(out, field);
  return at;
};

const vector = (items) => (out) => {
  const at = out.data.length;
  for (const value of [items.length, ...items]) item(out, value);
  return at;
};

const bytes = (values) => (out) => {
  align(out, 16, 4); // the data after the length
  const at = out.data.length;
  item(out, values.length);
  out.data.push(...values);
  return at;
};

const string = (text) => (out) => {
  const at = out.data.length;
  item(out, text.length);
  out.data.push(...new TextEncoder().encode(text), 0);
  return at;
};

function align(out, to, ahead = 0) {
  while ((out.data.length + ahead) % to) out.data.push(0);
}

function patch(out, at, value) {
  for (let i = 0; i < 4; i++) out.data[at + i] = (value >>> (8 * i)) & 255;
}
