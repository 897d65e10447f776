import {
  createHashHistory,
  createRootRoute,
  createRoute,
  createRouter,
  lazyRouteComponent,
  redirect,
} from '@tanstack/react-router';
import { z } from 'zod';

import { presetIds } from './pages/new/presets.ts';
import { ModelsPage } from './pages/models/models-page.tsx';
import { NotFound, PageFailed } from './shell/page-failed.tsx';
import { Shell } from './shell/shell.tsx';

const root = createRootRoute({ component: Shell, notFoundComponent: NotFound });
const under = { getParentRoute: () => root } as const;

const text = z.string().optional().catch(undefined);

const start = createRoute({
  ...under,
  path: '/',
  beforeLoad: () => {
    redirect({ to: '/models', replace: true, throw: true });
  },
});

const models = createRoute({ ...under, path: '/models', component: ModelsPage });

const model = createRoute({
  ...under,
  path: '/models/$id',
  component: lazyRouteComponent(() => import('./pages/models/model-page.tsx'), 'ModelPage'),
});

const newRun = createRoute({
  ...under,
  path: '/new',
  /** `from`: a run whose recipe is taken over. */
  validateSearch: z.object({ model: text, from: text, preset: z.enum(presetIds).optional().catch(undefined) }),
  component: lazyRouteComponent(() => import('./pages/new/new-run-page.tsx'), 'NewRunPage'),
});

const run = createRoute({
  ...under,
  path: '/runs/$id',
  component: lazyRouteComponent(() => import('./pages/run/run-page.tsx'), 'RunPage'),
});

const exporting = createRoute({
  ...under,
  path: '/runs/$id/export',
  component: lazyRouteComponent(() => import('./pages/export/export-page.tsx'), 'ExportPage'),
});

const history = createRoute({
  ...under,
  path: '/history',
  validateSearch: z.object({ search: text, model: text }),
  component: lazyRouteComponent(() => import('./pages/history/history-page.tsx'), 'HistoryPage'),
});

const compare = createRoute({
  ...under,
  path: '/compare',
  /** Ids with commas between. */
  validateSearch: z.object({ ids: z.string().catch('') }),
  component: lazyRouteComponent(() => import('./pages/compare/compare-page.tsx'), 'ComparePage'),
});

const settings = createRoute({
  ...under,
  path: '/settings',
  component: lazyRouteComponent(() => import('./pages/settings/settings-page.tsx'), 'SettingsPage'),
});

/** Addresses are of the form `tamis://app/index.html#/new?model=demo`: every value in them is plain text. */
export const router = createRouter({
  routeTree: root.addChildren([start, models, model, newRun, run, exporting, history, compare, settings]),
  history: createHashHistory(),
  parseSearch: (search) => Object.fromEntries(new URLSearchParams(search)),
  stringifySearch: (search) => {
    const given = Object.entries(search).filter(([, value]) => value !== undefined && value !== '');
    const written = new URLSearchParams(given.map(([key, value]) => [key, String(value)])).toString();
    return written === '' ? '' : `?${written}`;
  },
  defaultErrorComponent: PageFailed,
  defaultPreload: 'intent',
  scrollRestoration: false,
});

declare module '@tanstack/react-router' {
  interface Register {
    router: typeof router;
  }
}
