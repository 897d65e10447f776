import { execFileSync } from 'node:child_process';

import ts from 'typescript';
import { describe, expect, test } from 'vitest';

import { formatClients, type Snippet } from '../../src/contract/export-formats.ts';
import { exportFormats } from '../../src/contract/exports.ts';

const all = (path: string): Snippet[] => exportFormats.flatMap((format) => formatClients[format].snippets(path));
const awkward = [`/data/it's "my" model/70 % $(x) 模型`, String.raw`C:\models\new "one"`];

describe('snippets', () => {
  test('every format has one, and no client twice', () => {
    for (const format of exportFormats) {
      const clients = formatClients[format].snippets('/m').map(({ client }) => client);
      expect(clients.length).toBeGreaterThan(0);
      expect(new Set(clients).size).toBe(clients.length);
    }
  });

  test.each(awkward)('a shell hands %s over as it is', (path) => {
    const words =
      'say() { printf "%s\\n" "$@"; }; tamis() { say "$@"; }; vllm() { say "$@"; }; llama-cli() { say "$@"; };';
    for (const { code } of all(path).filter(({ language }) => language === 'shell')) {
      const given = execFileSync('bash', ['-c', `${words} ${code}`], { encoding: 'utf8' }).split('\n');
      expect(given.some((word) => word === path || word.startsWith(`${path}${path[0] === '/' ? '/' : '\\'}`))).toBe(
        true,
      );
    }
  });

  test.each(awkward)('a program reads %s as it is', (path) => {
    const [parent, name] = [path.slice(0, path.search(/[^/\\]*$/)), path.slice(path.search(/[^/\\]*$/))];
    for (const { language, client, code } of all(path).filter((snippet) => snippet.language !== 'shell')) {
      const texts = [...code.matchAll(/"(?:[^"\\]|\\.)*"/g)].map(([literal]) => JSON.parse(literal) as string);
      const whole =
        client === 'transformers.js'
          ? (texts[0] ?? '') + (texts[1] ?? '')
          : texts.find((text) => text.startsWith(path));
      expect(whole?.startsWith(parent + name), code).toBe(true);
      if (language === 'javascript') {
        const { diagnostics } = ts.transpileModule(code, { reportDiagnostics: true });
        expect(diagnostics).toEqual([]);
      }
    }
  });
});
