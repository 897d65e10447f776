import { TamisError } from '../../../contract/errors.ts';
import { weightFiles } from '../weight-files.ts';
import type { Format } from '../format.ts';
import { companionFiles, copiedFile } from '../plain-files.ts';

/** The model as the run's folder holds it. */
export const dense: Format = {
  format: 'dense',
  refusal: () => Promise.resolve(null),
  warnings: () => [{ code: 'export.dense-size', params: {} }],
  async files(run) {
    const shards = [...weightFiles(run)];
    const weights = shards.map(async ([file, tensors]) => {
      const other = tensors.filter(({ isOfLayer }) => !isOfLayer).reduce((sum, { info }) => sum + info.bytes, 0);
      const hasLayers = tensors.some(({ isOfLayer }) => isOfLayer);
      return await copiedFile(run.folder, file, (bytes) => (hasLayers ? bytes - other : 0));
    });
    return [
      ...(await Promise.all(weights)),
      await copiedFile(run.folder, 'model.safetensors.index.json'),
      await copiedFile(run.folder, 'config.json'),
      ...(await companionFiles(run.folder)),
    ];
  },
  open: (folder) => Promise.reject(new TamisError('unpack.not-an-export', { path: folder })),
};
