/** What packing does with a component that may not run: nothing, and least of all make code of it. */
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { afterAll, beforeEach, expect, test, vi } from 'vitest';

const transpileBytes = vi.hoisted(() => vi.fn());
vi.mock('@bytecodealliance/jco-transpile', () => ({ transpileBytes }));

// @ts-expect-error -- a script without types
const { pack } = (await import('../scripts/pack.mjs')) as { pack: (...paths: string[]) => Promise<unknown> };

const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
const good = readFileSync(process.env.COMPONENT ?? join(target, 'socialhub.wasm')).toString('latin1');
const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-pack-'));
afterAll(() => rmSync(home, { recursive: true }));
beforeEach(() => transpileBytes.mockReset());

async function refusal(bytes: string): Promise<string> {
	const file = join(home, 'bad.wasm');
	writeFileSync(file, bytes, 'latin1');
	const refused = pack(join(target, 'release/nodule'), file, join(home, 'out'));
	return await refused.then(() => 'packed', (error: Error) => error.message);
}

test.each([
	["a quote, which would end a string of the code that is made", "wasi:clocks/wall'clock"],
	['a line end', 'wasi:clocks/wall\nclock'],
	['a back-tick', 'wasi:clocks/wall`clock'],
	['an escape sequence', 'wasi:clocks/wall\u001bclock'],
])('#66 a component with %s in a name is refused before any code is made of it', async (_, name) => {
	expect(good).toContain('wasi:clocks/wall-clock');
	const said = await refusal(good.replaceAll('wasi:clocks/wall-clock', name));
	expect(said).toContain('the component is refused: the name');
	expect(said).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
	expect(transpileBytes).not.toHaveBeenCalled();
	expect(readdirSync(home)).toEqual(['bad.wasm']);
});

test('#66 files and imports that nobody asked for end the packing, and are not shown', async () => {
	transpileBytes.mockResolvedValue({ files: { '../../evil.wasm': new Uint8Array() }, imports: [] });
	expect(await refusal(good)).toBe('the component became a file that nothing here asks for');
	transpileBytes.mockResolvedValue({ files: {}, imports: ["a':0,[CODE]:0,'b"] });
	const said = await refusal(good);
	expect(said).toContain('imports 1 more than this host has');
	expect(said).not.toContain('CODE');
});
