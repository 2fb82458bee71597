/** The packed SocialHub node against the simulator, as n8n would load and call it. */
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IDataObject, INodeProperties } from 'n8n-workflow';
import { afterEach, beforeEach, expect, inject, test } from 'vitest';

import { CREDENTIAL, load, pkg, run, simulator } from './node.js';

const control = async (path: string, method = 'GET', body?: unknown): Promise<unknown> => {
	const url = `${new URL(simulator).origin}/_simulator/${path}`;
	const answer = await fetch(url, { method, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
	const text = await answer.text();
	return text === '' ? undefined : JSON.parse(text);
};
beforeEach(async () => {
	await control('requests', 'DELETE');
});
afterEach(async () => {
	await control('faults', 'DELETE');
});

test('the description is n8n\'s form of the component\'s own', () => {
	const { description } = load();
	const described = inject('described');
	const property = (name: string): INodeProperties[] => description.properties.filter((one) => one.name === name);
	const values = ({ options }: INodeProperties): unknown[] => (options ?? []).map((one) => (one as { value: unknown }).value);
	expect(property('resource').flatMap(values)).toEqual(described.resources.map(({ name }) => name));
	const operations = property('operation').flatMap((one) => values(one).map((value) => [one.displayOptions?.show?.resource, value]));
	expect(operations).toEqual(described.operations.map(({ group, name }) => [[group], name]));
	expect(description).toMatchObject({ name: 'socialHub', usableAsTool: true });
	expect(description.credentials).toEqual([{ name: 'socialHubApi', required: true, testedBy: 'socialHubApiTest' }]);
});

test('items come out in order, each paired with its own', async () => {
	const cards = Array.from({ length: 200 }, (_, index) => `M${index}`);
	const output = await run({ resource: 'member', operation: 'getMember', items: cards.map((cardNo) => ({ cardNo })) });
	expect(output.map(({ json }) => (json.data as IDataObject).cardNo)).toEqual(cards);
	expect(output.map(({ pairedItem }) => pairedItem)).toEqual(cards.map((_, item) => ({ item })));
});

test('an item of many pages is one item\'s output, and what broke off is none', async () => {
	const listing = (accountCode: string): object => ({ accountCode, returnAll: true });
	const given = { resource: 'points', operation: 'getPointsRecords', items: ['F1050', 'F0', 'F250'].map(listing) };
	const output = await run(given);
	const of = (item: number): unknown[] => output.filter(({ pairedItem }) => (pairedItem as { item: number }).item === item).map(({ json }) => json.operationId);
	expect([0, 1, 2].map((item) => of(item).length)).toEqual([1050, 0, 250]);
	expect(of(0)).toEqual(Array.from({ length: 1050 }, (_, index) => `F1050-R${index}`));
	await control('faults', 'POST', [{ when: { path: '/v1/points/pointsRecords/F1050', after: 4 }, action: { 'envelope-error': { code: '4711', message: 'no more' } } }]);
	await expect(run(given)).rejects.toThrow('no more');
	const rest = await run({ ...given, goOn: true });
	expect(rest.filter(({ pairedItem }) => (pairedItem as { item: number }).item === 0)).toMatchObject([{ json: { error: expect.stringContaining('no more') } }]);
	expect(rest).toHaveLength(251);
});

test('a failure stops the rest, and says code, message, item and what the service said', async () => {
	const given = { resource: 'member', operation: 'getMember', items: [{ cardNo: 'M1' }, { cardNo: 'nobody' }, { cardNo: 'M2' }] };
	const error = (await run(given).catch((thrown: unknown) => thrown)) as Error & { context: object; description: string };
	expect(error.constructor.name).toBe('NodeApiError');
	expect(error).toMatchObject({ httpCode: '200', message: expect.stringContaining('nobody'), context: { itemIndex: 1 } });
	expect(error.description).toMatch(/^rejected · code \S+ · request \S+/);
	const output = await run({ ...given, goOn: true });
	expect(output.map(({ json }) => Object.keys(json).includes('error'))).toEqual([false, true, false]);
	expect(output[1]?.json).toMatchObject({ error: expect.any(String), details: { kind: 'rejected', status: 200 } });
	expect(output[1]?.pairedItem).toEqual({ item: 1 });
});

test('parameters without an expression are resolved once for all items, the others for each', async () => {
	const count = 1000;
	const names: string[] = [];
	const parameters = { cardNo: 'M5' };
	const resolved = (name: string): void => void names.push(name);
	const output = await run({ resource: 'member', operation: 'getMember', items: Array.from({ length: count }, () => ({})), parameters, resolved });
	expect(output).toHaveLength(count);
	expect(output.every(({ json }) => (json.data as IDataObject).cardNo === 'M5')).toBe(true);
	expect(names.filter((name) => name === 'cardNo')).toHaveLength(1);
	names.length = 0;
	const pages = [{ consumerCode: 'C1' }, { consumerCode: 'C2' }];
	await run({ resource: 'member', operation: 'getMemberList', items: pages, parameters: { consumerCode: '={{ $json.c }}', pageNo: 1, pageSize: 5 }, resolved });
	expect(['consumerCode', 'pageNo', 'pageSize'].map((name) => names.filter((one) => one === name).length)).toEqual([2, 1, 1]);
});

test('an expression that cannot be evaluated is n8n\'s own error, or the item\'s', async () => {
	const broken = new Error('there is no $json.x');
	const given = { resource: 'member', operation: 'getMember', items: [{ cardNo: 'M1' }, { cardNo: broken }, { cardNo: 'M2' }] };
	await expect(run(given)).rejects.toBe(broken);
	const output = await run({ ...given, goOn: true });
	expect(output.map(({ json }) => json.error)).toEqual([undefined, broken.message, undefined]);
	expect(output[1]?.json.details).toEqual({ kind: 'expression' });
});

test('a service that says how long to wait is asked again, three times in all, and never for a write', async () => {
	const busy = async (times: number): Promise<void> => {
		await control('faults', 'DELETE');
		await control('faults', 'POST', [{ when: { except: '/v1/auth', times }, action: { status: { code: 429, retryAfter: '0' } } }]);
	};
	const sent = async (): Promise<number> => ((await control('requests')) as object[]).filter((one) => !JSON.stringify(one).includes('/auth/')).length;
	await busy(2);
	const read = { resource: 'member', operation: 'getMember', items: [{ cardNo: 'M1' }] };
	expect((await run(read))[0]?.json.error).toBeUndefined();
	await busy(9);
	await control('requests', 'DELETE');
	expect((await run({ ...read, goOn: true }))[0]?.json.details).toMatchObject({ kind: 'throttled', status: 429 });
	expect(await sent()).toBe(3);
	await busy(9);
	await control('requests', 'DELETE');
	const member = { loyaltyCode: 'L1', phonePrefCode: '+86', mobilePhone: '13800000099', email: '', memberName: 'M', storeCode: 'S1', sourceCode: '10140001' };
	const [written] = await run({ resource: 'member', operation: 'memberAdmission', items: [member], goOn: true });
	expect(written?.json.details).toMatchObject({ kind: 'throttled' });
	expect(await sent()).toBe(1);
});

test('a base URL that is private is reached, unless n8n\'s SSRF protection is on', async () => {
	const named = { ...CREDENTIAL, baseUrl: simulator.replace('127.0.0.1', 'localhost') };
	const given = { resource: 'member', operation: 'getMember', items: [{ cardNo: 'M1' }] };
	const said = async (credential: object): Promise<string> =>
		await run({ ...given, credential }).then(() => 'done', (error: Error & { description: string }) => `${error.message} ${error.description}`);
	expect(await said(named)).toBe('done');
	process.env.N8N_SSRF_PROTECTION_ENABLED = 'true';
	try {
		expect(await said(named)).toMatch(/localhost/);
		expect(await said(named)).toMatch(/denied|loopback|not allowed/);
		expect(await said(CREDENTIAL)).toContain('SSRF protection blocks 127.0.0.1 (N8N_SSRF_BLOCKED_IP_RANGES)');
		process.env.N8N_SSRF_ALLOWED_HOSTNAMES = 'localhost';
		expect(await said(named)).toBe('done');
	} finally {
		delete process.env.N8N_SSRF_PROTECTION_ENABLED;
		delete process.env.N8N_SSRF_ALLOWED_HOSTNAMES;
	}
});

test('a cancelled execution ends, and each item says what is known', async () => {
	await control('faults', 'POST', [{ when: { except: '/v1/auth' }, action: { latency: { ms: 100 } } }]);
	const cancel = new AbortController();
	const items = Array.from({ length: 500 }, (_, index) => ({ cardNo: `M${index}` }));
	const running = run({ resource: 'member', operation: 'getMember', items, goOn: true, signal: cancel.signal });
	while (((await control('requests')) as object[]).length < 50) await new Promise(setImmediate);
	cancel.abort();
	const output = await running;
	expect(output).toHaveLength(items.length);
	const failed = output.flatMap(({ json }) => (json.details as IDataObject | undefined)?.kind ?? []);
	expect(failed.length).toBeGreaterThan(0);
	expect(failed.length).toBeLessThan(items.length);
});

test('parameters that cannot be sent are refused by their display names, before anything is sent', async () => {
	const [output] = await run({ resource: 'points', operation: 'adjustPoints', items: [{ accountCode: 'M1' }], goOn: true });
	expect(output?.json.details).toMatchObject({ kind: 'invalid-parameters' });
	expect(output?.json.error).toContain('Points Expiry Time');
	expect(await control('requests')).not.toContainEqual(expect.objectContaining({ path: expect.stringContaining('points') }));
});

test('a time without an offset is of the workflow\'s time zone on the wire', async () => {
	const item = {
		accountType: 2, accountCode: 'M7', operationId: `tz-${Date.now()}`, operationType: 6, pointValue: 5,
		effectiveEndTime: '2030-01-31T13:45:00', upgradeTierFlag: 0,
	};
	await run({ resource: 'points', operation: 'adjustPoints', items: [item] });
	expect(JSON.stringify(await control('requests'))).toContain(String(Date.parse('2030-01-31T12:45:00Z')));
});

test('a code with slashes stays one segment, and an expired token is renewed once', async () => {
	await run({ resource: 'member', operation: 'getMember', items: [{ cardNo: 'M1' }] });
	await control('tokens/expire', 'POST');
	await control('requests', 'DELETE');
	const output = await run({
		resource: 'member',
		operation: 'getMember',
		items: [{ cardNo: '../auth/token' }, { cardNo: 'a?b#c' }, ...Array.from({ length: 48 }, (_, index) => ({ cardNo: `M${index}` }))],
		goOn: true,
	});
	expect(output.filter(({ json }) => 'error' in json)).toHaveLength(2);
	const paths = ((await control('requests')) as Array<Record<string, string>>).map((one) => JSON.stringify(one));
	expect(paths.filter((one) => one.includes('/v1/auth/token"'))).toHaveLength(1);
	expect(paths.some((one) => one.includes('/v1/member/..%2Fauth%2Ftoken'))).toBe(true);
});

test('a wrong secret is said to be one, and not shown', async () => {
	const credential = { ...CREDENTIAL, appSecret: 'wrong-secret-9876543210' };
	const error = (await run({ resource: 'member', operation: 'getLoyaltyPrograms', items: [{}], credential }).catch(
		(thrown: unknown) => thrown,
	)) as Error;
	expect(error.message).toContain('the service did not accept the credential');
	expect(JSON.stringify(error)).not.toContain('wrong-secret');
});

test('the credential test says yes when the credential works, and no when not', async () => {
	const node = load();
	const check = node.methods?.credentialTest?.socialHubApiTest;
	const say = async (data: object): Promise<unknown> => await check?.call({} as never, { data } as never);
	expect(await say(CREDENTIAL)).toEqual({ status: 'OK', message: 'The service accepted the credential' });
	expect(await say({ ...CREDENTIAL, appSecret: 'no' })).toMatchObject({ status: 'Error' });
	expect(await say({ ...CREDENTIAL, baseUrl: 'nowhere' })).toMatchObject({ status: 'Error', message: expect.stringContaining('expected a URL') });
});

test('the package has no runtime dependency and names only files that are there', () => {
	const manifest = JSON.parse(readFileSync(join(pkg, 'package.json'), 'utf8')) as { dependencies?: object; n8n: { nodes: string[]; credentials: string[] } };
	expect(manifest.dependencies).toBeUndefined();
	for (const file of [...manifest.n8n.nodes, ...manifest.n8n.credentials]) readFileSync(join(pkg, file));
	const { description } = load();
	expect(description.subtitle).toContain('$parameter["operation"]');
	expect(description.icon).toBe('file:socialHub.svg');
	const beside = (name: string): string => readFileSync(join(pkg, 'dist/nodes/SocialHub', name), 'utf8');
	expect(beside('socialHub.svg')).toContain('<svg');
	expect(JSON.parse(beside('SocialHub.node.json'))).toMatchObject({ node: 'n8n-nodes-social-hub.socialHub', categories: ['Sales', 'Marketing'] });
});

test('a component that has changed since it was packed is not run', async () => {
	const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-changed-'));
	cpSync(pkg, home, { recursive: true });
	const file = join(home, 'dist/nodes/SocialHub/component.wasm');
	writeFileSync(file, Buffer.concat([readFileSync(file), Buffer.from([0, 2, 1, 120])]));
	// One that was not loaded before: what a host has loaded, it does not read again.
	const facts = join(home, 'dist/nodes/SocialHub/component.json');
	const known = JSON.parse(readFileSync(facts, 'utf8')) as object;
	writeFileSync(facts, JSON.stringify({ ...known, sha256: '0'.repeat(64) }));
	const failed = run({ resource: 'member', operation: 'getLoyaltyPrograms', items: [{}], from: home });
	await expect(failed).rejects.toThrow(/expected what was packed, sha256 0{64}, found [0-9a-f]{64}/);
	rmSync(home, { recursive: true });
});
