import { safeStorage } from 'electron';

import type { Keyring } from './hub-token.ts';

/**
 * Electron's. On Linux without a keyring it encrypts with a key that everybody knows. The synchronous calls are what the oldest Electron
 * that runs the application has.
 */
export const systemKeyring: Keyring = {
  isSafe: () =>
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- see above
    safeStorage.isEncryptionAvailable() &&
    (process.platform !== 'linux' || !['basic_text', 'unknown'].includes(safeStorage.getSelectedStorageBackend())),
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- see above
  encrypt: (text) => safeStorage.encryptString(text),
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- see above
  decrypt: (data) => safeStorage.decryptString(data),
};
