// What mien.js exports, which is `implementation.js` here, is what mien.d.ts declares: no more, no less.

import * as written from './implementation.js';
import * as declared from './mien.js';

type Missing = Exclude<keyof typeof declared, keyof typeof written>;
type Undeclared = Exclude<keyof typeof written, keyof typeof declared>;
type UndeclaredMember = Exclude<keyof written.Mien, keyof declared.Mien>;
type UndeclaredStatic = Exclude<keyof typeof written.Mien, keyof typeof declared.Mien>;
type UndeclaredInError = Exclude<keyof written.MienError, keyof declared.MienError>;

type None<T extends never> = T;
export type Nothing = None<Missing | Undeclared | UndeclaredMember | UndeclaredStatic | UndeclaredInError>;

// The constructor is nobody's to call. The prototype is an instance, so every member is compared.
export const mien: Pick<typeof declared.Mien, keyof typeof declared.Mien> = written.Mien;
export const error: typeof declared.MienError = written.MienError;
