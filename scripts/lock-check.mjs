/**
 * Fails where package-lock.json lacks an optional package of another platform, or names a registry: npm writes such lock
 * files when its registry lacks the package, and then `npm ci` refuses them. The `overrides` of package.json hold such
 * packages at versions that are complete.
 */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../package-lock.json', import.meta.url), 'utf8');
const { packages } = JSON.parse(text);
const names = new Set(Object.keys(packages).map((path) => path.split('node_modules/').pop()));
const missing = Object.entries(packages).flatMap(([path, { optionalDependencies = {} }]) =>
  Object.keys(optionalDependencies)
    .filter((name) => !names.has(name))
    .map(
      (name) =>
        `package-lock.json lacks ${name}, which ${path} names: hold ${path} at an older version in "overrides".`,
    ),
);
if (/"resolved": "http/.test(text)) missing.push('package-lock.json names a registry: delete the "resolved" lines.');

for (const sentence of missing) console.error(sentence);
process.exitCode = missing.length > 0 ? 1 : 0;
