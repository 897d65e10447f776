/**
 * `node scripts/structure.mjs`: part of `npm run lint`. What ESLint and clippy do not see of the structure:
 *
 * - circles between folders, in TypeScript and in Rust: of the files and folders that lie in one folder, none may import another that
 *   leads back to it, through whatever files;
 * - files of `src/contract/` that cross no boundary, because one side alone uses them.
 */
import { readFileSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { fileURLToPath } from 'node:url';

import ts from 'typescript';

import { filesIn, root } from './products.mjs';

/** Path in the checkout with `/` between its parts. */
const named = (file) => relative(root, file).split(sep).join('/');

/** @returns every file of TypeScript below `src/`, with the files in the checkout that it imports, types too. */
export function typescriptImports() {
  const files = filesIn(join(root, 'src')).filter((file) => /\.tsx?$/.test(file));
  return files.map((file) => {
    const { importedFiles } = ts.preProcessFile(readFileSync(file, 'utf8'), true, true);
    const own = importedFiles.map(({ fileName }) => fileName).filter((name) => name.startsWith('.'));
    return { file: named(file), imports: own.map((name) => named(join(dirname(file), name))) };
  });
}

/** @returns every file of Rust below `native/src/` but tests, with the modules that its paths name, as files or folders. */
export function rustImports() {
  const source = join(root, 'native/src');
  const files = filesIn(source).filter((file) => file.endsWith('.rs') && !/[\\/]tests?[\\/.]|_tests\.rs$/.test(file));
  const known = new Set(files.map(named));
  /** The file of a module's path below `native/src/`, as far as it names modules; null where it names none. */
  const fileOf = (parts) => {
    for (let length = parts.length; length > 0; length--) {
      const path = ['native/src', ...parts.slice(0, length)].join('/');
      if (known.has(`${path}.rs`)) return `${path}.rs`;
      if (known.has(`${path}/mod.rs`)) return `${path}/mod.rs`;
    }
    return null;
  };
  return files.map((file) => {
    const name = named(file);
    const own = name
      .slice('native/src/'.length)
      .replace(/(^|\/)(mod|lib)?\.rs$|\.rs$/, '')
      .split('/');
    const module = own.filter((part) => part !== '');
    const imports = rustPaths(withoutTests(readFileSync(file, 'utf8'))).map((path) => {
      if (path[0] === 'crate') return fileOf(path.slice(1));
      const ups = path.findLastIndex((part) => part === 'super') + 1;
      return ups > 0 ? fileOf([...module.slice(0, module.length - ups), ...path.slice(ups)]) : null;
    });
    return { file: name, imports: imports.filter((path) => path !== null && path !== name) };
  });
}

/** Without comments, strings' contents left alone, and without modules that are compiled for tests alone. */
function withoutTests(text) {
  return text.replace(/\/\/.*$/gm, '').replace(/#\[cfg\(test\)\]\s*mod \w+ \{[\s\S]*\n\}/g, '');
}

/** Paths that begin with `crate` or `super`, those in braces written out. */
export function rustPaths(text) {
  const paths = [];
  const pattern = /\b(crate|super)((?:::\w+)*)(::\{)?/g;
  for (let match = pattern.exec(text); match; match = pattern.exec(text)) {
    const head = [match[1], ...match[2].split('::').filter(Boolean)];
    if (!match[3]) paths.push(head);
    else for (const tail of braces(text, pattern.lastIndex)) paths.push([...head, ...tail]);
  }
  return paths;
}

/** The paths in the braces that open just before `start`. */
function braces(text, start) {
  let depth = 1;
  let end = start;
  for (; depth > 0 && end < text.length; end++) depth += { '{': 1, '}': -1 }[text[end]] ?? 0;
  const parts = [];
  let [level, from] = [0, start];
  for (let at = start; at < end; at++) {
    if (text[at] === '{') level++;
    if ((text[at] === ',' && level === 0) || at === end - 1) {
      parts.push(text.slice(from, at));
      from = at + 1;
    }
    if (text[at] === '}') level--;
  }
  return parts.flatMap((part) => {
    const open = part.indexOf('{');
    const head = (open < 0 ? part : part.slice(0, open))
      .trim()
      .split(/\s+as\s+/)[0]
      .split('::')
      .filter(Boolean);
    return open < 0 ? [head] : braces(part, open + 1).map((tail) => [...head, ...tail]);
  });
}

/**
 * Circles between the files and folders that lie in one folder.
 * @param modules files, each with those that it imports
 * @returns for each circle its members, and one import for each step
 */
export function circles(modules) {
  /** folder -> member -> member that it imports -> [importing file, imported file] */
  const steps = new Map();
  for (const { file, imports } of modules) {
    for (const imported of imports) {
      const [a, b] = [file.split('/'), imported.split('/')];
      let depth = 0;
      while (depth < a.length - 1 && depth < b.length - 1 && a[depth] === b[depth]) depth++;
      const [from, to] = [a[depth], b[depth]];
      // A folder's `mod.rs` lists what lies beside it.
      if (from === to || ['mod.rs', 'lib.rs'].includes(from) || ['mod.rs', 'lib.rs'].includes(to)) continue;
      const folder = a.slice(0, depth).join('/');
      const members = steps.get(folder) ?? new Map();
      const others = members.get(from) ?? new Map();
      if (!others.has(to)) others.set(to, [file, imported]);
      steps.set(folder, members.set(from, others));
    }
  }
  return [...steps].flatMap(([folder, members]) =>
    componentsOf(members).map((circle) => ({
      folder,
      members: circle,
      imports: circle.flatMap((from) =>
        [...(members.get(from) ?? [])].filter(([to]) => circle.includes(to)).map(([, step]) => step),
      ),
    })),
  );
}

/** Strongly connected components of more than one member (Tarjan). */
function componentsOf(members) {
  const [index, low, stack, found] = [new Map(), new Map(), [], []];
  const visit = (name) => {
    index.set(name, index.size);
    low.set(name, index.get(name));
    stack.push(name);
    for (const other of members.get(name)?.keys() ?? []) {
      if (!index.has(other)) visit(other);
      if (stack.includes(other)) low.set(name, Math.min(low.get(name), low.get(other)));
    }
    if (low.get(name) !== index.get(name)) return;
    const component = stack.splice(stack.indexOf(name));
    if (component.length > 1) found.push(component.sort());
  };
  for (const name of members.keys()) if (!index.has(name)) visit(name);
  return found;
}

/**
 * Files of `src/contract/` that belong to one side: it alone uses them, or nobody but those who may import it.
 * @param modules files, each with those that it imports
 */
export function oneSided(modules) {
  const importers = new Map();
  for (const { file, imports } of modules)
    for (const imported of imports) importers.set(imported, [...(importers.get(imported) ?? []), file]);
  const sidesOf = (file, seen = new Set()) => {
    if (seen.has(file)) return [];
    seen.add(file);
    if (!file.startsWith('src/contract/')) return [file.split('/')[1]];
    return (importers.get(file) ?? []).flatMap((importer) => sidesOf(importer, seen));
  };
  const alone = [['renderer', 'charts'], ['worker', 'cli'], ['main'], ['preload'], ['cli']];
  const files = modules.map(({ file }) => file).filter((file) => file.startsWith('src/contract/'));
  return files.flatMap((file) => {
    const sides = [...new Set(sidesOf(file))];
    return alone.some((side) => sides.every((each) => side.includes(each))) ? [{ file, sides }] : [];
  });
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const typescript = typescriptImports();
  for (const { folder, members, imports } of [...circles(typescript), ...circles(rustImports())]) {
    console.error(`${folder}/ has a circle: ${members.join(', ')}`);
    for (const [from, to] of imports) console.error(`  ${from} imports ${to}`);
    process.exitCode = 1;
  }
  for (const { file, sides } of oneSided(typescript)) {
    console.error(
      `${file} crosses no boundary: ${sides.length > 0 ? `only src/${sides.join(', src/')}` : 'nobody'} uses it`,
    );
    process.exitCode = 1;
  }
}
