// The ways a photo comes in: chosen, dropped, pasted, or the sample.

/**
 * @param {{ input: HTMLInputElement, sample: HTMLElement, stage: HTMLElement,
 *           onPhoto: (photo: Blob) => void, onFailure: (error: Error) => void }} parts
 */
export function photoInputs({ input, sample, stage, onPhoto, onFailure }) {
  input.addEventListener('change', () => {
    const [file] = input.files;
    input.value = ''; // so that the same file can be chosen again
    if (file) onPhoto(file);
  });

  sample.addEventListener('click', async () => {
    try {
      const response = await fetch('sample.jpg');
      if (!response.ok) throw new Error(`The site answered ${response.status}.`);
      onPhoto(await response.blob());
    } catch (error) {
      onFailure(new Error('The sample picture could not be downloaded. Is this device online?', { cause: error }));
    }
  });

  document.addEventListener('paste', (event) => {
    const file = pictureIn(event.clipboardData);
    if (file) onPhoto(file);
  });

  // Anywhere on the page: a picture that misses the stage should not replace the page.
  let depth = 0;
  const mark = (change) => {
    depth = change === 0 ? 0 : depth + change;
    stage.classList.toggle('dropping', depth > 0);
  };
  document.addEventListener('dragenter', () => mark(1));
  document.addEventListener('dragleave', () => mark(-1));
  document.addEventListener('dragover', (event) => event.preventDefault());
  document.addEventListener('drop', (event) => {
    event.preventDefault();
    mark(0);
    const file = pictureIn(event.dataTransfer);
    if (file) onPhoto(file);
    else onFailure(new Error('That was no picture file. Save the picture first, then drop the file.'));
  });
}

function pictureIn(transfer) {
  const files = [...(transfer?.files ?? [])];
  return files.find((file) => file.type.startsWith('image/')) ?? files[0];
}
