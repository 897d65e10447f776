import { ask } from '../../ask/bridge.ts';
import { useCopy } from '../../ask/copy.ts';
import { showFailure } from '../../ask/failure-notification.tsx';
import { useLocale } from '../../words.tsx';

/** Copies what helps to find out why a run went wrong: versions, recipe, last events, end of the log. */
export function useCopyDiagnostics(id: string): () => void {
  const copy = useCopy();
  const locale = useLocale();
  return () => {
    ask('runs.diagnostics', { id }).then(copy, (error: unknown) => showFailure(error, locale));
  };
}
