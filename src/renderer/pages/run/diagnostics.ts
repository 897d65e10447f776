import { ask } from '../../bridge.ts';
import { useCopy } from '../../copy.ts';
import { showFailure } from '../../components/failure-notification.tsx';
import { useLocale } from '../../words.tsx';

/** Copies what helps to find out why a run went wrong: versions, recipe, last events, end of the log. */
export function useCopyDiagnostics(id: string): () => void {
  const copy = useCopy();
  const locale = useLocale();
  return () => {
    ask('runs.diagnostics', { id }).then(copy, (error: unknown) => showFailure(error, locale));
  };
}
