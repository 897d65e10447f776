import { Button, Group, Input, Select, TextInput } from '@mantine/core';
import { IconFile } from '@tabler/icons-react';
import type { ReactElement, ReactNode } from 'react';

import type { AmountField as AmountOf, ChoiceField as ChoiceOf } from '../../../contract/recipe/field.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { useAct } from '../../ask/queries.ts';
import { useBoot } from '../../boot.tsx';
import { useLabel } from '../../words.tsx';
import { inUnit, type Draft } from './draft.ts';
import { fieldAt, partsOf, type FieldPath } from './fields.ts';
import { AmountField, Field, SwitchField, useForm, type AmountName, type SwitchName } from './form.tsx';

/** Controls of fields in a row, switches last; `drawn` has those that are drawn otherwise than by their kind. */
export function FieldControls(props: {
  paths: readonly FieldPath[];
  drawn?: Readonly<Partial<Record<FieldPath, ReactNode>>>;
}): ReactElement {
  const { paths, drawn = {} } = props;
  const isSwitch = (path: FieldPath): boolean => fieldAt(path).control === 'switch';
  const ordered = [...paths.filter((path) => !isSwitch(path)), ...paths.filter(isSwitch)];
  return <>{ordered.map((path) => drawn[path] ?? <FieldControl key={path} path={path} />)}</>;
}

/** The control of a field, by its kind. */
function FieldControl({ path }: { path: FieldPath }): ReactElement | null {
  const t = useLabel();
  const { threads } = useBoot();
  const { draft } = useForm();
  const field = fieldAt(path);
  const hint = field.hint === undefined ? {} : { hint: t(field.hint) };
  switch (field.control) {
    case 'amount': {
      const placeholder = unsetWords(field, t, threads);
      if (!isSaying(field, path, draft)) return null;
      return (
        <AmountField
          name={path as AmountName}
          {...hint}
          {...(field.step !== undefined && { step: field.step })}
          {...(placeholder !== undefined && { placeholder })}
        />
      );
    }
    case 'choice':
      return <ChoiceField path={path} field={field} {...hint} />;
    case 'switch':
      return <SwitchField name={path as SwitchName} text={hint.hint ?? ''} />;
    case 'text':
      return <TextField path={path} {...hint} />;
    case 'path':
      return <FileField path={path} {...hint} />;
    case 'own':
      return null;
  }
}

function unsetWords(field: AmountOf, t: Label, threads: number): string | undefined {
  const { unset } = field;
  return typeof unset === 'number' ? String(inUnit(field, unset)) : unset && t(unset, { threads });
}

/** Whether a setting says anything beside those that are chosen for the same scheduler. */
function isSaying({ only = {} }: AmountOf, path: FieldPath, draft: Draft): boolean {
  const values = new Map<string, unknown>(Object.entries(draft));
  const [kind] = partsOf(path);
  return Object.entries(only).every(([name, value]) =>
    [null, value].includes(values.get(`${kind}.${name}`) as string | null),
  );
}

interface Props {
  readonly path: FieldPath;
  readonly hint?: string;
}

/** What holds until something is chosen. */
const unset = '';

function ChoiceField({ path, field, hint }: Props & { field: ChoiceOf }): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const textOf = (value: string | number | null): string => (value === null ? (field.none ?? unset) : String(value));
  return (
    <Field name={path} {...(hint !== undefined && { hint })}>
      {(tied) => (
        <Select
          {...tied}
          data={[
            ...(field.unset === undefined ? [] : [{ value: unset, label: t(field.unset) }]),
            ...field.values.map((value) => ({ value: textOf(value), label: field.name(value as never, t) })),
          ]}
          value={textOf(draft[path] as string | number | null)}
          onChange={(text) => set(path, (field.values.find((value) => textOf(value) === text) ?? null) as never)}
          allowDeselect={false}
        />
      )}
    </Field>
  );
}

function TextField({ path, hint }: Props): ReactElement {
  const { draft, set } = useForm();
  return (
    <Field name={path} {...(hint !== undefined && { hint })}>
      {(tied) => (
        <TextInput
          {...tied}
          value={draft[path] as string}
          onChange={(event) => set(path, event.currentTarget.value as never)}
        />
      )}
    </Field>
  );
}

function FileField({ path, hint }: Props): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const { mutate: choose } = useAct('files.choose');
  return (
    <Field name={path} {...(hint !== undefined && { hint })} group>
      {({ id, error }) => (
        <>
          <Group gap="xs" wrap="nowrap">
            <Button
              id={id}
              variant="default"
              leftSection={<IconFile size={14} />}
              onClick={() =>
                choose(
                  { purpose: 'sparsities' },
                  { onSuccess: ([chosen]) => chosen !== undefined && set(path, chosen as never) },
                )
              }
            >
              {t('new.choose-file')}
            </Button>
            <span className="path cut">{draft[path] as string}</span>
          </Group>
          {error !== undefined && <Input.Error role="alert">{error}</Input.Error>}
        </>
      )}
    </Field>
  );
}
