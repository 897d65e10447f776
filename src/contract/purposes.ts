/** What a path is chosen for: decides what the native dialog offers and what a dropped file may be. */
export const purposes = [
  'model',
  'texts',
  'texts-folder',
  'tokens',
  'sparsities',
  'recipe',
  'run',
  'runs-folder',
  'models-folder',
  'export',
] as const;
export type Purpose = (typeof purposes)[number];
