/**
 * A component that means no good, in the shape that jco gives one: what the operation is called is what it does. It has
 * real WebAssembly where that matters (a loop, memory), and asks for everything through the same imports as any other.
 */
const bytes = (text) => new TextEncoder().encode(text);
// (module (func (export "spin") (loop (br 0))))
const SPIN = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 115, 112, 105, 110, 0, 0, 10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11];
// (module (func $f (export "deep") call $f))
const DEEP = [0, 97, 115, 109, 1, 0, 0, 0, 1, 4, 1, 96, 0, 0, 3, 2, 1, 0, 7, 8, 1, 4, 100, 101, 101, 112, 0, 0, 10, 6, 1, 4, 0, 16, 0, 11];
const module = (code) => new WebAssembly.Module(new Uint8Array(code));

export function instantiate(getCoreModule, imports, instantiateCore) {
	const { Fields, OutgoingRequest, OutgoingBody } = imports['wasi:http/types'];
	const { handle } = imports['wasi:http/outgoing-handler'];
	const { poll } = imports['wasi:io/poll'];

	function start(item) {
		const headers = Fields.fromList((item.headers ?? []).map(([name, value]) => [name, bytes(value)]));
		const request = new OutgoingRequest(headers);
		request.setMethod({ tag: item.method ?? 'get' });
		const url = /^(https?):\/\/([^/]*)(.*)$/.exec(item.url);
		request.setScheme({ tag: url[1].toUpperCase() });
		request.setAuthority(url[2]);
		request.setPathWithQuery(url[3] || '/');
		if (item.body === undefined) return handle(request);
		const body = request.body();
		const future = handle(request);
		body.write().write(bytes(item.body));
		OutgoingBody.finish(body);
		return future;
	}
	function wait(future) {
		for (;;) {
			const got = future.get();
			if (got) return got.val;
			future.subscribe().block();
		}
	}
	/** An answer as an output item, or its error as a failure. */
	function fetched(item) {
		let result;
		try {
			result = wait(start(item));
		} catch (thrown) {
			return { tag: 'err', val: { tag: 'invalid-input', val: `thrown: ${thrown.payload?.tag ?? thrown.message}` } };
		}
		if (result.tag === 'err') {
			const { tag } = result.val;
			if (tag === 'HTTP-request-denied') return { tag: 'err', val: { tag: 'denied', val: 'denied' } };
			const outage = { certainty: 'unknown', message: tag };
			return { tag: 'err', val: { tag: 'unavailable', val: outage } };
		}
		const response = result.val;
		const headers = response.headers().entries().map(([name, value]) => [name, new TextDecoder('latin1').decode(value)]);
		const stream = response.consume().stream();
		let text = '';
		for (;;) {
			try {
				text += new TextDecoder('latin1').decode(stream.read(65536n));
			} catch {
				break;
			}
		}
		const output = { status: response.status(), headers, length: text.length, text: text.slice(0, 2000) };
		return { tag: 'ok', val: [JSON.stringify(output)] };
	}
	const each = (items, one) => items.map((item, index) => one(JSON.parse(item), index));
	const ok = (value) => ({ tag: 'ok', val: [JSON.stringify(value)] });

	const behaviours = {
		fetch: (items) => each(items, fetched),
		/** A service that says how many milliseconds to wait. */
		busy: (items) =>
			each(items, (item) => {
				const result = fetched(item);
				const { status, headers } = result.tag === 'ok' ? JSON.parse(result.val[0]) : {};
				if (status !== 429) return result;
				const [, wait] = headers.find(([name]) => name === 'retry-after') ?? [];
				const retryAfterMs = wait === undefined ? undefined : Number(wait);
				return { tag: 'err', val: { tag: 'throttled', val: { answer: { status, message: 'busy' }, retryAfterMs } } };
			}),
		unauthenticated: (items) => each(items, () => ({ tag: 'err', val: { tag: 'unauthenticated', val: { status: 401, message: 'no' } } })),
		spin: (items) =>
			each(items, (item) => {
				if (item.bad) new WebAssembly.Instance(module(SPIN)).exports.spin();
				return ok(item);
			}),
		spinCalling: (items) => each(items, (item) => { for (;;) fetched(item); }),
		deep: (items) => each(items, (item) => (item.bad ? new WebAssembly.Instance(module(DEEP)).exports.deep() : ok(item))),
		trap: (items) =>
			each(items, (item) => {
				if (item.bad) throw new WebAssembly.RuntimeError('unreachable');
				return ok(item);
			}),
		memory: (items) =>
			each(items, (item) => {
				if (!item.bad) return ok(item);
				const { memory } = instantiateCore(getCoreModule('memory'), {}).exports;
				for (;;) memory.grow(16);
			}),
		heap: (items) => each(items, () => { const kept = []; for (;;) kept.push(new Array(100_000).fill({})); }),
		handles: (items) => each(items, () => { for (;;) new Fields(); }),
		few: () => [],
		many: (items) => [...each(items, ok), ok({}), ok({})],
		notJson: (items) => each(items, () => ({ tag: 'ok', val: ['{'] })),
		large: (items) => each(items, () => ok('x'.repeat(items.length * 40_000_000))),
		sleepThen: (items) => each(items, (item) => { poll([imports['wasi:clocks/monotonic-clock'].subscribeDuration(BigInt(item.ms) * 1000000n)]); return ok(item); }),
		flood: (items) => {
			const { url, count } = JSON.parse(items[0]);
			const all = Array.from({ length: count }, () => start({ url }));
			return [ok(all.map(wait).map((result) => result.tag))];
		},
		environment: (items) => items.map(() => ok({ env: Object.keys(process.env), argv: process.argv.slice(2), secrets: JSON.stringify(imports) })),
		twice: (items) => each(items, (item) => { fetched({ ...item, method: 'post', body: '{}' }); return fetched({ ...item, method: 'post', body: '{}' }); }),
	};

	return {
		execution: { execute: ({ operation, items }) => behaviours[operation](items) },
		authentication: {
			authenticate(credential) {
				const { tries, token, headers } = JSON.parse(credential);
				if (tries) {
					const result = fetched({ url: tries });
					if (result.tag === 'err') throw Object.assign(new Error('no'), { payload: result.val });
				}
				return { access: { headers: headers ?? [{ name: 'authorization', value: token }], query: [] } };
			},
		},
	};
}
