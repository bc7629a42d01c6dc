// What browsers have and TypeScript's library lacks, since not all of them have it.

interface Navigator {
  readonly connection?: { readonly saveData: boolean };
}
