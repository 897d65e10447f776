import { Button } from '@mantine/core';
import { IconHistory, IconSearchOff } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { EmptyState } from '../../components/empty-state.tsx';
import { LinkButton } from '../../components/link-button.tsx';
import { useLabel } from '../../words.tsx';

export function NoRuns({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }): ReactElement {
  const t = useLabel();
  return isFiltered ? (
    <EmptyState icon={<IconSearchOff size={32} />} title={t('history.no-match')} text={t('history.no-match-text')}>
      <Button variant="default" onClick={onClear}>
        {t('history.clear-filter')}
      </Button>
    </EmptyState>
  ) : (
    <EmptyState icon={<IconHistory size={32} />} title={t('history.none')} text={t('history.none-text')}>
      <LinkButton to="/new">{t('history.first-run')}</LinkButton>
    </EmptyState>
  );
}
