import { watch, type FSWatcher } from 'chokidar';

/** A download writes a file for minutes: a folder is looked at again when it has been quiet for so long. */
const QUIET_MS = 1000;

/** Watches a model's folder, and waits for it where it is missing. Costs nothing while nothing happens. */
export class FolderWatch {
  readonly #folder: string;
  readonly #changed: () => void;
  #watcher: FSWatcher;
  #timer: NodeJS.Timeout | null = null;

  constructor(folder: string, changed: () => void) {
    this.#folder = folder;
    this.#changed = changed;
    this.#watcher = this.#begin();
  }

  #begin(): FSWatcher {
    const watcher = watch(this.#folder, { depth: 0, ignoreInitial: true, ignorePermissionErrors: true });
    watcher.on('all', (event, path) => {
      // chokidar sees nothing more in a folder that was removed and made again, and misses that it was made soon after.
      if ((event === 'addDir' || event === 'unlinkDir') && path === this.#folder) this.#restart();
      this.#wait();
    });
    // What changed before it was watched.
    watcher.on('ready', () => this.#wait());
    // Too many watches, or a file system without them: what it says is read at the next start.
    watcher.on('error', () => undefined);
    return watcher;
  }

  #restart(): void {
    void this.#watcher.close();
    this.#watcher = this.#begin();
  }

  #wait(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = setTimeout(this.#changed, QUIET_MS);
  }

  close(): void {
    if (this.#timer) clearTimeout(this.#timer);
    void this.#watcher.close();
  }
}
