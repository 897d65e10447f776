import { MantineProvider } from '@mantine/core';
import { useColorScheme } from '@mantine/hooks';
import { Notifications } from '@mantine/notifications';
import { QueryClientProvider } from '@tanstack/react-query';
import { RouterProvider } from '@tanstack/react-router';
import { StrictMode, useEffect, useState, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';

import type { Boot } from '../contract/bridge.ts';
import { BootProvider, localeOf } from './boot.tsx';
import { ConfirmProvider } from './components/confirm.tsx';
import { FailureView } from './components/failure-view.tsx';
import { makeQueryClient, useAsk } from './ask/queries.ts';
import { router } from './router.tsx';
import { quietText, theme } from './theme.ts';
import { WordsProvider } from './words.tsx';

/** Puts the application into the page. */
export function mount(): void {
  const place = document.getElementById('root');
  if (place)
    createRoot(place).render(
      <StrictMode>
        <App />
      </StrictMode>,
    );
}

function App(): ReactElement {
  const [client] = useState(makeQueryClient);
  return (
    <QueryClientProvider client={client}>
      <Booted />
    </QueryClientProvider>
  );
}

/** Nothing is drawn before the settings are known, so that no other theme or language flashes up. */
function Booted(): ReactElement | null {
  const { data: boot, error } = useAsk('app.boot', null);
  const system = useColorScheme();
  const locale = boot ? localeOf(boot) : 'en';
  const scheme = boot && boot.settings.theme !== 'system' ? boot.settings.theme : system;
  useEffect(() => {
    document.documentElement.lang = locale;
  }, [locale]);
  if (!boot && !error) return null;
  return (
    <WordsProvider locale={locale}>
      <MantineProvider theme={theme} cssVariablesResolver={quietText} forceColorScheme={scheme}>
        <Notifications position="bottom-center" limit={4} />
        {boot ? <Ready boot={boot} /> : <FailureView failure={error} />}
      </MantineProvider>
    </WordsProvider>
  );
}

function Ready({ boot }: { boot: Boot }): ReactElement {
  return (
    <BootProvider value={boot}>
      <ConfirmProvider>
        <RouterProvider router={router} />
      </ConfirmProvider>
    </BootProvider>
  );
}
