import { Button } from '@mantine/core';
import { useHotkeys } from '@mantine/hooks';
import { notifications } from '@mantine/notifications';
import { IconCopy, IconDeviceFloppy, IconFolderOpen } from '@tabler/icons-react';
import { useNavigate } from '@tanstack/react-router';
import { useMemo, useState, type ReactElement } from 'react';

import type { Model } from '../../../contract/library.ts';
import { nameOfPath, recipeCommand } from './recipe-command.ts';
import { parseRecipe, type RecipeInput } from '../../../contract/recipe.ts';
import { PageHeader } from '../../components/page-header.tsx';
import { useCopy } from '../../ask/copy.ts';
import { useAct } from '../../ask/queries.ts';
import { useLabel } from '../../words.tsx';
import { CalibrationSection, EvaluationSection } from './data-sections.tsx';
import { FormProvider } from './form.tsx';
import { MachineSection, ModelSection } from './model-sections.tsx';
import { PlanPanel } from './plan-panel.tsx';
import { PruningSection, SchedulerSection } from './pruning-sections.tsx';
import { QuantizationSection } from './quantization-section.tsx';
import { recipesOf } from './recipes.ts';
import { nameOfRecipe, useReason } from './start.ts';
import { useDraft, type DraftState, type Opening } from './use-draft.ts';
import { usePlan } from './use-plan.ts';
import { useTrial } from './use-trial.ts';

/** The fields, and beside them what the recipe will need and give. */
export function NewRun({ models, opening }: { models: readonly Model[]; opening: Opening }): ReactElement {
  const t = useLabel();
  const state = useDraft(opening);
  const { draft } = state;
  const state_ = models.find(({ path }) => path === draft.model)?.state;
  const head = state_?.kind === 'ready' ? state_.head : null;
  const { recipes, errors } = useMemo(() => recipesOf(draft, head), [draft, head]);
  const [picked, setPicked] = useState(0);
  const chosen = Math.min(picked, Math.max(0, recipes.length - 1));
  const recipe = recipes[chosen] ?? null;
  const planned = usePlan(recipe);
  const trying = useTrial(recipe);
  const reason = useReason(errors, planned, trying.trial);
  const { start, isStarting } = useStart(state, recipes);
  const startIfPossible = (): void => {
    if (reason === null && !isStarting) start();
  };
  useHotkeys([['mod+Enter', startIfPossible]], []);
  return (
    <FormProvider value={{ ...state, errors }}>
      <PageHeader
        title={t('app.new-run')}
        detail={draft.model === '' ? t('new.choose-model') : nameOfPath(draft.model)}
      >
        <RecipeButtons state={state} recipes={recipes} recipe={recipe} />
      </PageHeader>
      <div className="new-run">
        <div className="new-run-scroll">
          <div className="new-run-fields">
            <ModelSection
              models={models}
              onModel={state.setModel}
              preset={state.preset}
              onPreset={state.setPreset}
              name={state.name}
              onName={state.setName}
            />
            <PruningSection />
            <SchedulerSection />
            <QuantizationSection />
            <CalibrationSection />
            <EvaluationSection />
            <MachineSection />
          </div>
        </div>
        <PlanPanel
          runs={recipes.map(nameOfRecipe)}
          chosen={chosen}
          onChoose={setPicked}
          planned={planned}
          trying={trying}
          onStart={startIfPossible}
          isStarting={isStarting}
          reason={reason}
        />
      </div>
    </FormProvider>
  );
}

/** Queues the runs and opens the run, or the history with the sweep. */
function useStart(
  { name, draft }: DraftState,
  recipes: readonly RecipeInput[],
): { start: () => void; isStarting: boolean } {
  const t = useLabel();
  const navigate = useNavigate();
  const { mutate, isPending } = useAct('runs.start');
  const search = name === '' ? nameOfPath(draft.model) : name;
  const start = (): void =>
    mutate(
      { name, recipes: [...recipes] },
      {
        onSuccess: (ids) => {
          const [id] = ids;
          if (id === undefined) return;
          if (ids.length === 1) return void navigate({ to: '/runs/$id', params: { id } });
          notifications.show({ message: t('new.queued', { runs: ids.length }), autoClose: 4000 });
          void navigate({ to: '/history', search: { search } });
        },
      },
    );
  return { start, isStarting: isPending };
}

interface RecipeButtonsProps {
  readonly state: DraftState;
  readonly recipes: readonly RecipeInput[];
  readonly recipe: RecipeInput | null;
}

function RecipeButtons({ state, recipes, recipe }: RecipeButtonsProps): ReactElement {
  const t = useLabel();
  const copy = useCopy();
  const { mutate: load } = useAct('recipes.load');
  const { mutate: save } = useAct('files.save');
  const take = (loaded: RecipeInput | null): void => {
    if (loaded) state.take(parseRecipe(loaded));
  };
  const saveRecipe = (): void => {
    if (recipe === null) return;
    const content = `${JSON.stringify(parseRecipe(recipe), null, 2)}\n`;
    save({ name: `${nameOfPath(recipe.model)}-recipe.json`, content, encoding: 'utf8' });
  };
  const copyCommands = (): void => copy(recipes.map((each) => recipeCommand(parseRecipe(each))).join('\n'));
  return (
    <>
      <Button
        variant="default"
        leftSection={<IconFolderOpen size={14} />}
        onClick={() => load(null, { onSuccess: take })}
      >
        {t('new.load')}
      </Button>
      <Button
        variant="default"
        leftSection={<IconDeviceFloppy size={14} />}
        disabled={recipe === null}
        onClick={saveRecipe}
      >
        {t('new.save')}
      </Button>
      <Button variant="default" leftSection={<IconCopy size={14} />} disabled={recipe === null} onClick={copyCommands}>
        {t('new.copy-command')}
      </Button>
    </>
  );
}
