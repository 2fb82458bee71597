/**
 * How a request leaves: by n8n's own HTTP helper, so that n8n's proxy and its protection against requests to private
 * addresses hold. The helper neither follows redirects here, nor throws on a status, nor reads the body: that is read as it
 * comes, within its limits.
 *
 * What the helper does not show, this cannot limit: when a connection was made, and to which address.
 */
import type { IHttpRequestOptions, IN8nHttpFullResponse } from 'n8n-workflow';
import type { Readable } from 'node:stream';

import type { Field, Variant } from '../messages.js';
import type { Limits } from './limits.js';

export interface Outgoing {
	method: string;
	url: string;
	headers: Field[];
	body: Buffer;
}

export interface Incoming {
	status: number;
	headers: Field[];
	body: Buffer;
}

/** Carries one request out, or throws a {@link Broken}. */
export type Transport = (request: Outgoing, limits: Limits, signal: AbortSignal) => Promise<Incoming>;

/** An exchange that gave no answer: `error-code` of wasi:http, and for a limit what it was. */
export class Broken extends Error {
	constructor(
		readonly code: Variant,
		readonly limit?: string,
	) {
		super(code.tag);
	}
}

/** Of `this.helpers` while a node executes. */
export function byHttpRequest(httpRequest: (options: IHttpRequestOptions) => Promise<unknown>): Transport {
	return async (request, limits, signal) =>
		await timed(limits, signal, async (abort) => {
			const answer = (await httpRequest({
				method: request.method as IHttpRequestOptions['method'],
				url: request.url,
				headers: record(request.headers),
				...(request.body.length > 0 ? { body: request.body } : {}),
				encoding: 'stream',
				returnFullResponse: true,
				ignoreHttpStatusErrors: true,
				disableFollowRedirect: true,
				abortSignal: abort,
			})) as IN8nHttpFullResponse;
			return { status: answer.statusCode, headers: answer.headers, body: answer.body as Readable };
		});
}

/** Of `this.helpers` while a credential is tested; there n8n has only its older helper. */
export function byRequest(request: (options: object) => Promise<unknown>): Transport {
	return async (outgoing, limits, signal) =>
		await timed(limits, signal, async () => {
			const answer = (await request({
				method: outgoing.method,
				uri: outgoing.url,
				headers: record(outgoing.headers),
				...(outgoing.body.length > 0 ? { body: outgoing.body } : {}),
				useStream: true,
				resolveWithFullResponse: true,
				simple: false,
				followRedirect: false,
				timeout: limits.firstByteTimeoutMs,
			})) as { statusCode: number; headers: object; body: Readable };
			return { status: answer.statusCode, headers: answer.headers, body: answer.body };
		});
}

interface Started {
	status: number;
	headers: object;
	body: Readable;
}

async function timed(
	limits: Limits,
	outer: AbortSignal,
	start: (abort: AbortSignal) => Promise<Started>,
): Promise<Incoming> {
	const abort = new AbortController();
	let why: Broken | undefined;
	let body: Readable | undefined;
	const stop = (reason: Broken): void => {
		why ??= reason;
		abort.abort();
		body?.destroy();
	};
	const late = (tag: string): (() => void) => () => stop(new Broken({ tag }));
	const dropped = (): void => stop(new Broken({ tag: 'connection-terminated' }));
	const first = setTimeout(late('HTTP-response-timeout'), limits.firstByteTimeoutMs);
	const total = setTimeout(late('HTTP-response-timeout'), limits.requestTimeoutMs);
	let between: NodeJS.Timeout | undefined;
	outer.addEventListener('abort', dropped, { once: true });
	try {
		if (outer.aborted) throw new Broken({ tag: 'connection-terminated' });
		const stopped = new Promise<never>((_, reject) => {
			abort.signal.addEventListener('abort', () => reject(why ?? new Broken({ tag: 'internal-error' })), {
				once: true,
			});
		});
		stopped.catch(() => {});
		const started = await Promise.race([start(abort.signal), stopped]);
		({ body } = started);
		clearTimeout(first);
		const headers = fields(started.headers, limits);
		const pieces: Buffer[] = [];
		let length = 0;
		between = setTimeout(late('connection-read-timeout'), limits.betweenBytesTimeoutMs);
		for await (const piece of body as AsyncIterable<Buffer>) {
			between.refresh();
			length += piece.length;
			if (length > limits.responseBytes) {
				const limit = `an answer of more than ${limits.responseBytes} bytes (\`response-bytes\`)`;
				throw new Broken({ tag: 'HTTP-response-body-size', val: BigInt(length) }, limit);
			}
			pieces.push(piece);
		}
		if (why) throw why;
		return { status: started.status, headers, body: pieces.length === 1 && pieces[0] ? pieces[0] : Buffer.concat(pieces) };
	} catch (error) {
		body?.destroy();
		throw why ?? (error instanceof Broken ? error : new Broken(code(error, body !== undefined)));
	} finally {
		clearTimeout(first);
		clearTimeout(total);
		clearTimeout(between);
		outer.removeEventListener('abort', dropped);
	}
}

function record(headers: Field[]): Record<string, string> {
	const merged: Record<string, string> = {};
	for (const { name, value } of headers) {
		const lower = name.toLowerCase();
		merged[lower] = lower in merged ? `${merged[lower]}, ${value}` : value;
	}
	return merged;
}

function fields(headers: object, limits: Limits): Field[] {
	const all = Object.entries(headers).flatMap(([name, value]: [string, unknown]) =>
		(Array.isArray(value) ? value : [value]).map((one) => ({ name, value: String(one) })),
	);
	const bytes = all.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
	if (all.length > limits.headerCount || bytes > limits.headerBytes) {
		throw new Broken(
			{ tag: 'HTTP-response-header-section-size' },
			`an answer with more than ${limits.headerCount} headers or ${limits.headerBytes} bytes of them`,
		);
	}
	return all;
}

/** By the code of Node's own error; what is not surely "not connected" is never said to be. */
function code(thrown: unknown, answered: boolean): Variant {
	const error = (thrown ?? {}) as { code?: unknown; syscall?: unknown; cause?: unknown; name?: unknown; message?: unknown };
	const name = String(error.code ?? (error.cause as { code?: unknown } | undefined)?.code ?? '');
	if (answered) return { tag: name.startsWith('Z_') ? 'HTTP-response-content-coding' : 'HTTP-response-incomplete' };
	if (name === 'ECONNREFUSED') return { tag: 'connection-refused' };
	if (name === 'ENOTFOUND' || name === 'EAI_AGAIN') return { tag: 'DNS-error', val: { rcode: name } };
	if (name === 'EHOSTUNREACH' || name === 'ENETUNREACH') return { tag: 'destination-IP-unroutable' };
	if (name === 'ETIMEDOUT' && error.syscall === 'connect') return { tag: 'connection-timeout' };
	if (name === 'ETIMEDOUT' || name === 'ECONNABORTED') return { tag: 'HTTP-response-timeout' };
	if (/CERT|SELF_SIGNED|UNABLE_TO_VERIFY/.test(name)) return { tag: 'TLS-certificate-error' };
	if (/^ERR_(?:SSL|TLS)|^EPROTO$/.test(name)) return { tag: 'TLS-protocol-error' };
	if (name.startsWith('HPE_')) return { tag: 'HTTP-protocol-error' };
	// n8n's protection against requests to private addresses has no code, only a name.
	if (/ssrf|blocked|not allowed/i.test(`${String(error.name)} ${String(error.message)}`)) {
		return { tag: 'destination-IP-prohibited' };
	}
	return { tag: 'connection-terminated' };
}
