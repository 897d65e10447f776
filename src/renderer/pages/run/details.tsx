import { Button, Paper, Title } from '@mantine/core';
import { IconCopy } from '@tabler/icons-react';
import type { ReactElement, ReactNode } from 'react';

import { stages } from '../../../contract/events.ts';
import { duration, fixed, whole } from '../../../contract/format.ts';
import type { Report } from '../../../contract/report.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { recipeWords, totalSeconds } from '../../../contract/words.ts';
import { useCopy } from '../../ask/copy.ts';
import { Facts, type Fact } from '../../run/facts.tsx';
import { Figure } from '../../run/figure.tsx';
import { stageName } from '../../run/sentence.ts';
import { useLabel } from '../../words.tsx';
import type { ShownRun } from './run.ts';

/** The recipe in words, where the time went, the machine, and where the files are. */
export function RunDetails({ run }: { run: ShownRun }): ReactElement {
  const { row, recipe, report, view } = run;
  const t = useLabel();
  const copy = useCopy();
  const words = recipeWords(
    {
      recipe,
      choice: report?.choice ?? view.choice,
      centroids: report?.centroids ?? (view.centroids.length > 0 ? view.centroids : null),
      estimate: report?.estimate ?? null,
    },
    t,
    (path) => path,
  );
  return (
    <div className="run-details">
      <Card title={t('report.recipe')}>
        <Facts rows={words.map(([name, text]) => ({ name, text }))} />
        <Button
          mt="xs"
          variant="default"
          leftSection={<IconCopy size={14} />}
          onClick={() => copy(JSON.stringify(recipe, null, 2))}
        >
          {t('run.copy-recipe')}
        </Button>
      </Card>
      {report && (
        <Card title={t('report.stages')}>
          <SecondsTable report={report} />
        </Card>
      )}
      {report && (
        <Card title={t('field.model')}>
          <Facts rows={modelFacts(report, t)} />
        </Card>
      )}
      {report && (
        <Card title={t('report.environment')}>
          <Facts rows={environmentFacts(report, t)} />
        </Card>
      )}
      <Card title={t('run.files')}>
        <Facts
          rows={[
            { name: t('run.folder'), text: <span className="path">{row.path}</span> },
            { name: t('run.model-folder'), text: <span className="path">{row.modelPath}</span> },
            ...(row.notes === '' ? [] : [{ name: t('run.notes'), text: row.notes }]),
            ...(row.tags.length === 0 ? [] : [{ name: t('run.tags'), text: row.tags.join(', ') }]),
          ]}
        />
      </Card>
    </div>
  );
}

function Card({ title, children }: { title: string; children: ReactNode }): ReactElement {
  return (
    <Paper component="section" withBorder className="details-card" aria-label={title}>
      <Title order={2} size="h5">
        {title}
      </Title>
      {children}
    </Paper>
  );
}

function SecondsTable({ report }: { report: Report }): ReactElement {
  const t = useLabel();
  return (
    <table className="small-table">
      <thead>
        <tr>
          <th scope="col">{t('field.stage')}</th>
          <th scope="col">{t('field.seconds')}</th>
        </tr>
      </thead>
      <tbody>
        {Object.entries(report.seconds).map(([work, seconds]) => (
          <tr key={work}>
            <td>{workName(work, t)}</td>
            <td>
              <Figure path={`seconds.${work}`}>{fixed(seconds, 2)}</Figure>
            </td>
          </tr>
        ))}
      </tbody>
      <tfoot>
        <tr>
          <th scope="row">{t('field.total')}</th>
          <td>{duration(totalSeconds(report))}</td>
        </tr>
      </tfoot>
    </table>
  );
}

const works = ['forward', 'gram', 'factor', 'solve', 'propagate', 'write'] as const;

/** What a stage, or a kind of work that the engine counts by itself, is called; of another version, as it is. */
function workName(work: string, t: Label): string {
  const stage = stages.find((one) => one === work);
  if (stage !== undefined) return stageName(stage, t);
  const known = works.find((one) => one === work);
  return known === undefined ? work : t(`work.${known}`);
}

function modelFacts({ model }: Report, t: Label): Fact[] {
  return [
    { name: t('run.name'), text: model.name, figure: 'model.name' },
    { name: t('field.family'), text: model.family, figure: 'model.family' },
    { name: t('field.parameters'), text: whole(model.parameters), figure: 'model.parameters' },
    { name: t('field.dtype'), text: model.dtype, figure: 'model.dtype' },
  ];
}

function environmentFacts(report: Report, t: Label): Fact[] {
  const { environment } = report;
  const of = (field: keyof Report['environment']): { text: string; figure: string } => ({
    text: String(environment[field]),
    figure: `environment.${field}`,
  });
  return [
    { name: 'Tamis', text: report.tamis, figure: 'tamis' },
    { name: t('field.platform'), ...of('platform') },
    { name: t('field.cpu'), ...of('cpu') },
    { name: t('field.threads'), ...of('threads') },
    { name: t('field.kernels'), ...of('kernels') },
    { name: t('field.device'), ...of('device') },
    ...(environment.gpu === null ? [] : [{ name: t('field.gpu'), ...of('gpu') }]),
    ...(environment.gpuDriver === null ? [] : [{ name: t('field.driver'), ...of('gpuDriver') }]),
    { name: 'Node', ...of('node') },
    { name: 'onnxruntime', ...of('onnxruntime') },
    { name: t('field.started'), text: report.startedAt, figure: 'startedAt' },
    { name: t('field.finished'), text: report.finishedAt, figure: 'finishedAt' },
    { name: t('field.fingerprint'), text: report.fingerprint, figure: 'fingerprint' },
  ];
}
