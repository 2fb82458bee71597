import { describe, expect, test } from 'vitest';

// @ts-expect-error -- a script without types
import { capMemory } from '../scripts/memory.mjs';
import { bare } from '../src/host/failure.js';
import { Redactor } from '../src/host/redact.js';
import { SLICE_MS, turn } from '../src/host/turn.js';
import { asText, baseUrl, isBelow, target } from '../src/host/url.js';
import { parse } from '../src/node/output.js';
import { asItem } from '../src/node/parameters.js';
import type { Description } from '../src/node/description.js';
import { MEMORY } from './host.js';

describe('a base URL', () => {
	test.each([
		['https://a.example/v1/', 'https://a.example/v1'],
		['  https://a.example  ', 'https://a.example'],
		['HTTPS://A.example:443/x', 'https://a.example/x'],
	])('%s is %s', (given, expected) => expect(asText(baseUrl(given))).toBe(expected));
	test.each(['a.example', 'ftp://a.example', 'https://u@a.example', 'https://a.example?x', 'https://a.example#x', 'https://a.example:0', 'https://exämple.org', 'https://a.example/%2fx'])(
		'%s is refused',
		(given) => expect(() => baseUrl(given)).toThrow(),
	);
	test('has requests below it, by whole segments', () => {
		const base = baseUrl('https://a.example/v1');
		const below = (path: string): boolean => isBelow(target('https', 'a.example', path), base);
		expect(['/v1', '/v1/x', '/v1?x', '/v1/a%2Fb'].map(below)).toEqual([true, true, true, true]);
		expect(['/v12', '/', '/v1%2F..%2Fx', '/x%2Fv1'].map(below)).toEqual([false, false, false, false]);
	});
});

describe('redaction', () => {
	test('finds a secret that JSON or a URL would escape, however it is escaped', () => {
		const secret = 'a/b+c=d"e\\f&g<h>i%j k~l';
		const redactor = new Redactor([secret]);
		for (const text of [secret, JSON.stringify(secret).slice(1, -1), encodeURIComponent(secret), Buffer.from(secret).toString('base64url')]) {
			expect(redactor.text(`x ${text} y`)).toBe('x [redacted] y');
		}
	});
	test('leaves what holds no secret as it is, to the byte', async () => {
		const body = Buffer.from([0xff, 0x5c, 0x75, 0x00, 0x25]);
		expect(await new Redactor(['a-secret-of-16-characters']).body(body)).toBe(body);
	});
	test('lets others have their turn while it reads a large body, and finds what is in its middle', async () => {
		const secret = 'a-secret-of-16-characters';
		const escaped = (text: string): string => [...text].map((one) => `\\u${one.charCodeAt(0).toString(16).padStart(4, '0')}`).join('');
		const filler = escaped('x').repeat(400_000);
		let turns = 0;
		let over = false;
		const others = (): void => {
			turns += 1;
			if (!over) setImmediate(others);
		};
		setImmediate(others);
		const redacted = await new Redactor([secret]).body(Buffer.from(`${filler}"${escaped(secret)}é"${secret}${filler}`));
		over = true;
		expect(redacted.equals(Buffer.from(`${filler}"[redacted]é"[redacted]${filler}`))).toBe(true);
		expect(turns).toBeGreaterThan(5);
	});
	test('takes a short secret only as a whole value', () => {
		const redactor = new Redactor(['abc']);
		expect(redactor.text('{"a":"abc","b":"abcd abc"}')).toBe('{"a":"[redacted]","b":"abcd abc"}');
		expect(redactor.value('abc')).toBe('[redacted]');
	});
	test('takes a token without its scheme too', () => {
		expect(new Redactor(['Bearer 0123456789abcdef']).text('0123456789abcdef')).toBe('[redacted]');
	});
});

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
	// Each piece takes longer than a slice, so that no two are in one turn.
	expect(order.some((name, index) => name !== 'others' && order[index + 1] !== undefined && order[index + 1] !== 'others')).toBe(false);
});

describe('numbers', () => {
	test.each([
		['{"a":9007199254740993}', { a: '9007199254740993' }],
		['{"a":9007199254740992}', { a: 9007199254740992 }],
		['{"a":12345678901234567890.5,"b":"9007199254740993"}', { a: '12345678901234567890.5', b: '9007199254740993' }],
		['{"a":1.50,"b":1e3,"c":-0.1,"d":100000000000000000000}', { a: 1.5, b: 1000, c: -0.1, d: 100000000000000000000 }],
		['{"a":1e400}', { a: '1e400' }],
		['{"1234567890123456":"\\"9007199254740993"}', { '1234567890123456': '"9007199254740993' }],
		['7', { value: 7 }],
	])('%s', (text, expected) => expect(parse(text)).toEqual(expected));
});

describe('an item', () => {
	const description: Description = {
		operations: [],
		parameters: [
			{ id: 'at', name: 'at', kind: { type: 'dateTime' } },
			{ id: 'on', name: 'on', kind: { type: 'date' } },
			{ id: 'n', name: 'n', kind: { type: 'number' } },
			{ id: 'rows', name: 'rows', kind: { type: 'rows', name: 'row', columns: ['at'] } },
			{ id: 'group', name: 'group', kind: { type: 'group', fields: ['at'] } },
		],
	};
	const item = (values: Record<string, unknown>, zone = 'Europe/Berlin'): unknown =>
		JSON.parse(asItem(description, description.parameters, (name) => values[name], zone));

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

test('a failed authentication says kind, status and code, and nothing that the node says', () => {
	const leak = 'the secret is hunter2';
	for (const kind of ['unauthenticated', 'rejected', 'unavailable', 'unintelligible', 'throttled', 'made-up']) {
		const told = bare({ kind, message: leak, status: 403, code: leak, requestId: leak });
		expect(JSON.stringify(told)).not.toContain('hunter2');
	}
	expect(bare({ kind: 'rejected', message: leak, status: 403, code: 'E1' })).toMatchObject({ kind: 'unauthenticated', status: 403, code: 'E1' });
});

test('#27 a core module\'s memory grows to its maximum and no further', () => {
	const grow = (wasm: Uint8Array<ArrayBuffer>): number => {
		const { memory } = new WebAssembly.Instance(new WebAssembly.Module(wasm)).exports as { memory: WebAssembly.Memory };
		memory.grow(9);
		return memory.buffer.byteLength;
	};
	expect(grow(MEMORY)).toBe(10 * 65_536);
	expect(grow(capMemory(MEMORY, 10))).toBe(10 * 65_536);
	expect(() => grow(capMemory(MEMORY, 9))).toThrow();
});
