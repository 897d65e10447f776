import { Button, Text } from '@mantine/core';
import { IconDownload, IconX } from '@tabler/icons-react';
import { useQueryClient } from '@tanstack/react-query';
import { useState, type ReactElement } from 'react';

import { canFetchCuda, cudaDownloadMebibytes, type CudaReport } from '../../../contract/cuda.ts';
import { bytes } from '../../../contract/format.ts';
import { message } from '../../../contract/messages/index.ts';
import { useConfirm } from '../../components/confirm.tsx';
import { useAct, useAsk, usePush } from '../../ask/queries.ts';
import { useLabel, useLocale } from '../../words.tsx';

/** What else is missing for CUDA than the table of devices says, with a button that fetches what can be fetched. */
export function CudaPart(): ReactElement | null {
  const t = useLabel();
  const locale = useLocale();
  const { data } = useAsk('devices.cuda', null);
  const [first, ...others] = data?.lacks ?? [];
  if (!data || !first || first.code === 'cuda.platform') return null;
  return (
    <section aria-label={t('cuda.title')}>
      <Text size="sm" fw={600}>
        {t('cuda.title')}
      </Text>
      {others.map(({ code, params }) => (
        <Text key={code} size="xs" className="sentence">
          {message(code, params, locale)}
        </Text>
      ))}
      {canFetchCuda(data) && <Fetch report={data} />}
    </section>
  );
}

function Fetch({ report: { onnxruntime, folder } }: { report: CudaReport }): ReactElement {
  const t = useLabel();
  const locale = useLocale();
  const client = useQueryClient();
  const confirm = useConfirm();
  const [done, setDone] = useState(0);
  const { mutate: fetchProvider, isPending } = useAct('devices.fetch-cuda');
  const { mutate: cancel } = useAct('devices.cancel-fetch-cuda');
  usePush('devices.cuda-progress', ({ bytes: count }) => setDone(count));
  const askFirst = async (): Promise<void> => {
    const about = { version: onnxruntime, mebibytes: cudaDownloadMebibytes, path: folder };
    const text = message('cuda.about-to-fetch', about, locale);
    if (!(await confirm({ title: t('cuda.fetch-title'), text, yes: t('cuda.yes') }))) return;
    setDone(0);
    fetchProvider(null, { onSuccess: () => void client.invalidateQueries({ queryKey: ['devices.cuda'] }) });
  };
  return (
    <div className="choice">
      <Button
        variant="default"
        leftSection={<IconDownload size={14} />}
        loading={isPending}
        onClick={() => void askFirst()}
      >
        {t('cuda.fetch')}
      </Button>
      {isPending && (
        <>
          <span role="status">{t('cuda.fetching', { done: bytes(done), total: cudaDownloadMebibytes })}</span>
          <Button variant="subtle" leftSection={<IconX size={14} />} onClick={() => cancel(null)}>
            {t('app.cancel')}
          </Button>
        </>
      )}
    </div>
  );
}
