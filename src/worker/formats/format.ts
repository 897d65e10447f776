import type { ExportFormat, ExportManifest } from '../../contract/exports.ts';
import type { Failure } from '../../contract/failure.ts';
import type { ShardWriter } from '../native.ts';
import type { FinishedRun } from './finished-run.ts';

export interface Writing {
  readonly signal: AbortSignal;
  /** Told of bytes as they are written. */
  readonly onBytes: (bytes: number) => void;
}

/** A file of an export, before it is written. */
export interface ExportFile {
  /** From the export's folder, `/` between its parts. */
  readonly path: string;
  /** Its size; of an archive, which is coded, the largest that it can come to. */
  readonly bytes: number;
  /** Writes the file `to`, whole and on the disk. Gives the bytes that the compressed layers take in it, their overhead counted. */
  write(to: string, writing: Writing): Promise<{ layerBytes: number }>;
}

/** One of the formats that a run can be written as. */
export interface Format {
  readonly format: ExportFormat;
  /** Why the run does not fit; null where it does. */
  refusal(run: FinishedRun): Promise<Failure | null>;
  /** What those who load it should know. */
  warnings(run: FinishedRun): Failure[];
  /** What is written of a run that fits, but for the report. */
  files(run: FinishedRun): Promise<ExportFile[]>;
  /** Opens what `files` wrote into a folder. */
  open(folder: string): Promise<Opened>;
}

/** A tensor of the dense folder that an export was made from. */
export interface DenseTensor {
  readonly name: string;
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: number;
}

/** An export opened to be read back as the dense folder that it was made from. */
export interface Opened {
  readonly manifest: ExportManifest;
  readonly source: Source;
  /** config.json of the dense folder. */
  readonly config: Readonly<Record<string, unknown>>;
  /** Its other files that are not weights. */
  readonly companions: readonly ExportFile[];
}

/** Where the weights of an export come from. */
export interface Source {
  /** Writes a tensor as the run has it, to the bit. */
  write(writer: ShardWriter, tensor: DenseTensor, signal: AbortSignal): Promise<void>;
}
