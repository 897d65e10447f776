import { ActionIcon, Group, Menu, Paper, Text, Title, Tooltip } from '@mantine/core';
import { IconDots, IconTable } from '@tabler/icons-react';
import { useRef, useState, type ReactElement, type ReactNode } from 'react';

import { toCsv } from '../csv.ts';
import { useCopy } from '../ask/copy.ts';
import { useAct } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';
import { pictureOf, pngOf } from './picture.ts';

/** The numbers of a chart; null where one is not known. */
export interface ChartNumbers {
  readonly headings: readonly string[];
  readonly rows: readonly (readonly (string | number | null)[])[];
}

interface ChartCardProps {
  readonly title: string;
  /** The name of saved files, without an ending. */
  readonly fileName: string;
  /** Made when the numbers are asked for. */
  readonly numbers: () => ChartNumbers;
  /** A line below the title: what the chart shows. */
  readonly note?: string;
  /** Beside the title: what the chart is coloured by. */
  readonly controls?: ReactNode;
  /** A chart of `src/charts`. */
  readonly children: ReactNode;
}

/** A chart with the table of its numbers in its place on request, and copies of both. */
export function ChartCard({ title, fileName, numbers, note, controls, children }: ChartCardProps): ReactElement {
  const t = useLabel();
  const picture = useRef<HTMLDivElement>(null);
  const [shows, setShows] = useState<'picture' | 'numbers'>('picture');
  return (
    <Paper component="section" withBorder className="chart-card" aria-label={title}>
      <Group justify="space-between" wrap="nowrap" gap="xs" mb={4}>
        <Title order={2} size="h5" className="cut">
          {title}
        </Title>
        <Group gap={4} wrap="nowrap">
          {controls}
          <Tooltip label={t('chart.show-numbers')}>
            <ActionIcon
              variant={shows === 'numbers' ? 'light' : 'subtle'}
              aria-label={`${title}: ${t('chart.show-numbers')}`}
              aria-pressed={shows === 'numbers'}
              onClick={() => setShows(shows === 'numbers' ? 'picture' : 'numbers')}
            >
              <IconTable size={16} />
            </ActionIcon>
          </Tooltip>
          <ChartMenu title={title} fileName={fileName} numbers={numbers} picture={() => picture.current} />
        </Group>
      </Group>
      {note !== undefined && (
        <Text size="xs" c="dimmed" mb={4}>
          {note}
        </Text>
      )}
      {/* Kept while the numbers are shown, so that it can still be saved. */}
      <div ref={picture} className="chart-picture" hidden={shows === 'numbers'}>
        {children}
      </div>
      {shows === 'numbers' && <NumbersTable title={title} {...numbers()} />}
    </Paper>
  );
}

interface ChartMenuProps extends Pick<ChartCardProps, 'title' | 'fileName' | 'numbers'> {
  readonly picture: () => Element | null;
}

function ChartMenu({ title, fileName, numbers, picture }: ChartMenuProps): ReactElement {
  const t = useLabel();
  const copy = useCopy();
  const { mutate: save } = useAct('files.save');
  const csv = (): string => toCsv(numbers().headings, numbers().rows);
  const svg = (): SVGSVGElement | null => picture()?.querySelector('svg') ?? null;
  const withSvg = (use: (svg: SVGSVGElement) => void) => (): void => {
    const found = svg();
    if (found) use(found);
  };
  const savePng = async (found: SVGSVGElement): Promise<void> =>
    save({ name: `${fileName}.png`, content: await pngOf(found), encoding: 'base64' });
  return (
    <Menu position="bottom-end" withinPortal>
      <Menu.Target>
        <ActionIcon variant="subtle" aria-label={`${title}: ${t('chart.copy-or-save')}`}>
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Item onClick={withSvg((found) => copy(pictureOf(found)))}>{t('chart.copy-svg')}</Menu.Item>
        <Menu.Item onClick={() => copy(csv())}>{t('chart.copy-csv')}</Menu.Item>
        <Menu.Divider />
        <Menu.Item
          onClick={withSvg((found) => save({ name: `${fileName}.svg`, content: pictureOf(found), encoding: 'utf8' }))}
        >
          {t('chart.save-svg')}
        </Menu.Item>
        <Menu.Item onClick={withSvg((found) => void savePng(found))}>{t('chart.save-png')}</Menu.Item>
        <Menu.Item onClick={() => save({ name: `${fileName}.csv`, content: csv(), encoding: 'utf8' })}>
          {t('chart.save-csv')}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function NumbersTable({ title, headings, rows }: ChartNumbers & { title: string }): ReactElement {
  const t = useLabel();
  return (
    <div className="numbers" role="region" aria-label={t('chart.numbers-of', { title })} tabIndex={0}>
      <table>
        <thead>
          <tr>
            {headings.map((heading) => (
              <th key={heading} scope="col">
                {heading}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rows.map((row, i) => (
            <tr key={i}>
              {row.map((value, j) => (
                <td key={j} data-numeric={typeof value === 'number' || undefined}>
                  {value ?? '–'}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
