import { createInstance } from 'i18next';

import { en, type ErrorCode } from './en.ts';
import type { MessageParams } from './params.ts';
import { zhTW } from './zh-TW.ts';

export type Locale = 'en' | 'zh-TW';

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
