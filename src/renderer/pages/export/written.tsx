import { ActionIcon, Alert, Button, Tabs, Text, Tooltip } from '@mantine/core';
import { IconCheck, IconCopy } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import { formatClients } from '../../../contract/export-formats.ts';
import type { ExportResult } from '../../../contract/exports.ts';
import { bytes, duration, fixed } from '../../../contract/format.ts';
import { measuredKey, sampleWords, type DatasetResult } from '../../../contract/measured.ts';
import { mainMeasures, writeContrast, writeValue } from '../../../contract/measures.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import type { Report } from '../../../contract/report.ts';
import { useCopy } from '../../ask/copy.ts';
import { useAct } from '../../ask/queries.ts';
import { Facts, type Fact } from '../../run/facts.tsx';
import { useLabel } from '../../words.tsx';

export interface WrittenProps {
  /** The run's. */
  readonly id: string;
  readonly result: ExportResult;
  readonly report: Report;
}

/** Where an export lies, what it measured, and how it is loaded. */
export function Written({ id, result, report }: WrittenProps): ReactElement {
  const t = useLabel();
  const reveal = useAct('exports.reveal');
  const { format, path } = result;
  return (
    <Alert
      color="teal"
      variant="light"
      icon={<IconCheck />}
      title={t('export.done')}
      role="status"
      className="format-written"
    >
      <p className="path">{path}</p>
      <Facts rows={facts(result, report, t)} />
      <Snippets result={result} />
      <Button size="compact-xs" variant="default" onClick={() => reveal.mutate({ id, format })}>
        {t('app.reveal')}
      </Button>
    </Alert>
  );
}

function facts({ bytes: size, bitsPerWeight, seconds, results }: ExportResult, report: Report, t: Label): Fact[] {
  return [
    { name: t('models.size'), text: bytes(size) },
    { name: t('export.bits-weight'), text: fixed(bitsPerWeight, 2) },
    { name: t('field.time'), text: duration(seconds) },
    ...(results === null
      ? mainMeasures.map((measure) => ({ name: t(`measure.${measure}`), text: t('export.not-checked') }))
      : results.flatMap((result) => measuredFacts(result, report, t))),
  ];
}

/** What the written files came to on a dataset, beside what the run's own did. */
function measuredFacts({ values, ...sample }: DatasetResult, { measured }: Report, t: Label): Fact[] {
  const main = values.filter(({ measure }) => mainMeasures.includes(measure));
  return main.map(({ measure, value }) => {
    const name = t('export.measure-file', { measure: t(`measure.${measure}`), sample: sampleWords(sample, t) });
    const file = writeValue(measure, value);
    const same = measured.find((entry) => measuredKey(entry) === measuredKey({ measure, ...sample }));
    if (!same) return { name, text: file };
    const run = writeValue(measure, same.compressed.value);
    const contrast = writeContrast(measure, value, same.compressed.value, 4);
    return { name, text: t('export.measure-run', { file, run, contrast }) };
  });
}

function Snippets({ result: { format, path } }: { result: ExportResult }): ReactElement {
  const t = useLabel();
  const copy = useCopy();
  const snippets = formatClients[format].snippets(path);
  return (
    <div className="snippets">
      <Text size="sm" fw={600}>
        {t('export.snippets')}
      </Text>
      <Tabs defaultValue={snippets[0]?.client ?? null} keepMounted={false}>
        <Tabs.List>
          {snippets.map(({ client }) => (
            <Tabs.Tab key={client} value={client}>
              {client}
            </Tabs.Tab>
          ))}
        </Tabs.List>
        {snippets.map(({ client, code }) => (
          <Tabs.Panel key={client} value={client} className="snippet">
            <pre tabIndex={0}>{code}</pre>
            <Tooltip label={t('app.copy')}>
              <ActionIcon
                variant="default"
                aria-label={t('export.copy-snippet', { client })}
                onClick={() => copy(code)}
              >
                <IconCopy size={14} />
              </ActionIcon>
            </Tooltip>
          </Tabs.Panel>
        ))}
      </Tabs>
    </div>
  );
}
