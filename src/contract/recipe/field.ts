import type { z } from 'zod';

import type { Label, LabelKey } from '../messages/labels.ts';

/**
 * What every field of a recipe says of itself. The recipe's schema, the options of the command line, the command that says a recipe,
 * and the page's draft, labels and controls are derived from it.
 */
interface Described<S extends z.ZodType> {
  /** With the default where it is a value. */
  readonly schema: S;
  readonly label: LabelKey;
  /** What the page says below the control; of a switch, what on means. */
  readonly hint?: LabelKey;
  /** Whether the report says it by itself, in a line of its own. */
  readonly reported?: true;
}

/** What the command line needs to know of a field that is one option there. */
interface Optional {
  /** As commander writes it: `--groups <k>`. */
  readonly flag: string;
  /** In the help; the default is put behind it. */
  readonly help: string;
  /** The default in the help where the field's own is not what people read. */
  readonly helpDefault?: string;
}

/** A number: a field of its own, empty where it is left to its default. */
export interface AmountField<S extends z.ZodType = z.ZodType> extends Described<S>, Optional {
  readonly control: 'amount';
  /** What the page shows it in: the recipe has shares and bytes. */
  readonly unit?: 'percent' | 'gibibytes';
  readonly step?: number;
  /** What holds while nothing is given: the value, as the recipe would have it, or words. */
  readonly unset?: number | LabelKey;
  /** The setting of the same scheduler without which this one says nothing. */
  readonly only?: Readonly<Record<string, string>>;
}

/** One of several values, and what the page calls each. */
export interface ChoiceField<S extends z.ZodType = z.ZodType> extends Described<S>, Optional {
  readonly control: 'choice';
  readonly values: readonly (string | number | null)[];
  readonly name: (value: never, t: Label) => string;
  /** What holds while nothing is chosen; without it something always is. */
  readonly unset?: LabelKey;
  /** How the command line writes null. */
  readonly none?: string;
}

/** A switch. `--no-…` where it is on by default. */
export interface SwitchField<S extends z.ZodType = z.ZodType> extends Described<S>, Optional {
  readonly control: 'switch';
}

/** A name, or the path of a file. */
export interface TextField<S extends z.ZodType = z.ZodType> extends Described<S>, Optional {
  readonly control: 'text' | 'path';
}

/** What has options and a control of its own: `cli/recipe-options.ts`, the page's sections. */
export interface OwnField<S extends z.ZodType = z.ZodType> extends Described<S> {
  readonly control: 'own';
}

export type FlagField = AmountField | ChoiceField | SwitchField | TextField;
export type Field = FlagField | OwnField;
export type Fields = Readonly<Record<string, Field>>;

export function isFlagField(field: Field): field is FlagField {
  return field.control !== 'own';
}

/** A choice whose names are checked against its values. */
export function choice<const V extends string | number | null, S extends z.ZodType>(
  values: readonly V[],
  field: Omit<ChoiceField<S>, 'control' | 'values' | 'name'> & { readonly name: (value: V, t: Label) => string },
): ChoiceField<S> {
  return { control: 'choice', values, ...field };
}

export type Schemas<F extends Fields> = { readonly [Name in keyof F]: F[Name]['schema'] };

/** The schemas of a group of fields, in their order. */
export function schemasOf<F extends Fields>(fields: F): Schemas<F> {
  return Object.fromEntries(Object.entries(fields).map(([name, { schema }]) => [name, schema])) as Schemas<F>;
}

/** The value of a field that nothing is said of; undefined where it has none. */
export function defaultOf({ schema }: Field): unknown {
  return schema.safeParse(undefined).data;
}
