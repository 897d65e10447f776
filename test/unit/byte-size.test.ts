import fc from 'fast-check';
import { expect, test } from 'vitest';

import { byteSize, parseByteSize } from '../../src/contract/byte-size.ts';

test.each([
  ['16GiB', 17_179_869_184],
  ['1.5 GB', 1_500_000_000],
  ['800MB', 800_000_000],
  ['0.5KiB', 512],
  ['3TiB', 3_298_534_883_328],
  ['7B', 7],
  [' 8589934592 ', 8_589_934_592],
])('%s are %d bytes', (text, bytes) => {
  expect(parseByteSize(text)).toBe(bytes);
});

test.each(['', 'GiB', '16 elephants', '-1GiB', '1e3MB', '16iB', '16gib', '16 G'])('%j is no size', (text) => {
  expect(parseByteSize(text)).toBeNull();
});

test('a number of bytes is written so that it is read as the same', () => {
  expect(byteSize(16 * 2 ** 30)).toBe('16GiB');
  expect(byteSize(1536 * 2 ** 20)).toBe('1536MiB');
  expect(byteSize(1_000_001)).toBe('1000001');
  fc.assert(
    fc.property(fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }), (bytes) => {
      expect(parseByteSize(byteSize(bytes))).toBe(bytes);
    }),
  );
});
