import { constants } from '../../native.ts';

/** A section of a packed archive, as far as its size depends on it. */
export type BoundedSection =
  | { readonly kind: 'file'; readonly name: string; readonly bytes: number }
  | {
      readonly kind: 'tensor';
      readonly name: string;
      readonly dtype: string;
      readonly dimensions: number;
      readonly bytes: number;
    }
  | ({ readonly kind: 'values'; /** Bytes of a weight. */ readonly size: number } & Matrix)
  | ({ readonly kind: 'codes'; readonly coding: Coding } & Matrix);

export interface Matrix {
  readonly name: string;
  readonly dtype: string;
  readonly rows: number;
  readonly cols: number;
  /** Weights that are not zero. */
  readonly kept: number;
}

interface Coding {
  readonly bits: number;
  readonly groupSize: number;
  readonly symmetric: boolean;
  /** The group of each column is listed. */
  readonly isScattered: boolean;
}

const { archive } = constants;
const FRAME = archive.frameHeader;
/** Each is a u64. */
const DIMENSION = 8;

/** The largest size that an archive of these sections can come to: that of every frame stored as it is (docs/formats.md). */
export function archiveBound(sections: readonly BoundedSection[]): number {
  const index = sections.reduce((sum, { name }) => sum + archive.indexEntry + Buffer.byteLength(name), 0);
  const payloads = sections.reduce((sum, section) => sum + sectionBound(section), 0);
  return archive.fileHeader + payloads + archive.index + index;
}

function sectionBound(section: BoundedSection): number {
  const head = archive.section + Buffer.byteLength(section.name);
  switch (section.kind) {
    case 'file':
      return head + DIMENSION + FRAME + section.bytes;
    case 'tensor':
      return head + DIMENSION * section.dimensions + section.dtype.length + section.bytes;
    case 'values':
      return head + 2 * DIMENSION + section.dtype.length + valuesBound(section);
    case 'codes':
      return head + 2 * DIMENSION + section.dtype.length + codesBound(section);
  }
}

function valuesBound({ rows, cols, kept, size }: Extract<BoundedSection, { kind: 'values' }>): number {
  const bands = bandsOf({ rows, cols });
  return bands * (1 + size) * FRAME + bitsBound(rows * cols, bands) + kept * size;
}

/** Mask, codes, two planes of scales and, where there are some, zero points. */
function codesBound({ rows, cols, kept, coding }: Extract<BoundedSection, { kind: 'codes' }>): number {
  const { bits, groupSize, symmetric, isScattered } = coding;
  const bands = bandsOf({ rows, cols });
  const groups = rows * Math.ceil(cols / groupSize);
  const zeroPoints = symmetric ? 0 : bands * FRAME + bitsBound(groups * bits, bands);
  const order = isScattered ? FRAME + 4 * cols : 0;
  return (
    bands * 4 * FRAME + bitsBound(rows * cols, bands) + bitsBound(kept * bits, bands) + 2 * groups + zeroPoints + order
  );
}

/** Bands of a matrix, each of whole rows. */
function bandsOf({ rows, cols }: Pick<Matrix, 'rows' | 'cols'>): number {
  return Math.ceil(rows / Math.max(1, Math.floor(archive.bandWeights / Math.max(1, cols))));
}

/** Bytes of so many bits in `parts` streams, each of whole bytes. */
function bitsBound(bits: number, parts: number): number {
  return Math.ceil(bits / 8) + parts;
}
