// Makes a component of a node in JavaScript: build.mjs SOURCE WIT OUT
import { readFile, writeFile } from 'node:fs/promises';
// It imports @bytecodealliance/preview2-shim without saying so in its package: package.json names both.
import { componentize } from '@bytecodealliance/componentize-js';

const [source, witPath, out] = process.argv.slice(2);
const { component } = await componentize(await readFile(source, 'utf8'), { sourceName: 'node.js', witPath, worldName: 'node' });
await writeFile(out, component);
