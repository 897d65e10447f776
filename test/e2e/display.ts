import { openDisplay } from '../../scripts/display.mjs';

/** Vitest's set-up of the project: one display for all its tests. */
export default openDisplay;
