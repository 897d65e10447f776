import { Stack, Text, Title } from '@mantine/core';
import type { ReactElement, ReactNode } from 'react';

/** What a place says that has nothing to show yet, and the button that changes that. */
export function EmptyState(props: {
  icon: ReactNode;
  title: string;
  text: string;
  children?: ReactNode;
}): ReactElement {
  const { icon, title, text, children } = props;
  return (
    <Stack className="empty-state" align="center" gap="xs">
      <span aria-hidden="true">{icon}</span>
      <Title order={2} size="h4">
        {title}
      </Title>
      <Text c="dimmed" ta="center" maw={460}>
        {text}
      </Text>
      {children}
    </Stack>
  );
}
