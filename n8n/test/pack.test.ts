/** What packing does with a component that may not run: nothing, and least of all make code of its names. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { INodeType } from 'n8n-workflow';
import { afterAll, expect, inject, test } from 'vitest';

// @ts-expect-error -- a script without types
import { emptyProgram as emptyProgramUntyped, pack as packUntyped } from '../scripts/pack.mjs';

type Pack = (nodule: string, component: string, to: string, options?: { dir?: string; name?: string; binaries?: string }) => Promise<{ node: string; package: string }>;
const pack = packUntyped as Pack;
const emptyProgram = emptyProgramUntyped as (folder: string) => string;
const require = createRequire(import.meta.url);
// n8n brings this one for its nodes.
process.env.NODE_PATH = join(import.meta.dirname, '../node_modules');
(require('node:module') as { _initPaths(): void })._initPaths();
const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
const nodule = join(target, 'release/nodule');
const component = process.env.COMPONENT ?? join(target, 'socialhub.wasm');
const good = readFileSync(component).toString('latin1');
const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-pack-'));
afterAll(() => rmSync(home, { recursive: true }));

async function refusal(bytes: string): Promise<string> {
	const file = join(home, 'bad.wasm');
	writeFileSync(file, bytes, 'latin1');
	const said = await pack(nodule, file, join(home, 'out')).then(() => 'packed', (error: Error) => error.message);
	expect(readdirSync(home)).not.toContain('out');
	return said;
}

test.each([
	['a quote, which would end a string of the code that is made', "wasi:clocks/wall'clock"],
	['a line end', 'wasi:clocks/wall\nclock'],
	['a back-tick', 'wasi:clocks/wall`clock'],
	['an escape sequence', 'wasi:clocks/wall\u001bclock'],
])('a component with %s in a name is refused before any code is made of it', async (_, name) => {
	expect(good).toContain('wasi:clocks/wall-clock');
	const said = await refusal(good.replaceAll('wasi:clocks/wall-clock', name));
	expect(said).toContain('the component is refused: the name');
	// eslint-disable-next-line no-control-regex -- that is what is looked for
	expect(said).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
});

test('what is no component, of another contract or asks for more is refused when the package is made', async () => {
	expect(await refusal('no component')).toContain('found a file that is not WebAssembly');
	const other = await refusal(good.replaceAll('workflow:node/execution@0.2.0', 'workflow:node/execution@0.3.0'));
	expect(other).toContain('workflow:node/execution@0.2.0');
	expect(other).toContain('workflow:node/execution@0.3.0');
	const more = await refusal(good.replaceAll('wasi:clocks/wall-clock', 'wasi:sockets/udp-socke'));
	expect(more).toContain('wasi:sockets/udp-socke');
	expect(more).toContain('which no node is given');
});

test('any other component is packed in the same way, and its package knows nothing of this one', async () => {
	const to = join(home, 'other');
	const names = await pack(nodule, join(target, 'hostile/calls.wasm'), to, { name: 'hostile', binaries: emptyProgram(join(home, 'empty')) });
	expect(names).toMatchObject({ node: 'Hostile', package: 'n8n-nodes-hostile' });
	const { Hostile } = require(join(to, 'dist/nodes/Hostile/Hostile.node.js')) as { Hostile: new () => INodeType };
	expect(new Hostile().description).toMatchObject({ name: 'hostile', credentials: [{ name: 'hostileApi' }] });
	const files = readdirSync(to, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
	const texts = files.map(({ parentPath, name }) => [name, readFileSync(join(parentPath, name), 'latin1')] as const);
	expect(texts.filter(([, text]) => /social.?hub/i.test(text)).map(([name]) => name)).toEqual([]);
});

test('the package has the programs of a folder, each to be run, and no other file of it', async () => {
	const binaries = join(home, 'binaries');
	mkdirSync(binaries);
	for (const name of ['nodule-linux-x64', 'nodule-linux-arm64', 'nodule-macos-arm64', 'nodule-windows-x64.exe', 'nodule-linux-x64.sha256', 'notes']) {
		writeFileSync(join(binaries, name), name, { mode: 0o600 });
	}
	const to = join(home, 'many');
	await pack(nodule, component, to, { binaries });
	const packed = readdirSync(join(to, 'dist/bin')).sort();
	expect(packed).toEqual(['nodule-linux-arm64', 'nodule-linux-x64', 'nodule-macos-arm64', 'nodule-windows-x64.exe']);
	for (const name of packed) expect(statSync(join(to, 'dist/bin', name)).mode & 0o777).toBe(0o755);
	mkdirSync(join(home, 'none'));
	await expect(pack(nodule, component, join(home, 'nothing'), { binaries: join(home, 'none') })).rejects.toThrow('expected programs such as nodule-linux-x64');
});

test('the page\'s operations are the component\'s', () => {
	const packed = readFileSync(join(inject('pkg'), 'README.md'), 'utf8');
	const page = readFileSync(join(import.meta.dirname, '../README.md'), 'utf8');
	const rows = [...packed.matchAll(/^\| .* \| `(\w+)` \| (.*) \| \w+ \|$/gm)].map(([, name, summary]) => [name, summary]);
	expect(rows).toEqual(inject('described').operations.map(({ name, summary }) => [name, summary]));
	if (process.env.UPDATE === '1') writeFileSync(join(import.meta.dirname, '../README.md'), packed);
	else expect(page).toBe(packed);
});
