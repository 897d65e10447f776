import type { Purpose } from '../../../contract/purposes.ts';
import { nameOfPath } from './recipe-command.ts';
import type { Corpus, Dataset } from '../../../contract/recipe.ts';

/** What data can be chosen as, in a native dialog. */
export type DataPurpose = Extract<Purpose, 'texts' | 'texts-folder' | 'tokens'>;

/** A corpus with further files: texts join texts; a file of token ids stands alone. */
export function withPaths(corpus: Corpus | null, purpose: DataPurpose, paths: readonly string[]): Corpus | null {
  const [first] = paths;
  if (first === undefined) return corpus;
  if (purpose === 'tokens') return { kind: 'tokens', path: first };
  const before = corpus?.kind === 'texts' ? corpus.paths : [];
  return { kind: 'texts', paths: [...new Set([...before, ...paths])] };
}

export function withoutPath(corpus: Corpus, path: string): Corpus | null {
  if (corpus.kind === 'tokens') return null;
  const paths = corpus.paths.filter((each) => each !== path);
  return paths.length === 0 ? null : { kind: 'texts', paths };
}

/** The datasets with a further one for each path, called after its file or folder. */
export function withDatasets(
  datasets: readonly Dataset[],
  purpose: DataPurpose,
  paths: readonly string[],
): readonly Dataset[] {
  return paths.reduce<readonly Dataset[]>((all, path) => {
    const corpus: Corpus = purpose === 'tokens' ? { kind: 'tokens', path } : { kind: 'texts', paths: [path] };
    const taken = new Set(all.map(({ name }) => name));
    return [...all, { name: freeName(nameOfPath(path), taken), corpus }];
  }, datasets);
}

function freeName(name: string, taken: ReadonlySet<string>): string {
  if (!taken.has(name)) return name;
  const numbered = Array.from({ length: taken.size + 1 }, (_, i) => `${name} ${i + 2}`);
  return numbered.find((each) => !taken.has(each)) ?? name;
}
