import { describe } from '../contract/describe.ts';
import { arch, cpus, platform, release, totalmem } from 'node:os';
import { join } from 'node:path';

import { app } from 'electron';

import { bytes } from '../contract/format.ts';
import type { RunRow } from '../contract/history.ts';
import { errorOf } from '../contract/failure.ts';
import type { Host } from './host.ts';
import { readText } from '../disk/files.ts';

/** Events and log lines at the end of the diagnostics. */
const LINES = 40;

/** All that someone who is to help with a failed run needs, as text to paste. */
export async function diagnosticsOf(host: Host, row: RunRow): Promise<string> {
  const { stores, runs, places } = host;
  const events = (await runs.events(row.id)).filter(({ event }) => event.type !== 'estimate' && event.type !== 'layer');
  const log = (await readText(join(places.logs, 'main.log')).catch(() => null)) ?? '';
  const sections: [string, string][] = [
    [
      'Tamis',
      [
        `${app.getVersion()}, Electron ${process.versions.electron}, Node ${process.versions.node}`,
        `${platform()} ${release()} ${arch()}, ${cpus()[0]?.model ?? ''} x ${cpus().length}, ${bytes(totalmem())}`,
      ].join('\n'),
    ],
    ['Run', `${row.id}\n${row.path}\n${row.state}${row.failure ? `: ${describe(errorOf(row.failure), 'en')}` : ''}`],
    ['Recipe', JSON.stringify(stores.history.recipe(row.id), null, 1)],
    [
      'Last events',
      events
        .slice(-LINES)
        .map((event) => JSON.stringify(event))
        .join('\n'),
    ],
    ['Log', log.trimEnd().split('\n').slice(-LINES).join('\n')],
  ];
  return sections.map(([title, text]) => `## ${title}\n${text}\n`).join('\n');
}
