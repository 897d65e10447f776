import { Button } from '@mantine/core';
import { IconFileText } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { useAct } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';

/** Opens the report.html of a finished run in the browser. */
export function OpenReportButton({ id }: { id: string }): ReactElement {
  const t = useLabel();
  const { mutate: open, isPending } = useAct('runs.open-report');
  return (
    <Button variant="default" leftSection={<IconFileText size={16} />} loading={isPending} onClick={() => open({ id })}>
      {t('run.open-report')}
    </Button>
  );
}
