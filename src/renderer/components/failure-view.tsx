import { describe } from '../../contract/describe.ts';
import { Alert, Button, Group, Text } from '@mantine/core';
import { IconAlertTriangle, IconCopy } from '@tabler/icons-react';
import type { ReactElement, ReactNode } from 'react';

import { errorOf, type Failure } from '../../contract/failure.ts';
import { useCopy } from '../ask/copy.ts';
import { useLabel, useLocale } from '../words.tsx';

/** A failure as the sentence of its code: what is wrong, where, and what to do; `children` are the remedies' buttons. */
export function FailureView(props: { failure: Failure | Error; title?: string; children?: ReactNode }): ReactElement {
  const { failure, title, children } = props;
  const locale = useLocale();
  const t = useLabel();
  const copy = useCopy();
  const sentence = describe(failure instanceof Error ? failure : errorOf(failure), locale);
  return (
    <Alert
      color="red"
      variant="light"
      icon={<IconAlertTriangle />}
      title={title ?? t('app.failed')}
      role="alert"
      className="failure"
    >
      <Text size="sm" className="sentence">
        {sentence}
      </Text>
      <Group gap="xs" mt="xs">
        {children}
        <Button size="compact-xs" variant="default" leftSection={<IconCopy size={14} />} onClick={() => copy(sentence)}>
          {t('app.copy')}
        </Button>
      </Group>
    </Alert>
  );
}
