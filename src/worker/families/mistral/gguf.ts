import { z } from 'zod';

import { readConfig } from '../config.ts';
import { windowContext } from '../gguf-window.ts';
import type { Described, GgufFamily } from '../gguf-family.ts';
import { llama } from '../llama/gguf.ts';

/** llama.cpp takes a Mistral for a LLaMA, which has no window: the file is for as many tokens as see everything. */
export const mistral: GgufFamily = {
  ...llama,
  metadata: (model) => ({ ...llama.metadata(model), 'llama.context_length': { u32: contextOf(model) } }),
};

function contextOf(model: Described): number {
  const { sliding_window: window } = readConfig(model, z.object({ sliding_window: z.int().nullable().default(4096) }));
  return windowContext(model, () => window !== null);
}
