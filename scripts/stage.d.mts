import type { Electron } from './electron.mjs';

/** Brings `build/stage` up to date; returns what starts the application from there. */
export function stage(electron: Electron): Promise<{ executable: string; args: string[] }>;
