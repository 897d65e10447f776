import { useMemo, useState } from 'react';

import type { Boot } from '../../../contract/bridge.ts';
import type { PresetId } from './presets.ts';
import type { Recipe } from '../../../contract/recipe.ts';
import { useBoot } from '../../boot.tsx';
import { changedFields, draftOf, presetDraft, rebase, withPreset, type Draft, type FieldName } from './draft.ts';
import type { Form } from './form.tsx';

interface State {
  readonly preset: PresetId;
  readonly draft: Draft;
  readonly name: string;
}

/** What the page is opened with: an address's model, preset or run whose recipe is taken over. */
export interface Opening {
  readonly model: string | null;
  readonly preset: PresetId | null;
  readonly recipe: Recipe | null;
}

/** What stood in the fields when the page was left. */
let kept: State | null = null;

export interface DraftState extends Omit<Form, 'errors'>, Pick<State, 'preset' | 'name'> {
  readonly setModel: (path: string) => void;
  readonly setPreset: (preset: PresetId) => void;
  readonly setName: (name: string) => void;
  /** Takes over all settings of a recipe. */
  readonly take: (recipe: Recipe) => void;
}

export function useDraft(opening: Opening): DraftState {
  const boot = useBoot();
  const [state, setState] = useState(() => opened(opening, boot));
  const { preset, draft } = state;
  const base = useMemo(() => presetDraft(preset, draft.model, boot), [preset, draft.model, boot]);
  const change = (next: (before: State) => State): void =>
    setState((before) => {
      kept = next(before);
      return kept;
    });
  return {
    ...state,
    changed: useMemo(() => changedFields(draft, base), [draft, base]),
    set: (name, value) => change((before) => ({ ...before, draft: { ...before.draft, [name]: value } })),
    reset: (name: FieldName) => change((before) => ({ ...before, draft: { ...before.draft, [name]: base[name] } })),
    setModel: (path) => change((before) => withModel(before, path, boot)),
    setPreset: (next) => change((before) => changePreset(before, next, boot)),
    setName: (name) => change((before) => ({ ...before, name })),
    take: (recipe) => change((before) => ({ ...before, draft: draftOf(recipe) })),
  };
}

function opened({ model, preset, recipe }: Opening, boot: Boot): State {
  const fresh: State = { preset: 'scheduled-70', draft: presetDraft('scheduled-70', model ?? '', boot), name: '' };
  if (recipe) return { ...fresh, draft: draftOf(recipe) };
  const before = kept ?? fresh;
  const withIts = model !== null && model !== before.draft.model ? withModel(before, model, boot) : before;
  return preset === null ? withIts : changePreset(withIts, preset, boot);
}

function withModel(before: State, path: string, boot: Boot): State {
  const { preset, draft } = before;
  const moved = rebase(draft, presetDraft(preset, draft.model, boot), presetDraft(preset, path, boot));
  return { ...before, draft: { ...moved, model: path } };
}

function changePreset(before: State, preset: PresetId, boot: Boot): State {
  const { draft } = before;
  const [from, to] = [presetDraft(before.preset, draft.model, boot), presetDraft(preset, draft.model, boot)];
  return { ...before, preset, draft: withPreset(draft, from, to) };
}
