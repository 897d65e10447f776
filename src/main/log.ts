import { join } from 'node:path';

import log from 'electron-log/node.js';

/** Writes `main.log` in `folder`, a new file beyond 1 MiB; one older file is kept. */
export function openLog(folder: string): (line: string) => void {
  const logger = log.create({ logId: 'main' });
  logger.transports.file.resolvePathFn = () => join(folder, 'main.log');
  logger.transports.file.maxSize = 2 ** 20;
  logger.transports.console.level = process.env['TAMIS_DEBUG'] ? 'debug' : false;
  return (line) => logger.info(line);
}
