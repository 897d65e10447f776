import { spawnSync } from 'node:child_process';

/** The target that the addon was built for: named, so that cargo finds the dependencies where the addon's build left them. */
export function hostTarget() {
  return /^host: (.+)$/m.exec(spawnSync('rustc', ['-vV'], { encoding: 'utf8' }).stdout)[1];
}
