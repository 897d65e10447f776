import type { ReactElement, ReactNode } from 'react';

/** A number of the report, with its place there (`measured.0.compressed.value`); null where it comes from elsewhere. */
export function Figure({ path, children }: { path: string | null; children: ReactNode }): ReactElement {
  return <span data-figure={path ?? undefined}>{children}</span>;
}
