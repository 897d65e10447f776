/**
 * The limits of time of all tests, milliseconds. They guard against a hang and nothing else: each is many times what is needed on a
 * busy machine, and no test has one of its own.
 */
export const limits = {
  /** One step that a test waits for. */
  wait: 15 * 60_000,
  /** One test, or what prepares some. */
  test: 60 * 60_000,
  /** The same with a real model. */
  realTest: 6 * 60 * 60_000,
};

/** For `vi.waitFor`. */
export const patience = { timeout: limits.wait, interval: 50 };
