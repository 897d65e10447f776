import type { ReactElement, ReactNode } from 'react';

import { byBlock, columnsOf } from '../../charts/data.ts';
import type { Label } from '../../contract/messages/labels.ts';
import type { LayerResult } from '../../contract/report.ts';

/** A table whose first `text` columns are text and the others numbers. */
export function Table(props: {
  id: string;
  text: number;
  head: readonly string[];
  rows: readonly (readonly ReactNode[])[];
  foot?: readonly string[];
}): ReactElement {
  const { id, text, head, rows, foot } = props;
  const kind = (column: number): string | undefined => (column < text ? 'text' : undefined);
  const cells = (row: readonly ReactNode[]): ReactElement[] =>
    row.map((cell, i) => (
      <td key={i} className={kind(i)}>
        {cell}
      </td>
    ));
  return (
    <table id={id}>
      <thead>
        <tr>
          {head.map((name, i) => (
            <th key={i} scope="col" className={kind(i)}>
              {name}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.map((row, i) => (
          <tr key={i}>{cells(row)}</tr>
        ))}
      </tbody>
      {foot && (
        <tfoot>
          <tr>{cells(foot)}</tr>
        </tfoot>
      )}
    </table>
  );
}

/** One value of every layer: a row a block, a column a type of layer. */
export function LayerTable(props: {
  id: string;
  layers: readonly LayerResult[];
  cell: (layer: LayerResult) => string;
  t: Label;
}): ReactElement {
  const { id, layers, cell, t } = props;
  const columns = columnsOf(layers);
  const rows = byBlock(layers).map(([block, inBlock]) => [
    String(block),
    ...columns.map(({ type }) => {
      const layer = inBlock.find((candidate) => candidate.type === type);
      return layer ? cell(layer) : '';
    }),
  ]);
  return <Table id={id} text={0} head={[t('axis.block'), ...columns.map(({ heading }) => heading)]} rows={rows} />;
}
