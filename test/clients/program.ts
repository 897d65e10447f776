import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

import type { z } from 'zod';

const folder = fileURLToPath(new URL('.', import.meta.url));

/** No program asks a hub for anything, and none takes a GPU. */
const env = {
  ...process.env,
  HF_HUB_OFFLINE: '1',
  CUDA_VISIBLE_DEVICES: '',
  PYTHONWARNINGS: 'ignore',
  PYTHONDONTWRITEBYTECODE: '1',
  LC_ALL: 'C.UTF-8',
};

/** Where a client runs, and the folder of this one that holds it. */
type Place = 'python' | 'node';

/** Runs a client; its last line of output is JSON of this form. */
export async function client<T extends z.ZodType>(
  file: `${string}.py` | `${string}.mjs`,
  args: readonly string[],
  form: T,
): Promise<z.infer<T>> {
  const lines = (await run(file.endsWith('.py') ? 'python' : 'node', [file, ...args])).trimEnd().split('\n');
  return form.parse(JSON.parse(lines.at(-1) ?? ''));
}

/** Standard output of lines of code, which must run without an error. */
export async function script(place: Place, code: string): Promise<string> {
  if (place === 'python') return await run(place, ['-c', code]);
  // A file, since node-llama-cpp starts Node again with the same flags; there, so that it finds the packages.
  const file = `${folder}node/node_modules/.lines.mjs`;
  writeFileSync(file, code);
  return await run(place, [file]);
}

async function run(place: Place, args: readonly string[]): Promise<string> {
  return await output(place === 'python' ? pythonOfClients() : process.execPath, args, `${folder}${place}`);
}

export function pythonOfClients(): string {
  const python = process.env['TAMIS_CLIENTS_PYTHON'];
  if (python === undefined) throw new Error('start these tests with `npm run test:clients`');
  return python;
}

/** Standard output of a program that must succeed. */
export async function output(program: string, args: readonly string[], cwd?: string): Promise<string> {
  const child = spawn(program, args, { cwd, stdio: ['ignore', 'pipe', 'pipe'], env });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  const code = await new Promise((resolve, reject) => child.on('close', resolve).on('error', reject));
  if (code !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${String(code)}:\n${stderr}`);
  return stdout;
}
