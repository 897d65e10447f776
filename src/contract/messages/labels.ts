import { createInstance } from 'i18next';

import type { MessageParams } from '../errors.ts';
import type { Locale } from './index.ts';
import { labelsEn, type LabelKey } from './labels-en.ts';
import { labelsZhTW } from './labels-zh-TW.ts';

export type { LabelKey };
export type Label = (key: LabelKey, params?: MessageParams) => string;

const catalogue = createInstance();
await catalogue.init({
  resources: { en: { translation: labelsEn }, 'zh-TW': { translation: labelsZhTW } },
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
