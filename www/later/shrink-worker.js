// Makes large pictures smaller where nobody waits for it: one to be shown, and one of as many pixels as
// are read.

self.onmessage = async ({ data: { bitmap, most, side } }) => {
  try {
    const { width, height } = bitmap;
    const scaled = (scale) => createImageBitmap(bitmap, {
      resizeWidth: Math.max(1, Math.floor(width * scale)),
      resizeHeight: Math.max(1, Math.floor(height * scale)),
      resizeQuality: 'high',
      premultiplyAlpha: 'none',
    });
    const shown = await scaled(Math.min(1, side / Math.max(width, height)));
    let full = bitmap;
    if (width * height > most) {
      full = await scaled(Math.sqrt(most / (width * height)));
      bitmap.close();
    }
    self.postMessage({ full, shown }, [full, shown]);
  } catch (error) {
    self.postMessage({ error });
  }
};
