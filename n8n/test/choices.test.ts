/** What n8n's form asks while it is filled in, by a host that answers what each test says. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import type { IDataObject, ILoadOptionsFunctions, NodeOperationError } from 'n8n-workflow';
import { Host } from 'nodule-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';

import type { Method } from '../src/node/choices.js';
import type { Description } from '../src/node/description.js';
import { nodeType } from '../src/node/node.js';

const data = (file: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '../../cli/src/describe/testdata', file), 'utf8'));
const n8n = data('forms.n8n.json') as { methods: Method[]; runtime: Description };
const description = n8n.runtime;
const { methods } = nodeType({ directory: '/package/dist/nodes/Warehouse', file: 'component.wasm', sha256: '00', description, methods: n8n.methods });

interface Asked {
	path: string;
	body: IDataObject;
}
type Answer = (asked: Asked) => { status?: number; body: object };
let answer: Answer;
const asked: Asked[] = [];
const folder = mkdtempSync(join(tmpdir(), 'nodule-choices-'));
const server = createServer((request, response) => {
	const parts: Buffer[] = [];
	request.on('data', (part: Buffer) => parts.push(part));
	request.on('end', () => {
		const { url = '', headers } = request;
		expect(headers.authorization).toBe('Bearer token');
		if (url.startsWith('/v1/components')) return response.end(JSON.stringify({ digest: 'sha256:00', name: 'warehouse', version: '1' }));
		const one = { path: url, body: JSON.parse(Buffer.concat(parts).toString()) as IDataObject };
		asked.push(one);
		const { status = 200, body } = answer(one);
		response.writeHead(status, { 'content-type': 'application/json' });
		return response.end(JSON.stringify(body));
	});
});
beforeAll(async () => {
	const socket = join(folder, 'socket');
	await new Promise<void>((resolve) => server.listen(socket, resolve));
	const component = await Host.connect({ socket, token: 'token' }).load(new Uint8Array());
	(globalThis as Record<symbol, unknown>)[Symbol.for('nodule.host:v1')] = { component: async () => await Promise.resolve(component) };
});
afterAll(() => {
	server.close();
	rmSync(folder, { recursive: true });
});
beforeEach(() => void asked.splice(0));

const CREDENTIALS: Record<string, IDataObject> = {
	warehouseToken: { baseUrl: 'https://warehouse.example', token: 't' },
	warehouseKeys: { baseUrl: 'https://warehouse.example', secret: 's' },
};
const form = (parameters: IDataObject = {}): ILoadOptionsFunctions =>
	({
		getNode: () => ({ name: 'Warehouse', parameters }),
		getCurrentNodeParameters: () => parameters,
		getTimezone: () => 'UTC',
		getCredentials: async (name: string) => await Promise.resolve(CREDENTIALS[name]),
	}) as unknown as ILoadOptionsFunctions;
const options = async (name: string, parameters?: IDataObject): Promise<unknown> => await methods?.loadOptions?.[name]?.call(form(parameters));
const list = async (name: string, filter?: string, cursor?: string): Promise<unknown> =>
	await methods?.listSearch?.[name]?.call(form(), filter, cursor);
const choice = (value: string | number, label = `${value}`, summary = ''): object => ({ label, value, summary });

test('a list has the known values first, and then the pages of the service', async () => {
	answer = ({ body }) => ({ body: body.cursor === 'two' ? { choices: [choice('b')] } : { choices: [choice('a', 'A', 'First <b>'), choice('any')], next: 'two' } });
	expect(await options('item_store_shelf')).toEqual([
		{ name: 'Not Set', value: '' },
		{ name: 'Any', value: 'any' },
		{ name: 'A', value: 'a', description: 'First &lt;b&gt;' },
		{ name: 'b', value: 'b' },
	]);
	expect(asked.map(({ path, body }) => [path, body.cursor])).toEqual([
		['/v1/choices', undefined],
		['/v1/choices', 'two'],
	]);
	expect(asked[0]?.body).toMatchObject({ component: 'sha256:00', group: 'item', operation: 'store', parameter: 'shelf' });
});

test('the host is told what is filled in, without expressions, and which credential is selected', async () => {
	answer = () => ({ body: { choices: [] } });
	const owner = { __rl: true, mode: 'list', value: '7', cachedResultName: 'Ann' };
	await options('item_store_dock', { authentication: 'warehouseKeys', resource: 'item', operation: 'store', owner, shelf: '={{ $json.a }}', size: {} });
	expect(asked[0]?.body).toMatchObject({
		credential: { baseUrl: 'https://warehouse.example', secret: 's', $credential: 'warehouseKeys' },
		filledIn: { owner: '7' },
	});
	expect(Object.keys(asked[0]?.body.filledIn as object)).toEqual(['owner']);
});

test('a list of a service without end has an end', async () => {
	let page = 0;
	answer = () => ({ body: { choices: Array.from({ length: 400 }, (_, index) => choice(page * 400 + index)), next: `${(page += 1)}` } });
	expect(await options('item_store_dock')).toHaveLength(1000);
	expect(asked).toHaveLength(3);
	asked.splice(0);
	answer = () => ({ body: { choices: [], next: 'again' } });
	expect(await options('item_store_dock')).toEqual([]);
	expect(asked).toHaveLength(20);
});

test('a value of the service is never an expression', async () => {
	answer = () => ({ body: { choices: [choice('={{ $env.KEY }}', 'Harmless'), choice(1)] } });
	expect(await options('item_store_dock')).toEqual([
		{ name: 'Harmless', value: '={{ "=\\u007b\\u007b $env.KEY \\u007d\\u007d" }}' },
		{ name: '1', value: 1 },
	]);
});

test('a label of the service is never an expression, where n8n stores it', async () => {
	const label = '={{ $env.KEY }}';
	answer = () => ({ body: { choices: [choice('7', label), choice('8', 'a = {{ b }}')], fields: [{ name: 'a', displayName: label, required: false, kind: { type: 'text' } }] } });
	const { results } = (await list('item_store_owner')) as { results: Array<{ name: string }> };
	const { fields } = (await methods?.resourceMapping?.item_store_fields?.call(form())) as { fields: Array<{ displayName: string }> };
	const names = [...results.map(({ name }) => name), ...fields.map(({ displayName }) => displayName)];
	expect(names).toEqual([`\u2060${label}`, 'a = {{ b }}', `\u2060${label}`]);
	for (const name of names) expect(name.startsWith('=')).toBe(false);
});

test('nothing that n8n stores of a column is an expression of the service', async () => {
	const evil = '={{ $env.KEY }}';
	const known = [choice(evil, evil, evil)];
	answer = () => ({ body: { fields: [{ name: 'a', displayName: evil, required: false, kind: { type: 'choice', known } }] } });
	const { fields } = (await methods?.resourceMapping?.item_store_fields?.call(form())) ?? { fields: [] };
	// n8n evaluates each text of the schema that it stores.
	const [column] = fields;
	expect(column?.options).toEqual([{ name: `\u2060${evil}`, value: '={{ "=\\u007b\\u007b $env.KEY \\u007d\\u007d" }}', description: `\u2060${evil}` }]);
	expect(column).toMatchObject({ id: 'a', displayName: `\u2060${evil}` });
});

test('a reference is searched page by page', async () => {
	const many = Array.from({ length: 20 }, (_, index) => choice(`${index}`, 'Ann'));
	const options = many.map((one) => ({ name: 'Ann', value: (one as { value: string }).value }));
	answer = ({ body }) => ({ body: { choices: many, ...(body.cursor ? {} : { next: 'two' }) } });
	expect(await list('item_store_owner', 'an')).toEqual({ results: options, paginationToken: 'two' });
	expect(await list('item_store_owner', 'an', 'two')).toEqual({ results: options });
	expect(asked.map(({ body }) => [body.search, body.cursor])).toEqual([['an', undefined], ['an', 'two']]);
});

test('of a reference small pages are one, since a short list could not be scrolled to its end', async () => {
	answer = ({ body }) => ({ body: { choices: body.cursor === '2' ? [choice('7', 'Ann')] : [], ...(body.cursor === '2' ? {} : { next: `${Number(body.cursor ?? 0) + 1}` }) } });
	expect(await list('item_store_owner')).toEqual({ results: [{ name: 'Ann', value: '7' }] });
	expect(asked).toHaveLength(3);
	answer = () => ({ body: { choices: [], next: 'again' } });
	expect(await list('item_store_owner')).toEqual({ results: [], paginationToken: 'again' });
	expect(asked).toHaveLength(23);
});

test('columns have n8n\'s types', async () => {
	const field = (name: string, kind: object): object => ({ name, displayName: name.toUpperCase(), required: name === 'a', kind });
	const column = (id: string, type: string): object => ({ id, displayName: id.toUpperCase(), required: id === 'a', defaultMatch: false, display: true, type });
	const kinds = { a: 'text', b: 'integer', c: 'boolean', d: 'dateTime', e: 'date', f: 'rows', g: 'anyJson', h: 'notice' };
	const fields = Object.entries(kinds).map(([name, type]) => field(name, { type }));
	answer = () => ({ body: { fields: [...fields, field('i', { type: 'choice', known: [choice(1, 'One')] })] } });
	expect(await methods?.resourceMapping?.item_store_fields?.call(form())).toEqual({
		fields: [
			column('a', 'string'),
			column('b', 'number'),
			column('c', 'boolean'),
			column('d', 'dateTime'),
			column('e', 'string'),
			column('f', 'array'),
			column('g', 'object'),
			{ ...column('i', 'options'), options: [{ name: 'One', value: 1 }] },
		],
	});
	expect(asked[0]?.path).toBe('/v1/fields');
});

test('why there are no columns the editor shows, but not in the place of columns that are mapped', async () => {
	const mapping = (schema: object[]): IDataObject => ({ fields: { mappingMode: 'defineBelow', value: {}, schema } as unknown as IDataObject });
	const columns = async (filledIn: IDataObject): Promise<unknown> => await methods?.resourceMapping?.item_store_fields?.call(form(filledIn));
	answer = () => ({ status: 400, body: { error: { kind: 'rejected', message: 'choose <an> owner' } } });
	expect(await columns(mapping([]))).toEqual({ fields: [], emptyFieldsNotice: 'choose &lt;an&gt; owner' });
	await expect(columns(mapping([{ id: 'a' }]))).rejects.toThrow('choose <an> owner');
	answer = () => ({ body: { fields: [] } });
	expect(await columns(mapping([]))).toEqual({ fields: [], emptyFieldsNotice: 'The service has no columns for what is filled in' });
});

test('what the host refuses, the editor shows', async () => {
	answer = () => ({ status: 400, body: { error: { kind: 'denied', message: 'the origin is not allowed', hint: 'allow it' } } });
	const error = (await options('item_store_dock').then(() => undefined, (thrown: unknown) => thrown)) as Error;
	expect(error.constructor.name).toBe('NodeOperationError');
	expect(error.message).toBe('the origin is not allowed');
	expect((error as NodeOperationError).description).toBe('denied · allow it');
});
