import { readFile } from 'node:fs/promises';
import { extname, join, normalize, sep } from 'node:path';

import { protocol, type Session } from 'electron';

/** The page's own scheme: no `file://` anywhere, and an origin that the sender check can compare. */
export const scheme = 'tamis';
export const origin = `${scheme}://app`;

const policy = [
  "default-src 'none'",
  "script-src 'self'",
  // Mantine writes style elements.
  "style-src 'self' 'unsafe-inline'",
  "img-src 'self' blob: data:",
  "font-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "object-src 'none'",
].join('; ');

const types: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
};

/** Before the application is ready. */
export function registerScheme(): void {
  protocol.registerSchemesAsPrivileged([
    { scheme, privileges: { standard: true, secure: true, supportFetchAPI: true, codeCache: true } },
  ]);
}

/** Serves the files of `folder`, and nothing outside of it, as `tamis://app/…`. */
export function servePage(session: Session, folder: string): void {
  session.protocol.handle(scheme, async ({ url, method }) => {
    const { host, pathname } = new URL(url);
    const file = normalize(join(folder, decodeURIComponent(pathname)));
    const type = types[extname(file)];
    if (method !== 'GET' || host !== 'app' || !file.startsWith(folder + sep) || type === undefined) return refusal();
    try {
      return new Response(await readFile(file), {
        headers: { 'Content-Type': type, 'Content-Security-Policy': policy, 'X-Content-Type-Options': 'nosniff' },
      });
    } catch {
      return refusal();
    }
  });
}

function refusal(): Response {
  return new Response(null, { status: 404 });
}
