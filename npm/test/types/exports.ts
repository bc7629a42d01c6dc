// What the package's scripts export is what their types declare: no more, no less. `written` are the scripts without their types.

import * as declared from 'mien-faces/elements';
import * as jsonDeclared from 'mien-faces/json';
import * as manyDeclared from 'mien-faces/many';
import * as written from './written/elements.js';
import * as jsonWritten from './written/json.js';
import * as manyWritten from './written/many.js';

type Calls = 'connectedCallback' | 'disconnectedCallback' | 'attributeChangedCallback';
type Difference<A, B> = Exclude<keyof A, keyof B | Calls> | Exclude<keyof B, keyof A | Calls>;

type None<T extends never> = T;
export type Nothing = None<
  | Exclude<keyof typeof declared, keyof typeof written>
  | Exclude<keyof typeof written, keyof typeof declared>
  | Exclude<keyof typeof jsonDeclared, keyof typeof jsonWritten>
  | Exclude<keyof typeof jsonWritten, keyof typeof jsonDeclared>
  | Difference<written.MienPhoto, declared.MienPhoto>
  | Difference<written.MienCamera, declared.MienCamera>
>;
export const many: typeof manyDeclared.estimateMany = manyWritten.estimateMany;
