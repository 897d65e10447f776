import { Button, Container } from '@mantine/core';
import { IconMapQuestion } from '@tabler/icons-react';
import { useRouter, type ErrorComponentProps } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import { EmptyState } from '../components/empty-state.tsx';
import { FailureView } from '../components/failure-view.tsx';
import { LinkButton } from '../components/link-button.tsx';
import { PageHeader } from '../components/page-header.tsx';
import { useLabel } from '../words.tsx';

/** In place of a page that threw. */
export function PageFailed({ error, reset }: ErrorComponentProps): ReactElement {
  const t = useLabel();
  const router = useRouter();
  const again = (): void => {
    reset();
    void router.invalidate();
  };
  return (
    <Container p="lg">
      <FailureView failure={error instanceof Error ? error : new Error(String(error))} title={t('app.page-failed')}>
        <Button size="compact-xs" variant="default" onClick={again}>
          {t('app.try-again')}
        </Button>
      </FailureView>
    </Container>
  );
}

/** At an address that no page has. */
export function NotFound(): ReactElement {
  const t = useLabel();
  return (
    <>
      <PageHeader title={t('app.not-found')} />
      <EmptyState icon={<IconMapQuestion size={40} />} title={t('app.not-found')} text={t('app.not-found-text')}>
        <LinkButton to="/models">{t('models.title')}</LinkButton>
      </EmptyState>
    </>
  );
}
