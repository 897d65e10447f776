import { createContext, use } from 'react';

import type { Boot } from '../contract/bridge.ts';
import type { Settings } from '../contract/settings.ts';
import type { Locale } from '../contract/messages/index.ts';

const BootContext = createContext<Boot | null>(null);
export const BootProvider = BootContext;

/** What the application knew when the page opened, with the settings as they are now. */
export function useBoot(): Boot {
  const boot = use(BootContext);
  if (boot === null) throw new Error('useBoot outside of BootProvider');
  return boot;
}

export function useSettings(): Settings {
  return useBoot().settings;
}

export function localeOf({ settings, language }: Boot): Locale {
  return settings.language === 'system' ? language : settings.language;
}
