import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import type { Places } from '../places.ts';

/**
 * What processes of the engine start with. Once the CUDA provider is fetched, the system's loader takes onnxruntime from beside it:
 * `LD_LIBRARY_PATH` comes before the addon's own `RUNPATH`, and onnxruntime looks for its providers where it was loaded from.
 */
export function engineEnvironment({ cache, onnxruntime }: Pick<Places, 'cache' | 'onnxruntime'>): NodeJS.ProcessEnv {
  const env = { ...process.env, TAMIS_CACHE: cache };
  if (!existsSync(join(onnxruntime, 'libonnxruntime_providers_cuda.so'))) return env;
  // An empty entry would be the current folder.
  const folders = [onnxruntime, process.env['LD_LIBRARY_PATH']].filter(
    (folder) => folder !== undefined && folder !== '',
  );
  return { ...env, LD_LIBRARY_PATH: folders.join(delimiter) };
}
