import type { ExportFormat } from '../../contract/exports.ts';
import { compressedTensors } from './compressed-tensors.ts';
import { dense } from './dense.ts';
import type { Format } from './format.ts';
import { gguf } from './gguf.ts';
import { gptq } from './gptq.ts';
import { onnx } from './onnx.ts';
import { tamis } from './tamis.ts';

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
