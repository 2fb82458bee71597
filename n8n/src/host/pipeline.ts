/**
 * What happens to a request of a node, on the main thread. The order is the security argument:
 *
 * 1. size and syntax limits, and the URL in its canonical form: what is checked below is what is sent
 * 2. only what is below the credential's base URL is allowed; there is no policy that lists more
 * 3. session headers and query, every copy that the node set removed
 * 4. the request leaves by n8n's own helper, within its deadlines
 * 5. the answer is read to its end, within its limits
 * 6. known secrets are redacted; an authenticating instance, which holds them, is answered as the service did
 */
import { setMaxListeners } from 'node:events';

import type { Field, Served, Variant, Wanted } from '../messages.js';
import type { Failure } from './failure.js';
import type { Limits } from './limits.js';
import type { Session } from './session.js';
import { Broken, type Incoming, type Transport } from './transport.js';
import { turn } from './turn.js';
import { asText, BadUrl, isBelow, target, type Target } from './url.js';

const METHODS = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS']);

/** Headers of one connection, or of the host's own making. */
export function isForbiddenHeader(name: string): boolean {
	return (
		name.startsWith('proxy-') ||
		['connection', 'expect', 'host', 'http2-settings', 'keep-alive', 'te', 'trailer', 'transfer-encoding', 'upgrade'].includes(name)
	);
}
export const HEADER_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
export const HEADER_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;

/** Set from the URL and the body; how answers are encoded is the helper's affair. */
const HOST_SETS = ['host', 'content-length', 'accept-encoding'];

class Denied extends Error {}

export interface Setting {
	scope: 'operation' | 'authentication';
	base: Target | undefined;
	session: Session | undefined;
	transport: Transport;
	limits: Limits;
	/** Whether the operation's effect is `write`. */
	write: boolean;
}

/** The requests of one call. */
export class Pipeline {
	private readonly abort = new AbortController();
	private readonly queue: Array<() => void> = [];
	private open = 0;
	private changing = 0;
	private denial: string | undefined;
	private limit: string | undefined;

	constructor(private readonly setting: Setting) {
		// Each request under way listens for the end of the call.
		setMaxListeners(0, this.abort.signal);
	}

	/** The call is over: what is still under way ends. */
	end(): void {
		this.abort.abort();
		for (const go of this.queue.splice(0)) go();
	}

	async serve(wanted: Wanted): Promise<Served> {
		try {
			const answer = await this.exchange(wanted);
			return { id: wanted.id, ...answer };
		} catch (error) {
			return { id: wanted.id, error: this.note(error) };
		}
	}

	/** A node's failure, in the host's words where the host knows more. */
	explain(failure: Failure): Failure {
		if (this.denial !== undefined && failure.kind === 'denied') return { kind: 'denied', message: this.denial };
		if (this.limit !== undefined && ['limit', 'unavailable'].includes(failure.kind)) {
			return { kind: 'limit', message: this.limit };
		}
		return failure;
	}

	private note(error: unknown): Variant {
		if (error instanceof Denied || error instanceof BadUrl) {
			this.denial ??= error.message;
			return { tag: 'HTTP-request-denied' };
		}
		if (error instanceof Broken) {
			if (error.limit !== undefined) this.limit ??= error.limit;
			return error.code;
		}
		return { tag: 'internal-error', val: undefined };
	}

	private async exchange(wanted: Wanted): Promise<Incoming> {
		const { limits, scope, session, transport } = this.setting;
		const url = target(wanted.scheme, wanted.authority, wanted.target);
		const headers = this.headers(wanted);
		this.permit(wanted.method, url);
		if (scope === 'operation' && session) {
			url.query = withQuery(url.query, session.query);
			headers.push(...session.headers);
		}
		const body = Buffer.from(wanted.body);
		await this.slot();
		try {
			await turn();
			const answer = await transport({ method: wanted.method, url: asText(url), headers, body }, limits, this.abort.signal);
			return scope === 'operation' && session ? await session.redacted(answer) : answer;
		} finally {
			this.open -= 1;
			this.queue.shift()?.();
		}
	}

	/** What the node set and may set, without what the host sets. */
	private headers(wanted: Wanted): Field[] {
		const { limits, scope, session } = this.setting;
		const own = scope === 'operation' && session ? session.headers.map(({ name }) => name.toLowerCase()) : [];
		for (const { name, value } of wanted.headers) {
			if (!HEADER_NAME.test(name) || !HEADER_VALUE.test(value)) throw new Denied('a header that HTTP does not allow');
			if (name.toLowerCase() !== 'host' && isForbiddenHeader(name.toLowerCase())) {
				throw new Denied(`the header \`${name}\`, which a node may not set`);
			}
		}
		const kept = wanted.headers.filter(({ name }) => ![...HOST_SETS, ...own].includes(name.toLowerCase()));
		const bytes = kept.reduce((sum, { name, value }) => sum + name.length + value.length, 0);
		if (kept.length > limits.headerCount || bytes > limits.headerBytes) {
			throw new Broken(
				{ tag: 'HTTP-request-header-section-size' },
				`a request with more than ${limits.headerCount} headers or ${limits.headerBytes} bytes of them`,
			);
		}
		if (wanted.body.length > limits.requestBodyBytes) {
			throw new Broken(
				{ tag: 'HTTP-request-body-size' },
				`a request body of more than ${limits.requestBodyBytes} bytes (\`request-body-bytes\`)`,
			);
		}
		return kept;
	}

	private permit(method: string, url: Target): void {
		const { base, scope, write } = this.setting;
		if (!METHODS.has(method)) throw new Denied(`the method \`${method}\`, which a node may not use`);
		if (!base || !isBelow(url, base)) {
			const who = scope === 'authentication' ? 'an authenticating node' : 'the node';
			throw new Denied(`${who} may reach only the credential's base URL, not ${method} ${url.origin}${url.path}`);
		}
		if (write && scope === 'operation' && !['GET', 'HEAD'].includes(method)) {
			this.changing += 1;
			if (this.changing > 1) throw new Denied('a call of a `write` operation may send 1 request that is not a GET');
		}
	}

	/** A place among the requests under way. */
	private async slot(): Promise<void> {
		if (this.open >= this.setting.limits.requestsInFlight) {
			await new Promise<void>((resolve) => this.queue.push(resolve));
		}
		this.open += 1;
	}
}

function withQuery(query: string, more: Field[]): string {
	let text = query;
	for (const { name, value } of more) {
		text += `${text === '' ? '?' : '&'}${encodeURIComponent(name)}=${encodeURIComponent(value)}`;
	}
	return text;
}
