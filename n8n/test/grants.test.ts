/** What whoever packs a component grants of the origins that it declares, and what the package says and does without. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { IExecuteFunctions, INodeExecutionData } from 'n8n-workflow';
import { afterAll, expect, test } from 'vitest';

// @ts-expect-error -- a script without types
import { emptyProgram as emptyProgramUntyped, pack as packUntyped } from '../scripts/pack.mjs';
import { type Component, nodeType } from '../src/node/node.js';

const pack = packUntyped as (nodule: string, component: string, to: string, options?: { declared?: string; binaries?: string }) => Promise<unknown>;
const emptyProgram = emptyProgramUntyped as (folder: string) => string;
const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
const nodule = join(target, 'release/nodule');
const declares = join(target, 'hostile/declares.wasm');
const DECLARED = 'http://localhost:{mode}';
const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-grants-'));
afterAll(() => rmSync(home, { recursive: true }));

/** A packed node. The hostile component takes requests in a parameter that it does not describe. */
function packed(from: string): Component {
	const facts = JSON.parse(readFileSync(join(from, 'dist/nodes/Hostile/component.json'), 'utf8')) as Component;
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
	const binaries = emptyProgram(join(home, 'programs'));
	process.env.NODULE_BINARY = nodule;
	await pack(nodule, declares, without, { binaries });
	await pack(nodule, declares, granted, { declared: 'declared = true', binaries });
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
