import { resolve } from 'node:path';

import { Command } from 'commander';

import { resume } from '../worker/engine.ts';
import { act, print, printJson } from './act.ts';
import { addMemoryOption } from './recipe-options.ts';
import { summary } from './summary.ts';

export function resumeCommand(): Command {
  const command = new Command('resume')
    .description(
      'Go on with a run that was stopped, killed or lost its power: it ends with the same bits as an uninterrupted one.',
    )
    .argument('<dir>', 'the --out folder of the run')
    .option('--json', 'print report.json on standard output');
  return addMemoryOption(command).action(async (folder: string, { memory, json }: { memory?: number; json?: true }) => {
    await act(async (acting) => {
      const report = await resume(folder, { ...acting, memory });
      if (json) printJson(report);
      else print(summary(report, resolve(folder)));
    });
  });
}
