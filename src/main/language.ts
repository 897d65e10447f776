import { app } from 'electron';

import type { Locale } from '../contract/messages/index.ts';

/** The system's language, as far as Tamis speaks it. */
export function systemLanguage(): Locale {
  return /^zh[-_](TW|Hant|HK|MO)/i.test(app.getLocale()) ? 'zh-TW' : 'en';
}
