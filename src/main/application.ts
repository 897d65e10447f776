import { randomUUID } from 'node:crypto';
import { mkdirSync } from 'node:fs';

import { app, nativeTheme, session, type BrowserWindow, type Event } from 'electron';

import type { Notice, PushName, Pushes } from '../contract/bridge.ts';
import type { Locale } from '../contract/messages/index.ts';
import { failureOf } from '../contract/failure.ts';
import { labels, type Label } from '../contract/messages/labels.ts';
import type { z } from 'zod';
import { askAboutRun } from './close.ts';
import { engineEnvironment } from './engine/environment.ts';
import { Runs } from './engine/runs.ts';
import { askAlone, Service } from './engine/service.ts';
import type { Launch } from './engine/process.ts';
import { guardSession } from './guard.ts';
import type { Host } from './host.ts';
import { handlers } from './handlers/index.ts';
import { answerRequests, push } from './ipc.ts';
import { openLog } from './log.ts';
import { setMenu } from './menu.ts';
import { notifyEnd, WakeLock } from './notify.ts';
import { systemLanguage } from './language.ts';
import { servePage } from './page.ts';
import type { Places } from './places.ts';
import { openStores, type Stores } from './stores.ts';
import { finishRemovals } from './storage/removal.ts';
import { openWindow } from './window.ts';

/** Everything that lives as long as the application: the stores, the engine's processes, the window. */
export class Application implements Host {
  readonly places: Places;
  readonly log: (line: string) => void;
  readonly stores: Stores;
  readonly service: Service;
  readonly runs: Runs;
  readonly launch: Launch;
  readonly notices: Notice[];
  readonly #wakeLock = new WakeLock();
  #window: BrowserWindow | null = null;
  /** Whether the person has said, or the system does not ask, that runs are to be paused. */
  #mayPause = false;
  /** Set when the runs are paused and the application may end. */
  #mayQuit = false;

  static async start(at: Places): Promise<Application> {
    for (const folder of [at.data, at.logs]) mkdirSync(folder, { recursive: true });
    const log = openLog(at.logs);
    const launch: Launch = { entry: at.engine, env: () => engineEnvironment(at), log };
    const service = new Service('questions', launch);
    service.warm();
    let application: Application | null = null;
    const stores = await openStores(at, {
      inspect: async (path) => await service.ask('head', { path }),
      onLibraryChange: () => application?.tell('library.changed', null),
      downloading: {
        pull: async (task, asking) => await askAlone(launch, 'pull', task, asking),
        discard: async (folder) => {
          await service.ask('pull-discard', { folder });
        },
        changed: () => application?.tell('downloads.changed', null),
        progressed: (download) => application?.tell('downloads.progress', download),
        finished: ({ repository }, { files, bytes }) =>
          application?.tell('downloads.finished', { repository, files, bytes }),
      },
    });
    application = new Application(at, log, launch, service, stores);
    application.#open();
    return application;
  }

  private constructor(at: Places, log: (line: string) => void, launch: Launch, service: Service, stores: Stores) {
    this.places = at;
    this.log = log;
    this.launch = launch;
    this.service = service;
    this.stores = stores;
    this.notices = stores.notices;
    this.runs = new Runs(stores.history, launch, {
      onEvents: (id, events) => this.tell('run.events', { id, events }),
      onChange: (row) => this.tell('run.changed', { row }),
      onAttempt: () => this.tell('runs.changed', null),
      onUnreached: (failure) => this.notice({ id: randomUUID(), kind: 'warning', ...failure }),
      onTrouble: (failure) => this.notice({ id: randomUUID(), kind: 'error', ...failure }),
      onEnded: (row) => notifyEnd(row, this.t, this.#window, (id) => this.showWindow(`/runs/${id}`)),
      onBusy: (busy) => this.#wakeLock.hold(busy),
    });
  }

  get locale(): Locale {
    const { language } = this.stores.settings.value;
    return language === 'system' ? systemLanguage() : language;
  }

  get t(): Label {
    return labels(this.locale);
  }

  get window(): BrowserWindow {
    if (!this.#window) throw new Error('a request came without a window');
    return this.#window;
  }

  tell<N extends PushName>(name: N, value: z.input<Pushes[N]>): void {
    push(this.#window, name, value);
  }

  notice(notice: Notice): void {
    this.notices.push(notice);
    this.tell('notice', notice);
  }

  granted(paths: readonly string[]): string[] {
    this.stores.grants.allow(paths);
    return [...paths];
  }

  closeNotice(id: string): void {
    const index = this.notices.findIndex((notice) => notice.id === id);
    if (index >= 0) this.notices.splice(index, 1);
  }

  get runsFolder(): string {
    return this.stores.settings.value.runsFolder ?? this.places.runs;
  }

  get modelsFolder(): string {
    return this.stores.settings.value.modelsFolder ?? this.places.models;
  }

  /** Brings the window to the front, opened again if it was closed, at an address if one is given. */
  showWindow(to?: string): void {
    if (!this.#window) {
      this.#openWindow(to ?? '/models');
      return;
    }
    if (this.#window.isMinimized()) this.#window.restore();
    this.#window.show();
    this.#window.focus();
    if (to !== undefined) this.tell('navigate', { to });
  }

  applySettings(): void {
    nativeTheme.themeSource = this.stores.settings.value.theme;
    setMenu(this.t, {
      command: (name) => this.tell('command', { name }),
      navigate: (to) => this.showWindow(to),
      developing: !app.isPackaged,
    });
  }

  /** A run that was told to go on goes on without a window. */
  onWindowsClosed(): void {
    if (this.runs.active.length === 0 && process.platform !== 'darwin') app.quit();
  }

  /** Ends only when the runs have come to a safe point; asks about them first where there is someone to ask. */
  onQuit(event: Event): void {
    if (this.#mayQuit) return;
    event.preventDefault();
    if (this.#window && this.runs.active.length > 0 && !this.#mayPause) this.#window.close();
    else void this.#end();
  }

  /** The system ends: pauses without asking. */
  onShutdown(): void {
    this.#mayPause = true;
    app.quit();
  }

  async #end(): Promise<void> {
    await Promise.all([this.runs.close(), this.stores.downloads.close()]);
    this.service.close();
    this.stores.close();
    this.#mayQuit = true;
    app.quit();
  }

  #open(): void {
    guardSession(session.defaultSession);
    servePage(session.defaultSession, this.places.page);
    answerRequests(handlers(this), (paths) => this.granted(paths), this.log);
    this.applySettings();
    this.#openWindow(firstAddress());
    void this.#rescan().catch((error: unknown) =>
      this.notice({ id: randomUUID(), kind: 'error', ...failureOf(error) }),
    );
  }

  /** Lists folders of runs that the database does not know, once the window has had its first picture. */
  async #rescan(): Promise<void> {
    const { history, store, others } = this.stores;
    await finishRemovals(store, this.runsFolder);
    await history.scan({
      runsFolder: this.runsFolder,
      others,
      changed: () => this.tell('runs.changed', null),
      notify: (notice) => this.notice({ id: randomUUID(), ...notice }),
    });
  }

  #openWindow(to: string): void {
    const window = openWindow({
      preload: this.places.preload,
      data: this.places.data,
      to,
      developing: !app.isPackaged,
    });
    this.#window = window;
    let isAsking = false;
    window.on('close', (event) => {
      const [id] = this.runs.active;
      if (this.#mayQuit || id === undefined) return;
      event.preventDefault();
      if (isAsking) return;
      isAsking = true;
      void askAboutRun(window, this.t, this.stores.history.get(id).name).then((choice) => {
        isAsking = false;
        if (choice === 'pause') this.onShutdown();
        if (choice === 'go-on') window.destroy();
      });
    });
    window.on('closed', () => {
      this.#window = null;
    });
  }
}

/** `--open=/new?model=demo` on the command line: the page to begin with. */
function firstAddress(): string {
  const to = app.commandLine.getSwitchValue('open');
  return to.startsWith('/') ? to : '/models';
}
