// JSX without a plugin: all that a plugin for React would add is to keep the state of components while one edits.
export default { oxc: { jsx: { runtime: 'automatic' } } };
