const wanted = new Map();

/** Has later/NAME.css loaded, once; resolves when it is there, or is not to be had. */
export function styles(name) {
  if (!wanted.has(name)) {
    wanted.set(name, new Promise((resolve) => {
      const link = Object.assign(document.createElement('link'), { rel: 'stylesheet', href: new URL(`${name}.css${new URL(import.meta.url).search}`, import.meta.url).href });
      link.onload = link.onerror = () => resolve();
      document.head.append(link);
    }));
  }
  return wanted.get(name);
}
