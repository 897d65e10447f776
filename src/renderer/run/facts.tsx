import type { ReactElement, ReactNode } from 'react';

import { Figure } from './figure.tsx';

export interface Fact {
  readonly name: string;
  readonly text: ReactNode;
  /** Its place in the report. */
  readonly figure?: string;
}

/** Names and what they are, one below the other. */
export function Facts({ rows }: { rows: readonly Fact[] }): ReactElement {
  return (
    <dl className="run-facts">
      {rows.map(({ name, text, figure }) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>
            <Figure path={figure ?? null}>{text}</Figure>
          </dd>
        </div>
      ))}
    </dl>
  );
}
