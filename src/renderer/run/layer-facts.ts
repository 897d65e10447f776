import { percent, significant, whole } from '../../contract/format.ts';
import type { Label } from '../../contract/messages/labels.ts';
import type { LayerView } from './run-view.ts';

export interface LayerFact {
  /** The field of the layer in the report. */
  readonly field: keyof LayerView;
  readonly label: string;
  readonly text: string;
}

/** All that is known of a layer but its name, in words. */
export function layerFacts(layer: LayerView, t: Label): LayerFact[] {
  const { block, type, rows, cols, estimate, sensitivity, group, targetSparsity, sparsity, bits, error, iterations } =
    layer;
  const known = (value: number | null, write: (value: number) => string): string =>
    value === null ? t('chart.none') : write(value);
  const share = (value: number): string => `${percent(value, 2)} %`;
  return [
    { field: 'block', label: t('layer.block'), text: String(block) },
    { field: 'type', label: t('layer.type'), text: type },
    { field: 'rows', label: t('layer.rows'), text: whole(rows) },
    { field: 'cols', label: t('layer.cols'), text: whole(cols) },
    { field: 'estimate', label: t('layer.estimate'), text: known(estimate, (value) => significant(value, 4)) },
    {
      field: 'sensitivity',
      label: t('layer.sensitivity-long'),
      text: known(sensitivity, (value) => significant(value, 4)),
    },
    { field: 'group', label: t('field.group'), text: known(group, String) },
    { field: 'targetSparsity', label: t('field.sparsity-target'), text: known(targetSparsity, share) },
    { field: 'sparsity', label: t('field.sparsity-actual'), text: known(sparsity, share) },
    { field: 'bits', label: t('layer.bits'), text: bitsText(sparsity, bits, t) },
    {
      field: 'iterations',
      label: t('layer.iterations'),
      text: iterations === null ? t('layer.iterations-none') : String(iterations.length),
    },
    { field: 'error', label: t('layer.error-long'), text: known(error, (value) => significant(value, 4)) },
  ];
}

/** A layer has its bits once it has its sparsity. */
function bitsText(sparsity: number | null, bits: number | null, t: Label): string {
  if (bits !== null) return String(bits);
  return t(sparsity === null ? 'chart.none' : 'chart.not-quantized');
}
