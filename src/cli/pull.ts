import { resolve } from 'node:path';

import { Command } from 'commander';

import { TamisError } from '../contract/errors.ts';
import { bytes } from '../contract/format.ts';
import {
  hubEndpoint,
  repositoryFolder,
  repositoryPattern,
  revisionPattern,
  type PullPlan,
  type PullTask,
} from '../contract/hub.ts';
import { message } from '../contract/messages/index.ts';
import { findToken } from '../worker/hub/endpoint.ts';
import { pull } from '../worker/hub/pull.ts';
import { act, locale, print, printJson } from './act.ts';
import { table } from './table.ts';

interface Flags {
  revision: string;
  out?: string;
  endpoint?: string;
  json?: true;
}

const about = `
Takes config, tokenizer and licence and one set of weights: safetensors where there are any, else PyTorch .bin.
Every file is checked against the hub's own checksum. What ends it, Ctrl+C and a crash too, leaves what the same
command goes on from; once all is there, it checks the files again.

For private and gated models the token is taken from HF_TOKEN or from the file that the hub's own programs keep
(~/.cache/huggingface/token). It is sent to the endpoint alone, and over https alone.`;

export function pullCommand(): Command {
  return new Command('pull')
    .description('Fetch a model from the hub into a folder.')
    .argument('<repository>', 'OWNER/NAME, as on the hub')
    .option('--revision <name>', 'branch, tag or commit', 'main')
    .option('--out <dir>', 'folder for the files (default: OWNER--NAME in the current one)')
    .option('--endpoint <url>', `address of a mirror (default: HF_ENDPOINT, or ${hubEndpoint})`)
    .option('--json', 'print what was fetched as JSON')
    .addHelpText('after', about)
    .action(async (repository: string, flags: Flags) => {
      await act(async ({ signal, onPull }) => {
        const task = await taskOf(repository, flags);
        const result = await pull(task, { signal, onPlan: tell, onProgress: onPull });
        if (flags.json) printJson(result);
        else print(`Model: ${result.folder}\n${bytes(result.bytes)} in ${result.files} files, all checksums right`);
      });
    });
}

async function taskOf(repository: string, { revision, out, endpoint }: Flags): Promise<PullTask> {
  if (!repositoryPattern.test(repository)) throw new TamisError('hub.name', { text: repository });
  if (!revisionPattern.test(revision)) throw new TamisError('hub.revision', { text: revision });
  const named = endpoint ?? process.env['HF_ENDPOINT'];
  return {
    repository,
    revision,
    endpoint: named === undefined || named === '' ? hubEndpoint : named,
    token: await findToken(process.env),
    folder: resolve(out ?? repositoryFolder(repository)),
  };
}

/** What will be fetched, on standard error. */
function tell({ commit, earlier, files, bytes: all, missingBytes, freeBytes }: PullPlan): void {
  const rows = files.map(({ path, bytes: size, kept }) => [path, bytes(size), kept === 0 ? '' : bytes(kept)]);
  const moved = earlier === null ? [] : [message('hub.moved', { earlier, commit }, locale())];
  const lines = [
    `Commit ${commit}`,
    ...moved,
    table(['File', 'size', 'here already'], rows),
    `${bytes(missingBytes)} to fetch of ${bytes(all)}; ${bytes(freeBytes)} are free`,
  ];
  process.stderr.write(`${lines.join('\n')}\n`);
}
