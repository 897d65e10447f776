import { readFileSync } from 'node:fs';

import { expect, test } from 'vitest';

import { en } from '../../src/contract/messages/en.ts';
import { zhTW } from '../../src/contract/messages/zh-TW.ts';

const source = readFileSync(new URL('../../native/src/error.rs', import.meta.url), 'utf8');
const variants = [...source.matchAll(/rename = "([^"]+)"\)\]\s+\w+ \{([^}]*)\}/g)].map(
  ([, code = '', fields = '']) => [code, [...fields.matchAll(/(\w+):/g)].map(([, name]) => name)] as const,
);

test('every variant is found in the source', () => {
  expect(variants).toHaveLength([...source.matchAll(/serde\(rename = /g)].length);
  expect(variants.length).toBeGreaterThan(30);
});

test.each(variants)('%s has a sentence in both languages, with no value the core does not give', (code, fields) => {
  for (const catalogue of [en, zhTW] as Readonly<Record<string, string>>[]) {
    const placeholders = [...(catalogue[code] ?? '').matchAll(/{{(\w+)}}/g)].map(([, name]) => name);
    // A cancelled run names its folder, which the core does not know.
    const given = code === 'cancelled' ? ['path'] : fields;
    expect(placeholders.toSorted()).toEqual(given.toSorted());
  }
});
