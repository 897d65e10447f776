import { createContext, use, useMemo, type ReactElement, type ReactNode } from 'react';

import type { Locale } from '../contract/messages/index.ts';
import { labels, type Label } from '../contract/messages/labels.ts';

/** The same in every language. */
export const product = 'Tamis';

interface Words {
  readonly locale: Locale;
  readonly t: Label;
}

const WordsContext = createContext<Words>({ locale: 'en', t: labels('en') });

/** Says which language everything inside is written in. */
export function WordsProvider({ locale, children }: { locale: Locale; children: ReactNode }): ReactElement {
  const words = useMemo(() => ({ locale, t: labels(locale) }), [locale]);
  return <WordsContext value={words}>{children}</WordsContext>;
}

/** The page's words by key, in the reader's language. */
export function useLabel(): Label {
  return use(WordsContext).t;
}

export function useLocale(): Locale {
  return use(WordsContext).locale;
}
