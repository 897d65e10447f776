import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { openDisplay } from '../../scripts/display.mjs';
import { table } from './figures.ts';
import { measureHistory, RUNS, type HistoryTimes } from './history.ts';
import { measureStartUp, type StartUp } from './start-up.ts';

interface Line {
  readonly what: string;
  readonly value: number;
  readonly limit: number;
  readonly unit: string;
}

export interface ApplicationFigures {
  readonly startUp: StartUp;
  readonly history: HistoryTimes;
  /** Of the limits, how many are not kept. */
  readonly missed: number;
}

/** The application in a real window: its start, its idling, and a long history. Prints its table. */
export async function benchApplication(): Promise<ApplicationFigures> {
  const folder = mkdtempSync(join(tmpdir(), 'tamis-bench-'));
  const closeDisplay = await openDisplay();
  try {
    const startUp = await measureStartUp(join(folder, 'start-up'));
    const history = await measureHistory(join(folder, 'history'));
    const lines = [...startLines(startUp), ...historyLines(history)];
    const rows = lines.map(({ what, value, limit, unit }) => [what, `${rounded(value)} ${unit}`, `${limit} ${unit}`]);
    console.log(`## Application, medians\n\n${table(['', 'measured', 'limit'], rows)}\n\n${idleSentence(startUp)}`);
    return { startUp, history, missed: lines.filter(({ value, limit }) => value > limit).length };
  } finally {
    closeDisplay();
    rmSync(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
  }
}

function startLines({ empty, application, idle }: StartUp): Line[] {
  return [
    {
      what: 'from spawn to an enabled Start button, beyond an empty window',
      value: application - empty,
      limit: 1000,
      unit: 'ms',
    },
    { what: 'CPU time in 10 idle seconds, all processes', value: idle.cpuSeconds, limit: 0.2, unit: 's' },
  ];
}

function historyLines({ firstPaint, sort, filter }: HistoryTimes): Line[] {
  return [
    { what: `history of ${RUNS} runs: first paint`, value: firstPaint, limit: 300, unit: 'ms' },
    { what: 'sorted: input to second animation frame', value: sort, limit: 100, unit: 'ms' },
    { what: 'filtered: input to second animation frame', value: filter, limit: 100, unit: 'ms' },
  ];
}

function idleSentence({ empty, application, idle, emptyMemory }: StartUp): string {
  const mebibytes = (bytes: number): string => (bytes / 2 ** 20).toFixed(0);
  return [
    `Start button enabled after ${rounded(application)} ms, an empty window painted after ${rounded(empty)} ms.`,
    `Idle, all ${idle.processes} processes: ${mebibytes(idle.memory)} MiB (an empty window: ${mebibytes(emptyMemory)} MiB), shared pages counted once.`,
  ].join(' ');
}

function rounded(value: number): string {
  return value < 10 ? value.toFixed(2) : value.toFixed(0);
}
