import { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema } from 'hyparquet';
import type { AsyncBuffer, FileMetaData } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

import { TamisError } from '../../contract/errors.ts';
import type { TextFile } from './text-file.ts';

/** Row groups are decoded whole; those read last are kept up to this many characters. */
const maxKeptCharacters = 64 * 2 ** 20;

/**
 * The column `text` of a .parquet file, one document a row.
 * @throws texts.bad-parquet, texts.no-column, texts.no-text-row
 */
export async function openParquet(path: string): Promise<TextFile> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parsed(path, () => parquetMetadataAsync(file));
  checkColumn(metadata, path);
  const groups = new RowGroups(path, file, metadata);
  return { path, documents: Number(metadata.num_rows), read: (row) => groups.read(row) };
}

function checkColumn(metadata: FileMetaData, path: string): void {
  const columns = parquetSchema(metadata).children.map((child) => child.element);
  if (columns.some(({ name, type }) => name === 'text' && type === 'BYTE_ARRAY')) return;
  throw new TamisError('texts.no-column', { path, columns: columns.map(({ name }) => name).join(', ') });
}

class RowGroups {
  private readonly path: string;
  private readonly file: AsyncBuffer;
  private readonly metadata: FileMetaData;
  private readonly kept = new Map<number, readonly unknown[]>();
  private keptCharacters = 0;

  constructor(path: string, file: AsyncBuffer, metadata: FileMetaData) {
    this.path = path;
    this.file = file;
    this.metadata = metadata;
  }

  async read(row: number): Promise<string> {
    let start = 0;
    for (const group of this.metadata.row_groups) {
      const end = start + Number(group.num_rows);
      if (row < end) {
        const text = (await this.group(start, end))[row - start];
        if (typeof text === 'string') return text;
        throw new TamisError('texts.no-text-row', { path: this.path, row: row + 1 });
      }
      start = end;
    }
    throw new RangeError(`row ${row} of ${this.path}`);
  }

  private async group(rowStart: number, rowEnd: number): Promise<readonly unknown[]> {
    const kept = this.kept.get(rowStart);
    if (kept !== undefined) return kept;
    const { file, metadata, path } = this;
    const rows = await parsed(path, () =>
      parquetReadObjects({ file, metadata, compressors, columns: ['text'], rowStart, rowEnd }),
    );
    const texts = rows.map((row): unknown => row['text']);
    const characters = texts.reduce<number>((sum, text) => sum + (typeof text === 'string' ? text.length : 0), 0);
    if (this.keptCharacters + characters > maxKeptCharacters) {
      this.kept.clear();
      this.keptCharacters = 0;
    }
    this.kept.set(rowStart, texts);
    this.keptCharacters += characters;
    return texts;
  }
}

async function parsed<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw new TamisError('texts.bad-parquet', { path, reason: error instanceof Error ? error.message : String(error) });
  }
}
