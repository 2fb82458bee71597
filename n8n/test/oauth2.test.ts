/**
 * Credentials where the user logs in: n8n's own type keeps the tokens and refreshes them. The stand-in behaves as n8n's
 * `refreshOAuth2Token`: it reads the credential, refreshes with the refresh token that is stored, which rotates, and stores what comes.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { IDataObject, IExecuteFunctions, ILoadOptionsFunctions, INodeProperties } from 'n8n-workflow';
import { Host } from 'nodule-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Credential, Description } from '../src/node/description.js';
import { nodeType } from '../src/node/node.js';
import { renewed } from '../src/node/oauth2.js';

const data = (file: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '../..', file), 'utf8'));
const rendered = data('cli/src/describe/testdata/n8n.json') as {
	credentials: Array<{ name: string; extends?: string[]; properties: INodeProperties[] }>;
	runtime: Description;
};
const description = rendered.runtime;
const NAME = 'cityLibraryOAuth2Api';
const credential = description.credentials.find(({ name }) => name === NAME) as Credential;

/** What n8n stores. */
let stored: { access_token?: string; refresh_token?: string; n8n_expires_at?: string };
const IN_AN_HOUR = Date.now() + 3_600_000;
let refreshes: string[];
const n8n = {
	getNode: () => ({ name: 'Library', parameters: { authentication: NAME, isbn: '1' } }),
	getInputData: () => [{ json: {} }],
	continueOnFail: () => false,
	getTimezone: () => 'UTC',
	getCurrentNodeParameters: () => ({}),
	getNodeParameter: (name: string) => ({ resource: 'book', operation: 'search', query: 'moby' })[name],
	getCredentials: async () =>
		await Promise.resolve({ baseUrl: 'https://library.example', city: 'bern', clientId: 'me', clientSecret: 'hush', oauthTokenData: { ...stored } }),
	helpers: {
		async refreshOAuth2Token(this: unknown, name: string) {
			expect([this, name]).toEqual([n8n, NAME]);
			const used = stored.refresh_token ?? '';
			if (refreshes.includes(used)) throw new Error('the refresh token was used before');
			refreshes.push(used);
			stored = { access_token: `access-${refreshes.length + 1}`, refresh_token: `refresh-${refreshes.length + 1}`, n8n_expires_at: String(IN_AN_HOUR) };
			// What is left of these seconds nobody knows.
			return await Promise.resolve({ ...stored, expires_in: 86_400 });
		},
	},
} as unknown as IExecuteFunctions & ILoadOptionsFunctions;

const folder = mkdtempSync(join(tmpdir(), 'nodule-oauth2-'));
const asked: IDataObject[] = [];
/** Accepts one access token. */
let accepted = 'access-1';
const server = createServer((request, response) => {
	const parts: Buffer[] = [];
	request.on('data', (part: Buffer) => parts.push(part));
	request.on('end', () => {
		if (request.url?.startsWith('/v1/components')) return response.end(JSON.stringify({ digest: 'sha256:00', name: 'library', version: '1' }));
		const body = JSON.parse(Buffer.concat(parts).toString()) as IDataObject;
		asked.push(body);
		if ((body.token as IDataObject).accessToken === accepted) return response.end(JSON.stringify({ choices: [{ label: 'Stop', value: 1, summary: '' }] }));
		response.writeHead(422, { 'content-type': 'application/json' });
		return response.end(JSON.stringify({ error: { kind: 'unauthenticated', message: 'the service refused it' } }));
	});
});
const given: Array<{ request: IDataObject; onToken?: (why: string) => Promise<{ accessToken: string; expiresAt?: string }> }> = [];
beforeAll(async () => {
	const socket = join(folder, 'socket');
	await new Promise<void>((resolve) => server.listen(socket, resolve));
	const component = await Host.connect({ socket, token: 'token' }).load(new Uint8Array());
	const { choices } = component;
	const library = {
		choices: choices.bind(component),
		run(request: IDataObject, _: unknown, options: { onToken?: (why: string) => Promise<{ accessToken: string }> }) {
			given.push({ request, ...options });
			return { lines: async function* () {} };
		},
	};
	(globalThis as Record<symbol, unknown>)[Symbol.for('nodule.host:v1')] = { component: async () => await Promise.resolve(library) };
});
afterAll(() => {
	server.close();
	rmSync(folder, { recursive: true });
});
beforeEach(() => {
	stored = { access_token: 'access-1', refresh_token: 'refresh-1' };
	[refreshes, accepted] = [[], 'access-1'];
	asked.splice(0);
	given.splice(0);
});
const node = nodeType({
	directory: '/package/dist/nodes/Library',
	file: 'component.wasm',
	sha256: '00',
	description,
	methods: [{ method: 'near', kind: 'loadOptions', group: 'book', operation: 'search', parameter: 'book.search.near' }],
});

test('the host gets the access token, and the client under the names of the description', async () => {
	await node.execute.call(n8n);
	expect(given[0]?.request).toMatchObject({
		token: { accessToken: 'access-1' },
		credential: { $credential: NAME, baseUrl: 'https://library.example', city: 'bern', clientId: 'me', clientSecret: 'hush' },
	});
	expect(JSON.stringify(given[0]?.request)).not.toContain('refresh-1');
});

test('the host knows when the token ends, so that it asks for another one before', async () => {
	stored = { access_token: 'access-1', n8n_expires_at: String(IN_AN_HOUR) };
	await node.execute.call(n8n);
	expect(given[0]?.request.token).toEqual({ accessToken: 'access-1', expiresAt: new Date(IN_AN_HOUR).toISOString() });
});

test('when the host asks for another token, n8n refreshes and stores it, each time once', async () => {
	await node.execute.call(n8n);
	const { onToken } = given[0] ?? {};
	const second = await onToken?.('refused');
	expect(second).toMatchObject({ accessToken: 'access-2' });
	expect(Date.parse(second?.expiresAt ?? '')).toBe(IN_AN_HOUR);
	expect(await onToken?.('ending')).toMatchObject({ accessToken: 'access-3' });
	expect(refreshes).toEqual(['refresh-1', 'refresh-2']);
	expect(stored.access_token).toBe('access-3');
});

test('a token that another execution refreshed meanwhile is handed over, and the refresh token is not used again', async () => {
	stored = { access_token: 'access-9', refresh_token: 'refresh-9', n8n_expires_at: String(IN_AN_HOUR) };
	expect(await renewed(n8n, credential, { accessToken: 'access-1' })).toEqual({ accessToken: 'access-9', expiresAt: new Date(IN_AN_HOUR).toISOString() });
	expect(refreshes).toEqual([]);
});

test('a question that is refused is asked again with a new token, and once only', async () => {
	accepted = 'access-2';
	const ask = async (): Promise<unknown> => await node.methods?.loadOptions?.near?.call(n8n);
	expect(await ask()).toEqual([{ name: 'Stop', value: 1 }]);
	expect(asked.map(({ token }) => (token as IDataObject).accessToken)).toEqual(['access-1', 'access-2']);
	accepted = 'another';
	await expect(ask()).rejects.toThrow('the service refused it');
	expect(asked).toHaveLength(4);
});

test('a credential that nobody has connected says so', async () => {
	stored = {};
	await expect(node.execute.call(n8n)).rejects.toThrow('the credential is not connected yet');
	await expect(node.methods?.loadOptions?.near?.call(n8n)).rejects.toThrow('the credential is not connected yet');
	expect([given, asked]).toEqual([[], []]);
});

test('the type extends the one of n8n, and fills in what the description says', () => {
	const type = rendered.credentials.find(({ name }) => name === NAME);
	expect(type?.extends).toEqual(['oAuth2Api']);
	const hidden = type?.properties.filter((property) => property.type === 'hidden').map(({ name, default: value }) => [name, value]);
	expect(Object.fromEntries(hidden ?? [])).toEqual({
		grantType: 'pkce',
		authUrl: '=https://{{ encodeURIComponent($self["city"]) }}.login.library.example/authorize',
		accessTokenUrl: '=https://{{ encodeURIComponent($self["city"]) }}.login.library.example/token',
		scope: 'books loans',
		authQueryParameters: 'access_type=offline',
		authentication: 'header',
	});
	expect(rendered.credentials.filter((one) => one.extends).map(({ name }) => name)).toEqual([NAME]);
});
