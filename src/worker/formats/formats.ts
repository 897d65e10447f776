import type { ExportFormat } from '../../contract/exports.ts';
import { compressedTensors } from './compressed-tensors/format.ts';
import { dense } from './dense/format.ts';
import type { Format } from './format.ts';
import { gguf } from './gguf/format.ts';
import { gptq } from './gptq/format.ts';
import { onnx } from './onnx/format.ts';
import { tamis } from './tamis/format.ts';

/** Every format, in the order in which they are offered. */
export const formats: Readonly<Record<ExportFormat, Format>> = {
  dense,
  gptq: gptq('gptq'),
  gptq_v2: gptq('gptq_v2'),
  'compressed-tensors': compressedTensors,
  onnx,
  gguf,
  tamis,
};
