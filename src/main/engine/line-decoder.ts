import { StringDecoder } from 'node:string_decoder';

/** Puts the chunks of one stream of UTF-8 together to lines: a character or a line that a chunk cuts waits for its rest. */
export class LineDecoder {
  readonly #decoder = new StringDecoder('utf8');
  #rest = '';

  /** The lines that end in this chunk, without their ends and without empty ones. */
  write(chunk: Buffer): string[] {
    const lines = (this.#rest + this.#decoder.write(chunk)).split('\n');
    this.#rest = lines.pop() ?? '';
    return lines.map((line) => line.trimEnd()).filter((line) => line !== '');
  }

  /** What the stream has left at its end: a last line that nothing ended. A character that is cut there is U+FFFD. */
  end(): string[] {
    const rest = this.#rest + this.#decoder.end();
    this.#rest = '';
    return [rest.trimEnd()].filter((line) => line !== '');
  }
}
