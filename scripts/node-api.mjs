import { readFileSync, writeFileSync } from 'node:fs';

/** The version of Node-API that stands for its newest, unfinished features: every Node loads an addon that declares it. */
const experimental = 0x7fffffff;
const getter = 'node_api_module_get_api_version_v1';

/**
 * Writes a copy of an addon (ELF, x86-64) that a Node loads whose Node-API is older than the one it declares. For better-sqlite3 in
 * the Electron of the tests: it needs nothing newer than references to strings, which that one has among its experimental features.
 */
export function copyAsExperimental(addon, copy) {
  const bytes = readFileSync(addon);
  const start = fileOffsetOf(bytes, getter);
  // endbr64, which the compiler may leave out; then: mov eax, imm32; ret
  const move = start + (bytes.readUInt32LE(start) === 0xfa1e0ff3 ? 4 : 0);
  if (bytes[move] !== 0xb8 || bytes[move + 5] !== 0xc3) throw new Error(`${addon}: ${getter} is not what it was.`);
  bytes.writeUInt32LE(experimental, move + 1);
  writeFileSync(copy, bytes);
}

/**
 * To be appended to better-sqlite3's `lib/binding.js` beside such a copy: nothing of the addon's is collected as garbage any more,
 * because an experimental addon may not do in a finalizer what this one does (the process ends).
 */
export const keepEverything = `
const kept = [];
const keep = (made) => (kept.push(made), made);
const load = exports.getBinding;
exports.getBinding = (given) => {
  const addon = load(given);
  if (!addon.isInitialized) {
    addon.Database = class extends addon.Database {
      constructor(...args) {
        super(...args);
        keep(this);
      }
      prepare(...args) {
        const statement = keep(super.prepare(...args));
        const iterate = (...values) => keep(addon.Statement.prototype.iterate.apply(statement, values));
        return Object.defineProperty(statement, 'iterate', { value: iterate });
      }
    };
  }
  return addon;
};
`;

/** Where the code of an exported function lies in a 64-bit little-endian ELF file, bytes. */
function fileOffsetOf(bytes, name) {
  const sections = sectionsOf(bytes);
  const symbols = sections.find(({ type }) => type === 11);
  const names = sections[symbols.link];
  for (let at = symbols.offset; at < symbols.offset + symbols.size; at += 24) {
    if (textAt(bytes, names.offset + bytes.readUInt32LE(at)) !== name) continue;
    const address = number(bytes, at + 8);
    const section = sections[bytes.readUInt16LE(at + 6)];
    return section.offset + address - section.address;
  }
  throw new Error(`The addon does not export ${name}.`);
}

function sectionsOf(bytes) {
  const [start, size, count] = [number(bytes, 0x28), bytes.readUInt16LE(0x3a), bytes.readUInt16LE(0x3c)];
  return Array.from({ length: count }, (_, index) => {
    const at = start + index * size;
    return {
      type: bytes.readUInt32LE(at + 4),
      address: number(bytes, at + 16),
      offset: number(bytes, at + 24),
      size: number(bytes, at + 32),
      link: bytes.readUInt32LE(at + 40),
    };
  });
}

function number(bytes, at) {
  return Number(bytes.readBigUInt64LE(at));
}

function textAt(bytes, at) {
  return bytes.toString('latin1', at, bytes.indexOf(0, at));
}
