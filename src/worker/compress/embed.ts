import type { Activations } from '../machine/activations.ts';
import { openEmbed } from '../runtime/forward.ts';
import type { Calibration } from './calibration.ts';

/** Writes the embeddings of all calibration sequences, the inputs of block 0. */
export async function embedSequences(calibration: Calibration, output: Activations): Promise<void> {
  const { model, session, tokens, sequences, seqlen, batch, signal, clock } = calibration;
  const graph = await openEmbed(model, { ...session, seqlen });
  try {
    for (let first = 0; first < sequences; first += batch) {
      signal.throwIfAborted();
      const count = Math.min(batch, sequences - first);
      const ids = tokens.subarray(first * seqlen, (first + count) * seqlen);
      await output.write(first, await clock.time('forward', () => graph.run(ids)));
    }
    await output.settle();
  } finally {
    await graph.close();
  }
}
