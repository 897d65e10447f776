import type { App, Session, WebFrameMain } from 'electron';

import { origin, scheme } from './page.ts';

/** Whether a message comes from our own page's main frame: not from a frame inside it, not from another page. */
export function isOurs(frame: WebFrameMain | null): boolean {
  return frame !== null && frame.parent === null && frame.origin === origin;
}

/** No page but ours, in any web contents that ever come to be: no navigation, no window, no webview. */
export function guardContents(app: App): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.on('will-navigate', (event) => event.preventDefault());
    contents.on('will-redirect', (event) => event.preventDefault());
    contents.on('will-attach-webview', (event) => event.preventDefault());
    contents.setWindowOpenHandler(() => ({ action: 'deny' }));
  });
}

/** No permission, no device, no download, no request to anywhere but our own scheme and the developer tools'. */
export function guardSession(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, answer) => answer(false));
  session.setPermissionCheckHandler(() => false);
  session.setDevicePermissionHandler(() => false);
  session.on('will-download', (event) => event.preventDefault());
  session.webRequest.onBeforeRequest(({ url }, answer) => {
    const allowed = [`${scheme}:`, 'devtools:', 'blob:', 'data:'].some((prefix) => url.startsWith(prefix));
    answer({ cancel: !allowed });
  });
}
