import { resolve } from 'node:path';

import { InvalidArgumentError, Option, type Command } from 'commander';

import { parseByteSize } from '../contract/byte-size.ts';
import { defaultOf, isFlagField, type Field, type Fields, type FlagField } from '../contract/recipe/field.ts';
import { schedulerKinds, schedulers, type SchedulerKind } from '../contract/recipe/schedulers.ts';

/** What commander read, by the names that it gives the options. */
export type Flags = Readonly<Record<string, unknown>>;
export type Json = Record<string, unknown>;

export function number(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('It is not a number.');
  return value;
}

export function size(text: string): number {
  const bytes = parseByteSize(text);
  if (bytes === null || bytes === 0) throw new InvalidArgumentError('Give it as a size, e.g. 16GiB or 800MB.');
  return bytes;
}

/** The option of a field; `about` is what it is for. */
export function optionOf(field: FlagField, about: string = field.help): Option {
  const option = new Option(field.flag, about + defaultWords(field));
  switch (field.control) {
    case 'amount':
      return option.argParser(field.unit === 'gibibytes' ? size : number);
    case 'choice': {
      const { values, none } = field;
      const words = values.filter((value) => typeof value === 'string');
      return words.length === values.length
        ? option.choices(words)
        : option.argParser((text) => (text === none ? text : number(text)));
    }
    case 'path':
      return option.argParser((text) => resolve(text));
    case 'switch':
    case 'text':
      return option;
  }
}

function defaultWords(field: FlagField): string {
  const value =
    field.helpDefault ?? (field.control === 'amount' ? numberOf(field.unset) : undefined) ?? defaultOf(field);
  return typeof value === 'string' || typeof value === 'number' ? ` (default: ${value})` : '';
}

function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' ? value : undefined;
}

/** Adds the options of fields that have one. */
export function addOptions(command: Command, fields: Fields): Command {
  for (const field of Object.values(fields)) if (isFlagField(field)) command.addOption(optionOf(field));
  return command;
}

/** The fields that flags give a value. */
export function valuesOf(fields: Fields, flags: Flags): Json {
  const values = Object.entries(fields).map(([name, field]) => [name, valueOf(field, flags)] as const);
  return Object.fromEntries(values.filter(([, value]) => value !== undefined));
}

/** undefined where the flag is not given. */
function valueOf(field: Field, flags: Flags): unknown {
  if (!isFlagField(field)) return undefined;
  const option = new Option(field.flag);
  const value = flags[option.attributeName()];
  if (field.control === 'choice' && value !== undefined && value === field.none) return null;
  // Commander gives true where `--no-…` is not given.
  return option.negate && value === true ? undefined : value;
}

/** The flag of the first of the fields that flags give a value. */
export function firstFlag(fields: readonly Field[], flags: Flags): string | undefined {
  const given = fields.filter(isFlagField).find((field) => valueOf(field, flags) !== undefined);
  return given && nameOf(given);
}

/** `--groups` */
function nameOf({ flag }: FlagField): string {
  return new Option(flag).long ?? flag;
}

/** A flag of schedulers, with the field that it is of each. */
export interface SchedulerFlag {
  readonly flag: string;
  readonly fields: readonly { readonly kind: SchedulerKind; readonly field: FlagField }[];
}

/** One that several schedulers have stands where the last of them has it. */
export function schedulerFlags(): SchedulerFlag[] {
  const fields = schedulerKinds.flatMap((kind) =>
    Object.values<Field>(schedulers[kind].fields)
      .filter(isFlagField)
      .map((field) => ({ kind, field })),
  );
  const byFlag = Map.groupBy(fields.toReversed(), ({ field }) => nameOf(field));
  return [...byFlag].map(([flag, owners]) => ({ flag, fields: owners.toReversed() })).toReversed();
}

/** Adds the options of all schedulers; each says which scheduler it is of. */
export function addSchedulerOptions(command: Command): Command {
  for (const { fields } of schedulerFlags()) {
    const [first] = fields;
    if (!first) continue;
    const about = fields.map(({ kind, field }) => `${kind}${conditionOf(field)}: ${field.help}`).join('; ');
    command.addOption(optionOf(first.field, about));
  }
  return command;
}

/** `, mapping linear` */
function conditionOf(field: FlagField): string {
  if (field.control !== 'amount') return '';
  return Object.entries(field.only ?? {})
    .map(([name, value]) => `, ${name} ${value}`)
    .join('');
}
