/** One file of texts. Documents are counted from 0 in the file's order. */
export interface TextFile {
  readonly path: string;
  readonly documents: number;
  read(index: number): Promise<string>;
}
