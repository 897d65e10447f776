import { resolve } from 'node:path';

import { Command } from 'commander';

import { unpack } from '../worker/formats/unpack.ts';
import { act, print } from './act.ts';

export function unpackCommand(): Command {
  return new Command('unpack')
    .description(
      'Turn an export back into a dense folder that transformers loads, with the weights of its run to the bit.',
    )
    .argument('<export>', 'folder that tamis export wrote')
    .requiredOption('--out <dir>', 'new folder for the dense model')
    .action(async (path: string, { out }: { out: string }) => {
      await act(async ({ signal, onProgress }) => {
        await unpack(path, out, { signal, onProgress: (progress) => onProgress('write', progress) });
        print(`Model: ${resolve(out)}`);
      });
    });
}
