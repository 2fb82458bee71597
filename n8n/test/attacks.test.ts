/** The attacks of ../ATTACKS.md, by their numbers. */
import { gzipSync } from 'node:zlib';
import { afterEach, expect, test } from 'vitest';

import { closeAll, credential, execute, hostile, httpRequest, kinds, message, output, SECRET, serve, TOKEN } from './host.js';

afterEach(closeAll);

const hello = (_: unknown, response: import('node:http').ServerResponse): void => void response.end('{"hello":1}');

test('#1 #6 #11 another origin, port or scheme is denied, and nothing is sent', async () => {
	const mine = await serve(hello);
	const other = await serve(hello);
	const results = await execute(
		hostile(),
		'fetch',
		[
			{ url: other.url },
			{ url: mine.url.replace('http', 'https') },
			{ url: 'http://169.254.169.254/latest' },
			{ url: `${mine.url}/fine` },
		],
		{ credential: credential(mine.url) },
	);
	expect(kinds(results)).toEqual(['denied', 'denied', 'denied', 'ok']);
	expect(message(results[0])).toContain("may reach only the credential's base URL");
	expect([mine.count(), other.count()]).toEqual([1, 0]);
});

test('#1 a node without a credential reaches nothing', async () => {
	const { url, count } = await serve(hello);
	expect(kinds(await execute(hostile(), 'fetch', [{ url }]))).toEqual(['denied']);
	expect(count()).toBe(0);
});

test('#2 #3 #5 #9 names and addresses that only look like the credential\'s are denied', async () => {
	let sent = 0;
	const results = await execute(
		hostile(),
		'fetch',
		[
			'https://good.example.evil.example/',
			'https://evilgood.example/',
			'https://evil.example/good.example',
			'https://good.example@evil.example/',
			'https://good.example%40evil.example/',
			'https://good.example\\evil.example/',
			'https://xn--god-1na.example/',
			'https://2130706433/',
			'https://[::ffff:127.0.0.1]/',
		].map((url) => ({ url })),
		{
			credential: credential('https://good.example'),
			transport: async () => {
				sent += 1;
				throw new Error('sent');
			},
		},
	);
	expect(new Set(kinds(results))).toEqual(new Set(['denied']));
	expect(sent).toBe(0);
});

test('#4 the same name in capitals and with a dot at its end is the same', async () => {
	const urls: string[] = [];
	const transport = async (options: { url: string }): Promise<never> => {
		urls.push(options.url);
		throw new Error('no network here');
	};
	await execute(hostile(), 'fetch', [{ url: 'https://GOOD.Example./a' }], {
		credential: credential('https://good.example'),
		transport,
	});
	expect(urls).toEqual(['https://good.example/a']);
});

test('#7 a path that leaves the base URL in any reading is denied, and the canonical path is sent', async () => {
	const paths: string[] = [];
	const { url } = await serve((request, response) => {
		paths.push(request.url ?? '');
		response.end();
	});
	const tries = ['/v1/../x', '/v1/%2e%2e/x', '/v1/..%2f..%2fx', '/v1//x', '/v1/..;/x', '/v10/x', '/', '/v1/%7Ea/b%2fc'];
	const results = await execute(hostile(), 'fetch', tries.map((path) => ({ url: url + path })), {
		credential: credential(`${url}/v1`),
		onFailure: 'continue',
	});
	expect(kinds(results)).toEqual([...Array.from({ length: 7 }, () => 'denied'), 'ok']);
	expect(paths).toEqual(['/v1/~a/b%2Fc']);
});

test('#15 a redirect is not followed, and the node sees it', async () => {
	const other = await serve(hello);
	const { url } = await serve((_, response) => void response.writeHead(302, { location: other.url }).end());
	const results = await execute(hostile(), 'fetch', [{ url }], { credential: credential(url) });
	expect(output(results[0]).status).toBe(302);
	expect(other.count()).toBe(0);
});

test('#18 the session is added below the credential\'s base URL', async () => {
	const seen: unknown[] = [];
	const { url } = await serve((request, response) => {
		seen.push(request.headers.authorization);
		response.end();
	});
	const results = await execute(hostile(), 'fetch', [{ url: `${url}/v1/a` }, { url: `${url}/v2/a` }], {
		credential: credential(`${url}/v1`),
	});
	expect(kinds(results)).toEqual(['ok', 'denied']);
	expect(seen).toEqual([TOKEN]);
});

test('#19 an executing worker has neither secret nor token, no environment and no arguments', async () => {
	const results = await execute(hostile(), 'environment', [{}], { credential: credential('https://a.example') });
	const told = JSON.stringify(results);
	expect(output(results[0])).toMatchObject({ env: [], argv: [] });
	expect(told).not.toContain(SECRET);
	expect(told).not.toContain(TOKEN);
});

test('#20 an authenticating instance reaches only the credential\'s base URL', async () => {
	const mine = await serve(hello);
	const other = await serve(hello);
	const results = await execute(hostile(), 'fetch', [{ url: mine.url }], {
		credential: credential(mine.url, { tries: other.url }),
	});
	expect(message(results[0])).toContain('an authenticating node may reach only');
	expect([mine.count(), other.count()]).toEqual([0, 0]);
});

test('#21 what echoes the token is redacted, in each encoding, before the node sees it', async () => {
	const base64 = (text: string): string => Buffer.from(text).toString('base64');
	const { url } = await serve((request, response) => {
		const token = request.headers.authorization ?? '';
		const hex = (text: string, before: string, width: number): string =>
			[...text].map((one) => before + one.charCodeAt(0).toString(16).padStart(width, '0')).join('');
		response.setHeader('x-echo', `was ${token}`);
		response.end(
			[token, base64(token), base64(`a${token}`), base64(`ab${token}`), hex(token, '%', 2), hex(token, '\\u', 4), SECRET].join(' | '),
		);
	});
	const results = await execute(hostile(), 'fetch', [{ url }], { credential: credential(url) });
	const { text, headers } = output(results[0]);
	expect(text.match(/\[redacted\]/g)).toHaveLength(7);
	expect(text).not.toContain(TOKEN.slice(0, 8));
	expect(headers).toContainEqual(['x-echo', 'was [redacted]']);
});

test('#22 headers of the connection are refused, the session\'s own are replaced, a length that lies is refused', async () => {
	const seen: string[][] = [];
	const { url } = await serve((request, response) => {
		seen.push(request.rawHeaders);
		response.end();
	});
	const results = await execute(
		hostile(),
		'fetch',
		[
			{ url, headers: [['host', 'evil.example']] },
			{ url, headers: [['proxy-authorization', 'x']] },
			{ url, headers: [['transfer-encoding', 'chunked']] },
			{ url, method: 'post', body: 'abc', headers: [['content-length', '9']] },
			{ url, headers: [['Authorization', 'mine'], ['authorization', 'mine too'], ['x-own', '1']] },
		],
		{ credential: credential(url) },
	);
	expect(kinds(results)).toEqual(['invalid-input', 'invalid-input', 'invalid-input', 'unavailable', 'ok']);
	expect(seen).toHaveLength(1);
	expect(seen[0]?.filter((_, index) => seen[0]?.[index - 1]?.toLowerCase() === 'authorization')).toEqual([TOKEN]);
	expect(seen[0]).toContain('x-own');
});

test('#24 what goes wrong with a credential names no secret', async () => {
	const { url } = await serve(hello);
	const header = [{ name: `bad ${SECRET}`, value: SECRET }];
	const results = await execute(hostile(), 'fetch', [{ url }], { credential: credential(url, { headers: header }) });
	expect(kinds(results)).toEqual(['bad-session']);
	expect(JSON.stringify(results)).not.toContain(SECRET);
});

test('#25 a refused session is renewed once, by one flight, then it is `unauthenticated`', async () => {
	const { url, count } = await serve(hello);
	const host = hostile();
	const runs = Array.from({ length: 50 }, async () =>
		await execute(host, 'fetch', [{ url: `${url}/a` }], { credential: credential(url, { tries: `${url}/token` }) }),
	);
	await Promise.all(runs);
	expect(count()).toBe(51);
	expect(host.workers.alive).toBeLessThanOrEqual(8);
	const refused = await execute(host, 'unauthenticated', [{}, {}], { credential: credential(url, { tries: `${url}/token` }) });
	expect(kinds(refused)).toEqual(['unauthenticated', 'unauthenticated']);
	expect(count()).toBe(52);
});

test('#26 an endless loop ends at the deadline, alone; also one that calls the host', async () => {
	const limits = { runTimeoutMs: 2000 };
	// Slow enough that the deadline comes before the resources that such a loop leaves behind are too many.
	const { url } = await serve((_, response) => void setTimeout(() => response.end('{}'), 50));
	const results = await execute(hostile(limits), 'spin', [{ a: 1 }, { bad: true }, { a: 3 }]);
	expect(kinds(results)).toEqual(['ok', 'limit', 'ok']);
	expect(message(results[1])).toContain('run-timeout-ms');
	const calling = await execute(hostile(limits), 'spinCalling', [{ url }], { credential: credential(url) });
	expect(kinds(calling)).toEqual(['limit']);
});

test('#26 a node that waits, for a clock or for a service that is silent, ends at the deadline too', async () => {
	const limits = { runTimeoutMs: 2000 };
	const { url } = await serve(() => {});
	const host = hostile(limits);
	expect(message((await execute(host, 'sleepThen', [{ ms: 3_600_000 }]))[0])).toContain('run-timeout-ms');
	expect(message((await execute(host, 'fetch', [{ url }], { credential: credential(url) }))[0])).toContain('run-timeout-ms');
	expect(host.workers.alive).toBe(0);
});

test('#27 memory, resources, results and the worker\'s own heap have their ends', async () => {
	const memory = await execute(hostile(), 'memory', [{ a: 1 }, { bad: true }]);
	expect(kinds(memory)).toEqual(['ok', 'limit']);
	expect(message(memory[1])).toContain('memory-bytes');
	expect(kinds(await execute(hostile({ outputBytes: 1_000_000 }), 'large', [{}]))).toEqual(['limit']);
	const handles = await execute(hostile(), 'handles', [{}]);
	expect(kinds(handles)).toEqual(['limit']);
	expect(message(handles[0])).toContain('host-resources');
	expect(kinds(await execute(hostile({ workerHeapMb: 24 }), 'heap', [{}]))).toEqual(['limit']);
});

test('#28 #33 deep recursion and a trap are failures of their own items', async () => {
	expect(kinds(await execute(hostile(), 'deep', [{ a: 1 }, { bad: true }, { a: 3 }]))).toEqual(['ok', 'trap', 'ok']);
	expect(kinds(await execute(hostile(), 'trap', [{ bad: true }, { a: 2 }, { a: 3 }]))).toEqual(['trap', 'ok', 'ok']);
	const stopped = await execute(hostile(), 'trap', [{ a: 1 }, { bad: true }, { a: 3 }], { onFailure: 'stop' });
	expect(kinds(stopped)).toEqual(['ok', 'trap', 'not-run']);
});

test('#29 no more requests are open than the limit says', async () => {
	let open = 0;
	let most = 0;
	const waiting: Array<() => void> = [];
	const { url } = await serve((_, response) => {
		open += 1;
		most = Math.max(most, open);
		waiting.push(() => {
			open -= 1;
			response.end();
		});
		if (waiting.length === 8) for (const go of waiting.splice(0)) go();
	});
	const results = await execute(hostile({ requestsInFlight: 8 }), 'flood', [{ url, count: 200 }], { credential: credential(url) });
	expect(kinds(results)).toEqual(['ok']);
	expect(most).toBe(8);
});

test('#30 too many or too large headers, and control characters, are not sent', async () => {
	const { url, count } = await serve(hello);
	const many = Array.from({ length: 101 }, (_, index) => [`x-${index}`, '1']);
	const results = await execute(
		hostile(),
		'fetch',
		[
			{ url, headers: many },
			{ url, headers: [['x-large', 'x'.repeat(70_000)]] },
			{ url, headers: [['x-a', 'b\r\nc: d']] },
			{ url, headers: [['x a', 'b']] },
			{ url: `${url}/a b` },
		],
		{ credential: credential(url) },
	);
	expect(kinds(results)).toEqual(['limit', 'limit', 'invalid-input', 'invalid-input', 'invalid-input']);
	expect(count()).toBe(0);
});

test('#31 an answer that is too large, compressed too, is cut off', async () => {
	const { url } = await serve((request, response) => {
		if (request.url === '/bomb') {
			response.setHeader('content-encoding', 'gzip');
			response.end(gzipSync(Buffer.alloc(50_000_000)));
			return;
		}
		const more = (): void => {
			while (response.write('x'.repeat(10_000)));
			response.once('drain', more);
		};
		more();
	});
	const results = await execute(hostile({ responseBytes: 100_000 }), 'fetch', [{ url: `${url}/bomb` }, { url: `${url}/endless` }], {
		credential: credential(url),
	});
	expect(kinds(results)).toEqual(['limit', 'limit']);
	expect(message(results[0])).toContain('response-bytes');
});

test('#32 silence and drips end at their deadlines', async () => {
	const { url } = await serve((request, response) => {
		if (request.url === '/silent') return;
		response.writeHead(200);
		response.write('a');
		if (request.url === '/drip') {
			const timer = setInterval(() => response.write('a'), 50);
			response.on('close', () => clearInterval(timer));
		}
	});
	const all = { firstByteTimeoutMs: 5000, betweenBytesTimeoutMs: 5000, requestTimeoutMs: 5000 };
	const one = async (path: string, limits: object): Promise<string> =>
		message((await execute(hostile({ ...all, ...limits }), 'fetch', [{ url: url + path }], { credential: credential(url) }))[0]);
	expect(await one('/silent', { firstByteTimeoutMs: 100 })).toBe('HTTP-response-timeout');
	expect(await one('/stall', { betweenBytesTimeoutMs: 100 })).toBe('connection-read-timeout');
	expect(await one('/drip', { requestTimeoutMs: 300, betweenBytesTimeoutMs: 200 })).toBe('HTTP-response-timeout');
});

test('#34 a cancelled run ends its workers and its requests', async () => {
	let closed: () => void = () => {};
	const gone = new Promise<void>((resolve) => (closed = resolve));
	const cancel = new AbortController();
	const { url } = await serve((_, response) => {
		response.on('close', closed);
		cancel.abort();
	});
	const host = hostile();
	const results = await execute(host, 'fetch', [{ url }], { credential: credential(url), cancel: cancel.signal });
	expect(kinds(results)).toEqual(['cancelled']);
	await gone;
	expect(host.workers.alive).toBe(0);
});

test('#35 a thousand calls use the same few workers, and keep none of their memory', async () => {
	const host = hostile();
	await execute(host, 'trap', Array.from({ length: 100 }, () => ({})), { effect: 'write' });
	globalThis.gc?.();
	const before = process.memoryUsage().rss;
	await execute(host, 'trap', Array.from({ length: 1000 }, () => ({ a: 'x'.repeat(1000) })), { effect: 'write' });
	expect(host.workers.alive).toBeLessThanOrEqual(4);
	expect(process.memoryUsage().rss - before).toBeLessThan(150_000_000);
});

test('#36 what a service asks to be sent again later is sent again, within limits, and a `write` never is', async () => {
	const paths: string[] = [];
	const { url } = await serve((request, response) => {
		const path = request.url ?? '';
		paths.push(path);
		const seen = paths.filter((one) => one === path).length;
		const [, wait] = /wait=(\d+)/.exec(path) ?? [];
		if (wait !== undefined) response.setHeader('retry-after', wait);
		response.statusCode = path.startsWith('/always') || seen < 3 ? 429 : 200;
		response.end();
	});
	const one = async (path: string, options = {}): Promise<[string[], number]> => {
		paths.length = 0;
		const items = ['/before?wait=1', path, '/after?wait=1'].map((each) => ({ url: url + each }));
		const results = await execute(hostile(), 'busy', items, { credential: credential(url), ...options });
		return [kinds(results), paths.filter((each) => each === path).length];
	};
	expect(await one('/now?wait=0')).toEqual([['ok', 'ok', 'ok'], 3]);
	expect(await one('/soon?wait=5', { onFailure: 'stop' })).toEqual([['ok', 'ok', 'ok'], 3]);
	expect(await one('/always?wait=5')).toEqual([['ok', 'throttled', 'ok'], 4]);
	expect(await one('/silent')).toEqual([['ok', 'throttled', 'ok'], 1]);
	expect(await one('/late?wait=1000000000')).toEqual([['ok', 'throttled', 'ok'], 1]);
	expect(await one('/now?wait=0', { effect: 'write' })).toEqual([['throttled', 'throttled', 'throttled'], 1]);
});

test('#37 a refused connection is said to be one, a reset is not', async () => {
	const dead = await serve(hello);
	await new Promise((resolve) => dead.server.close(resolve));
	const reset = await serve((request) => void request.socket.resetAndDestroy());
	const one = async (url: string): Promise<string> =>
		message((await execute(hostile(), 'fetch', [{ url }], { credential: credential(url) }))[0]);
	expect(await one(dead.url)).toBe('connection-refused');
	expect(await one(reset.url)).toBe('connection-terminated');
});

test('a `write` runs one item per call, is never run again, and sends one request that changes something', async () => {
	const { url, count } = await serve(hello);
	const results = await execute(hostile(), 'twice', [{ url }], { credential: credential(url), effect: 'write' });
	expect(kinds(results)).toEqual(['denied']);
	expect(count()).toBe(1);
	expect(kinds(await execute(hostile(), 'trap', [{ bad: true }, { a: 1 }], { effect: 'write' }))).toEqual(['trap', 'ok']);
});

test('too few or too many results are none', async () => {
	expect(kinds(await execute(hostile(), 'few', [{}, {}]))).toEqual(['trap', 'trap']);
	expect(kinds(await execute(hostile(), 'many', [{}]))).toEqual(['trap']);
});

test('items of the same thing keep their order and never overlap', async () => {
	const order: string[] = [];
	const open = new Set<string>();
	const { url } = await serve((request, response) => {
		const path = request.url ?? '';
		order.push(path);
		const thing = path.split('/')[1] ?? '';
		expect(open.has(thing)).toBe(false);
		open.add(thing);
		setImmediate(() => {
			open.delete(thing);
			response.end();
		});
	});
	const items = ['a/1', 'a/2', 'b/1', 'a/3', 'c/1'].map((path) => ({ url: `${url}/${path}`, id: path[0] }));
	await execute(hostile(), 'fetch', items, { credential: credential(url), effect: 'write', path: ['id'] });
	expect(order.filter((path) => path.startsWith('/a'))).toEqual(['/a/1', '/a/2', '/a/3']);
	expect(order).toHaveLength(5);
});

test('while a node waits for an answer, the main thread runs on', async () => {
	const { url } = await serve((_, response) => {
		let turns = 0;
		const more = (): void => {
			turns += 1;
			if (turns === 100) response.end('{}');
			else setImmediate(more);
		};
		more();
	});
	expect(kinds(await execute(hostile(), 'fetch', [{ url }], { credential: credential(url) }))).toEqual(['ok']);
});

test('the helper that these tests use does as n8n\'s does', async () => {
	const { url } = await serve((_, response) => void response.writeHead(500).end('no'));
	expect(await httpRequest({ url })).toMatchObject({ statusCode: 500 });
});
