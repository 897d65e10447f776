import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { BrowserWindow, nativeTheme, screen, type Rectangle } from 'electron';
import writeFileAtomic from 'write-file-atomic';
import { z } from 'zod';

import { origin } from './page.ts';

const stateSchema = z.strictObject({
  x: z.int(),
  y: z.int(),
  width: z.int().min(640),
  height: z.int().min(480),
  maximized: z.boolean(),
});
type WindowState = z.infer<typeof stateSchema>;

export interface WindowOptions {
  readonly preload: string;
  /** The application's data folder: the window's place is kept in it. */
  readonly data: string;
  /** Address of the first page. */
  readonly to: string;
  readonly developing: boolean;
}

/** The application's one window: sandboxed, isolated, with the preload's bridge and nothing else. */
export function openWindow({ preload, data, to, developing }: WindowOptions): BrowserWindow {
  const file = join(data, 'window.json');
  const state = readState(file);
  const window = new BrowserWindow({
    ...(state ?? { width: 1280, height: 800 }),
    minWidth: 960,
    minHeight: 600,
    show: false,
    title: 'Tamis',
    backgroundColor: nativeTheme.shouldUseDarkColors ? '#1a1b1e' : '#ffffff',
    webPreferences: {
      preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webSecurity: true,
      spellcheck: false,
      devTools: developing,
    },
  });
  if (state?.maximized) window.maximize();
  window.once('ready-to-show', () => window.show());
  window.on('close', () => keepState(window, file));
  void window.loadURL(pageAddress(to));
  return window;
}

/** `/runs/3f…` as the page's URL. */
export function pageAddress(to: string): string {
  return `${origin}/index.html#${to}`;
}

function keepState(window: BrowserWindow, file: string): void {
  const state: WindowState = { ...window.getNormalBounds(), maximized: window.isMaximized() };
  try {
    writeFileAtomic.sync(file, JSON.stringify(state));
  } catch {
    // A window that opens at its default place is no loss.
  }
}

/** Where the window was, unless no screen shows that place any more. */
function readState(file: string): WindowState | null {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return null;
  }
  const state = stateSchema.safeParse(parsed(text));
  if (!state.success) return null;
  return screen.getAllDisplays().some(({ workArea }) => overlap(workArea, state.data)) ? state.data : null;
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

/** Enough of the window to take hold of it. */
function overlap(area: Rectangle, window: Rectangle): boolean {
  const width = Math.min(area.x + area.width, window.x + window.width) - Math.max(area.x, window.x);
  return width >= 100 && window.y >= area.y - 10 && window.y <= area.y + area.height - 50;
}
