import { Mien } from 'mien-faces';
import { MienPhoto } from 'mien-faces/elements';
import { Faces } from './faces.jsx';

// On the server, where nothing can be estimated, and nothing may break.
export default function Page() {
  return (
    <main>
      <p id="server">{`${typeof Mien.load} ${typeof MienPhoto}`}</p>
      <Faces photo="/sample.jpg" />
    </main>
  );
}
