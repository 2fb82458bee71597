/** The examples as packages for n8n: each under its own name, and one operation of each against a service. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import type { IExecuteFunctions, INodeExecutionData, INodeType } from 'n8n-workflow';
import { parse } from 'smol-toml';
import { afterAll, beforeAll, expect, test } from 'vitest';

// @ts-expect-error -- a script without types
import { emptyProgram as emptyProgramUntyped, pack as packUntyped } from '../scripts/pack.mjs';

type Pack = (nodule: string, component: string, to: string, options: { dir: string; binaries: string }) => Promise<{ node: string; package: string }>;
const pack = packUntyped as Pack;
const emptyProgram = emptyProgramUntyped as (folder: string) => string;
const require = createRequire(import.meta.url);
// n8n brings this one for its nodes.
process.env.NODE_PATH = join(import.meta.dirname, '../node_modules');
(require('node:module') as { _initPaths(): void })._initPaths();
const root = resolve(import.meta.dirname, '../..');
const target = process.env.CARGO_TARGET_DIR ?? join(root, 'target');
const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-examples-'));

const asked: Array<{ line: string; headers: IncomingHttpHeaders; body: string }> = [];
const ANSWER = { id: 'answered', title: 'It rains' };
const service = createServer((request, response) => {
	const parts: Buffer[] = [];
	request.on('data', (part: Buffer) => parts.push(part));
	request.on('end', () => {
		asked.push({ line: `${request.method} ${request.url}`, headers: request.headers, body: Buffer.concat(parts).toString() });
		response.writeHead(200, { 'content-type': 'application/json' });
		response.end(JSON.stringify(ANSWER));
	});
});
beforeAll(async () => await new Promise<void>((done) => service.listen(0, '127.0.0.1', done)));
afterAll(() => {
	service.close();
	rmSync(home, { recursive: true });
});

interface About {
	package: { name: string; author: string; repository: string };
	n8n: { categories: string[] };
}

test.each([
	{
		name: 'stripe',
		packed: 'n8n-nodes-stripe',
		operation: ['customer', 'create'],
		parameters: { idempotencyKey: 'K1', name: 'Zoë & Co' },
		secret: { secretKey: 'sk_test_0123456789abcdefghij' },
		line: 'POST /v1/customers',
		body: 'name=Zo%C3%AB%20%26%20Co',
		headers: { authorization: 'Bearer sk_test_0123456789abcdefghij', 'idempotency-key': 'K1' },
	},
	{
		name: 'github',
		packed: 'n8n-nodes-github',
		operation: ['issue', 'get'],
		parameters: { owner: 'octocat', repository: 'hello', issueNumber: 7 },
		base: 'server',
		secret: { accessToken: 'ghp_0123456789abcdefghijABCDEFGHIJ012345' },
		line: 'GET /repos/octocat/hello/issues/7',
		body: '',
		headers: { authorization: 'Bearer ghp_0123456789abcdefghijABCDEFGHIJ012345' },
	},
	{
		name: 'matrix',
		packed: 'n8n-nodes-matrix-rooms',
		operation: ['message', 'createOnce'],
		parameters: { authentication: 'matrixApi', roomId: '!a:b', text: 'Hi', transactionId: 'T1' },
		base: 'homeserverUrl',
		secret: { accessToken: 'syt_0123456789abcdefghij' },
		line: 'PUT /_matrix/client/v3/rooms/%21a%3Ab/send/m.room.message/T1',
		body: '{"msgtype":"m.text","body":"Hi"}',
		headers: { authorization: 'Bearer syt_0123456789abcdefghij' },
	},
	{
		name: 'telegram',
		packed: 'n8n-nodes-telegram-bot',
		operation: ['chat', 'get'],
		parameters: { chatId: '@kites' },
		secret: { accessToken: '123456:AAE0123456789abcdefghijklmnopqrstuv' },
		line: 'GET /bot123456:AAE0123456789abcdefghijklmnopqrstuv/getChat?chat_id=%40kites',
		body: '',
		headers: {},
	},
	{
		name: 'redmine',
		packed: 'n8n-nodes-redmine-server',
		operation: ['issue', 'create'],
		parameters: {
			authentication: 'redmineApi',
			projectId: { __rl: true, mode: 'id', value: 'kites' },
			subject: 'It rains',
			customFields: { mappingMode: 'defineBelow', value: { 1: 'red', 7: ['Silk'] }, schema: [{ id: '1' }, { id: '7' }] },
		},
		secret: { apiKey: '0123456789abcdef0123456789abcdef01234567' },
		line: 'POST /issues.json',
		body: '{"issue":{"project_id":"kites","subject":"It rains","custom_fields":[{"id":"1","value":"red"},{"id":"7","value":["Silk"]}]}}',
		headers: { 'x-redmine-api-key': '0123456789abcdef0123456789abcdef01234567' },
	},
])('$name is packed under its own name, and runs', async ({ name, packed, operation: [resource, operation], parameters, base, secret, line, body, headers }) => {
	const dir = join(root, 'examples', name);
	const to = join(home, name);
	const nodule = join(target, 'release/nodule');
	process.env.NODULE_BINARY = nodule;
	const names = await pack(nodule, join(target, `${name}.wasm`), to, { dir, binaries: emptyProgram(join(home, 'programs')) });

	const about = parse(readFileSync(join(dir, 'nodule.toml'), 'utf8')) as unknown as About;
	const workspace = parse(readFileSync(join(root, 'Cargo.toml'), 'utf8')) as unknown as { workspace: { package: { version: string; license: string } } };
	const [, author, email] = /^(.*) <(.*)>$/.exec(about.package.author) ?? [];
	const manifest = JSON.parse(readFileSync(join(to, 'package.json'), 'utf8')) as { files: string[] };
	expect(manifest).toMatchObject({
		name: packed,
		version: workspace.workspace.package.version,
		license: workspace.workspace.package.license,
		author: { name: author, email },
		repository: { type: 'git', url: about.package.repository },
	});
	expect(names.package).toBe(packed);
	const licences = readdirSync(to).filter((file) => file.startsWith('LICENSE'));
	expect(licences).toEqual(['LICENSE-APACHE', 'LICENSE-MIT']);
	expect(manifest.files).toEqual(['dist', 'README.md', ...licences]);
	expect(readFileSync(join(to, 'README.md'), 'utf8')).toMatch(new RegExp(`^# ${packed}\n`));
	const codex = JSON.parse(readFileSync(join(to, `dist/nodes/${names.node}/${names.node}.node.json`), 'utf8')) as { categories: string[] };
	expect(codex.categories).toEqual(about.n8n.categories);

	const { [names.node]: Node } = require(join(to, `dist/nodes/${names.node}/${names.node}.node.js`)) as Record<string, new () => INodeType>;
	if (!Node) throw new Error(`the package has no class ${names.node}`);
	const node = new Node();
	const set: Record<string, unknown> = { resource, operation, ...parameters };
	const baseUrl = `http://127.0.0.1:${(service.address() as AddressInfo).port}`;
	const self = {
		getInputData: () => [{ json: {} }],
		getNode: () => ({ name: 'Node', parameters: set }),
		continueOnFail: () => false,
		getTimezone: () => 'UTC',
		getCredentials: async () => await Promise.resolve({ [base ?? 'baseUrl']: baseUrl, ...secret }),
		getExecutionCancelSignal: () => undefined,
		getNodeParameter: (parameter: string) => set[parameter],
	};
	const [output] = (await node.execute?.call(self as unknown as IExecuteFunctions)) as INodeExecutionData[][];
	expect(output).toEqual([{ json: ANSWER, pairedItem: { item: 0 } }]);
	expect(asked.splice(0)).toMatchObject([{ line, body, headers }]);
});
