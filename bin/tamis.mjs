#!/usr/bin/env node
import { bootstrap, cli, runOnLockedNode } from '../scripts/bootstrap.mjs';
import { exitWith } from '../scripts/products.mjs';

await bootstrap().catch(exitWith);
if (Number(process.versions.node.split('.')[0]) < 24) runOnLockedNode([cli, ...process.argv.slice(2)]);
else await import(cli);
