/**
 * npm run bench: the native core beside faer's matrix product, the demo model's compression by stage with its peak memory, and,
 * where a Python with torch and the reference are at hand, the reference on the same work beside it as ratios; then the
 * application's start, its idling and a history of 10,000 runs, beside their limits.
 *
 *     npm run bench [-- --rounds N] [engine | application]
 *
 * TAMIS_PYTHON names the Python (default: python3). Prints Markdown; test-results/bench.json holds the raw numbers. Ends
 * with 1 where the application keeps within a limit no more.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

import { benchApplication } from './application.ts';
import { benchEngine } from './engine.mjs';

const results = fileURLToPath(new URL('../../test-results', import.meta.url));
const { values, positionals } = parseArgs({
  options: { rounds: { type: 'string', default: '3' } },
  allowPositionals: true,
});
const [only] = positionals;

const engine = only === 'application' ? null : benchEngine(Number(values.rounds));
const application = only === 'engine' ? null : await benchApplication();
mkdirSync(results, { recursive: true });
writeFileSync(join(results, 'bench.json'), JSON.stringify({ engine, application }, null, 1));
process.exitCode = application && application.missed > 0 ? 1 : 0;
