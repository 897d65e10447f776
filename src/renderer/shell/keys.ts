import type { Boot } from '../../contract/bridge.ts';

/** `mod+N` as it is printed on the keyboard: `Ctrl N`, on a Mac `⌘ N`. */
export function writeKeys(keys: string, platform: Boot['platform']): string {
  return keys.replace('mod', platform === 'darwin' ? '⌘' : 'Ctrl').replace('+', ' ');
}
