import { createInterface } from 'node:readline/promises';

import { cudaDownloadMebibytes } from '../contract/cuda.ts';
import { describe } from '../contract/describe.ts';
import { TamisError } from '../contract/errors.ts';
import { message } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import { engineVersions } from '../worker/machine/versions.ts';
import { cudaLacks, cudaPlace } from '../worker/runtime/cuda.ts';
import { fetchCuda } from '../worker/runtime/fetch-cuda.ts';
import { locale, print, type Acting } from './act.ts';

/** `tamis devices --fetch-cuda`: puts onnxruntime's CUDA provider beside onnxruntime, then says what is still missing. */
export async function fetchProvider({ signal, onFetch }: Acting, isAgreed: boolean): Promise<void> {
  const place = cudaPlace();
  const [first] = await cudaLacks(place);
  if (first?.code === 'cuda.platform') throw first;
  const version = engineVersions().onnxruntime;
  const about = { version, mebibytes: cudaDownloadMebibytes, path: place.runtime };
  process.stderr.write(`${message('cuda.about-to-fetch', about, locale())}\n`);
  if (!isAgreed && !(await agrees(signal))) return;
  await fetchCuda(place.runtime, { signal, onProgress: onFetch, runtime: place.runtime });
  const lacks = await cudaLacks(place);
  print([labels(locale())('cuda.fetched'), ...lacks.map((lack) => describe(lack, locale()))].join('\n'));
}

async function agrees(signal: AbortSignal): Promise<boolean> {
  if (!process.stdin.isTTY) throw new TamisError('cuda.not-asked');
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test(await terminal.question(labels(locale())('cuda.question'), { signal }));
  } finally {
    terminal.close();
  }
}
