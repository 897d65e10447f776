import { writeFileSync } from 'node:fs';

/**
 * Vitest reporter beside the default one: names each skipped test with its reason and hands the counts, and the seconds from the
 * start of a project's first file to the end of its last one, to `test.mjs`.
 */
export default class {
  #times = new Map();

  onTestModuleQueued({ project }) {
    if (!this.#times.has(project.name)) this.#times.set(project.name, { begin: performance.now(), end: NaN });
  }

  onTestModuleEnd({ project }) {
    this.#times.get(project.name).end = performance.now();
  }

  onTestRunEnd(modules) {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const counts = { passed: 0, failed: 0, skipped: 0 };
    for (const test of tests) {
      const { state, note } = test.result();
      if (state in counts) counts[state]++;
      if (state === 'skipped') console.log(`skipped: ${test.fullName} (${note ?? 'no reason given'})`);
    }
    // A file that could not be loaded holds no tests and has failed all the same.
    counts.failed += modules.filter((module) => module.state() === 'failed' && module.children.size === 0).length;
    const times = [...this.#times].map(([name, { begin, end }]) => [name, (end - begin) / 1000]);
    const told = { counts, seconds: Object.fromEntries(times) };
    if (process.env.TAMIS_TEST_COUNTS) writeFileSync(process.env.TAMIS_TEST_COUNTS, `${JSON.stringify(told)}\n`);
  }
}
