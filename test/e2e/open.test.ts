import { expect } from 'vitest';

import { test } from './application.ts';

test('--open begins at an address of the page, and nowhere else', async ({ start }) => {
  const first = await start({ args: ['--open=/new?model=demo'] });
  expect(first.page.url()).toBe('tamis://app/index.html#/new?model=demo');
  await first.close();
  const second = await start({ args: ['--open=https://example.org/'] });
  expect(second.page.url()).toBe('tamis://app/index.html#/models');
});
