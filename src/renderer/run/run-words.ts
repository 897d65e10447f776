import { percent } from '../../contract/format.ts';
import type { RunRow } from '../../contract/history.ts';
import type { Label } from '../../contract/messages/labels.ts';
import { methods } from '../../contract/recipe/methods.ts';

/** A run's recipe in a line: method, sparsity or pattern, scheduler, bits. */
export function runSummary({ method, nm, targetSparsity, scheduler, bits }: RunRow, t: Label): string {
  const share = targetSparsity === null ? [] : [`${percent(targetSparsity, 1)} %`];
  const pattern = nm === null ? [] : [t('text.nm', nm)];
  return [
    methods[method].name,
    ...pattern,
    ...(nm === null ? share : []),
    t('run.scheduled', { scheduler }),
    ...(bits === null ? [] : [t('text.quantization.bits', { bits })]),
  ].join(' · ');
}

/** Date and time where the person is, to the minute: the same in every language. */
export function dateAndTime(iso: string): [date: string, time: string] {
  const date = new Date(iso);
  const two = (value: number): string => String(value).padStart(2, '0');
  return [
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`,
    `${two(date.getHours())}:${two(date.getMinutes())}`,
  ];
}
