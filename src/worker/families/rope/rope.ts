import { z } from 'zod';

import { TamisError } from '../../../contract/errors.ts';
import { frequencies, type Frequencies } from '../../graph/operations.ts';
import type { Rotary } from '../../graph/tokens.ts';

// How fast the pairs of a head turn, by the `rope_type` of a config: the arithmetic of transformers' modeling_rope_utils.py, in its
// float32 steps (`f` is one), so that the angles of late positions are its too.

const f = Math.fround;
const factor = z.number().positive();
const factors = z.array(z.number().positive()).min(1);
const length = z.int().positive().nullish();

const common = {
  rope_theta: z.number().positive().optional(),
  /** The share of each head's entries that turns. */
  partial_rotary_factor: z.number().positive().max(1).nullish(),
};

/** What each type needs of its parameters. Dynamic ones differ from the default only beyond max_position_embeddings. */
const ropeTypes = {
  default: z.object({ ...common, rope_type: z.literal('default') }),
  linear: z.object({ ...common, rope_type: z.literal('linear'), factor }),
  dynamic: z.object({ ...common, rope_type: z.literal('dynamic'), factor }),
  yarn: z.object({
    ...common,
    rope_type: z.literal('yarn'),
    factor: factor.nullish(),
    original_max_position_embeddings: length,
    attention_factor: factor.nullish(),
    beta_fast: factor.nullish(),
    beta_slow: factor.nullish(),
    mscale: z.number().nonnegative().nullish(),
    mscale_all_dim: z.number().nonnegative().nullish(),
    truncate: z.boolean().default(true),
  }),
  longrope: z.object({
    ...common,
    rope_type: z.literal('longrope'),
    short_factor: factors,
    long_factor: factors,
    factor: factor.nullish(),
    original_max_position_embeddings: length,
    attention_factor: factor.nullish(),
  }),
  llama3: z.object({
    ...common,
    rope_type: z.literal('llama3'),
    factor,
    low_freq_factor: factor,
    high_freq_factor: factor,
    original_max_position_embeddings: length,
  }),
  proportional: z.object({ ...common, rope_type: z.literal('proportional'), factor: factor.default(1) }),
};

/** No parameters by the type of a block in it, which would be lost. */
const flatSchema = z
  .object({ rope_type: z.string().optional(), type: z.string().optional() })
  .catchall(z.union([z.number(), z.string(), z.boolean(), z.array(z.number()), z.null()]));

/** Parameters of rotary positions: `type` is the older name of `rope_type`. Refuses an unknown type by name. */
export const ropeSchema = z.preprocess(
  (value) => {
    const given = flatSchema.safeParse(value);
    if (!given.success) return value;
    const type = given.data.rope_type ?? given.data.type ?? 'default';
    if (!Object.hasOwn(ropeTypes, type))
      throw new TamisError('config.rope', { type, known: Object.keys(ropeTypes).join(', ') });
    return { ...given.data, rope_type: type };
  },
  z.discriminatedUnion('rope_type', [
    ropeTypes.default,
    ropeTypes.linear,
    ropeTypes.dynamic,
    ropeTypes.yarn,
    ropeTypes.longrope,
    ropeTypes.llama3,
    ropeTypes.proportional,
  ]),
);
type RopeParameters = z.infer<typeof ropeSchema>;
type ParametersOf<T extends RopeParameters['rope_type']> = Extract<RopeParameters, { rope_type: T }>;

/** The fields of a config with one kind of rotary positions; before transformers 5 `rope_theta` and `rope_scaling` stood in the place of `rope_parameters`. */
export function ropeFields(maxSeqlen: number) {
  return {
    max_position_embeddings: z.int().positive().default(maxSeqlen),
    original_max_position_embeddings: length,
    rope_theta: z.number().positive().default(10000),
    partial_rotary_factor: common.partial_rotary_factor,
    rope_scaling: ropeSchema.nullish(),
    rope_parameters: ropeSchema.nullish(),
  };
}
type RopeConfig = z.infer<z.ZodObject<ReturnType<typeof ropeFields>>>;

/** Parameters with what the rest of the config says. */
export type Rope = RopeParameters & { readonly rope_theta: number; readonly maxSeqlen: number };

/** The rotary positions of a config. As in transformers an older `rope_scaling` goes before `rope_parameters`. */
export function ropeOf(config: RopeConfig): Rope {
  const parameters = config.rope_scaling ?? config.rope_parameters ?? { rope_type: 'default' as const };
  const original = config.original_max_position_embeddings;
  return {
    partial_rotary_factor: config.partial_rotary_factor,
    ...parameters,
    ...(original && { original_max_position_embeddings: original }),
    rope_theta: parameters.rope_theta ?? config.rope_theta,
    maxSeqlen: config.max_position_embeddings,
  };
}

/** Which entries of a head of `size` turn, and how fast. */
export function rotaryOf(rope: Rope, size: number): Omit<Rotary, 'heads'> {
  const part = Math.floor(size * (rope.partial_rotary_factor ?? 1));
  const turned = rope.rope_type === 'proportional' ? size : part;
  if (turned === 0 || turned % 2 !== 0) throw new TamisError('config.rope-pairs', { turned });
  return { size, turned, ...speeds(rope, turned) };
}

function speeds(rope: Rope, turned: number): Pick<Rotary, 'frequencies' | 'beyond'> {
  const theta = rope.rope_theta;
  switch (rope.rope_type) {
    case 'default':
    case 'dynamic':
      return { frequencies: frequencies(turned, theta) };
    case 'linear':
      return { frequencies: slowed(frequencies(turned, theta), rope.factor) };
    case 'proportional':
      return { frequencies: proportional(rope, turned) };
    case 'yarn':
      return { frequencies: yarn(rope, turned) };
    case 'llama3':
      return { frequencies: llama3(rope, turned) };
    case 'longrope':
      return longrope(rope, turned);
  }
}

function slowed({ inverse, factor }: Frequencies, by: number): Frequencies {
  return { inverse: inverse.map((value) => value / f(by)), factor };
}

/** The first of the head's pairs turn, as fast as in the default; the rest stand still. */
function proportional(rope: Rope & ParametersOf<'proportional'>, size: number): Frequencies {
  const pairs = Math.floor((size * (rope.partial_rotary_factor ?? 1)) / 2);
  const { inverse, factor } = slowed(frequencies(size, rope.rope_theta), rope.factor);
  return { inverse: inverse.map((value, i) => (i < pairs ? value : 0)), factor };
}

/** YaRN (arXiv 2309.00071): fast pairs turn as they did, slow ones `factor` times slower, those between in between. */
function yarn(rope: Rope & ParametersOf<'yarn'>, turned: number): Frequencies {
  const original = originalLength(rope);
  const by = rope.factor ?? rope.maxSeqlen / original;
  const pairOf = (rotations: number): number =>
    (turned * Math.log(original / (rotations * 2 * Math.PI))) / (2 * Math.log(rope.rope_theta));
  const [fast, slow] = [pairOf(rope.beta_fast || 32), pairOf(rope.beta_slow || 1)];
  const low = Math.max(rope.truncate ? Math.floor(fast) : fast, 0);
  const high = Math.min(rope.truncate ? Math.ceil(slow) : slow, turned - 1);
  const width = low === high ? 0.001 : high - low;
  const inverse = powers(turned, rope.rope_theta).map((power, i) => {
    const kept = f(1 - Math.min(Math.max(f(f(i - f(low)) / f(width)), 0), 1));
    return f(f(1 / f(f(by) * power)) * f(1 - kept)) + f(f(1 / power) * kept);
  });
  return { inverse, factor: f(rope.attention_factor ?? yarnAttention(rope, by)) };
}

function yarnAttention({ mscale, mscale_all_dim: all }: ParametersOf<'yarn'>, by: number): number {
  const of = (scale: number): number => (by <= 1 ? 1 : 0.1 * scale * Math.log(by) + 1);
  return mscale && all ? of(mscale) / of(all) : of(1);
}

/** LLaMA 3.1: pairs of long wavelength turn `factor` times slower, those of short as they did, those between in between. */
function llama3(rope: Rope & ParametersOf<'llama3'>, turned: number): Frequencies {
  const { factor: by, low_freq_factor: low, high_freq_factor: high } = rope;
  const original = originalLength(rope);
  const { inverse, factor } = frequencies(turned, rope.rope_theta);
  const changed = inverse.map((value) => {
    const wavelength = f(f(1 / value) * f(2 * Math.PI));
    if (wavelength > f(original / low)) return value / f(by);
    if (wavelength < f(original / high)) return value;
    const smooth = f(f(f(f(1 / wavelength) * f(original)) - f(low)) / f(high - low));
    return f(f(f(1 - smooth) * value) / f(by)) + f(smooth * value);
  });
  return { inverse: changed, factor };
}

/** LongRoPE (arXiv 2402.13753): a factor for each pair, others for sequences longer than the original model's. */
function longrope(
  rope: Rope & ParametersOf<'longrope'>,
  turned: number,
): Required<Pick<Rotary, 'frequencies' | 'beyond'>> {
  const original = originalLength(rope);
  const by = rope.factor ?? rope.maxSeqlen / original;
  const factor = f(rope.attention_factor ?? (by <= 1 ? 1 : Math.sqrt(1 + Math.log(by) / Math.log(original))));
  const of = (field: 'short_factor' | 'long_factor'): Frequencies => {
    const given = rope[field];
    if (given.length !== turned / 2)
      throw new TamisError('config.rope-factors', { field, count: given.length, expected: turned / 2 });
    return { inverse: powers(turned, rope.rope_theta).map((power, i) => 1 / f(f(given[i] ?? NaN) * power)), factor };
  };
  return { frequencies: of('short_factor'), beyond: { positions: original, frequencies: of('long_factor') } };
}

function originalLength(rope: Rope & ParametersOf<'yarn' | 'llama3' | 'longrope'>): number {
  return rope.original_max_position_embeddings ?? rope.maxSeqlen;
}

/** theta^(2i / turned) for i < turned / 2. */
function powers(turned: number, theta: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: turned / 2 }, (_, i) => f(theta) ** f((2 * i) / turned));
}
