import { SingleBar } from 'cli-progress';

import type { Progress } from '../contract/bridge.ts';
import { cudaDownloadMebibytes } from '../contract/cuda.ts';
import { isPassing, type LoggedEvent, type RunEvent, type Stage } from '../contract/events.ts';
import type { ExportStage } from '../contract/exports.ts';
import type { Trial } from '../contract/goal.ts';
import type { PullProgress, PullStage } from '../contract/hub.ts';
import { mainMeasures, writeValue } from '../contract/measures.ts';
import type { ErrorCode } from '../contract/messages/en.ts';
import { message, type Locale } from '../contract/messages/index.ts';
import { labels } from '../contract/messages/labels.ts';
import { candidateName, differenceWords } from '../contract/words.ts';
import { duration, percent, bytes as size } from '../contract/format.ts';

const PLAIN_INTERVAL_MS = 10_000;

const stageNames: Readonly<Record<Stage, string>> = {
  fingerprint: 'Check the model',
  calibration: 'Read the texts',
  'evaluate-dense': 'Perplexity of the dense model',
  estimate: 'Estimate the layers',
  choose: 'Try the schedules',
  schedule: 'Schedule',
  compress: 'Compress',
  'evaluate-compressed': 'Perplexity of the compressed model',
  report: 'Report',
};

const exportStageNames: Readonly<Record<ExportStage, string>> = {
  write: 'Write',
  check: 'Check the written files',
};

const pullStageNames: Readonly<Record<PullStage, string>> = {
  list: 'Ask the hub',
  check: 'Check what is there',
  download: 'Fetch',
};

/** Shows a run's events on standard error: a progress bar on a terminal, plain lines elsewhere. */
export class ProgressView {
  readonly #locale: Locale;
  readonly #terminal = process.stderr.isTTY;
  #bar: SingleBar | null = null;
  /** What the bar is of. */
  #drawn = '';
  #told = 0;

  constructor(locale: Locale) {
    this.#locale = locale;
  }

  show(event: RunEvent): void {
    if (event.type === 'progress') this.#progress(event);
    else if (!isPassing(event)) this.#line(event);
  }

  close(): void {
    this.#bar?.stop();
    this.#bar = null;
  }

  /** The progress of an export; `write` counts bytes. */
  showExport(stage: ExportStage, { done, total, remainingSeconds }: Progress): void {
    const written = stage === 'write' ? `${size(done)} of ${size(total)}` : '';
    this.#draw(exportStageNames[stage], Math.min(1, done / total), [written, left(remainingSeconds)]);
  }

  /** The progress of a pull. */
  showPull({ stage, done, total, bytesPerSecond, remainingSeconds, waiting }: PullProgress): void {
    if (waiting !== null) {
      const { seconds, reason } = waiting;
      this.close();
      write(`${message(reason.code, reason.params, this.#locale)} Next attempt in ${duration(seconds)}.`);
      return;
    }
    if (total === 0) return;
    const rate = bytesPerSecond === null ? '' : `${size(bytesPerSecond)}/s`;
    this.#draw(pullStageNames[stage], done / total, [`${size(done)} of ${size(total)}`, rate, left(remainingSeconds)]);
  }

  /** The fetch of the CUDA provider, whose length is known only about. */
  showFetch(bytes: number): void {
    const share = Math.min(1, bytes / (cudaDownloadMebibytes * 2 ** 20));
    this.#draw('Fetch', share, [`${size(bytes)} of about ${cudaDownloadMebibytes} MiB`]);
  }

  #progress(event: Extract<RunEvent, { type: 'progress' }>): void {
    const speed = event.tokensPerSecond === null ? '' : `${Math.round(event.tokensPerSecond)} tokens/s`;
    const block = event.block === null ? '' : `block ${event.block + 1}`;
    const details = [block, left(event.remainingSeconds), speed, size(event.memoryBytes)];
    this.#draw(stageNames[event.stage], Math.min(1, event.done / event.total), details);
  }

  #draw(name: string, share: number, details: readonly string[]): void {
    const detail = details.filter((part) => part !== '').join(', ');
    if (this.#terminal) {
      if (this.#drawn !== name) this.close();
      this.#drawn = name;
      this.#bar ??= startBar(name);
      this.#bar.update(share, { detail });
      return;
    }
    if (performance.now() - this.#told < PLAIN_INTERVAL_MS) return;
    this.#told = performance.now();
    write(`${name}: ${Math.floor(share * 100)} %, ${detail}`);
  }

  #line(event: LoggedEvent): void {
    const text = lineOf(event, this.#locale);
    if (text === null) return;
    this.close();
    write(text);
    if (event.type === 'stage') this.#told = performance.now();
  }
}

function left(remainingSeconds: number | null): string {
  return remainingSeconds === null ? '' : `${duration(remainingSeconds)} left`;
}

function startBar(stage: string): SingleBar {
  const bar = new SingleBar({
    format: `${stage} {bar} {percentage} %  {detail}`,
    stream: process.stderr,
    hideCursor: true,
    clearOnComplete: true,
    fps: 10,
  });
  bar.start(1, 0, { detail: '' });
  return bar;
}

/** What is worth a line of its own; null = nothing. */
function lineOf(event: LoggedEvent, locale: Locale): string | null {
  switch (event.type) {
    case 'stage':
      if (event.state === 'started') return null;
      return `${stageNames[event.stage]}: ${event.state === 'kept' ? 'kept from before' : duration(event.seconds)}`;
    case 'started':
      return event.resumed ? `Going on with run ${event.fingerprint}` : `Run ${event.fingerprint}`;
    case 'block':
      return `Block ${event.block + 1} of ${event.blocks}: ${duration(event.seconds)}`;
    case 'measured': {
      const { dataset, seqlen, values } = event.result;
      const main = values.filter(({ measure }) => mainMeasures.includes(measure));
      const written = main.map(
        ({ measure, value }) =>
          `${labels('en')(`measure.${measure}`)} ${event.which}: ${writeValue(measure, value, 3)} (${dataset}, seqlen ${seqlen})`,
      );
      return written.join('\n');
    }
    case 'target': {
      const { sparsity, bits, foreseen } = event.target;
      const others = foreseen.map((each) => `${trialText(each)} +${each.rise.toFixed(3)} nats`);
      const why = others.length === 0 ? '' : ` (foreseen: ${others.join(', ')})`;
      return `Target: ${trialText({ sparsity, bits })}${why}`;
    }
    case 'choice': {
      const { candidates, chosen } = event.choice;
      const tried = candidates.map((each) => {
        const difference = each.difference === null ? '' : ` (${differenceWords(each)} nats)`;
        return `${candidateName(each)} ${each.perplexity?.toFixed(3) ?? 'not finite'}${difference}`;
      });
      const taken = candidates[chosen];
      return `Perplexity of the schedules tried: ${tried.join(', ')}; taken: ${taken ? candidateName(taken) : ''}`;
    }
    case 'warning':
      return `Warning: ${message(event.code as ErrorCode, event.params, locale)}`;
    case 'finished':
      return `Finished in ${duration(event.seconds)}`;
    case 'devices':
      return event.gpu === null ? null : `GPU: ${event.gpu.name}`;
    case 'layers':
    case 'estimate':
    case 'sensitivity':
    case 'schedule':
    case 'layer':
    case 'failed':
      return null;
  }
}

/** `62.14 % and 3 bits` */
function trialText({ sparsity, bits }: Trial): string {
  return `${percent(sparsity, 2)} %${bits === null ? '' : ` and ${bits} bits`}`;
}

function write(text: string): void {
  process.stderr.write(`${text}\n`);
}
