// Results as JSON, of the form that the program writes, too: result.schema.json. In the package for others it is json.js (npm/).

/** Which form: another one where a field goes or means something else. */
export const SCHEMA = 1;

// Numbers in single precision: so many digits tell all of them apart.
const DIGITS = 9;

/**
 * @param {import('../mien.js').Result} result
 * @returns an object for JSON.stringify()
 */
export function toJson({ faces, moreFaces, mayMissFaces, ...picture }) {
  return { schema: SCHEMA, ...picture, more_faces: moreFaces, may_miss_faces: mayMissFaces, faces: faces.map(plain) };
}

// What else pages keep beside a face is theirs.
const plain = ({ id, number, settled, box, score, landmarks, age, ageRange, hills, ageDistribution, gender }) => ({
  id, number, settled, box, score, landmarks, age, age_range: ageRange, hills,
  age_distribution: Array.from(ageDistribution, (share) => Number(share.toPrecision(DIGITS))), gender,
});
