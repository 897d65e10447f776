import { join } from 'node:path';

import { findElectron } from './electron.mjs';

/**
 * A Vulkan adapter in software (SwiftShader, as Electron ships it), for the tests on machines without a GPU: what a program
 * that is to use it has in its environment.
 * Null where there is none, with the reason on the error output.
 */
export async function softwareGpu() {
  const electron = process.platform === 'linux' ? await findElectron() : null;
  if (electron === null) {
    console.error('No software GPU: `npm test` installs it on Linux x64, and none is known for other systems.');
    return null;
  }
  const { folder } = electron;
  return { VK_DRIVER_FILES: join(folder, 'vk_swiftshader_icd.json'), LD_LIBRARY_PATH: folder };
}
