import type { ParentPort } from 'electron';
import { z } from 'zod';

import { jobSchema, orderSchema, type Job, type Word } from '../contract/engine.ts';

/**
 * The engine as a process of the application (an Electron utility process), the only file that knows so. The first
 * message says what it is for; a run tells its events and its end, a server answers until it is ended.
 */
z.config({ jitless: true });

const port: ParentPort = process.parentPort;

const say = (word: Word): void => port.postMessage(word);

port.once('message', ({ data }) => {
  void begin(jobSchema.parse(data));
});

async function begin(job: Job): Promise<void> {
  if (job.kind === 'serve') {
    const { Server } = await import('./server.ts');
    const server = new Server(say);
    port.on('message', ({ data }) => server.take(orderSchema.parse(data)));
    return;
  }
  const stop = new AbortController();
  port.on('message', ({ data }) => {
    if (orderSchema.parse(data).kind === 'stop') stop.abort();
  });
  const { runJob } = await import('./job.ts');
  await runJob(job, stop.signal, say);
}
