import type { z } from 'zod';

import { isFlagField, type Field, type Fields } from '../../../contract/recipe/field.ts';
import {
  calibrationFields,
  evaluationFields,
  machineFields,
  pruningFields,
  quantizationFields,
} from '../../../contract/recipe/fields.ts';
import {
  schedulerKinds,
  schedulers,
  type SchedulerFields,
  type SchedulerKind,
} from '../../../contract/recipe/schedulers.ts';

type Under<Group extends string, F> = { readonly [Name in keyof F & string as `${Group}.${Name}`]: F[Name] };
type SchedulerPath = { [Kind in SchedulerKind]: keyof Under<Kind, SchedulerFields<Kind>> }[SchedulerKind];
type SchedulerFieldAt<Path> = {
  [Kind in SchedulerKind]: Path extends keyof Under<Kind, SchedulerFields<Kind>>
    ? Under<Kind, SchedulerFields<Kind>>[Path]
    : never;
}[SchedulerKind];

/** Every field of a recipe by where it stands: `percdamp`, `quantization.bits`, `kmeans.groups`. */
type FieldsByPath = typeof pruningFields &
  typeof machineFields &
  Under<'quantization', typeof quantizationFields> &
  Under<'calibration', typeof calibrationFields> &
  Under<'evaluation', typeof evaluationFields> & { readonly [Path in SchedulerPath]: SchedulerFieldAt<Path> };
export type FieldPath = keyof FieldsByPath;

/** A number as it stands in its field; empty = left to the default. */
export type Amount = number | string;

/** What stands on the page for a field; null = left to the default. */
type Standing<F> = F extends { control: 'amount' }
  ? Amount
  : F extends { control: 'text' | 'path' }
    ? string
    : F extends { schema: infer S extends z.ZodType }
      ? Exclude<z.output<S>, undefined> | (undefined extends z.output<S> ? null : never)
      : never;
export type FieldValues = { readonly [Path in FieldPath]: Standing<FieldsByPath[Path]> };

function under(group: string, fields: Fields): Record<string, Field> {
  return Object.fromEntries(Object.entries(fields).map(([name, field]) => [`${group}.${name}`, field]));
}

const fields = {
  ...pruningFields,
  ...under('quantization', quantizationFields),
  ...under('calibration', calibrationFields),
  ...under('evaluation', evaluationFields),
  ...machineFields,
  ...Object.assign({}, ...schedulerKinds.map((kind) => under(kind, schedulers[kind].fields))),
} as Readonly<Record<FieldPath, Field>>;

export const fieldPaths = Object.keys(fields) as readonly FieldPath[];

export function isFieldPath(path: string): path is FieldPath {
  return Object.hasOwn(fields, path);
}

export function fieldAt(path: FieldPath): Field {
  return fields[path];
}

/** Where a field stands: `kmeans` and `groups`; of one at the top of a recipe, nothing and its name. */
export function partsOf(path: FieldPath): readonly [group: string, name: string] {
  const dot = path.indexOf('.');
  return [path.slice(0, Math.max(0, dot)), path.slice(dot + 1)];
}

/** The fields of a group that have a control by themselves. */
export function pathsOf(group: string): readonly FieldPath[] {
  return fieldPaths.filter((path) => partsOf(path)[0] === group && isFlagField(fields[path]));
}
