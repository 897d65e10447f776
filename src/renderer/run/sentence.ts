import type { LoggedEvent, Stage } from '../../contract/events.ts';
import { duration, fixed, perplexity, percent, significant } from '../../contract/format.ts';
import { sampleWords } from '../../contract/measured.ts';
import { mainMeasures, writeValue } from '../../contract/measures.ts';
import { en, type ErrorCode } from '../../contract/messages/en.ts';
import { message, type Locale } from '../../contract/messages/index.ts';
import type { Label } from '../../contract/messages/labels.ts';
import type { MessageParams } from '../../contract/messages/params.ts';
import { candidateName, differenceWords } from '../../contract/words.ts';

/** The sentence of a code that a run told; one of another version is shown as it came. */
export function sentenceOf({ code, params }: { code: string; params: MessageParams }, locale: Locale): string {
  return isCode(code) ? message(code, params, locale) : `${code} ${JSON.stringify(params)}`;
}

function isCode(code: string): code is ErrorCode {
  return Object.hasOwn(en, code);
}

export function stageName(stage: Stage, t: Label): string {
  return t(`stage.${stage}`);
}

/** An event as a line of the log. */
export function eventSentence(event: LoggedEvent, t: Label, locale: Locale): string {
  switch (event.type) {
    case 'started':
      return t(event.resumed ? 'log.resumed' : 'log.started', { fingerprint: event.fingerprint });
    case 'stage':
      return t(`log.stage-${event.state}`, { stage: stageName(event.stage, t), time: duration(event.seconds) });
    case 'devices': {
      const { device, gpu } = event;
      return gpu === null ? t('log.devices', { device }) : t('log.devices-gpu', { device, gpu: gpu.name });
    }
    case 'layers':
      return t('log.layers', { layers: event.layers.length });
    case 'estimate':
      return t('log.estimate', { layer: event.layer, value: significant(event.estimate, 3) });
    case 'sensitivity':
      return t('log.sensitivity', { layer: event.layer, value: significant(event.sensitivity, 3) });
    case 'target': {
      const { sparsity, bits, foreseen } = event.target;
      const params = { sparsity: percent(sparsity, 2), bits: bits ?? 0 };
      if (foreseen.length === 0) return t('log.target', params);
      const others = foreseen.map((each) =>
        t('log.foreseen', { bits: each.bits, sparsity: percent(each.sparsity, 2), rise: fixed(each.rise, 3) }),
      );
      return t('log.target-bits', { ...params, foreseen: others.join(t('text.comma')) });
    }
    case 'choice': {
      const { candidates, chosen, sequences } = event.choice;
      const written = candidates.map((each) => {
        const measured = each.perplexity === null ? t('text.choice-not-finite') : perplexity(each.perplexity);
        return `${candidateName(each)} ${measured}${each.difference === null ? '' : ` (${differenceWords(each)})`}`;
      });
      const taken = candidates[chosen];
      return t('log.choice', {
        sequences,
        candidates: written.join(t('text.comma')),
        chosen: taken === undefined ? '' : candidateName(taken),
      });
    }
    case 'schedule':
      return t('log.schedule', { layers: Object.keys(event.sparsities).length, groups: event.centroids.length });
    case 'layer': {
      const { name, sparsity, error } = event.layer;
      const params = { layer: name, sparsity: percent(sparsity, 2) };
      return error === null
        ? t('log.layer', params)
        : t('log.layer-error', { ...params, error: significant(error, 3) });
    }
    case 'block':
      return t('log.block', { block: event.block + 1, blocks: event.blocks, time: duration(event.seconds) });
    case 'measured': {
      const { values, ...sample } = event.result;
      const main = values.filter(({ measure }) => mainMeasures.includes(measure));
      const written = main.map(({ measure, value }) =>
        t(`log.measured-${event.which}`, {
          measure: t(`measure.${measure}`),
          value: writeValue(measure, value),
          sample: sampleWords(sample, t),
        }),
      );
      return written.join(' · ');
    }
    case 'warning':
      return t('log.warning', { text: sentenceOf(event, locale) });
    case 'finished':
      return t('log.finished', { time: duration(event.seconds) });
    case 'failed':
      return t('log.failed', { text: sentenceOf(event, locale) });
  }
}
