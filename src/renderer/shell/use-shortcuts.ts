import { useHotkeys } from '@mantine/hooks';

import type { Command } from './commands.tsx';

/** Every command by its keys; those without Ctrl only while nobody is typing. Ctrl+K is the search's own. */
export function useShortcuts(commands: readonly Command[]): void {
  const withMod = commands.filter(({ id, keys }) => keys.startsWith('mod') && id !== 'spotlight');
  const plain = commands.filter(({ keys }) => !keys.startsWith('mod'));
  useHotkeys(
    withMod.map(({ keys, run }) => [keys, run]),
    [],
  );
  // `?` is typed with Shift on many keyboards.
  useHotkeys(
    plain.flatMap(({ keys, run }) => [
      [keys, run],
      [`shift+${keys}`, run],
    ]),
  );
}
