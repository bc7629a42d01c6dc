const photo = document.querySelector('mien-photo');
const words = document.querySelector('#words');

photo.addEventListener('mien-result', ({ detail: { faces } }) => {
  const ages = faces.map(({ age }) => age.toFixed(0));
  words.textContent = faces.length === 0 ? 'Nobody there.' : `Ages: ${ages.join(', ')}`;
});
photo.addEventListener('mien-error', ({ detail: { code, message } }) => {
  words.textContent = `${code}: ${message}`;
});

// What is written at a face.
document.querySelector('mien-camera').label = ({ age, ageRange: [low, high] }) => `about ${age.toFixed(0)} (${low.toFixed(0)} to ${high.toFixed(0)})`;
