import { Group, Text, Title } from '@mantine/core';
import { useDocumentTitle } from '@mantine/hooks';
import type { ReactElement, ReactNode } from 'react';

import { product } from '../words.tsx';

/** The heading of a page, which is the window's title as well; `children` are the page's buttons. */
export function PageHeader(props: { title: string; detail?: ReactNode; children?: ReactNode }): ReactElement {
  const { title, detail, children } = props;
  useDocumentTitle(`${title} · ${product}`);
  return (
    <Group component="header" className="page-header" justify="space-between" wrap="nowrap" gap="lg">
      <div className="page-header-words">
        <Title order={1} size="h3" className="cut" title={title}>
          {title}
        </Title>
        {detail !== undefined && (
          <Text component="div" size="sm" c="dimmed" className="cut">
            {detail}
          </Text>
        )}
      </div>
      {children !== undefined && (
        <Group gap="xs" wrap="nowrap">
          {children}
        </Group>
      )}
    </Group>
  );
}
