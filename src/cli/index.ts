import { describe } from '../contract/describe.ts';
import { Command, CommanderError } from 'commander';

import { fileError } from '../disk/file-errors.ts';
import { locale } from './act.ts';
import { benchModelCommand } from './bench-model.ts';
import { compareCommand } from './compare.ts';
import { compressCommand } from './compress.ts';
import { demoCommand } from './demo.ts';
import { devicesCommand } from './devices.ts';
import { evalCommand } from './eval.ts';
import { exportCommand } from './export.ts';
import { inspectCommand } from './inspect.ts';
import { planCommand } from './plan.ts';
import { pullCommand } from './pull.ts';
import { recipeCommand } from './recipe.ts';
import { resumeCommand } from './resume.ts';
import { unpackCommand } from './unpack.ts';
import { version } from './version.ts';

const exitCodes = `
Exit codes:
  0    done
  1    refused or failed; one sentence on standard error says why and what to do
  2    the command line is wrong
  70   a bug in Tamis
  130  cancelled (Ctrl+C); go on with: tamis resume DIR, or the same tamis pull

Progress and messages go to standard error, results to standard output (as JSON with --json).`;

const program = new Command('tamis')
  .description(
    'Compresses large language models after training: prunes more than 70 % of the weights, quantizes the rest to 4 bits or fewer, and shows what that cost.',
  )
  .version(version)
  .addHelpText('after', exitCodes)
  .configureOutput({
    outputError: (text, write) => {
      write(`${text.trim().replace(/\s*\n\s*/g, ' ')} (add --help for the options)\n`);
    },
  })
  .exitOverride();

for (const command of [
  compressCommand(),
  evalCommand(),
  exportCommand(),
  unpackCommand(),
  pullCommand(),
  inspectCommand(),
  planCommand(),
  resumeCommand(),
  recipeCommand(),
  compareCommand(),
  benchModelCommand(),
  devicesCommand(),
  demoCommand(),
]) {
  program.addCommand(command.copyInheritedSettings(program));
}

// A reader that has gone, as in `tamis inspect MODEL | head`, ends the command quietly.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`tamis: ${describe(fileError(error, 'standard output'), locale())}\n`);
  process.exit(1);
});
// Where standard error is gone, there is nobody left to tell, and a run goes on.
process.stderr.on('error', () => undefined);

try {
  await program.parseAsync();
} catch (error) {
  if (!(error instanceof CommanderError)) throw error;
  process.exitCode = error.exitCode === 0 ? 0 : 2;
}
