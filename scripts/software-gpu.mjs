import { join } from 'node:path';

import { findElectron } from './electron.mjs';

/**
 * A Vulkan adapter in software (SwiftShader, as Electron ships it), for the tests on machines without a GPU. A program
 * uses it with `VK_DRIVER_FILES=<icd>` and `LD_LIBRARY_PATH=<folder>` in its environment.
 * Null where there is none, with the reason on the error output.
 */
export async function softwareGpu() {
  const electron = process.platform === 'linux' ? await findElectron() : null;
  if (electron === null) {
    console.error('No software GPU: `npm test` installs it on Linux x64, and none is known for other systems.');
    return null;
  }
  return { folder: electron.folder, icd: join(electron.folder, 'vk_swiftshader_icd.json') };
}
