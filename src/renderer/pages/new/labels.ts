import type { LabelKey } from '../../../contract/messages/labels.ts';
import type { FieldName } from './draft.ts';
import { fieldAt, isFieldPath, type FieldPath } from './fields.ts';

/** What the page's own fields are called. */
const ownLabels = {
  model: 'field.model',
  pattern: 'field.pattern',
  n: 'new.n',
  m: 'new.m',
  aim: 'new.aim',
  goalSize: 'new.goal-size',
  goalPerplexity: 'new.goal-perplexity',
  targets: 'new.targets',
  schedulers: 'new.schedulers',
} as const satisfies Readonly<Record<Exclude<FieldName, FieldPath>, LabelKey>>;

/** What a field is called. */
export function labelOf(name: FieldName): LabelKey {
  return isFieldPath(name) ? fieldAt(name).label : ownLabels[name];
}
