import { createInstance } from 'i18next';

import type { Locale } from './index.ts';
import { appEn } from './app-en.ts';
import { appZhTW } from './app-zh-TW.ts';
import { labelsEn } from './labels-en.ts';
import { labelsZhTW } from './labels-zh-TW.ts';
import { mainEn } from './main-en.ts';
import { mainZhTW } from './main-zh-TW.ts';
import type { MessageParams } from './params.ts';
import { runsEn } from './runs-en.ts';
import { runsZhTW } from './runs-zh-TW.ts';

/** All words but the sentences of errors and warnings, in both languages. */
export const words = {
  en: { ...labelsEn, ...appEn, ...runsEn, ...mainEn },
  'zh-TW': { ...labelsZhTW, ...appZhTW, ...runsZhTW, ...mainZhTW },
} as const satisfies Record<Locale, Record<string, string>>;

export type LabelKey = keyof (typeof words)['en'];
export type Label = (key: LabelKey, params?: MessageParams) => string;

const catalogue = createInstance();
await catalogue.init({
  resources: { en: { translation: words.en }, 'zh-TW': { translation: words['zh-TW'] } },
  fallbackLng: 'en',
  keySeparator: false,
  nsSeparator: false,
  interpolation: { escapeValue: false },
});

/** The words of charts and reports in one language. */
export function labels(locale: Locale): Label {
  const translate = catalogue.getFixedT(locale);
  return (key, params = {}) => translate(key, params);
}
