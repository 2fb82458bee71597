/** What whoever packs a component grants of the origins that it declares, and what the package says and does without. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { afterAll, expect, test } from 'vitest';

// @ts-expect-error -- a script without types
import { grantsOf as grantsUntyped } from '../scripts/grants.mjs';
// @ts-expect-error -- a script without types
import { pack as packUntyped } from '../scripts/pack.mjs';
import { type Component, nodeType } from '../src/node/node.js';

interface Origin {
	url: string;
}
const grantsOf = grantsUntyped as (component: string, config: string | undefined, description: { origins: Origin[] }) => string[];
const pack = packUntyped as (nodule: string, component: string, to: string, options?: { config?: string }) => Promise<unknown>;
const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
const nodule = join(target, 'release/nodule');
const declares = join(target, 'hostile/declares.wasm');
const DECLARED = 'http://localhost:{mode}';
const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-grants-'));
afterAll(() => rmSync(home, { recursive: true }));

function config(text: string): string {
	const folder = mkdtempSync(join(home, 'config-'));
	writeFileSync(join(folder, 'nodule.toml'), text);
	return join(folder, 'nodule.toml');
}

const ORIGINS = { origins: [{ url: 'https://a.example.com' }, { url: 'https://*.b.example.com' }] };

test.each([
	['declared = true', ['https://a.example.com', 'https://*.b.example.com']],
	['declared = false', []],
	['# nothing yet\n', []],
	['declared = ["https://*.b.example.com"]', ['https://*.b.example.com']],
])('%s grants', (text, expected) => {
	const file = config(text);
	expect(grantsOf('', file, ORIGINS)).toEqual(expected);
	expect(grantsOf(join(file, '../component.wasm'), undefined, ORIGINS)).toEqual(expected);
});

test.each([
	['declared = ["https://c.example.com"]', '"https://c.example.com" is not an origin that the description declares: "https://a.example.com"'],
	['declared = ["https://x.b.example.com"]', 'is not an origin that the description declares'],
	['declared = "https://a.example.com"', '`declared`: expected true, false or a list'],
	['declared = [1]', '`declared`: expected true, false or a list'],
	['allow = ["https://a.example.com"]', 'unknown key "allow": expected `declared`'],
	['declared = [', 'nodule.toml: Invalid TOML document'],
])('%s is refused', (text, said) => {
	expect(() => grantsOf('', config(text), ORIGINS)).toThrow(said);
});

test('a file that is named has to be there, and one beside the component need not', () => {
	expect(() => grantsOf('', join(home, 'gone.toml'), ORIGINS)).toThrow('gone.toml: ENOENT');
	expect(grantsOf(join(home, 'component.wasm'), undefined, ORIGINS)).toEqual([]);
});

/** A packed node. The hostile component takes requests in a parameter that it does not describe. */
function packed(from: string): Component {
	const facts = JSON.parse(readFileSync(join(from, 'component.json'), 'utf8')) as Component;
	const { operations, parameters } = facts.description;
	const description = {
		...facts.description,
		operations: operations.map((operation) => ({ ...operation, parameters: [...operation.parameters, 'requests'] })),
		parameters: [...parameters, { id: 'requests', name: 'requests', kind: { type: 'anyJson' } }],
	};
	return { ...facts, description, directory: join(from, 'dist/nodes/Hostile') };
}

/** What a packed node says of a request to the origin that it declares, whose name is a private address. */
async function refusal(from: string): Promise<{ error: string; hint: string }> {
	const parameters: Record<string, unknown> = { resource: 'things', operation: 'read', requests: [{ url: 'http://localhost:9/x' }] };
	const self = {
		getInputData: () => [{ json: {} }],
		getNode: () => ({ name: 'Hostile', parameters }),
		continueOnFail: () => false,
		getTimezone: () => 'UTC',
		getCredentials: async () => await Promise.resolve({ baseUrl: 'http://127.0.0.1:9', secret: '0123456789abcdef', mode: '9' }),
		getNodeParameter: (name: string) => parameters[name],
	} as unknown as IExecuteFunctions;
	const outcome = await (nodeType(packed(from)).execute.call(self) as Promise<INodeExecutionData[][]>).then(
		() => new Error('it was sent'),
		(error: Error & { description?: string }) => error,
	);
	return { error: outcome.message, hint: (outcome as { description?: string }).description ?? '' };
}

test('a package has the grants that it was made with, and says what it lacks', { timeout: 60_000 }, async () => {
	const [without, granted] = [join(home, 'without'), join(home, 'granted')];
	mkdirSync(home, { recursive: true });
	await pack(nodule, declares, without);
	await pack(nodule, declares, granted, { config: config('declared = true') });
	const page = (from: string): string => readFileSync(join(from, 'README.md'), 'utf8');
	const wish = `- \`${DECLARED}\`, with the access of \`hostileApi\`: It says that it needs it.`;
	expect(page(without)).toContain(`- The base URL of the credential.\n${wish} Not granted in this package: requests to it fail.`);
	expect(page(granted)).toContain(`${wish} Granted in this package.`);
	const refused = await refusal(without);
	expect(refused.error).toContain('the node declares this origin, and nobody granted it');
	expect(refused.hint).toContain('declared = ["http://localhost:9"]');
	expect(refused.hint).toContain('in the file that NODULE_POLICY of n8n names, or in nodule.toml when the package is made');
	// A grant leads no further than to a public address.
	const reached = await refusal(granted);
	expect(reached.error).not.toContain('nobody granted it');
	expect(reached.error).toContain('(loopback)');
	// An operator's policy says everything itself.
	process.env.NODULE_POLICY = '/policy.toml';
	try {
		expect((await refusal(granted)).error).toContain('nobody granted it');
	} finally {
		delete process.env.NODULE_POLICY;
	}
});
