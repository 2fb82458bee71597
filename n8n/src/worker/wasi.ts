/**
 * The part of WASI that the contract's world imports: HTTP, streams, polling, clocks and random numbers. No files, no
 * environment, no arguments, no standard streams: what is not here cannot be asked for, and a component that imports more
 * does not start.
 *
 * A worker has one call at a time, so it may block: `poll` sleeps on a shared number that the main thread raises with each
 * answer. The main thread never waits for a worker in turn. A loop or a wait ends when the worker is ended from outside.
 */
import { receiveMessageOnPort, type MessagePort } from 'node:worker_threads';

import type { Field, Served, Variant, Wanted } from '../messages.js';

/** A thrown one is the `err` of a function's result. */
export class Err extends Error {
	constructor(readonly payload: unknown) {
		super('the error of a WASI function');
	}
}

/** Thrown at a node that holds more resources than a node needs; it ends the call. */
export class TooMany extends WebAssembly.RuntimeError {}

/** A request holds about twelve resources while it is under way, and 64 of them overlap; this is five times that. */
const HOST_RESOURCES = 4096;

/** Headers of one connection, or of the host's own making: a node sets none of them. */
const FORBIDDEN = new Set([
	'connection',
	'expect',
	'host',
	'http2-settings',
	'keep-alive',
	'te',
	'trailer',
	'transfer-encoding',
	'upgrade',
]);
const NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

const latin1 = (bytes: Uint8Array): string =>
	Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1');

export class Wasi {
	private readonly number: Int32Array;
	private readonly waiting = new Map<number, (answer: Served) => void>();
	private requests = 0;
	private resources = 0;

	constructor(
		private readonly port: MessagePort,
		signal: SharedArrayBuffer,
	) {
		this.number = new Int32Array(signal);
	}

	/** Before a call: whatever an earlier one left behind is forgotten. */
	reset(): void {
		this.waiting.clear();
		this.resources = 0;
	}

	/** The imports, by the names that the transpiled component asks for. */
	imports(): Record<string, object> {
		// eslint-disable-next-line @typescript-eslint/no-this-alias -- the classes below have a `this` of their own
		const wasi = this;

		class Resource {
			constructor() {
				wasi.resources += 1;
				if (wasi.resources > HOST_RESOURCES) {
					throw new TooMany(`more than ${HOST_RESOURCES} resources (\`host-resources\`)`);
				}
			}
			[Symbol.dispose](): void {
				wasi.resources -= 1;
			}
		}

		class Pollable extends Resource {
			constructor(
				readonly isReady: () => boolean,
				/** By `performance.now()`. */
				readonly at = Infinity,
			) {
				super();
			}
			ready(): boolean {
				wasi.drain();
				return this.isReady();
			}
			block(): void {
				poll([this]);
			}
		}

		function poll(pollables: Pollable[]): Uint32Array {
			for (;;) {
				const seen = Atomics.load(wasi.number, 0);
				wasi.drain();
				const ready = pollables.flatMap((pollable, index) => (pollable.isReady() ? [index] : []));
				if (ready.length > 0) return Uint32Array.from(ready);
				const next = Math.min(...pollables.map((pollable) => pollable.at));
				Atomics.wait(wasi.number, 0, seen, Math.max(0, next - performance.now()));
			}
		}

		class IoError extends Resource {
			constructor(private readonly text: string) {
				super();
			}
			toDebugString(): string {
				return this.text;
			}
		}

		class InputStream extends Resource {
			private at = 0;
			constructor(private readonly bytes: Uint8Array) {
				super();
			}
			read(length: bigint): Uint8Array {
				if (this.at >= this.bytes.length) throw new Err({ tag: 'closed' });
				const end = Math.min(this.bytes.length, this.at + Number(length));
				const piece = this.bytes.subarray(this.at, end);
				this.at = end;
				return piece;
			}
			blockingRead(length: bigint): Uint8Array {
				return this.read(length);
			}
			skip(length: bigint): bigint {
				return BigInt(this.read(length).length);
			}
			blockingSkip(length: bigint): bigint {
				return this.skip(length);
			}
			subscribe(): Pollable {
				return new Pollable(() => true);
			}
		}

		class OutputStream extends Resource {
			readonly pieces: Uint8Array[] = [];
			constructor(private readonly body: OutgoingBody) {
				super();
			}
			checkWrite(): bigint {
				return 64n * 1024n;
			}
			write(bytes: Uint8Array): void {
				// The bytes are a view of the node's memory.
				this.body.pieces.push(bytes.slice());
			}
			blockingWriteAndFlush(bytes: Uint8Array): void {
				this.write(bytes);
			}
			flush(): void {}
			blockingFlush(): void {}
			subscribe(): Pollable {
				return new Pollable(() => true);
			}
		}

		class Fields extends Resource {
			list: Array<[string, Uint8Array]> = [];
			constructor(private readonly frozen = false) {
				super();
			}
			static fromList(list: Array<[string, Uint8Array]>): Fields {
				const fields = new Fields();
				for (const [name, value] of list) fields.append(name, value);
				return fields;
			}
			static of(fields: Field[]): Fields {
				const made = new Fields(true);
				made.list = fields.map(({ name, value }) => [name, Buffer.from(value, 'latin1')]);
				return made;
			}
			get(name: string): Uint8Array[] {
				const wanted = name.toLowerCase();
				return this.list.filter(([given]) => given.toLowerCase() === wanted).map(([, value]) => value);
			}
			has(name: string): boolean {
				return this.get(name).length > 0;
			}
			set(name: string, values: Uint8Array[]): void {
				this.delete(name);
				for (const value of values) this.append(name, value);
			}
			delete(name: string): void {
				this.check();
				const wanted = name.toLowerCase();
				this.list = this.list.filter(([given]) => given.toLowerCase() !== wanted);
			}
			append(name: string, value: Uint8Array): void {
				this.check();
				const lower = name.toLowerCase();
				if (!NAME.test(name) || !VALUE.test(latin1(value))) throw new Err({ tag: 'invalid-syntax' });
				if (FORBIDDEN.has(lower) || lower.startsWith('proxy-')) throw new Err({ tag: 'forbidden' });
				this.list.push([name, value.slice()]);
			}
			entries(): Array<[string, Uint8Array]> {
				return this.list;
			}
			clone(): Fields {
				const copy = new Fields();
				copy.list = [...this.list];
				return copy;
			}
			private check(): void {
				if (this.frozen) throw new Err({ tag: 'immutable' });
			}
		}

		class OutgoingBody extends Resource {
			readonly pieces: Uint8Array[] = [];
			private stream?: OutputStream;
			send?: (body: Uint8Array) => void;
			write(): OutputStream {
				if (this.stream) throw new Err(undefined);
				return (this.stream = new OutputStream(this));
			}
			static finish(body: OutgoingBody): void {
				body.send?.(Buffer.concat(body.pieces));
				body.send = undefined;
			}
			override [Symbol.dispose](): void {
				super[Symbol.dispose]();
				// Dropped unfinished: the request would be half of what was meant, so it is not sent.
				this.send = undefined;
			}
		}

		class OutgoingRequest extends Resource {
			private method_: Variant = { tag: 'get' };
			private scheme_: Variant | undefined;
			private authority_: string | undefined;
			private target: string | undefined;
			private taken?: OutgoingBody;
			constructor(private readonly fields: Fields) {
				super();
			}
			body(): OutgoingBody {
				if (this.taken) throw new Err(undefined);
				return (this.taken = new OutgoingBody());
			}
			method(): Variant {
				return this.method_;
			}
			setMethod(method: Variant): void {
				if (method.tag === 'other' && !NAME.test(String(method.val))) throw new Err(undefined);
				this.method_ = method;
			}
			pathWithQuery(): string | undefined {
				return this.target;
			}
			setPathWithQuery(target: string | undefined): void {
				// Anything that could end a request line is refused here; the rest is the host's to judge.
				if (target !== undefined && !/^[\x21-\x7e]*$/.test(target)) throw new Err(undefined);
				this.target = target;
			}
			scheme(): Variant | undefined {
				return this.scheme_;
			}
			setScheme(scheme: Variant | undefined): void {
				this.scheme_ = scheme;
			}
			authority(): string | undefined {
				return this.authority_;
			}
			setAuthority(authority: string | undefined): void {
				if (authority !== undefined && !/^[\x21-\x7e]+$/.test(authority)) throw new Err(undefined);
				this.authority_ = authority;
			}
			headers(): Fields {
				return this.fields;
			}
			/** Ask the main thread for it, as soon as its body is complete. */
			start(): FutureIncomingResponse {
				const future = new FutureIncomingResponse();
				const { method_, scheme_, authority_, target, fields } = this;
				const send = (body: Uint8Array): void => {
					const stated = fields.get('content-length').map(latin1);
					if (stated.some((length) => length !== String(body.length))) {
						future.answer = { id: 0, error: { tag: 'HTTP-request-body-size', val: BigInt(body.length) } };
						return;
					}
					const id = (wasi.requests += 1);
					wasi.waiting.set(id, (answer) => (future.answer = answer));
					const wanted: Wanted = {
						id,
						method: method_.tag === 'other' ? String(method_.val) : method_.tag.toUpperCase(),
						scheme: scheme_?.tag === 'other' ? String(scheme_.val) : (scheme_?.tag ?? 'https').toLowerCase(),
						authority: authority_ ?? '',
						target: target ?? '/',
						headers: fields.list.map(([name, value]) => ({ name, value: latin1(value) })),
						body,
					};
					wasi.port.postMessage(wanted);
				};
				if (this.taken) this.taken.send = send;
				else send(new Uint8Array());
				return future;
			}
		}

		class FutureIncomingResponse extends Resource {
			answer?: Served;
			private given = false;
			subscribe(): Pollable {
				return new Pollable(() => this.answer !== undefined);
			}
			get(): unknown {
				wasi.drain();
				const { answer } = this;
				if (!answer) return undefined;
				if (this.given) return { tag: 'err', val: undefined };
				this.given = true;
				const val =
					'error' in answer
						? { tag: 'err', val: answer.error }
						: { tag: 'ok', val: new IncomingResponse(answer.status, answer.headers, answer.body) };
				return { tag: 'ok', val };
			}
		}

		class IncomingResponse extends Resource {
			private taken = false;
			constructor(
				private readonly status_: number,
				private readonly fields: Field[],
				private readonly bytes: Uint8Array,
			) {
				super();
			}
			status(): number {
				return this.status_;
			}
			headers(): Fields {
				return Fields.of(this.fields);
			}
			consume(): IncomingBody {
				if (this.taken) throw new Err(undefined);
				this.taken = true;
				return new IncomingBody(this.bytes);
			}
		}

		class IncomingBody extends Resource {
			private taken = false;
			constructor(private readonly bytes: Uint8Array) {
				super();
			}
			stream(): InputStream {
				if (this.taken) throw new Err(undefined);
				this.taken = true;
				return new InputStream(this.bytes);
			}
			static finish(): FutureTrailers {
				return new FutureTrailers();
			}
		}

		class FutureTrailers extends Resource {
			subscribe(): Pollable {
				return new Pollable(() => true);
			}
			get(): unknown {
				return { tag: 'ok', val: { tag: 'ok', val: undefined } };
			}
		}

		/** A node's wishes for deadlines; the host's own hold in any case. */
		class RequestOptions extends Resource {
			private connect: bigint | undefined;
			private first: bigint | undefined;
			private between: bigint | undefined;
			connectTimeout(): bigint | undefined {
				return this.connect;
			}
			setConnectTimeout(value: bigint | undefined): void {
				this.connect = value;
			}
			firstByteTimeout(): bigint | undefined {
				return this.first;
			}
			setFirstByteTimeout(value: bigint | undefined): void {
				this.first = value;
			}
			betweenBytesTimeout(): bigint | undefined {
				return this.between;
			}
			setBetweenBytesTimeout(value: bigint | undefined): void {
				this.between = value;
			}
		}

		const now = (): { seconds: bigint; nanoseconds: number } => {
			const ms = Date.now();
			return { seconds: BigInt(Math.floor(ms / 1000)), nanoseconds: (ms % 1000) * 1_000_000 };
		};
		const monotonic = (): bigint => process.hrtime.bigint();
		const after = (ns: bigint): Pollable => {
			const at = performance.now() + Number(ns) / 1e6;
			return new Pollable(() => performance.now() >= at, at);
		};
		const randomBytes = (length: bigint): Uint8Array => {
			if (length > 65_536n) throw new WebAssembly.RuntimeError('more than 65536 random bytes at once');
			return crypto.getRandomValues(new Uint8Array(Number(length)));
		};

		return {
			'wasi:clocks/monotonic-clock': {
				now: monotonic,
				resolution: () => 1n,
				subscribeDuration: after,
				subscribeInstant: (instant: bigint) => after(instant - monotonic()),
			},
			'wasi:clocks/wall-clock': { now, resolution: () => ({ seconds: 0n, nanoseconds: 1_000_000 }) },
			'wasi:http/outgoing-handler': { handle: (request: OutgoingRequest) => request.start() },
			'wasi:http/types': {
				Fields,
				FutureIncomingResponse,
				FutureTrailers,
				IncomingBody,
				IncomingResponse,
				OutgoingBody,
				OutgoingRequest,
				RequestOptions,
				httpErrorCode: () => undefined,
			},
			'wasi:io/error': { Error: IoError },
			'wasi:io/poll': { Pollable, poll },
			'wasi:io/streams': { InputStream, OutputStream },
			'wasi:random/random': {
				getRandomBytes: randomBytes,
				getRandomU64: () => crypto.getRandomValues(new BigUint64Array(1))[0],
			},
		};
	}

	/** Hand out the answers that have come. */
	private drain(): void {
		for (;;) {
			const received = receiveMessageOnPort(this.port) as { message: Served } | undefined;
			if (!received) return;
			const { message } = received;
			this.waiting.get(message.id)?.(message);
			this.waiting.delete(message.id);
		}
	}
}
