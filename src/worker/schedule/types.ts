import type { Centroid } from '../../contract/report.ts';
import type { EstimateKind } from '../../contract/recipe/schedulers.ts';
import type { Scheduler } from '../../contract/recipe.ts';

/** A layer to be pruned, as the schedulers see it. */
export interface LayerSize {
  /** As in the checkpoint, without `.weight`. */
  readonly name: string;
  readonly block: number;
  /** The part of the name that is the same in every block: `fc1`. */
  readonly type: string;
  /** rows * cols */
  readonly weights: number;
}

export interface Schedule {
  /** Layer name to the share of its weights to prune; the mean over all weights is the target. */
  readonly sparsities: Readonly<Record<string, number>>;
  /** Layer name to K-means group, 0 = the smallest centroid; empty without groups. */
  readonly groups: Readonly<Record<string, number>>;
  readonly centroids: readonly Centroid[];
  /** Which estimate the layers were ordered by; null where none was used. */
  readonly estimate: EstimateKind | null;
}

type Kmeans = Extract<Scheduler, { kind: 'kmeans' }>;
export type KmeansScheduler = { readonly [Field in keyof Kmeans]-?: Exclude<Kmeans[Field], undefined> };

/** One that makes a schedule; `auto` chooses among such. */
export type ExplicitScheduler = Exclude<Scheduler, { kind: 'auto' }>;

/** A scheduler with no field left to a default. */
export type ResolvedScheduler = Exclude<ExplicitScheduler, { kind: 'kmeans' }> | KmeansScheduler;

/** What a family starts from where the recipe says nothing (method.md, section 6). */
export type DefaultScheduler = 'paper' | 'relative-by-type';
