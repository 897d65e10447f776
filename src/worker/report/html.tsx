import type { ReactElement, ReactNode } from 'react';
import { renderToStaticMarkup } from 'react-dom/server';

import { log10 } from '../../charts/data.ts';
import { ErrorChart } from '../../charts/error-chart.tsx';
import { bytes, duration, fixed, megabytes, percent, perplexity, significant, whole } from '../../contract/format.ts';
import { GroupChart } from '../../charts/group-chart.tsx';
import { IterationsChart } from '../../charts/iterations-chart.tsx';
import { LayerMap } from '../../charts/layer-map.tsx';
import { SensitivityChart } from '../../charts/sensitivity-chart.tsx';
import { SparsityChart } from '../../charts/sparsity-chart.tsx';
import type { ExportRecord } from '../../contract/exports.ts';
import { firstOf, measuredKey, valueOf } from '../../contract/measured.ts';
import {
  contrastKey,
  firstMeasure,
  mainMeasures,
  mainNames,
  measures,
  restatements,
  writeContrast,
  writeValue,
  type MeasureId,
} from '../../contract/measures.ts';
import { en, type ErrorCode } from '../../contract/messages/en.ts';
import { message, type Locale } from '../../contract/messages/index.ts';
import { labels, type Label } from '../../contract/messages/labels.ts';
import { methods } from '../../contract/recipe/methods.ts';
import type { LayerResult, Report } from '../../contract/report.ts';
import { style } from './style.ts';
import { LayerTable, Table } from './table.tsx';
import { sensitivityPerWeight, sensitivityWords } from '../../contract/sensitivity.ts';
import { keptBits, packedSize } from '../../contract/size.ts';
import {
  differenceWords,
  patternWords,
  quantizationWords,
  recipeWords,
  reproduceCommand,
  schedulerName,
  storageWords,
  totalSeconds,
  verdictWords,
} from '../../contract/words.ts';

/** The report as one HTML page that needs nothing beside it: no script, no file, no address outside. */
export function renderHtml(report: Report, locale: Locale = 'en', exports: readonly ExportRecord[] = []): string {
  return `<!doctype html>\n${renderToStaticMarkup(<Page report={report} locale={locale} exports={exports} />)}\n`;
}

interface PartProps {
  readonly report: Report;
  readonly t: Label;
  readonly locale: Locale;
}

function Page(props: { report: Report; locale: Locale; exports: readonly ExportRecord[] }): ReactElement {
  const { report, locale, exports } = props;
  const t = labels(locale);
  const part: PartProps = { report, t, locale };
  return (
    <html lang={locale}>
      <head>
        <meta charSet="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta httpEquiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'" />
        <title>{`${t('report.title')}: ${report.model.name}`}</title>
        <style dangerouslySetInnerHTML={{ __html: style }} />
      </head>
      <body>
        <Head {...part} />
        <Warnings {...part} />
        <Measures {...part} />
        <ForeseenBits {...part} />
        <Choice {...part} />
        <Exports {...part} exports={exports} />
        <div className="columns">
          <Section title={t('report.summary')}>
            <Definitions rows={summaryRows(part)} />
          </Section>
          <Section title={t('report.recipe')}>
            <Definitions rows={recipeWords(report, t, (path) => path)} />
          </Section>
        </div>
        <Maps {...part} />
        <Bits {...part} />
        <Sensitivities {...part} />
        <Groups {...part} />
        <Sparsities {...part} />
        <Errors {...part} />
        <Iterations {...part} />
        <div className="columns">
          <Stages {...part} />
          <Section title={t('report.environment')}>
            <Definitions rows={environmentRows(part)} />
          </Section>
        </div>
        <Section title={t('report.reproduce')}>
          <p>{t('text.reproduce')}</p>
          <pre>{reproduceCommand(report)}</pre>
          <pre>{JSON.stringify(report.recipe, null, 2)}</pre>
          <p className="muted">{t('text.csv')}</p>
        </Section>
      </body>
    </html>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }): ReactElement {
  return (
    <section>
      <h2>{title}</h2>
      {children}
    </section>
  );
}

function Definitions({ rows }: { rows: readonly (readonly [string, string])[] }): ReactElement {
  return <dl>{rows.flatMap(([name, text]) => [<dt key={name}>{name}</dt>, <dd key={`${name} text`}>{text}</dd>])}</dl>;
}

/** A chart with what it shows and, folded on the screen, its numbers. */
function Figure(props: { chart: ReactElement; caption?: string; table: ReactElement; t: Label }): ReactElement {
  const { chart, caption, table, t } = props;
  return (
    <>
      <figure>
        {chart}
        {caption && <figcaption>{caption}</figcaption>}
      </figure>
      <details>
        <summary>{t('report.table')}</summary>
        {table}
      </details>
    </>
  );
}

function Head({ report, t }: PartProps): ReactElement {
  const { recipe, model } = report;
  const words = {
    method: methods[recipe.method].name,
    pattern: patternWords(recipe, t),
    scheduler: schedulerName(report),
    actual: percent(report.sparsity.actual, 2),
  };
  return (
    <header>
      <h1>{model.name}</h1>
      <p>
        {t('text.headline', words)}
        {recipe.quantization !== null && ` ${t('text.headline-bits', { quantization: quantizationWords(recipe, t) })}`}
        {model.blocksCompressed < model.blocks &&
          ` ${t('text.partial', { done: model.blocksCompressed, blocks: model.blocks })}`}
      </p>
      <p className="muted">{storageWords(recipe, t)}</p>
    </header>
  );
}

function Warnings({ report, locale, t }: PartProps): ReactElement | null {
  if (report.warnings.length === 0) return null;
  const sentence = ({ code, params }: Report['warnings'][number]): string =>
    Object.hasOwn(en, code) ? message(code as ErrorCode, params, locale) : `${code} ${JSON.stringify(params)}`;
  return (
    <Section title={t('report.warnings')}>
      <ul className="warnings">
        {report.warnings.map((warning, i) => (
          <li key={i}>{sentence(warning)}</li>
        ))}
      </ul>
    </Section>
  );
}

/** A section for each measure with a table of its own. */
function Measures({ report: { measured }, t }: PartProps): ReactElement {
  const found = mainMeasures.filter((measure) => firstOf(measured, measure));
  if (found.length === 0) {
    return (
      <Section title={t(`measure.${firstMeasure}`)}>
        <p>{t('text.nothing-measured')}</p>
      </Section>
    );
  }
  return (
    <>
      {found.map((measure) => (
        <Section key={measure} title={t(`measure.${measure}`)}>
          <MeasureTable measure={measure} measured={measured} t={t} />
          <p className="muted">
            {t(`text.measure-compare-${measures[measure].better}`, { measures: t(`measure.${measure}.plural`) })}
          </p>
        </Section>
      ))}
    </>
  );
}

function MeasureTable(props: { measure: MeasureId; measured: Report['measured']; t: Label }): ReactElement {
  const { measure, measured, t } = props;
  const entries = measured.filter((one) => one.measure === measure);
  const restated = restatements(measure).filter((other) => firstOf(measured, other));
  return (
    <Table
      id={measure}
      text={1}
      head={[
        t('field.dataset'),
        t('field.seqlen'),
        t('field.windows'),
        t('field.tokens'),
        t('field.dense'),
        t('field.compressed'),
        t(contrastKey(measure)),
        ...restated.flatMap((other) => {
          const words = { measure: t(`measure.${other}`) };
          return [t('field.restated-dense', words), t('field.restated-compressed', words)];
        }),
      ]}
      rows={entries.map((entry) => [
        entry.dataset,
        String(entry.seqlen),
        String(entry.windows),
        whole(entry.tokens),
        writeValue(measure, entry.dense.value),
        <span className="strong">{writeValue(measure, entry.compressed.value)}</span>,
        writeContrast(measure, entry.compressed.value, entry.dense.value),
        ...restated.flatMap((other) => {
          const same = measured.find((one) => measuredKey(one) === measuredKey({ ...entry, measure: other }));
          return same ? [writeValue(other, same.dense.value), writeValue(other, same.compressed.value)] : ['–', '–'];
        }),
      ])}
    />
  );
}

/** The bits that a size left to choose from; nothing where it did not. */
function ForeseenBits({ report: { target }, t }: PartProps): ReactElement | null {
  if (target === null || target.foreseen.length === 0) return null;
  return (
    <Section title={t('report.foreseen')}>
      <p>{t('text.foreseen')}</p>
      <Table
        id="foreseen"
        text={0}
        head={[t('field.foreseen-bits'), t('field.foreseen-sparsity'), t('field.foreseen-rise'), t('field.choice')]}
        rows={target.foreseen.map(({ bits, sparsity, rise }) => {
          const isTaken = bits === target.bits;
          const row = [String(bits), percent(sparsity, 2), fixed(rise, 3), isTaken ? t('text.choice-taken') : ''];
          return isTaken ? row.map((text) => <span className="strong">{text}</span>) : row;
        })}
      />
    </Section>
  );
}

/** The schedules that `auto` tried; nothing of other schedulers. */
function Choice({ report: { choice }, t }: PartProps): ReactElement | null {
  if (choice === null) return null;
  const { sequences, heldBack, seqlen, candidates, margin, chosen } = choice;
  return (
    <Section title={t('report.choice')}>
      <p>{t('text.choice', { sequences, heldBack, seqlen })}</p>
      <Table
        id="choice"
        text={1}
        head={[
          t('field.schedule'),
          t('field.allocate-range'),
          t('field.targets'),
          t('field.perplexity-held-back'),
          t('field.difference-uniform'),
          t('field.choice'),
        ]}
        rows={candidates.map((candidate, i) => {
          const { scheduler, range, targets, perplexity: measured } = candidate;
          const row = [
            scheduler,
            range === null ? '–' : percent(range, 0),
            t(`text.choice-targets.${targets}`),
            measured === null ? '–' : perplexity(measured),
            differenceWords(candidate),
            verdictWords(choice, i, t),
          ];
          return i === chosen ? row.map((text) => <span className="strong">{text}</span>) : row;
        })}
      />
      {margin !== null && <p className="muted">{t('text.choice-margin', { margin: fixed(margin, 2) })}</p>}
    </Section>
  );
}

/** What the run was written as. */
function Exports({ report, t, exports }: PartProps & { exports: readonly ExportRecord[] }): ReactElement | null {
  if (exports.length === 0) return null;
  const written = (results: ExportRecord['results'], measure: MeasureId): string => {
    const values = (results ?? []).flatMap((result) => {
      const value = valueOf(result, measure);
      return value === undefined ? [] : `${result.dataset} ${writeValue(measure, value)}`;
    });
    return values.length === 0 ? t('text.exports-unchecked') : values.join(', ');
  };
  return (
    <Section title={t('report.exports')}>
      <Table
        id="exports"
        text={1}
        head={[
          t('field.format'),
          t('field.export-size'),
          t('field.compression'),
          t('field.export-bits'),
          ...mainMeasures.map((measure) => t('field.export-measure', { measure: t(`measure.${measure}`) })),
        ]}
        rows={exports.map(({ format, bytes: size, bitsPerWeight, results }) => [
          format,
          bytes(size),
          `${fixed(report.model.bytes / size, 2)} ×`,
          fixed(bitsPerWeight, 3),
          ...mainMeasures.map((measure) => written(results, measure)),
        ])}
      />
      <p className="muted">{t('text.exports-compare', { measures: mainNames(t, 'plural') })}</p>
      <p className="muted">{t('text.exports-speed')}</p>
    </Section>
  );
}

function summaryRows({ report, t }: PartProps): [string, string][] {
  const { model, sparsity, environment } = report;
  const packed = packedSize(report);
  const kept = keptBits(report);
  return [
    [t('field.family'), model.family],
    [t('field.parameters'), whole(model.parameters)],
    [t('field.dtype'), model.dtype],
    [t('field.blocks'), `${model.blocksCompressed} / ${model.blocks}`],
    [t('field.sparsity-target'), `${percent(sparsity.target, 2)} %`],
    [t('field.sparsity-actual'), `${percent(sparsity.actual, 2)} %`],
    [t('field.size-dense'), bytes(model.bytes)],
    [t('field.size'), bytes(model.bytesCompressed)],
    ...(kept === null ? [] : ([[t('field.bits-kept'), fixed(kept, 2)]] satisfies [string, string][])),
    ...(packed === null
      ? []
      : ([
          [t('field.size-packed'), bytes(packed.bytes)],
          [t('field.bits-weight'), fixed(packed.bitsPerWeight, 2)],
        ] satisfies [string, string][])),
    ...(report.packedBytes === null
      ? []
      : ([[t('field.size-archive'), `${megabytes(report.packedBytes)} MB`]] satisfies [string, string][])),
    [t('field.time'), duration(totalSeconds(report))],
    [t('field.memory'), bytes(report.peakMemoryBytes)],
    [t('field.device'), environment.device],
  ];
}

function environmentRows({ report, t }: PartProps): [string, string][] {
  const { environment } = report;
  return [
    ['Tamis', report.tamis],
    [t('field.platform'), environment.platform],
    [t('field.cpu'), environment.cpu],
    [t('field.threads'), String(environment.threads)],
    [t('field.kernels'), environment.kernels],
    [t('field.device'), environment.device],
    ...(environment.gpu === null
      ? []
      : ([[t('field.gpu'), `${environment.gpu}, ${environment.gpuDriver ?? ''}`]] satisfies [string, string][])),
    ['Node', environment.node],
    ['onnxruntime', environment.onnxruntime],
    [t('field.started'), report.startedAt],
    [t('field.finished'), report.finishedAt],
    [t('field.fingerprint'), report.fingerprint],
  ];
}

function Maps({ report, t, locale }: PartProps): ReactElement {
  return (
    <Section title={t('report.layer-map')}>
      <Figure
        t={t}
        chart={<LayerMap layers={report.layers} colourBy="sparsity" locale={locale} />}
        table={<LayerTable id="sparsity" layers={report.layers} t={t} cell={(layer) => percent(layer.sparsity, 2)} />}
      />
    </Section>
  );
}

/** Nothing where no layer is quantized. */
function Bits({ report: { layers }, t, locale }: PartProps): ReactElement | null {
  if (layers.every((layer) => layer.bits === null)) return null;
  return (
    <Section title={t('report.bits')}>
      <Figure
        t={t}
        chart={<LayerMap layers={layers} colourBy="bits" locale={locale} />}
        table={
          <LayerTable
            id="bits"
            layers={layers}
            t={t}
            cell={(layer) => (layer.bits === null ? t('chart.not-quantized') : String(layer.bits))}
          />
        }
      />
    </Section>
  );
}

/** Nothing where no sensitivity was measured. */
function Sensitivities({ report: { layers }, t, locale }: PartProps): ReactElement | null {
  if (!isMeasured(layers)) return null;
  return (
    <Section title={t('report.sensitivity-map')}>
      <Figure
        t={t}
        chart={<LayerMap layers={layers} colourBy="sensitivity" locale={locale} />}
        table={
          <>
            <p className="muted">{t('text.sensitivity-map-cell')}</p>
            <LayerTable
              id="sensitivities"
              layers={layers}
              t={t}
              cell={({ sensitivity }) => (sensitivity === null ? '–' : significant(sensitivity, 4))}
            />
          </>
        }
      />
    </Section>
  );
}

function isMeasured(layers: Report['layers']): boolean {
  return layers.some(({ sensitivity }) => sensitivity !== null);
}

/** Estimates and groups; where sensitivities were measured, estimates against those. */
function Groups({ report, t, locale }: PartProps): ReactElement {
  const { layers, centroids } = report;
  if (isMeasured(layers)) return <EstimatesAgainstSensitivities report={report} t={t} locale={locale} />;
  if (layers.every((layer) => layer.estimate === null)) {
    return (
      <Section title={t('report.groups')}>
        <p>{t('text.estimates-none')}</p>
      </Section>
    );
  }
  return (
    <Section title={t('report.groups')}>
      <Figure
        t={t}
        caption={t('text.schedule')}
        chart={<GroupChart layers={layers} centroids={centroids} locale={locale} />}
        table={
          <>
            <CentroidTable centroids={centroids} of="estimate" t={t} />
            <p className="muted">{t('text.group-cell')}</p>
            <LayerTable
              id="estimates"
              layers={layers}
              t={t}
              cell={(layer) => `${logarithm(layer.estimate)}${inGroup(layer)}`}
            />
          </>
        }
      />
    </Section>
  );
}

function EstimatesAgainstSensitivities({ report, t, locale }: PartProps): ReactElement {
  const { layers, centroids } = report;
  return (
    <Section title={t('report.sensitivity')}>
      <Figure
        t={t}
        caption={[...sensitivityWords(layers, t), t('text.schedule')].join(' ')}
        chart={<SensitivityChart layers={layers} centroids={centroids} locale={locale} />}
        table={
          <>
            <CentroidTable centroids={centroids} of="sensitivity" t={t} />
            <p className="muted">{t('text.sensitivity-cell')}</p>
            <LayerTable
              id="estimates"
              layers={layers}
              t={t}
              cell={(layer) =>
                `${logarithm(layer.estimate)}, ${logarithm(sensitivityPerWeight(layer))}${inGroup(layer)}`
              }
            />
          </>
        }
      />
    </Section>
  );
}

function logarithm(value: number | null): string {
  const written = log10(value);
  return written === null ? '–' : fixed(written, 3);
}

function inGroup({ group }: Report['layers'][number]): string {
  return group === null ? '' : ` (${group})`;
}

/** Nothing where there are no groups. */
function CentroidTable(props: {
  centroids: Report['centroids'];
  /** What the layers were grouped by. */
  of: 'estimate' | 'sensitivity';
  t: Label;
}): ReactElement | null {
  const { centroids, of, t } = props;
  if (centroids.length === 0) return null;
  return (
    <Table
      id="centroids"
      text={0}
      head={[t('field.group'), t(`field.centroid.${of}`), t('field.sparsity'), t('field.layers')]}
      rows={centroids.map((c) => [String(c.group), fixed(c.log10, 3), `${percent(c.sparsity, 2)} %`, String(c.layers)])}
    />
  );
}

function Sparsities({ report, t, locale }: PartProps): ReactElement {
  const { layers, sparsity, model } = report;
  return (
    <Section title={t('report.sparsity')}>
      <Figure
        t={t}
        chart={<SparsityChart runs={[{ name: model.name, layers }]} target={sparsity.target} locale={locale} />}
        table={
          <>
            <p className="muted">{t('text.sparsity-cell')}</p>
            <LayerTable
              id="scheduled"
              layers={layers}
              t={t}
              cell={(layer) => `${percent(layer.targetSparsity, 2)} → ${percent(layer.sparsity, 2)}`}
            />
          </>
        }
      />
    </Section>
  );
}

function Errors({ report, t, locale }: PartProps): ReactElement {
  const { layers } = report;
  if (layers.every((layer) => layer.error === null)) {
    return (
      <Section title={t('report.error')}>
        <p>{t('text.error-none')}</p>
      </Section>
    );
  }
  return (
    <Section title={t('report.error')}>
      <Figure
        t={t}
        chart={<ErrorChart layers={layers} locale={locale} />}
        caption={t('text.error-what')}
        table={
          <LayerTable
            id="errors"
            layers={layers}
            t={t}
            cell={(layer) => (layer.error === null ? '–' : significant(layer.error, 3))}
          />
        }
      />
    </Section>
  );
}

/** Nothing where no layer was iterated over. */
function Iterations({ report, t, locale }: PartProps): ReactElement | null {
  const { layers } = report;
  if (layers.every(({ iterations }) => iterations === null)) return null;
  return (
    <Section title={t('report.iterations')}>
      <Figure
        t={t}
        chart={<IterationsChart layers={layers} locale={locale} />}
        caption={t('text.iterations-what')}
        table={
          <>
            <p className="muted">{t('text.iterations-cell')}</p>
            <LayerTable id="iterations" layers={layers} t={t} cell={iterationsCell} />
          </>
        }
      />
    </Section>
  );
}

function iterationsCell({ iterations }: LayerResult): string {
  const last = iterations?.at(-1);
  return last === undefined ? '–' : `${significant(last.error, 3)} (${percent(last.changed, 2)})`;
}

function Stages({ report, t }: PartProps): ReactElement {
  return (
    <Section title={t('report.stages')}>
      <Table
        id="stages"
        text={1}
        head={[t('field.stage'), t('field.seconds')]}
        rows={Object.entries(report.seconds).map(([stage, seconds]) => [stage, fixed(seconds, 2)])}
        foot={[t('field.total'), fixed(totalSeconds(report), 2)]}
      />
    </Section>
  );
}
