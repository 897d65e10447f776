import { describe } from '../../../contract/describe.ts';
import { Button, Group, PasswordInput, Text, TextInput } from '@mantine/core';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';

import { hubEndpoint as ownEndpoint, parseEndpoint, tokenPattern } from '../../../contract/hub.ts';
import { useSettings } from '../../boot.tsx';
import { Section } from '../../components/section.tsx';
import { useAct, useAsk } from '../../ask/queries.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { useSet } from './use-set.ts';

/** Where models are fetched from, and as whom. */
export function HubSection(): ReactElement {
  const t = useLabel();
  const { hubEndpoint } = useSettings();
  return (
    <Section title={t('hub.title')} text={t('hub.text')}>
      <Endpoint key={hubEndpoint} value={hubEndpoint ?? ''} />
      <Token />
    </Section>
  );
}

function Endpoint({ value }: { value: string }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const set = useSet();
  const [text, setText] = useState(value);
  const error = text.trim() === '' ? null : errorOf(text);
  const keep = (): void => {
    if (error === null && text.trim() !== value) set({ hubEndpoint: text.trim() === '' ? null : text.trim() });
  };
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        keep();
      }}
    >
      <TextInput
        label={t('hub.endpoint')}
        description={t('hub.endpoint-text')}
        placeholder={ownEndpoint}
        value={text}
        error={error === null ? null : describe(error, locale)}
        spellCheck={false}
        onChange={(event) => setText(event.currentTarget.value)}
        onBlur={keep}
      />
    </form>
  );
}

function errorOf(text: string): unknown {
  try {
    parseEndpoint(text);
    return null;
  } catch (error) {
    return error;
  }
}

function Token(): ReactElement {
  const t = useLabel();
  const client = useQueryClient();
  const { data: place } = useAsk('hub.token', null);
  const { mutate, isPending } = useAct('hub.set-token');
  const [text, setText] = useState('');
  const token = text.trim();
  const set = (next: string | null): void =>
    mutate(
      { token: next },
      {
        onSuccess: (now) => {
          setText('');
          client.setQueryData(['hub.token', null], now);
        },
      },
    );
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        if (tokenPattern.test(token)) set(token);
      }}
    >
      <PasswordInput
        label={t('hub.token')}
        description={t('hub.token-text')}
        visibilityToggleButtonProps={{ 'aria-label': t('hub.token-show') }}
        value={text}
        autoComplete="off"
        onChange={(event) => setText(event.currentTarget.value)}
      />
      <Group gap={6} mt={6}>
        <Button
          type="submit"
          size="compact-sm"
          variant="default"
          loading={isPending}
          disabled={!tokenPattern.test(token)}
        >
          {t('hub.token-save')}
        </Button>
        {place !== undefined && place !== 'none' && (
          <Button size="compact-sm" variant="default" onClick={() => set(null)}>
            {t('hub.token-remove')}
          </Button>
        )}
        {place !== undefined && (
          <Text size="xs" c="dimmed" role="status">
            {t(`hub.token.${place}`)}
          </Text>
        )}
      </Group>
    </form>
  );
}
