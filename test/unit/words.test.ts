import { expect, test } from 'vitest';

import { labels } from '../../src/contract/messages/labels.ts';
import { parseRecipe } from '../../src/contract/recipe.ts';
import { recipeWords } from '../../src/contract/words.ts';
import { sampleReport } from '../fixtures/report.ts';

const t = labels('en');
const { centroids } = sampleReport();

/** What is said of the scheduler. */
function scheduler(groups: number | undefined, known: typeof centroids | null): string | undefined {
  const recipe = parseRecipe({ model: 'm', scheduler: { kind: 'kmeans', ...(groups !== undefined && { groups }) } });
  const words = recipeWords({ recipe, centroids: known, estimate: null }, t, (path) => path);
  return words.find(([name]) => name === t('field.scheduler'))?.[1];
}

test('the groups of a run are those it made; before that, those its recipe names or the family’s', () => {
  expect(scheduler(undefined, centroids)).toContain('groups: 3');
  expect(scheduler(5, null)).toContain('groups: 5');
  expect(scheduler(0, null)).toContain('every layer on its own');
  expect(scheduler(0, [])).toContain('every layer on its own');
  expect(scheduler(undefined, null)).toContain('default number of groups');
});
