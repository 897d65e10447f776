/** Attributes whose strings nobody reads. All others must be words of the catalogue. */
const ignoredAttributes = [
  ...[
    'align',
    'attribute',
    'autoComplete',
    'c',
    'captionSide',
    'clampBehavior',
    'color',
    'component',
    'defaultValue',
    'fileName',
  ],
  ...[
    'gap',
    'justify',
    'miw',
    'ml',
    'mr',
    'mt',
    'name',
    'of',
    'p',
    'path',
    'position',
    'pt',
    'px',
    'shortcut',
    'size',
    'ta',
    'to',
  ],
  ...['tt', 'underline', 'value', 'variant', 'w', 'wrap', 'aria-hidden', 'aria-live', 'role', 'scope'],
  ...['dy', 'fill', 'fontFamily', 'stroke', 'strokeDasharray', 'textAnchor', 'viewBox'],
];

/** `i18next-cli lint`: no text in the pages' code. Missing and unused keys: the compiler and test/unit/messages.test.ts. */
export default {
  locales: ['en', 'zh-TW'],
  extract: {
    input: ['src/charts/**/*.tsx', 'src/renderer/**/*.tsx'],
    output: 'dist/words/{{language}}.json',
    ignoredAttributes,
  },
};
