import { dialog, type BrowserWindow, type OpenDialogOptions } from 'electron';
import writeFileAtomic from 'write-file-atomic';

import type { Purpose } from '../contract/purposes.ts';
import type { Label } from '../contract/messages/labels.ts';

const kinds: Readonly<Record<Purpose, OpenDialogOptions>> = {
  model: { properties: ['openDirectory', 'multiSelections'] },
  texts: {
    properties: ['openFile', 'multiSelections'],
    filters: [{ name: '.txt, .jsonl, .parquet', extensions: ['txt', 'jsonl', 'parquet'] }],
  },
  'texts-folder': { properties: ['openDirectory'] },
  tokens: { properties: ['openFile'], filters: [{ name: '.safetensors', extensions: ['safetensors'] }] },
  sparsities: { properties: ['openFile'], filters: [{ name: '.json', extensions: ['json'] }] },
  recipe: { properties: ['openFile'], filters: [{ name: '.json', extensions: ['json'] }] },
  run: { properties: ['openDirectory'] },
  'runs-folder': { properties: ['openDirectory', 'createDirectory'] },
  'models-folder': { properties: ['openDirectory', 'createDirectory'] },
  export: { properties: ['openDirectory', 'createDirectory'] },
};

/** Asks for files or folders; none if the dialog was cancelled. */
export async function choosePaths(window: BrowserWindow, t: Label, purpose: Purpose): Promise<string[]> {
  const { canceled, filePaths } = await dialog.showOpenDialog(window, {
    title: t(`main.choose.${purpose}`),
    ...kinds[purpose],
  });
  return canceled ? [] : filePaths;
}

/** Asks where to write and writes there; null if the dialog was cancelled. */
export async function saveFile(window: BrowserWindow, name: string, content: string | Buffer): Promise<string | null> {
  const { canceled, filePath } = await dialog.showSaveDialog(window, { defaultPath: name });
  if (canceled || filePath === '') return null;
  await writeFileAtomic(filePath, content);
  return filePath;
}
