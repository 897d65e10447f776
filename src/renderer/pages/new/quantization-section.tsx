import { ActionIcon, Button, Group, Input, SegmentedControl, Select, Text, TextInput } from '@mantine/core';
import { IconPlus, IconX } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { bitWidths } from '../../../contract/recipe/fields.ts';
import type { Bits } from '../../../contract/recipe.ts';
import { Section } from '../../components/section.tsx';
import { useLabel } from '../../words.tsx';
import type { Draft } from './draft.ts';
import { FieldControls } from './field-control.tsx';
import { fieldAt, pathsOf, type FieldPath } from './fields.ts';
import { Field, useForm } from './form.tsx';
import { exportLimits } from './quantization.ts';

/** How the weights that are kept are stored, and what that excludes. */
export function QuantizationSection(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const bits = draft['quantization.bits'];
  return (
    <Section title={t('new.quantization')} text={t('new.quantization-text')}>
      <Field name="quantization.bits" group {...(bits !== null && { hint: t(`new.quantize.${draft.method}`) })}>
        {() => (
          <SegmentedControl
            size="xs"
            fullWidth
            aria-label={t('new.bits')}
            data={[{ value: 'off', label: t('new.bits-off') }, ...bitWidths.map(String)]}
            value={String(bits ?? 'off')}
            onChange={(value) => set('quantization.bits', bitsOf(value))}
          />
        )}
      </Field>
      {bits !== null && <Settings />}
    </Section>
  );
}

function bitsOf(value: string | null): Bits | null {
  return bitWidths.find((bits) => String(bits) === value) ?? null;
}

const settings = pathsOf('quantization').filter((path) => path !== 'quantization.bits');
const isSwitch = (path: FieldPath): boolean => fieldAt(path).control === 'switch';

function Settings(): ReactElement {
  const t = useLabel();
  const { draft } = useForm();
  const limits = exportLimits(draft);
  return (
    <>
      <div className="field-row">
        <FieldControls paths={settings.filter((path) => !isSwitch(path))} />
      </div>
      <div className="field-row">
        <FieldControls paths={settings.filter(isSwitch)} />
      </div>
      <Exceptions />
      {limits.length > 0 && (
        <Text size="xs" c="dimmed" role="status">
          {t('new.limits', { limits: limits.map((limit) => t(`new.limit.${limit}`)).join(' ') })}
        </Text>
      )}
    </>
  );
}

const notQuantized = 'none';
const examplePattern = '*.layers.0.*';

/** Patterns of layer names with their own bits, in the order in which they count. */
function Exceptions(): ReactElement {
  const t = useLabel();
  const { draft, set } = useForm();
  const exceptions = draft['quantization.exceptions'];
  const change = (index: number, part: Partial<Draft['quantization.exceptions'][number]>): void =>
    set(
      'quantization.exceptions',
      exceptions.map((exception, i) => (i === index ? { ...exception, ...part } : exception)),
    );
  return (
    <Field name="quantization.exceptions" group hint={t('new.exceptions-text')}>
      {({ error }) => (
        <div className="exceptions">
          {exceptions.map(({ layers, bits }, index) => (
            <Group key={index} gap={6} wrap="nowrap">
              <TextInput
                className="exception-layers"
                aria-label={t('new.exception-layers', { number: index + 1 })}
                placeholder={examplePattern}
                value={layers}
                onChange={(event) => change(index, { layers: event.currentTarget.value })}
              />
              <Select
                w={140}
                aria-label={t('new.exception-bits', { number: index + 1 })}
                data={[
                  { value: notQuantized, label: t('new.not-quantized') },
                  ...bitWidths.map((width) => ({ value: String(width), label: t('new.bits-of', { bits: width }) })),
                ]}
                value={String(bits ?? notQuantized)}
                onChange={(value) => change(index, { bits: bitsOf(value) })}
                allowDeselect={false}
              />
              <ActionIcon
                size="sm"
                aria-label={t('new.exception-remove', { number: index + 1 })}
                onClick={() => set('quantization.exceptions', exceptions.toSpliced(index, 1))}
              >
                <IconX size={14} />
              </ActionIcon>
            </Group>
          ))}
          <Button
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() => set('quantization.exceptions', [...exceptions, { layers: '', bits: null }])}
          >
            {t('new.exception-add')}
          </Button>
          {error !== undefined && <Input.Error role="alert">{error}</Input.Error>}
        </div>
      )}
    </Field>
  );
}
