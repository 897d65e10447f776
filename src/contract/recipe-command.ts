import type { Corpus, Dataset, Quantization, Recipe, Scheduler } from './recipe.ts';
import { byteSize } from './byte-size.ts';
import { corpusPaths, shellQuote } from './words.ts';

/**
 * The command that runs a recipe, for a POSIX shell. Settings at their defaults are left out. A recipe that the options
 * cannot say (a dataset of several files, texts after token ids) is written to a file first.
 */
export function recipeCommand(recipe: Recipe): string {
  const out = ['--out', 'NEW_FOLDER'];
  if (!optionsSuffice(recipe.evaluation.datasets)) {
    const file = `cat > recipe.json <<'RECIPE'\n${JSON.stringify(recipe, null, 2)}\nRECIPE\n`;
    return `${file}${line(['tamis', 'compress', '--recipe', 'recipe.json', ...out])}`;
  }
  return line([
    ...['tamis', 'compress', recipe.model, '--method', recipe.method],
    ...target(recipe),
    ...schedulerOptions(recipe.scheduler),
    ...(recipe.quantization ? quantizationOptions(recipe.quantization) : []),
    ...unless(recipe.percdamp === 0.01, '--percdamp', recipe.percdamp),
    ...calibrationOptions(recipe.calibration),
    ...evaluationOptions(recipe.evaluation),
    ...unless(recipe.seed === 0, '--seed', recipe.seed),
    ...unless(recipe.device === 'auto', '--device', recipe.device),
    ...unless(recipe.gpu === 'auto', '--gpu', recipe.gpu),
    ...(recipe.cpuFallback ? [] : ['--no-cpu-fallback']),
    ...option('--threads', recipe.threads),
    ...option('--memory', recipe.memory === null ? null : byteSize(recipe.memory)),
    ...option('--blocks', recipe.blocks),
    ...out,
  ]);
}

function line(words: readonly string[]): string {
  return words.map(shellQuote).join(' ');
}

function option(flag: string, value: string | number | null | undefined): string[] {
  // With `=`, so that a negative number is not taken for an option.
  if (typeof value === 'number' && value < 0) return [`${flag}=${value}`];
  return value === null || value === undefined ? [] : [flag, String(value)];
}

function unless(isDefault: boolean, flag: string, value: string | number): string[] {
  return isDefault ? [] : option(flag, value);
}

function target({ nm, fit, sparsity }: Recipe): string[] {
  const goal =
    fit?.kind === 'size'
      ? option('--fit-size', byteSize(fit.bytes))
      : option('--fit-perplexity', fit === null ? null : fit.perplexity);
  return nm ? option('--nm', `${nm.n}:${nm.m}`) : [...goal, ...option('--sparsity', sparsity)];
}

function schedulerOptions(scheduler: Scheduler): string[] {
  const kind = option('--scheduler', scheduler.kind);
  switch (scheduler.kind) {
    case 'auto':
    case 'uniform':
      return kind;
    case 'allocate':
      return [...kind, ...unless(scheduler.range === 0.1, '--range', scheduler.range)];
    case 'kmeans':
      return [
        ...kind,
        ...option('--estimate', scheduler.estimate),
        ...option('--groups', scheduler.groups),
        ...option('--mapping', scheduler.mapping),
        ...option('--power', scheduler.power),
        ...option('--range', scheduler.range),
        ...unless(scheduler.min === 0, '--min-sparsity', scheduler.min),
        ...unless(scheduler.max === 0.95, '--max-sparsity', scheduler.max),
      ];
    case 'owl':
      return [
        ...kind,
        ...unless(scheduler.lambda === 0.08, '--lambda', scheduler.lambda),
        ...unless(scheduler.m === 5, '--owl-m', scheduler.m),
      ];
    case 'alpha':
      return [...kind, ...unless(scheduler.epsilon === 0.3, '--epsilon', scheduler.epsilon)];
    case 'atp':
      return [...kind, ...option('--beta', scheduler.beta)];
    case 'file':
      return [...kind, ...option('--sparsities', scheduler.path)];
  }
}

function quantizationOptions(quantization: Quantization): string[] {
  const { bits, groupSize, symmetric, actOrder, staticGroups, range, exceptions } = quantization;
  return [
    ...option('--bits', bits),
    ...unless(groupSize === 128, '--group-size', groupSize ?? 'channel'),
    ...(symmetric ? ['--symmetric'] : []),
    ...(actOrder ? ['--act-order'] : []),
    ...(staticGroups ? ['--static-groups'] : []),
    ...unless(range === 'minmax', '--quantization-range', range),
    ...exceptions.flatMap(({ layers, bits: other }) => ['--exception', `${layers}=${other ?? 'none'}`]),
  ];
}

function calibrationOptions({ corpus, sequences, seqlen }: Recipe['calibration']): string[] {
  return [
    ...(corpus ? corpusOptions(corpus) : []),
    ...unless(sequences === 128, '--sequences', sequences),
    ...option('--calibration-seqlen', seqlen),
  ];
}

function corpusOptions(corpus: Corpus): string[] {
  return corpus.kind === 'texts' ? ['--calibration', ...corpus.paths] : ['--calibration-tokens', corpus.path];
}

function evaluationOptions({ datasets, windows, seqlen }: Recipe['evaluation']): string[] {
  const texts = datasets.filter(({ corpus }) => corpus.kind === 'texts').map(datasetOption);
  const tokens = datasets.filter(({ corpus }) => corpus.kind === 'tokens').map(datasetOption);
  return [
    ...(texts.length > 0 ? ['--evaluation', ...texts] : []),
    ...tokens.flatMap((given) => ['--evaluation-tokens', given]),
    ...option('--windows', windows),
    ...option('--seqlen', seqlen),
  ];
}

function datasetOption({ name, corpus }: Dataset): string {
  const [path = ''] = corpusPaths(corpus);
  return name === nameOfPath(path) ? path : `${name}=${path}`;
}

/** What a dataset of a file or folder is called: the last part of its path, without what follows its last dot. */
export function nameOfPath(path: string): string {
  const last = path.replace(/[\\/]+$/, '').replace(/^.*[\\/]/s, '');
  return last.replace(/(?!^)\.[^.]*$/, '');
}

/** Options name texts of one file or folder each, then at most one file of token ids; a name ends at the first `=`. */
function optionsSuffice(datasets: readonly Dataset[]): boolean {
  const kinds = datasets.map(({ corpus }) => corpus.kind);
  const tokensAt = kinds.indexOf('tokens');
  return (
    (tokensAt === -1 || tokensAt === kinds.length - 1) &&
    datasets.every(
      ({ name, corpus }) => !/[=/\\]/.test(name) && (corpus.kind === 'tokens' || corpus.paths.length === 1),
    )
  );
}
