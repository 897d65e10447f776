import { Button, Group, Text, TextInput } from '@mantine/core';
import { IconCopy, IconSearch } from '@tabler/icons-react';
import { useVirtualizer } from '@tanstack/react-virtual';
import { useDeferredValue, useEffect, useMemo, useRef, useState, type ReactElement } from 'react';

import { isPassing, type TimedEvent } from '../../../contract/events.ts';
import type { Locale } from '../../../contract/messages/index.ts';
import type { Label } from '../../../contract/messages/labels.ts';
import { useCopy } from '../../ask/copy.ts';
import { eventSentence } from '../../run/sentence.ts';
import { useLabel, useLocale } from '../../words.tsx';

interface Line {
  readonly at: string;
  readonly text: string;
  readonly kind: 'plain' | 'warning' | 'failed';
}

/** What the run told, oldest first; it follows the run while its end is in sight. */
export function RunLog({ name, log }: { name: string; log: readonly TimedEvent[] }): ReactElement {
  const t = useLabel();
  const copy = useCopy();
  const [search, setSearch] = useState('');
  const wanted = useDeferredValue(search).trim().toLocaleLowerCase();
  const lines = useLines(log);
  const shown = useMemo(() => lines.filter(({ text }) => text.toLocaleLowerCase().includes(wanted)), [lines, wanted]);
  const label = t('log.title', { name });
  return (
    <div className="run-log">
      <Group gap="xs">
        <TextInput
          value={search}
          onChange={(event) => setSearch(event.currentTarget.value)}
          placeholder={t('log.search')}
          aria-label={t('log.search')}
          leftSection={<IconSearch size={14} />}
          w={320}
        />
        <Text size="xs" c="dimmed" aria-live="polite">
          {t('log.shown', { shown: shown.length, all: lines.length })}
        </Text>
        <Button
          variant="default"
          leftSection={<IconCopy size={14} />}
          disabled={shown.length === 0}
          onClick={() => copy(shown.map(({ at, text }) => `${at} ${text}`).join('\n'))}
        >
          {t('log.copy')}
        </Button>
      </Group>
      <LogLines label={label} lines={shown} />
    </div>
  );
}

/** Each event is put into words once. */
function useLines(log: readonly TimedEvent[]): readonly Line[] {
  const t = useLabel();
  const locale = useLocale();
  const known = useMemo(() => ({ t, locale, lines: new WeakMap<TimedEvent, Line>() }), [t, locale]);
  return useMemo(
    () =>
      log.map((event) => {
        const line = known.lines.get(event) ?? lineOf(event, known.t, known.locale);
        known.lines.set(event, line);
        return line;
      }),
    [log, known],
  );
}

function lineOf({ at, event }: TimedEvent, t: Label, locale: Locale): Line {
  const text = isPassing(event) ? '' : eventSentence(event, t, locale);
  return { at, text, kind: event.type === 'warning' || event.type === 'failed' ? event.type : 'plain' };
}

function LogLines({ label, lines }: { label: string; lines: readonly Line[] }): ReactElement {
  const t = useLabel();
  const scroll = useRef<HTMLDivElement>(null);
  const isAtEnd = useRef(true);
  const virtual = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroll.current,
    estimateSize: () => 22,
    overscan: 20,
  });
  useEffect(() => {
    if (isAtEnd.current) virtual.scrollToIndex(lines.length - 1);
  }, [virtual, lines.length]);
  const onScroll = (): void => {
    const { scrollTop = 0, clientHeight = 0, scrollHeight = 0 } = scroll.current ?? {};
    isAtEnd.current = scrollTop + clientHeight > scrollHeight - 30;
  };
  return (
    <div
      ref={scroll}
      className="log-lines"
      role="log"
      aria-live="off"
      aria-label={label}
      tabIndex={0}
      onScroll={onScroll}
    >
      {lines.length === 0 && <Text p="md">{t('log.none')}</Text>}
      <div style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const line = lines[index];
          return (
            line && (
              <div
                key={index}
                ref={virtual.measureElement}
                data-index={index}
                data-kind={line.kind}
                className="log-line"
                style={{ transform: `translateY(${start}px)` }}
              >
                <time dateTime={line.at}>{new Date(line.at).toLocaleTimeString([], { hour12: false })}</time>
                <span>{line.text}</span>
              </div>
            )
          );
        })}
      </div>
    </div>
  );
}
