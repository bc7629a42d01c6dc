import 'mien-faces/elements';
import { useState } from 'react';

// React 19 listens for an element's own event by `on` and its name, and sets what is no text as a property.
export function App() {
  const [file, setFile] = useState(null);
  const [words, setWords] = useState('One moment…');
  const told = ({ detail: { faces } }) => setWords(faces.map(({ age }) => age.toFixed(0)).join(', ') || 'Nobody there.');
  const failed = ({ detail: { message } }) => setWords(message);
  return (
    <main>
      <input type="file" accept="image/*" onChange={({ target }) => setFile(target.files[0])} />
      <mien-photo src="sample.jpg" alt="" source={file} onmien-result={told} onmien-error={failed} />
      <p id="words">{words}</p>
      <mien-camera onmien-error={failed}>
        <span slot="start">How old do I look?</span>
      </mien-camera>
    </main>
  );
}
