import { Badge, Button, Loader, Table, Text } from '@mantine/core';
import { IconCheck, IconGauge, IconX } from '@tabler/icons-react';
import type { ReactElement } from 'react';

import type { DeviceReport } from '../../../contract/bridge.ts';
import { significant } from '../../../contract/format.ts';
import type { Failure } from '../../../contract/failure.ts';
import { message, type Locale } from '../../../contract/messages/index.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { FailureView } from '../../components/failure-view.tsx';
import { useAsk } from '../../queries.ts';
import { useLabel, useLocale } from '../../words.tsx';
import { Section } from '../../components/section.tsx';
import { CudaPart } from './cuda-part.tsx';

/** Devices found on this machine, tested on request: some seconds of full load. */
export function DevicesSection(): ReactElement {
  const t = useLabel();
  const { data, error, isFetching, refetch } = useAsk('devices.list', null, { enabled: false });
  return (
    <Section title={t('devices.title')} text={t('devices.text')}>
      {error && !isFetching && <FailureView failure={error} />}
      {data && (
        <Table verticalSpacing={4}>
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t('field.device')}</Table.Th>
              <Table.Th scope="col">{t('devices.works')}</Table.Th>
              <Table.Th scope="col" ta="right" className="nowrap">
                {t('devices.speed')}
              </Table.Th>
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {data.map((report) => (
              <DeviceRow key={report.device} report={report} />
            ))}
          </Table.Tbody>
        </Table>
      )}
      {data?.some(({ device, failure }) => device === 'cuda' && failure) && <CudaPart />}
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

function DeviceRow({ report: { device, gflops, failure } }: { report: DeviceReport }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const works = failure === null && gflops !== null;
  return (
    <Table.Tr>
      <Table.Th scope="row">{t(`device.${device}`)}</Table.Th>
      <Table.Td>
        <Badge
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
      <Table.Td ta="right">{gflops === null ? '–' : t('devices.gflops', { gflops: significant(gflops, 3) })}</Table.Td>
    </Table.Tr>
  );
}

/** Without the remedies of the command line. */
function reasonOf({ code, params }: Failure, t: Label, locale: Locale): string {
  if (code === 'device.not-built-in') return t('devices.not-built-in');
  return code === 'device.failed' ? String(params['reason']) : message(code, params, locale);
}
