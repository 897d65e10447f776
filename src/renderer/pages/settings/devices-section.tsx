import { Badge, Button, Loader, Table, Text, Title } from '@mantine/core';
import { IconCheck, IconGauge, IconX } from '@tabler/icons-react';
import { useId, type ReactElement, type ReactNode } from 'react';

import type { AdapterReport, DeviceReport } from '../../../contract/bridge.ts';
import { bytes, significant } from '../../../contract/format.ts';
import type { Failure } from '../../../contract/failure.ts';
import { message, type Locale } from '../../../contract/messages/index.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { useAsk } from '../../ask/queries.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { Section } from '../../components/section.tsx';
import { CudaPart } from './cuda-part.tsx';

/** Devices and GPUs found on this machine, tested on request: some seconds of full load. */
export function DevicesSection(): ReactElement {
  const t = useLabel();
  const { data, error, isFetching, refetch } = useAsk('devices.list', null, { enabled: false });
  return (
    <Section title={t('devices.title')} text={t('devices.text')}>
      {error && !isFetching && <FailureView failure={error} />}
      {data && <DeviceTable reports={data.devices} />}
      {data?.devices.some(({ device, failure }) => device === 'cuda' && failure) && <CudaPart />}
      {data && <AdapterTable reports={data.adapters} />}
      <div className="choice">
        <Button
          variant="default"
          leftSection={<IconGauge size={14} />}
          disabled={isFetching}
          onClick={() => void refetch()}
        >
          {t('devices.test')}
        </Button>
        {isFetching && (
          <span role="status" className="busy">
            <Loader size={14} /> {t('devices.testing')}
          </span>
        )}
      </div>
    </Section>
  );
}

function DeviceTable({ reports }: { reports: readonly DeviceReport[] }): ReactElement {
  const t = useLabel();
  return (
    <Tested title={t('devices.forward')} text={t('devices.forward-text')} facts={[t('field.device')]}>
      {reports.map(({ device, ...tested }) => (
        <Table.Tr key={device}>
          <Table.Th scope="row">{t(`device.${device}`)}</Table.Th>
          <Verdict {...tested} />
        </Table.Tr>
      ))}
    </Tested>
  );
}

function AdapterTable({ reports }: { reports: readonly AdapterReport[] }): ReactElement {
  const t = useLabel();
  const facts = [t('field.gpu'), t('field.driver'), t('devices.kind'), t('devices.memory')];
  if (reports.length === 0) return <Tested title={t('devices.gpus')} text={t('devices.no-gpu')} facts={[]} />;
  return (
    <Tested title={t('devices.gpus')} text={t('devices.gpus-text')} facts={facts}>
      {reports.map(({ name, driver, kind, memoryBytes, ...tested }) => (
        <Table.Tr key={name}>
          <Table.Th scope="row">{name}</Table.Th>
          <Table.Td>{driver}</Table.Td>
          <Table.Td className="nowrap">{t(`devices.kind.${kind}`)}</Table.Td>
          <Table.Td className="nowrap">{memoryBytes === null ? '–' : bytes(memoryBytes)}</Table.Td>
          <Verdict {...tested} />
        </Table.Tr>
      ))}
    </Tested>
  );
}

/** A table of what was tested: columns of facts, and those that `Verdict` fills. None without facts. */
function Tested(props: { title: string; text: string; facts: readonly string[]; children?: ReactNode }): ReactElement {
  const { title, text, facts, children } = props;
  const t = useLabel();
  const id = useId();
  return (
    <div>
      <Title order={3} size="h6" id={id}>
        {title}
      </Title>
      <Text size="xs" c="dimmed">
        {text}
      </Text>
      {facts.length > 0 && (
        <Table verticalSpacing={4} aria-labelledby={id}>
          <Table.Thead>
            <Table.Tr>
              {[...facts, t('devices.works')].map((fact) => (
                <Table.Th key={fact} scope="col">
                  {fact}
                </Table.Th>
              ))}
              <Table.Th scope="col" ta="right" className="nowrap">
                {t('devices.speed')}
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>{children}</Table.Tbody>
        </Table>
      )}
    </div>
  );
}

/** Whether it works, or why not, and how fast it is: two cells. */
function Verdict({ gflops, failure }: Pick<DeviceReport, 'gflops' | 'failure'>): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const works = failure === null && gflops !== null;
  return (
    <>
      <Table.Td>
        <Badge
          miw="max-content"
          variant="light"
          color={works ? 'green' : 'gray'}
          leftSection={works ? <IconCheck size={12} /> : <IconX size={12} />}
        >
          {works ? t('app.yes') : t('app.no')}
        </Badge>
        {failure && (
          <Text size="xs" c="dimmed" className="sentence">
            {reasonOf(failure, t, locale)}
          </Text>
        )}
      </Table.Td>
      <Table.Td ta="right" className="nowrap">
        {gflops === null ? '–' : t('devices.gflops', { gflops: significant(gflops, 3) })}
      </Table.Td>
    </>
  );
}

/** Without the remedies of the command line. */
function reasonOf({ code, params }: Failure, t: Label, locale: Locale): string {
  if (code === 'device.not-built-in') return t('devices.not-built-in');
  return params['reason'] === undefined ? message(code, params, locale) : String(params['reason']);
}
