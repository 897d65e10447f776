import js from '@eslint/js';
import { createNodeResolver, importX } from 'eslint-plugin-import-x';
import { defineConfig, globalIgnores } from 'eslint/config';
import tseslint from 'typescript-eslint';

/** Which folders of `src/` a folder may import besides itself (docs/architecture.md); nobody else knows anybody else. */
const mayImport = {
  contract: [],
  charts: ['contract'],
  disk: ['contract'],
  worker: ['contract', 'charts', 'disk'],
  main: ['contract', 'disk'],
  preload: ['contract'],
  renderer: ['contract', 'charts'],
  cli: ['contract', 'disk', 'worker'],
};

const directions = Object.entries(mayImport).map(([folder, others]) => ({
  target: `./src/${folder}`,
  from: './src',
  except: [folder, ...others].map((name) => `./${name}`),
  message: `src/${folder} may import ${['itself', ...others.map((name) => `src/${name}`)].join(', ')} and nothing else.`,
}));

/**
 * The floors of `src/worker/`, the lowest first: a folder may import those on lower floors, and none on its own or above. The files
 * beside them (the engine and the processes it runs in) stand on top of all; `native.ts` lies under all.
 */
const floors = [
  ['graph', 'machine', 'schedule'],
  ['families'],
  ['model'],
  ['hub', 'runtime', 'texts'],
  ['run'],
  ['formats', 'plan'],
  ['evaluate'],
  ['compress'],
  ['report'],
  ['export'],
];

const floorZones = floors.flatMap((folders, floor) => {
  const below = floors.slice(0, floor).flat();
  return folders.map((folder) => ({
    target: `./src/worker/${folder}`,
    from: './src/worker',
    except: [`./${folder}`, './native.ts', ...below.map((name) => `./${name}`)],
    message: `src/worker/${folder} may import ${['itself', 'native.ts', ...below].join(', ')} of src/worker and nothing else.`,
  }));
});

const nodeGlobals = 'Buffer URL clearInterval clearTimeout console performance process setInterval setTimeout'.split(
  ' ',
);

const addonIsForItsBinding = {
  paths: [{ name: '#native', message: 'Only src/worker/native.ts imports the addon.' }],
  patterns: [{ group: ['**/native/index*'], message: 'Only src/worker/native.ts imports the addon, as #native.' }],
};

/** What runs in the page too knows nothing of Node, nor of the addon: of two settings of a rule the later one counts alone. */
const noNode = {
  paths: addonIsForItsBinding.paths,
  patterns: [
    ...addonIsForItsBinding.patterns,
    {
      group: ['node:*', 'write-file-atomic', 'electron'],
      message: 'The page has no Node: src/disk is the place for files.',
    },
  ],
};

export default defineConfig(
  globalIgnores(['build/', 'dist/', 'native/', 'resources/', 'test/fixtures/', 'test-results/']),
  js.configs.recommended,
  { rules: { eqeqeq: 'error' } },
  {
    files: ['**/*.ts', '**/*.tsx'],
    extends: [tseslint.configs.strictTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['src/**', 'test/**'],
    plugins: { 'import-x': importX },
    settings: {
      // Part of what runs the application, like Node's own modules; its package only fetches it.
      'import-x/core-modules': ['electron'],
      'import-x/parsers': { '@typescript-eslint/parser': ['.ts', '.tsx'] },
      'import-x/resolver-next': [createNodeResolver({ extensions: ['.ts', '.tsx', '.js', '.mjs', '.json'] })],
    },
    rules: {
      'import-x/no-cycle': ['error', { ignoreExternal: true }],
      'import-x/no-restricted-paths': [
        'error',
        { basePath: import.meta.dirname, zones: [...directions, ...floorZones] },
      ],
      'import-x/no-extraneous-dependencies': [
        'error',
        { devDependencies: ['test/**'], optionalDependencies: false, peerDependencies: false },
      ],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/worker/native.ts'],
    rules: { 'no-restricted-imports': ['error', addonIsForItsBinding] },
  },
  {
    files: ['src/charts/**', 'src/contract/**', 'src/renderer/**'],
    rules: { 'no-restricted-imports': ['error', noNode] },
  },
  {
    files: ['**/*.js', '**/*.mjs'],
    languageOptions: {
      globals: Object.fromEntries(nodeGlobals.map((name) => [name, 'readonly'])),
    },
  },
);
