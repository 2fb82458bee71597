/**
 * From n8n's form to the component's item: a form that has every kind, as `nodule describe --format n8n` draws it, filled in by n8n's
 * own code. The description is the one of the command line's tests.
 */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { type INodeParameters, type INodeTypeDescription, NodeHelpers } from 'n8n-workflow';
import { describe, expect, test } from 'vitest';

import { type Description, operationOf, parametersOf } from '../src/node/description.js';
import { bind } from '../src/node/node.js';
import { isStatic, itemsOf } from '../src/node/parameters.js';

const data = (file: string): unknown => JSON.parse(readFileSync(join(import.meta.dirname, '../../cli/src/describe/testdata', file), 'utf8'));
const n8n = data('forms.n8n.json') as { node: INodeTypeDescription; runtime: Description };
const description = n8n.runtime;

/** What n8n hands to the node when the user has set these values: its defaults added, what it hides left out. */
function filledIn(values: INodeParameters): INodeParameters {
	const { properties } = n8n.node;
	const all = { resource: 'item', operation: 'store', ...values };
	return NodeHelpers.getNodeParameters(properties, all, true, false, null, n8n.node) ?? {};
}

/** The item that the component gets, without what no test set. */
function item(values: INodeParameters, operation = 'store'): Record<string, unknown> {
	const set = filledIn({ ...values, operation });
	const parameters = parametersOf(description, operationOf(description, 'item', operation).parameters).filter(({ name }) => name in set);
	const read = JSON.parse(itemsOf(description, parameters, 'Europe/Berlin')((name) => set[name])) as Record<string, unknown>;
	return Object.fromEntries(Object.entries(read).filter(([name]) => name in values || !(name in untouched())));
}

function untouched(): Record<string, unknown> {
	const set = filledIn({});
	const parameters = parametersOf(description, operationOf(description, 'item', 'store').parameters).filter(({ name }) => name in set);
	return JSON.parse(itemsOf(description, parameters, 'Europe/Berlin')((name) => set[name])) as Record<string, unknown>;
}

const owner = (mode: string, value: string): INodeParameters => ({ owner: { __rl: true, mode, value, cachedResultName: 'Ann' } });

test('of a form that nobody has touched, the component gets the defaults, and nothing for what has none', () => {
	const { places, tags, scale, ...others } = untouched();
	expect({ places, tags, scale }).toEqual({ places: [{ row: '={{ "=a" }}' }], tags: ['heavy'], scale: 1 });
	// To the component, an empty text is no value. What the form has no default for, the host adds.
	expect(others).toEqual({ shelf: '', weight: '', marks: {}, parts: {}, value: '' });
});

describe('a reference', () => {
	test.each([
		['list', '7', '7'],
		['id', '7', '7'],
		// The host takes the ID out of it, in time that no pattern can make long.
		['url', 'https://warehouse.example/owners/7', { mode: 'url', value: 'https://warehouse.example/owners/7' }],
	])('by %s', (mode, value, expected) => {
		expect(item(owner(mode, value)).owner).toEqual(expected);
	});
	test('that is empty is none', () => expect(item(owner('list', ''))).toEqual({}));
	test('may be an expression for the whole', () => {
		expect(itemsOf(description, parametersOf(description, ['owner']), 'UTC')(() => 7)).toBe('{"owner":7}');
	});
	test('with an expression in it is not the same for all items', () => {
		expect(isStatic(owner('id', '={{ $json.id }}').owner)).toBe(false);
	});
});

describe('a list', () => {
	test('of rows under a key stays under it', () => {
		const parts = { part: [{ code: 'a', kind: 'x' }] };
		expect(item({ parts })).toEqual({ parts });
	});
	test('of rows without a key is the list itself', () => {
		expect(item({ places: { rows: [{ row: 'a' }, { row: 'b' }] } })).toEqual({ places: [{ row: 'a' }, { row: 'b' }] });
		expect(item({ places: {} })).toEqual({});
	});
	test('of rows may be an expression for the whole', () => {
		const read = itemsOf(description, parametersOf(description, ['places']), 'UTC');
		expect(read(() => [{ row: 'a' }])).toBe('{"places":[{"row":"a"}]}');
	});
	test('of single values is a list of them', () => expect(item({ names: ['a', 'b'] })).toEqual({ names: ['a', 'b'] }));
	test('of single values may be stored as those of n8n are, each with its name', () => {
		expect(item({ names: [{ name: 'a' }, 'b', { other: 'c' }] as INodeParameters[] })).toEqual({ names: ['a', 'b', { other: 'c' }] });
	});
	test('of single values has only those that are filled in, and none of them leaves the default to the host', () => {
		expect(item({ names: ['a', [], ''] as string[] })).toEqual({ names: ['a', ''] });
		expect(item({ names: [] })).toEqual({});
		expect(item({ names: [[]] as unknown as string[] })).toEqual({});
	});
	test('of references is a list of IDs', () => expect(item({ owners: ['1', '2'] })).toEqual({ owners: ['1', '2'] }));
	test('of chosen values is a list of them', () => expect(item({ dock: ['a'] })).toEqual({ dock: ['a'] }));
	test('that nobody has touched is none, and one that was emptied replaces the default', () => {
		expect(item({ dock: [], owners: [] })).toEqual({});
		expect(item({ tags: [] })).toEqual({ tags: [] });
	});
});

describe('a group', () => {
	test('without a key holds the fields that the user added', () => {
		expect(item({ marks: { fragile: false } }).marks).toEqual({ fragile: false });
	});
	test('with a key holds them there', () => {
		expect(item({ size: { cm: { width: 5, height: 7 } } })).toEqual({ size: { cm: { width: 5, height: 7 } } });
	});
	test('with a key that nobody has filled in is none', () => expect(item({ size: {} })).toEqual({}));
});

describe('columns', () => {
	const mapped = (value: INodeParameters | null): INodeParameters => ({
		...owner('id', '7'),
		fields: { mappingMode: 'defineBelow', value, matchingColumns: [], schema: [], attemptToConvertTypes: false, convertFieldsToString: false },
	});
	test('are an object of those that are filled in', () => {
		expect(item(mapped({ name: 'Box', count: 3, empty: null })).fields).toEqual({ name: 'Box', count: 3 });
	});
	test('that nobody has mapped are none', () => expect(item(mapped(null))).not.toHaveProperty('fields'));
});

test('a notice has no value', () => expect(item({ note: 'something' })).toEqual({}));

describe('what is shown', () => {
	test('to n8n: by one of several values, by none of them, by any value', () => {
		const shown = (values: INodeParameters): string[] =>
			['weight', 'colour'].filter((name) => name in filledIn(values));
		expect(shown({ tags: ['heavy', 'x'] })).toEqual(['weight']);
		expect(shown({ tags: [] })).toEqual([]);
		expect(shown({ tags: [], ...owner('id', '7') })).toEqual(['colour']);
		expect(shown({ tags: [], ...owner('id', '7'), shelf: 'top' })).toEqual([]);
		expect(shown({ tags: [], ...owner('id', ''), shelf: 'new' })).toEqual([]);
	});
	test('by a group that is not empty', () => {
		const label = n8n.node.properties.find(({ name }) => name === 'label');
		const isDrawn = (marks: INodeParameters): boolean =>
			label !== undefined && NodeHelpers.displayParameter({ resource: 'item', operation: 'store', marks }, label, null, n8n.node);
		expect([isDrawn({}), isDrawn({ fragile: true })]).toEqual([false, true]);
		// Where n8n gathers the values, it does not look into groups yet: it keeps the value, and the item leaves it out.
		expect(item({ marks: {}, label: 'a' })).toEqual({ marks: {} });
		expect(item({ marks: { fragile: true }, label: 'a' })).toEqual({ marks: { fragile: true }, label: 'a' });
	});
	test('of two parameters with one name, one', () => {
		expect(item({ scale: 1, value: 7 })).toEqual({ scale: 1, value: 7 });
		expect(item({ scale: 2, value: 'seven' })).toEqual({ scale: 2, value: 'seven' });
	});

	/** n8n shows everything while a condition looks at an expression; what holds, the item says. */
	const read = (values: Record<string, unknown>, ids = ['shelf', 'tags', 'owner', 'weight', 'colour', 'scale', 'unit', 'scaleText']): unknown =>
		JSON.parse(itemsOf(description, parametersOf(description, ids), 'UTC')((name) => values[name]));
	const colour = { __rl: true, mode: 'id', value: 'red' };
	test.each([
		['one of several values', { tags: ['heavy'], weight: 3 }, ['tags', 'weight']],
		['none of them', { tags: ['light'], weight: 3 }, ['tags']],
		['an empty list', { tags: [], weight: 3 }, ['tags']],
		['a default, where there is no value', { weight: 3 }, ['weight']],
		['a value', { owner: '7', shelf: 'new', colour }, ['shelf', 'owner', 'colour']],
		['no value', { owner: { __rl: true, mode: 'id', value: '' }, shelf: 'new', colour }, ['shelf']],
		['a value that hides', { owner: '7', shelf: 'low', colour }, ['shelf', 'owner']],
		['the same value as text', { scale: '1', value: 7 }, ['scale', 'value']],
	])('to the component: by %s', (_, values, names) => {
		expect(Object.keys(read(values) as object)).toEqual(names);
	});
	test('in a group, by its own fields and by those of the form', () => {
		const marks = { fragile: true, until: '2025-01-31' };
		expect(read({ shelf: 'top', marks }, ['shelf', 'marks'])).toEqual({ shelf: 'top', marks });
		expect(read({ shelf: '', marks }, ['shelf', 'marks'])).toEqual({ shelf: '', marks: { fragile: true } });
		expect(read({ shelf: 'top', marks: { ...marks, fragile: false } }, ['shelf', 'marks'])).toEqual({ shelf: 'top', marks: { fragile: false } });
	});
});

describe('credentials', () => {
	const shown = (values: INodeParameters): string[] =>
		(n8n.node.credentials ?? []).filter((one) => NodeHelpers.displayParameter(values, one, null, n8n.node)).map(({ name }) => name);
	test('are shown one at a time', () => {
		expect(shown({ authentication: 'warehouseKeys' })).toEqual(['warehouseKeys']);
		expect(shown(filledIn({}))).toEqual(['warehouseToken']);
	});
	test('say which of several they are', () => {
		const keys = description.credentials.find(({ name }) => name === 'warehouseKeys');
		const { credential } = bind({ description }, keys, { baseUrl: 'https://warehouse.example', secret: 's', other: 'x' });
		expect(credential).toEqual({ baseUrl: 'https://warehouse.example', secret: 's', $credential: 'warehouseKeys' });
	});
	test('do not, where there is one', () => {
		const [token] = description.credentials;
		const one = { ...description, credentials: description.credentials.slice(0, 1) };
		expect(bind({ description: one }, token, { baseUrl: 'https://warehouse.example', token: 't' }).credential).toEqual({ baseUrl: 'https://warehouse.example', token: 't' });
	});
	test('are none, where the node takes none', () => expect(bind({ description: { ...description, credentials: [] } }, undefined, {})).toEqual({}));
});
