import { Select, type SelectProps } from '@mantine/core';
import type { ReactElement } from 'react';

import { useAsk } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';

type Props = Omit<SelectProps, 'value' | 'onChange' | 'data'> & {
  readonly value: string;
  readonly onChange: (value: string) => void;
};

/** `auto`, `none` or one of this machine's GPUs; a name that it does not have stays as it is. */
export function GpuSelect({ value, onChange, ...props }: Props): ReactElement {
  const t = useLabel();
  const { data: names = [] } = useAsk('devices.gpus', null);
  const own = [...new Set([...names, value])].filter((name) => name !== 'auto' && name !== 'none');
  return (
    <Select
      {...props}
      data={[
        { value: 'auto', label: t('gpu.auto') },
        { value: 'none', label: t('gpu.none') },
        ...own.map((name) => ({ value: name, label: name })),
      ]}
      value={value}
      onChange={(chosen) => chosen !== null && onChange(chosen)}
      allowDeselect={false}
    />
  );
}
