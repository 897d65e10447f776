import { z } from 'zod';

import { TamisError } from '../../contract/errors.ts';
import { parseJson } from '../../disk/json.ts';
import type { HubFile, Repository } from './repository.ts';

/** Beside the weights: what tells how a model is computed, tokenized and licensed. */
const needed = [
  /^(generation_)?config\.json$/,
  /^tokenizer(_config)?\.json$/,
  /^tokenizer\.model$/,
  /^(vocab|special_tokens_map|added_tokens)\.json$/,
  /^merges\.txt$/,
  /^chat_template\.(json|jinja)$/,
  /^(LICEN[CS]E|NOTICE|USE_POLICY|README)(\.(md|txt))?$/i,
];

/** The weights, of which a repository may have several sets: the first of these that is there. */
const weights = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const;

/** A plain name that no system takes for anything else. */
const plainName = /^\w[\w.-]*$/;

const indexSchema = z.object({ weight_map: z.record(z.string(), z.string()) });

/**
 * The files that make the model: config.json first, the weights last. `readIndex` gives the text of an index of shards. Errors:
 * hub.no-config, hub.no-weights, hub.shard, file.*.
 */
export async function chooseFiles(
  { name, files }: Repository,
  readIndex: (index: HubFile) => Promise<string>,
): Promise<[config: HubFile, ...HubFile[]]> {
  const config = files.find(({ path }) => path === 'config.json');
  if (!config) throw new TamisError('hub.no-config', { repository: name });
  const others = files.filter((file) => file !== config && needed.some((pattern) => pattern.test(file.path)));
  const found = weights.flatMap((path) => files.find((file) => file.path === path) ?? [])[0];
  if (!found) throw new TamisError('hub.no-weights', { repository: name });
  if (!found.path.endsWith('.index.json')) return [config, ...others, found];
  return [config, ...others, found, ...shardsOf(await readIndex(found), found, files)];
}

function shardsOf(text: string, index: HubFile, files: readonly HubFile[]): HubFile[] {
  const names = new Set(Object.values(parseJson(index.path, text, indexSchema).weight_map));
  return [...names].sort().map((name) => {
    const shard = files.find(({ path }) => path === name);
    if (!shard || !plainName.test(name)) throw new TamisError('hub.shard', { index: index.path, shard: name });
    return shard;
  });
}
