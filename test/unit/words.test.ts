import { expect, test } from 'vitest';

import { labels } from '../../src/contract/messages/labels.ts';
import { parseRecipe } from '../../src/contract/recipe.ts';
import { quantizationWords, recipeWords, schedulerName } from '../../src/contract/words.ts';
import { autoReport, sampleReport } from '../fixtures/report.ts';

const t = labels('en');
const { centroids } = sampleReport();

/** What is said of the scheduler. */
function scheduler(groups: number | undefined, known: typeof centroids | null): string | undefined {
  const recipe = parseRecipe({ model: 'm', scheduler: { kind: 'kmeans', ...(groups !== undefined && { groups }) } });
  const words = recipeWords({ recipe, choice: null, centroids: known, estimate: null }, t, (path) => path);
  return words.find(([name]) => name === t('field.scheduler'))?.[1];
}

test('the groups of a run are those it made; before that, those its recipe names or the family’s', () => {
  expect(scheduler(undefined, centroids)).toContain('groups: 3');
  expect(scheduler(5, null)).toContain('groups: 5');
  expect(scheduler(0, null)).toContain('every layer on its own');
  expect(scheduler(0, [])).toContain('every layer on its own');
  expect(scheduler(undefined, null)).toContain('default number of groups');
});

test('auto says what it tries, and once it has chosen, what it took', () => {
  const { recipe, choice } = autoReport();
  const said = (known: typeof choice): string | undefined =>
    recipeWords({ recipe, choice: known, centroids: null, estimate: null }, t, (path) => path).find(
      ([name]) => name === t('field.scheduler'),
    )?.[1];
  expect(said(null)).toBe('auto: uniform, or allocate where it clearly does better in a trial');
  expect(said(choice)).toContain(
    'auto, after a trial: allocate: the least sum of measured sensitivities, every layer within 10',
  );
  expect(said(choice && { ...choice, chosen: 0 })).toBe('auto, after a trial: uniform: every layer at the target');
  expect(schedulerName({ recipe, choice })).toBe('auto (allocate ±10)');
  expect(schedulerName({ recipe, choice: null })).toBe('auto');
});

test('quantization is told in full: bits, groups, codes, order, range, how, and the exceptions in their order', () => {
  const quantization = {
    bits: 3,
    groupSize: 64,
    symmetric: true,
    actOrder: true,
    staticGroups: true,
    range: 'mse',
    exceptions: [
      { layers: '*.fc2', bits: 8 },
      { layers: '*.layers.0.*', bits: null },
    ],
  };
  expect(quantizationWords(parseRecipe({ model: 'm', quantization }), t)).toBe(
    '3 bits, groups of 64 columns, symmetric, act-order, static groups, range of least squared error, in the sweep (OPTQ), but *.fc2 8 bits, but *.layers.0.* not at all',
  );
  const nearest = parseRecipe({ model: 'm', method: 'magnitude', quantization: { bits: 4, groupSize: null } });
  expect(quantizationWords(nearest, t)).toBe('4 bits, per channel, asymmetric, range minmax, rounded to nearest');
  expect(quantizationWords(parseRecipe({ model: 'm' }), t)).toContain('none');
});
