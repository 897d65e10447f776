import { afterAll } from 'vitest';

import { openDisplay } from '../../scripts/display.mjs';

/** Before each test file: a display, and with it the focus and the clipboard, of its own. */
const close = await openDisplay();
afterAll(close);
