import { Portal } from '@mantine/core';
import {
  useId,
  useRef,
  useState,
  type CSSProperties,
  type KeyboardEvent,
  type PointerEvent,
  type ReactElement,
  type ReactNode,
} from 'react';

import type { MarkMove } from './mark-move.ts';

/** A mark this far from the pointer, in pixels, still counts as pointed at. */
const REACH = 16;

interface MarksProps {
  /** What a screen reader calls the chart. */
  readonly label: string;
  /** How it is used with the keyboard. */
  readonly hint: string;
  /** Attribute of the chart's marks that holds what they stand for. */
  readonly attribute: 'data-layer' | 'data-run';
  /** The mark beside one in a direction; null for the first step into the chart. */
  readonly next: (from: string | null, move: MarkMove) => string | null;
  /** What is shown of a mark; null where there is nothing to say. */
  readonly describe: (mark: string) => readonly string[] | null;
  /** A click or Enter. */
  readonly onOpen: (mark: string) => void;
  /** A chart of `src/charts`, as it is. */
  readonly children: ReactNode;
}

interface FoundMark {
  readonly mark: string;
  /** In the window. */
  readonly rect: DOMRect;
}

const moves: Readonly<Record<string, MarkMove>> = {
  ArrowLeft: 'left',
  ArrowRight: 'right',
  ArrowUp: 'up',
  ArrowDown: 'down',
  Home: 'first',
  End: 'last',
};

/**
 * Lets people point at the marks of a chart, by pointer or arrow keys, and open them. It lies over the chart and looks
 * for marks below, so that the chart itself stays a picture and is not drawn again.
 */
export function Marks(props: MarksProps): ReactElement {
  const { label, hint, attribute, next, describe, onOpen, children } = props;
  const hintId = useId();
  const frame = useRef<HTMLDivElement>(null);
  const [active, setActive] = useState<FoundMark | null>(null);
  const [spoken, setSpoken] = useState('');

  const onPointerMove = ({ clientX, clientY }: PointerEvent): void => {
    const found = frame.current && nearest(frame.current, attribute, clientX, clientY);
    setActive((before) => (found?.mark === before?.mark ? before : found));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const move = moves[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Escape') setActive(null);
    if (event.key === 'Enter' && active) onOpen(active.mark);
    const mark = move && next(active?.mark ?? null, move);
    if (typeof mark !== 'string' || frame.current === null) return;
    event.preventDefault();
    const found = findMark(frame.current, attribute, mark);
    setActive(found);
    setSpoken(describe(mark)?.join(', ') ?? '');
  };
  const lines = active && describe(active.mark);
  return (
    <div ref={frame} className="marks">
      {children}
      <div
        role="application"
        aria-label={label}
        aria-describedby={hintId}
        tabIndex={0}
        className="marks-over"
        data-over={active?.mark}
        onPointerMove={onPointerMove}
        onPointerLeave={() => setActive(null)}
        onWheel={() => setActive(null)}
        onBlur={() => setActive(null)}
        onKeyDown={onKeyDown}
        onClick={() => active && onOpen(active.mark)}
      />
      <span id={hintId} hidden>
        {hint}
      </span>
      <span className="unseen" aria-live="polite">
        {spoken}
      </span>
      {active && lines && (
        <Portal>
          <div className="mark-ring" style={ringAround(active.rect)} />
          <div className="mark-card" style={cardBeside(active.rect)}>
            {lines.map((line, i) => (
              <div key={i}>{line}</div>
            ))}
          </div>
        </Portal>
      )}
    </div>
  );
}

function nearest(frame: Element, attribute: string, x: number, y: number): FoundMark | null {
  let best: FoundMark | null = null;
  let least = REACH;
  for (const element of frame.querySelectorAll(`[${attribute}]`)) {
    const rect = element.getBoundingClientRect();
    const aside = Math.max(rect.left - x, x - rect.right, 0);
    const above = Math.max(rect.top - y, y - rect.bottom, 0);
    const distance = Math.hypot(aside, above);
    if (distance < least) {
      least = distance;
      best = { mark: element.getAttribute(attribute) ?? '', rect };
    }
  }
  return best;
}

function findMark(frame: Element, attribute: string, mark: string): FoundMark | null {
  const element = frame.querySelector(`[${attribute}="${CSS.escape(mark)}"]`);
  element?.scrollIntoView({ block: 'nearest' });
  return element && { mark, rect: element.getBoundingClientRect() };
}

function ringAround({ left, top, width, height }: DOMRect): CSSProperties {
  return { left: left - 3, top: top - 3, width: width + 6, height: height + 6 };
}

/** To the right of the mark and below, or on the other side where the window ends. */
function cardBeside({ left, right, top, bottom }: DOMRect): CSSProperties {
  const across = right + 300 < innerWidth ? { left: right + 10 } : { right: innerWidth - left + 10 };
  const down = bottom + 240 < innerHeight ? { top } : { bottom: innerHeight - bottom };
  return { ...across, ...down };
}
