import { createInstance } from 'i18next';

import type { MessageParams } from '../errors.ts';
import { TamisError } from '../errors.ts';
import { en, type ErrorCode } from './en.ts';
import { zhTW } from './zh-TW.ts';

export type Locale = 'en' | 'zh-TW';
export type { ErrorCode };

const catalogue = createInstance();
await catalogue.init({
  resources: { en: { translation: en }, 'zh-TW': { translation: zhTW } },
  fallbackLng: 'en',
  keySeparator: false,
  nsSeparator: false,
  interpolation: { escapeValue: false },
});

/** The sentence of a code in the reader's language. */
export function message(code: ErrorCode, params: MessageParams, locale: Locale): string {
  return catalogue.getFixedT(locale)(code, params);
}

/** The sentence of anything that was thrown: never a stack trace. */
export function describe(error: unknown, locale: Locale): string {
  if (error instanceof TamisError) return message(error.code, error.params, locale);
  return message('internal', { detail: error instanceof Error ? error.message : String(error) }, locale);
}
