import { AppShell } from '@mantine/core';
import { useDisclosure } from '@mantine/hooks';
import { spotlight } from '@mantine/spotlight';
import { Outlet } from '@tanstack/react-router';
import type { ReactElement } from 'react';

import { AddDialog, AddDialogContext } from '../add/add-dialog.tsx';
import { useFreshAnswers } from '../ask/queries.ts';
import { useLabel } from '../words.tsx';
import { useCommands } from './commands.tsx';
import { useDownloadNews } from './download-news.ts';
import { DropZone } from './drop-zone.tsx';
import { Navigation } from './navigation.tsx';
import { Interrupted, Notices } from './notices.tsx';
import { Search } from './search.tsx';
import { ShortcutsDialog } from './shortcuts-dialog.tsx';
import { useShortcuts } from './use-shortcuts.ts';

/** The frame around every page: navigation, notices, search, shortcuts, and the place to drop models. */
export function Shell(): ReactElement {
  useFreshAnswers();
  const t = useLabel();
  const [helps, help] = useDisclosure(false);
  const [adds, add] = useDisclosure(false);
  const commands = useCommands({ help: help.open, search: spotlight.open, add: add.open });
  useDownloadNews();
  useShortcuts(commands);
  return (
    <AppShell navbar={{ width: 208, breakpoint: 0 }} padding={0}>
      <a className="skip-link" href="#main" onClick={focusMain}>
        {t('app.skip')}
      </a>
      <AppShell.Navbar aria-label={t('app.navigation')}>
        <Navigation onSearch={spotlight.open} onHelp={help.open} />
      </AppShell.Navbar>
      <AppShell.Main id="main" tabIndex={-1} className="main">
        <div className="notices">
          <Notices />
          <Interrupted />
        </div>
        <AddDialogContext value={add.open}>
          <Outlet />
        </AddDialogContext>
      </AppShell.Main>
      <Search commands={commands} />
      <ShortcutsDialog opened={helps} onClose={help.close} commands={commands} />
      <AddDialog opened={adds} onClose={add.close} />
      <DropZone />
    </AppShell>
  );
}

/** Moves the focus without changing the address, which the router reads. */
function focusMain(event: { preventDefault: () => void }): void {
  event.preventDefault();
  document.getElementById('main')?.focus();
}
