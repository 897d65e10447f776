import { Loader } from '@mantine/core';
import type { ReactElement } from 'react';

import type { Output } from '../../contract/bridge.ts';
import { useAsk } from '../ask/queries.ts';
import { FailureView } from '../components/failure-view.tsx';

/** Asks for a run; its page once it is there, or why it is not. */
export function AskedRun(props: { id: string; children: (run: Output<'runs.get'>) => ReactElement }): ReactElement {
  const { id, children } = props;
  const { data, error } = useAsk('runs.get', { id });
  if (error)
    return (
      <div className="page-body">
        <FailureView failure={error} />
      </div>
    );
  if (!data) return <Loader className="page-loader" />;
  return children(data);
}
