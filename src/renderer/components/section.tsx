import { Paper, Text, Title } from '@mantine/core';
import { useId, type ReactElement, type ReactNode } from 'react';

/** A part of the page's fields. */
export function Section(props: { title: string; text?: string; children: ReactNode }): ReactElement {
  const { title, text, children } = props;
  const id = useId();
  return (
    <Paper component="section" withBorder className="section" aria-labelledby={id}>
      <Title order={2} size="h5" id={id}>
        {title}
      </Title>
      {text !== undefined && (
        <Text size="xs" c="dimmed">
          {text}
        </Text>
      )}
      {children}
    </Paper>
  );
}
