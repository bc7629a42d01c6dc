// What is missing in the files of languages, too much, or not as the English has it. Run in the page itself, with the paths of its scripts and
// documents; resolves with sentences, none where all is well.
//
// What there is to be said: t`...` in the scripts, markup`...` and the documents, and the sentences of start.js and worker.js.
async (paths) => {
  const [{ LANGUAGES, speak, t }, { keysIn }, { markup }] = await Promise.all(
    ['language.js', 'later/translate.js', 'start.js'].map((path) => import(new URL(path + buildOf(), document.baseURI))),
  );
  const texts = Object.fromEntries(await Promise.all(paths.map(async (path) => [path, await (await fetch(path)).text()])));
  const scripts = paths.filter((path) => path.endsWith('.js'));
  const programs = scripts.filter((path) => /^(start|worker)[.]js/.test(path));

  const said = new Set();
  for (const path of scripts) for (const { parts } of templates(texts[path], 't')) said.add(keyOf(parts));
  for (const path of scripts) for (const { parts } of templates(texts[path], 'markup')) inDocument(parts.join('0')).forEach((key) => said.add(key));
  for (const path of paths.filter((it) => it.endsWith('.html'))) {
    inDocument(texts[path]).forEach((key) => said.add(key));
    // What its own script says, before there are others.
    for (const [, text] of texts[path].matchAll(/(?:say\(|String\)\(|[?:])'([A-Z][^']*[.…)0-9])'/g)) said.add(text);
  }
  // Names.
  for (const name of ['mien', 'JSON', 'Mien']) said.delete(name);

  // With something in the place of values; and what worker.js puts in brackets behind some of them.
  const parts = programs.flatMap((path) => [...texts[path].matchAll(/(?:what: |lack\()'([^']+)'/g)].map(([, text]) => text));
  const messages = programs.flatMap((path) => sentences(texts[path])).filter((text) => !parts.includes(text))
    .map((text) => (/[.?]$/.test(text) ? text : `${text} ({0}).`));

  const complaints = [];
  for (const tag of LANGUAGES.filter((it) => it !== 'en')) {
    const complain = (what, ...keys) => keys.forEach((key) => complaints.push(`${tag}: ${what}: ${key}`));
    const { default: words, messages: told = {} } = await import(new URL(`locales/${tag}.js${buildOf()}`, document.baseURI));
    complain('missing', ...[...said].filter((key) => !Object.hasOwn(words, key)));
    complain('superfluous', ...Object.keys(words).filter((key) => !said.has(key)));
    complain('missing message', ...new Set([...messages, ...parts].filter((key) => !Object.hasOwn(told, key))));
    complain('superfluous message', ...Object.keys(told).filter((key) => !messages.includes(key) && !parts.includes(key)));
    const categories = new Intl.PluralRules(tag).resolvedOptions().pluralCategories;
    for (const [key, value] of [...Object.entries(words), ...Object.entries(told)]) {
      const forms = typeof value === 'string' ? { other: value } : value;
      if (typeof value !== 'string' && Object.keys(forms).sort().join() !== [...categories].sort().join()) complain('other plurals', key);
      for (const [category, text] of Object.entries(forms)) {
        if (typeof text !== 'string' || text.trim() === '') complain('nothing', key);
        // One thing may be told without its number.
        else if (category === 'other' && marks(text) !== marks(key)) complain('other values or elements', `${key} / ${text}`);
        else if (numbers(key).some((number) => !numbers(text).includes(number))) complain('other numbers', `${key} / ${text}`);
      }
    }
    await speak(tag);
    for (const message of messages) {
      const example = message.replace(/\{\d\}/g, 'X7');
      const text = t(example);
      if (text === example || /\{\d\}/.test(text)) complain('not said', example);
    }
  }
  await speak('en');
  return complaints;

  function buildOf() {
    return new URL(document.querySelector('script[src*="app.js"]').src).search;
  }

  function keyOf(parts) {
    return parts.reduce((text, part, index) => `${text}{${index - 1}}${part}`);
  }

  function marks(text) {
    return [...new Set(text.match(/\{\d\}|<\d\/?>/g) ?? [])].sort().join();
  }

  function numbers(text) {
    return text.replace(/\{\d\}|<\/?\d\/?>/g, '').match(/\d+/g) ?? [];
  }

  function inDocument(html) {
    const room = document.createElement('div');
    room.innerHTML = markup({ raw: [html.replaceAll(' src=', ' data-src=')] });
    return keysIn(room);
  }

  function withoutComments(text) {
    return text.replace(/^ *(\/\/|\/?\*).*$/gm, '').replace(/; \/\/ .*$/gm, ';');
  }

  /** Tagged templates: their parts, without what stands between them. */
  function templates(text, tag) {
    const source = withoutComments(text);
    return [...source.matchAll(new RegExp(`(?<![\\w$.])${tag}\``, 'g'))].map(({ index }) => template(source, index + tag.length));
  }

  /** The template that begins there, and where it ends. */
  function template(source, start) {
    const parts = [''];
    for (let at = start + 1; at < source.length; at++) {
      if (source[at] === '`') return { parts, end: at };
      if (source.startsWith('${', at)) {
        at = afterBraces(source, at + 2);
        parts.push('');
      } else {
        parts[parts.length - 1] += source[at];
      }
    }
    throw new Error(`a text that does not end: ${source.slice(start, start + 80)}`);
  }

  function afterBraces(source, at) {
    for (let depth = 1; ; at++) {
      if (source[at] === '`') at = template(source, at).end;
      else if (source[at] === "'") at = source.indexOf("'", at + 1);
      else if (source[at] === '{') depth += 1;
      else if (source[at] === '}' && --depth === 0) return at;
    }
  }

  /** Sentences for people, of literals, and of those that are added to each other; what is for those who write programs begins small. */
  function sentences(text) {
    // Nor in other quotes, or in patterns.
    const source = withoutComments(text).replace(/"[^"\n]*"/g, '0').replace(/\/\^.*\/[a-z]*(?=[.)])/g, '0');
    const found = [];
    let end = -1;
    for (const { index, 0: quote } of source.matchAll(/['`]/g)) {
      if (index <= end) continue;
      const from = end;
      const { parts, end: close } = quote === '`' ? template(source, index) : { parts: [source.slice(index + 1, source.indexOf("'", index + 1))], end: source.indexOf("'", index + 1) };
      end = close;
      const literal = keyOf(parts);
      if (found.length > 0 && /^['`]\s*\+\s*$/.test(source.slice(from, index))) found[found.length - 1] += literal;
      else found.push(literal);
    }
    const forPrograms = ['Text is put into elements, not into markup.'];
    return [...new Set(found.filter((it) => /^[A-Z][\w’]*( \S+){2,}/.test(it) && !forPrograms.includes(it)))];
  }
}
