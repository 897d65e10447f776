export interface Electron {
  readonly folder: string;
  readonly executable: string;
  readonly version: string;
  /** Not the official one: for tests only. */
  readonly isStandIn: boolean;
}

/** The Electron that starts, tests and packages the application; null where none is installed. Downloads nothing. */
export function findElectron(): Promise<Electron | null>;
