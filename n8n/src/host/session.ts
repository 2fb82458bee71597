/**
 * Sessions: what a credential becomes, kept on the main thread and never told to an executing worker. `authenticate` runs in a
 * worker of its own that may reach the credential's base URL and nothing else, and is ended afterwards. A session belongs
 * to a component and a credential, secret included. Whoever needs one while it is being made waits for that one flight,
 * and shares its failure too.
 */
import type { Field, Session as Given } from '../messages.js';
import type { Failure } from './failure.js';
import { HEADER_NAME, HEADER_VALUE, isForbiddenHeader } from './pipeline.js';
import { Redactor } from './redact.js';
import type { Incoming } from './transport.js';

/** A session that claims to last longer is asked for again after this. */
const LONGEST_S = 24 * 60 * 60;
/** One renewal a second at the most. */
const SHORTEST_S = 1;
/** More than any scheme of authentication sets. */
const FIELDS = 16;
const FIELD_BYTES = 8 * 1024;
const RENEWAL_BYTES = 64 * 1024;
/** More credentials than one process of n8n has in use; the one that was used longest ago goes first. */
const CELLS = 1000;

/** `Error` with the failure that the items get. */
export class Unauthenticated extends Error {
	constructor(readonly failure: Failure) {
		super(failure.message);
	}
}

export class Session {
	readonly headers: Field[];
	readonly query: Field[];
	readonly given: Given;
	private readonly ends: number;
	private readonly redactor: Redactor;

	/** A session comes out of the sandbox: it is checked like any request. */
	constructor(given: Given, secrets: string[]) {
		const { access, expiresInS, renewal } = given;
		const refuse = (message: string): never => {
			throw new Unauthenticated({ kind: 'bad-session', message });
		};
		if (access.headers.length + access.query.length > FIELDS) refuse(`the node's session has more than ${FIELDS} fields`);
		for (const { name, value } of access.headers) {
			const ok = HEADER_NAME.test(name) && !isForbiddenHeader(name.toLowerCase());
			if (!ok) refuse('the node\'s session sets a header that may not be set');
			if (value.length > FIELD_BYTES || !HEADER_VALUE.test(value)) {
				refuse(`the node's session sets \`${name}\` to a value that is no header value`);
			}
		}
		if (access.query.some(({ name, value }) => name === '' || name.length + value.length > FIELD_BYTES)) {
			refuse('the node\'s session sets a query parameter that may not be set');
		}
		if ((renewal ?? '').length > RENEWAL_BYTES) {
			refuse(`the node's session has a renewal of more than ${RENEWAL_BYTES} bytes`);
		}
		this.headers = access.headers;
		this.query = access.query;
		this.given = { access, ...(renewal === undefined ? {} : { renewal }) };
		this.ends =
			expiresInS === undefined
				? Infinity
				: performance.now() + Math.min(Math.max(expiresInS, SHORTEST_S), LONGEST_S) * 1000;
		const own = [...access.headers, ...access.query].map(({ value }) => value);
		this.redactor = new Redactor([...own, renewal ?? '', ...secrets]);
	}

	hasEnded(): boolean {
		return this.ends <= performance.now();
	}

	async redacted(answer: Incoming): Promise<Incoming> {
		const headers = answer.headers.map(({ name, value }) => ({ name, value: this.redactor.value(value) }));
		return { status: answer.status, headers, body: await this.redactor.body(answer.body) };
	}
}

interface Cell {
	session?: Session;
	flight?: Promise<Session>;
}

export class Sessions {
	private readonly cells = new Map<string, Cell>();

	/** A session that is not the refused one, nor one that has ended. */
	async get(key: string, refused: Session | undefined, make: (renew?: Given) => Promise<Session>): Promise<Session> {
		const cell = this.cells.get(key) ?? {};
		this.cells.delete(key);
		this.cells.set(key, cell);
		const [oldest] = this.cells.keys();
		if (this.cells.size > CELLS && oldest !== undefined) this.cells.delete(oldest);

		if (cell.flight) return await cell.flight;
		const last = cell.session;
		if (last && last !== refused && !last.hasEnded()) return last;
		// After a refusal a new session is asked for, not a renewal of what was refused.
		const renew = last && last !== refused && last.given.renewal !== undefined ? last.given : undefined;
		cell.session = undefined;
		cell.flight = make(renew);
		try {
			cell.session = await cell.flight;
			return cell.session;
		} finally {
			cell.flight = undefined;
		}
	}
}
