import { describe, expect, it } from 'vitest';

// @ts-expect-error A script without types.
import { circles, oneSided, rustPaths } from '../../scripts/structure.mjs';

interface Module {
  readonly file: string;
  readonly imports: readonly string[];
}
const circlesOf = circles as (modules: readonly Module[]) => { folder: string; members: string[] }[];
const oneSidedOf = oneSided as (modules: readonly Module[]) => { file: string; sides: string[] }[];
const pathsOf = rustPaths as (text: string) => string[][];

describe('circles between folders', () => {
  it('finds two folders that import each other through different files, and their imports', () => {
    const found = circlesOf([
      { file: 'src/a/one.ts', imports: ['src/b/one.ts'] },
      { file: 'src/b/two.ts', imports: ['src/a/two.ts'] },
      { file: 'src/a/two.ts', imports: [] },
      { file: 'src/b/one.ts', imports: [] },
    ]);
    expect(found).toMatchObject([{ folder: 'src', members: ['a', 'b'] }]);
  });

  it('finds a longer way back, and a folder that a file beside it leads back to', () => {
    const found = circlesOf([
      { file: 'src/x/a/one.ts', imports: ['src/x/b.ts'] },
      { file: 'src/x/b.ts', imports: ['src/x/c/one.ts'] },
      { file: 'src/x/c/two.ts', imports: ['src/x/a/two.ts'] },
    ]);
    expect(found).toMatchObject([{ folder: 'src/x', members: ['a', 'b.ts', 'c'] }]);
  });

  it('finds none where all imports lead one way', () => {
    const found = circlesOf([
      { file: 'src/a/one.ts', imports: ['src/b/one.ts', 'src/c/one.ts', 'src/a/two.ts'] },
      { file: 'src/b/one.ts', imports: ['src/c/one.ts'] },
    ]);
    expect(found).toEqual([]);
  });
});

describe('paths in Rust', () => {
  it('are read from uses, with what stands in braces, and from where they are named', () => {
    const text = `use crate::solve::{mask::{self, Pattern as P}, sweep}; use super::gram::Gram;
      fn f() -> crate::error::Result<()> { crate::cpu::start() }`;
    expect(pathsOf(text)).toEqual([
      ['crate', 'solve', 'mask', 'self'],
      ['crate', 'solve', 'mask', 'Pattern'],
      ['crate', 'solve', 'sweep'],
      ['super', 'gram', 'Gram'],
      ['crate', 'error', 'Result'],
      ['crate', 'cpu', 'start'],
    ]);
  });
});

describe('files of the contract', () => {
  it('are found where the page alone uses them, directly or through another', () => {
    const found = oneSidedOf([
      { file: 'src/contract/a.ts', imports: ['src/contract/b.ts'] },
      { file: 'src/contract/b.ts', imports: [] },
      { file: 'src/contract/c.ts', imports: [] },
      { file: 'src/renderer/page.tsx', imports: ['src/contract/a.ts', 'src/contract/c.ts'] },
      { file: 'src/charts/chart.tsx', imports: ['src/contract/a.ts'] },
      { file: 'src/main/index.ts', imports: ['src/contract/c.ts'] },
    ]);
    expect(found.map(({ file }) => file)).toEqual(['src/contract/a.ts', 'src/contract/b.ts']);
  });
});
