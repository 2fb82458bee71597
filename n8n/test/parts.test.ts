import { describe, expect, test } from 'vitest';

import type { Description } from '../src/node/description.js';
import { parse, resultOf } from '../src/node/output.js';
import { isStatic, itemsOf } from '../src/node/parameters.js';
import { SLICE_MS, turn } from '../src/node/turn.js';

test('whoever waits for a turn gets it in order, and the event loop turns between', async () => {
	const order: string[] = [];
	let over = false;
	const others = (): void => {
		order.push('others');
		if (!over) setImmediate(others);
	};
	setImmediate(others);
	const work = async (name: string): Promise<void> => {
		for (let piece = 0; piece < 4; piece += 1) {
			await turn();
			order.push(name);
			const end = performance.now() + SLICE_MS + 1;
			while (performance.now() < end);
		}
	};
	await Promise.all([work('a'), work('b')]);
	over = true;
	expect(order.filter((name) => name !== 'others').join('')).toBe('abababab');
	// Each piece takes longer than a slice, so that no two are in one turn, but for the first, for which both asked at once.
	const later = order.slice(order.indexOf('b') + 1);
	expect(later.some((name, index) => name !== 'others' && later[index + 1] !== undefined && later[index + 1] !== 'others')).toBe(false);
});

describe('numbers', () => {
	test.each([
		['{"a":9007199254740993}', { a: '9007199254740993' }],
		['{"a":9007199254740992}', { a: 9007199254740992 }],
		['{"a":12345678901234567890.5,"b":"9007199254740993"}', { a: '12345678901234567890.5', b: '9007199254740993' }],
		['{"a":1.50,"b":1e3,"c":-0.1,"d":100000000000000000000}', { a: 1.5, b: 1000, c: -0.1, d: 100000000000000000000 }],
		['{"a":1e400}', { a: '1e400' }],
		['{"1234567890123456":"\\"9007199254740993"}', { '1234567890123456': '"9007199254740993' }],
	])('%s', (text, expected) => expect(parse(text)).toEqual(expected));
	test('are exact in a result\'s line, and what is no object becomes one', () => {
		expect(resultOf('{"item":7,"output":[{"a":9007199254740993},7,[1],null]}')).toEqual({
			item: 7,
			output: [{ a: '9007199254740993' }, { value: 7 }, { value: [1] }, { value: null }],
			goesOn: false,
		});
		expect(resultOf('{"item":7,"rows":[7]}')).toEqual({ item: 7, output: [{ value: 7 }], goesOn: true });
		expect(resultOf('{"item":0,"error":{"kind":"rejected","message":"no","status":404}}')).toEqual({ item: 0, error: { kind: 'rejected', message: 'no', status: 404 } });
	});
});

test('parameters without an expression are the same for all items', () => {
	for (const same of ['a = b', '', 1, null, undefined, { rows: { row: [{ a: 'x' }] } }]) expect(isStatic(same)).toBe(true);
	for (const other of ['={{ $json.a }}', '=text', { rows: { row: [{ a: 'x' }, { a: '={{ 1 }}' }] } }]) expect(isStatic(other)).toBe(false);
});

describe('an item', () => {
	const description: Description = {
		credentials: [],
		operations: [],
		parameters: [
			{ id: 'at', name: 'at', kind: { type: 'dateTime' } },
			{ id: 'on', name: 'on', kind: { type: 'date' } },
			{ id: 'n', name: 'n', kind: { type: 'number' } },
			{ id: 'rows', name: 'rows', kind: { type: 'rows', key: 'row', columns: ['at'] } },
			{ id: 'group', name: 'group', kind: { type: 'group', fields: ['at'] } },
		],
	};
	const item = (values: Record<string, unknown>, zone = 'Europe/Berlin'): unknown =>
		JSON.parse(itemsOf(description, description.parameters, zone)((name) => values[name]));

	test.each([
		['2025-01-31T13:45:00', '2025-01-31T13:45:00+01:00'],
		['2025-07-31 13:45', '2025-07-31T13:45:00+02:00'],
		['2025-07-31', '2025-07-31T00:00:00+02:00'],
		['2025-03-30T01:59:59', '2025-03-30T01:59:59+01:00'],
		['2025-03-30T03:00:00', '2025-03-30T03:00:00+02:00'],
		['2025-01-31T13:45:00Z', '2025-01-31T13:45:00Z'],
		['2025-01-31T13:45:00.123-05:00', '2025-01-31T13:45:00.123-05:00'],
		['next week', 'next week'],
		['', ''],
	])('of %s in Berlin says %s', (given, expected) => expect(item({ at: given })).toEqual({ at: expected }));
	test('has the offset in rows and groups too, whatever else is in them', () => {
		const at = '2025-01-31T13:45:00';
		expect(item({ rows: { row: [{ at, x: 1 }] }, group: { at } }, 'Asia/Kolkata')).toEqual({
			rows: { row: [{ at: `${at}+05:30`, x: 1 }] },
			group: { at: `${at}+05:30` },
		});
	});
	test('takes what expressions give: dates, luxon, numbers that are none', () => {
		const luxon = { toISO: () => '2025-01-31T00:00:00.000+01:00' };
		expect(item({ at: new Date(0), on: luxon, n: Number.NaN })).toEqual({ at: '1970-01-01T00:00:00.000Z', on: '2025-01-31', n: 'NaN' });
	});
	test('has no more than is set', () => expect(item({ n: null })).toEqual({ n: null }));
});
