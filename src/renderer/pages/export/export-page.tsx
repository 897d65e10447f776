import { Button, Paper, Text, Title } from '@mantine/core';
import { IconPackageExport } from '@tabler/icons-react';
import { getRouteApi, Link } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import type { Output } from '../../../contract/bridge.ts';
import { EmptyState } from '../../components/empty-state.tsx';
import { LinkButton } from '../../components/link-button.tsx';
import { PageHeader } from '../../components/page-header.tsx';
import { useAct } from '../../ask/queries.ts';
import { AskedRun } from '../../run/asked-run.tsx';
import { OpenReportButton } from '../../run/open-report-button.tsx';
import { runSummary } from '../../run/run-words.ts';
import { StateBadge } from '../../run/state-badge.tsx';
import { useLabel } from '../../words.tsx';
import { Formats } from './formats.tsx';

const route = getRouteApi('/runs/$id/export');

/** What a finished run can be written as. */
export function ExportPage(): ReactElement {
  const { id } = route.useParams();
  return (
    <AskedRun key={id} id={id}>
      {(run) => <RunExport {...run} />}
    </AskedRun>
  );
}

function RunExport({ row, report }: Output<'runs.get'>): ReactElement {
  const t = useLabel();
  const detail = (
    <span className="run-line">
      <StateBadge state={row.state} />
      <Link to="/runs/$id" params={{ id: row.id }}>
        {t('export.to-run')}
      </Link>
      <span>{row.modelName}</span>
      <span>{runSummary(row, t)}</span>
    </span>
  );
  return (
    <>
      <PageHeader title={t('export.title', { name: row.name })} detail={detail} />
      <div className="page-body export-body">
        {report ? (
          <>
            <Formats id={row.id} report={report} />
            <ReportCard id={row.id} />
          </>
        ) : (
          <EmptyState
            icon={<IconPackageExport size={32} />}
            title={t('export.not-yet')}
            text={t('export.not-yet-text')}
          >
            <LinkButton to="/runs/$id" params={{ id: row.id }}>
              {t('export.to-run')}
            </LinkButton>
          </EmptyState>
        )}
      </div>
    </>
  );
}

/** The report lies beside the model, in the run's folder and in every export. */
function ReportCard({ id }: { id: string }): ReactElement {
  const t = useLabel();
  const reveal = useAct('runs.reveal');
  const files = ['html', 'json', 'csv', 'card', 'recipe'] as const;
  return (
    <Paper component="section" withBorder className="export-card" aria-label={t('export.report')}>
      <Title order={2} size="h5">
        {t('export.report')}
      </Title>
      <Text size="sm">{t('export.report-text')}</Text>
      <dl className="run-facts">
        {files.map((file) => (
          <div key={file}>
            <dt className="path">{fileNames[file]}</dt>
            <dd>{t(`export.file.${file}`)}</dd>
          </div>
        ))}
      </dl>
      <div className="export-buttons">
        <OpenReportButton id={id} />
        <Button variant="default" onClick={() => reveal.mutate({ id })}>
          {t('app.reveal')}
        </Button>
      </div>
    </Paper>
  );
}

const fileNames = {
  html: 'report.html',
  json: 'report.json',
  csv: 'layers.csv',
  card: 'README.md',
  recipe: 'recipe.json',
} as const;
