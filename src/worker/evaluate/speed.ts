import { TamisError } from '../../contract/errors.ts';
import { withDenseFolder } from '../formats/dense-folder.ts';
import { openModel } from '../model/open.ts';
import { PeakMemory } from '../machine/memory.ts';
import { isOnnxFolder, onnxModel, openOnnxModel, type OnnxModel } from '../runtime/onnx-model.ts';
import { Session, type SessionOptions } from '../runtime/session.ts';
import { wholeGraph } from '../runtime/whole.ts';

export interface SpeedOptions extends SessionOptions {
  /** Tokens of the prompt, and tokens that follow one at a time. */
  readonly prompt: number;
  readonly generate: number;
  readonly signal: AbortSignal;
}

export interface Speed {
  /** What computed: a checkpoint, an ONNX export as it is, or the checkpoint that another export was unpacked to. */
  readonly form: 'dense' | 'onnx' | 'unpacked';
  /** The best of three rounds, after a first one that counts for nothing. */
  readonly promptTokensPerSecond: number;
  readonly generateTokensPerSecond: number;
  /** The highest anonymous memory of this process from opening the model on. */
  readonly peakMemoryBytes: number;
}

const ROUNDS = 4;
/** Tokens of a prompt that go through at once. */
const PROMPT_TOKENS = 256;

/**
 * How fast a checkpoint or an export computes. An ONNX export is run as it is, other exports are unpacked first: onnxruntime has no
 * operators for what they hold. Which tokens it gets makes no difference.
 */
export async function measureSpeed(path: string, options: SpeedOptions): Promise<Speed> {
  if (isOnnxFolder(path)) return { form: 'onnx', ...(await measured(() => openOnnxModel(path, options), options)) };
  return await withDenseFolder(path, options.signal, async (folder) => ({
    form: folder === path ? 'dense' : 'unpacked',
    ...(await measured(() => openDense(folder, options), options)),
  }));
}

async function measured(open: () => Promise<OnnxModel>, options: SpeedOptions): Promise<Omit<Speed, 'form'>> {
  using peak = new PeakMemory();
  await using model = await open();
  const tokens = options.prompt + options.generate;
  if (tokens > model.maxSeqlen) throw new TamisError('bench.too-long', { tokens, limit: model.maxSeqlen });
  const rounds: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await runRound(model, options));
  const [, ...counted] = rounds;
  return {
    promptTokensPerSecond: options.prompt / Math.min(...counted.map(({ prompt }) => prompt)),
    generateTokensPerSecond: options.generate / Math.min(...counted.map(({ generate }) => generate)),
    peakMemoryBytes: peak.stop(),
  };
}

/** All of a checkpoint as one graph with a cache, like an export's, weights where they are. */
async function openDense(folder: string, options: SessionOptions): Promise<OnnxModel> {
  const model = await openModel(folder);
  const session = await Session.open(wholeGraph(model).build(), options);
  return onnxModel(session, model.family, model.family.maxSeqlen);
}

/** Seconds. */
interface Round {
  readonly prompt: number;
  readonly generate: number;
}

async function runRound(model: OnnxModel, { prompt, generate, signal }: SpeedOptions): Promise<Round> {
  const { vocab } = model.shape;
  const ids = Int32Array.from({ length: prompt + generate }, (_, i) => (i * 7) % vocab);
  const logits = new Float32Array(Math.min(PROMPT_TOKENS, prompt) * vocab);
  using generation = model.generation();
  const feed = async (start: number, end: number): Promise<void> => {
    if (signal.aborted) throw new TamisError('cancelled.no-run');
    await generation.run(ids.subarray(start, end), logits.subarray(0, (end - start) * vocab));
  };
  const started = performance.now();
  for (let start = 0; start < prompt; start += PROMPT_TOKENS)
    await feed(start, Math.min(start + PROMPT_TOKENS, prompt));
  const read = performance.now();
  for (let start = prompt; start < prompt + generate; start++) await feed(start, start + 1);
  return { prompt: (read - started) / 1000, generate: (performance.now() - read) / 1000 };
}
