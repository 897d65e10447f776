import { createRequire } from 'node:module';

import { native } from '../native.ts';

const require = createRequire(import.meta.url);

function versionOf(name: string): string {
  return (require(name) as { version: string }).version;
}

/** What the numbers come from besides the recipe and its files. */
export function engineVersions(): { tamis: string; onnxruntime: string; kernels: string } {
  return {
    tamis: versionOf('#package'),
    onnxruntime: versionOf('onnxruntime-node/package.json'),
    kernels: native.kernels(),
  };
}
