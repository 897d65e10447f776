import fs from 'node:fs';
import path from 'node:path';

import { TamisError } from '../../contract/errors.ts';

/** Files of a checkpoint that are not weights and belong to the model: config, tokenizer, generation, licence. */
export const companions =
  /^(config|generation_config|tokenizer|tokenizer_config|special_tokens_map|added_tokens|vocab|preprocessor_config)\.json$|^merges\.txt$|^tokenizer\.model$|^chat_template\.(jinja|json)$|^LICEN[CS]E/i;

/** The hub's cache has a folder of links; one that leads nowhere would be missed only when the run is over. */
export function refuseDanglingCompanions(folder: string): void {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (!companions.test(entry.name) || !entry.isSymbolicLink() || fs.existsSync(file)) continue;
    throw new TamisError('checkpoint.dangling-link', { path: file, target: fs.readlinkSync(file) });
  }
}
