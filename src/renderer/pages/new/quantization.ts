import type { Draft } from './draft.ts';

/** Why a quantized run fits fewer formats: `new.limit.…`. */
export type ExportLimit = 'scattered' | 'asymmetric' | 'asymmetric-bits' | 'two-bits' | 'three-bits';

/** What the fields of quantization will keep from being exported; the export page has the reasons of each run. */
export function exportLimits(draft: Draft): readonly ExportLimit[] {
  const {
    'quantization.bits': bits,
    'quantization.groupSize': groupSize,
    'quantization.symmetric': symmetric,
    'quantization.actOrder': actOrder,
    'quantization.staticGroups': staticGroups,
  } = draft;
  if (bits === null) return [];
  return [
    ...(actOrder && !staticGroups && groupSize !== null ? (['scattered'] as const) : []),
    ...(!symmetric && prunes(draft) ? (['asymmetric'] as const) : []),
    ...(!symmetric && bits === 8 ? (['asymmetric-bits'] as const) : []),
    ...(bits === 2 ? (['two-bits'] as const) : []),
    ...(bits === 3 ? (['three-bits'] as const) : []),
  ];
}

function prunes({ pattern, targets }: Draft): boolean {
  return pattern === 'nm' || /[1-9]/.test(targets);
}
