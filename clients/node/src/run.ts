/** A run: items go in while results come out. */
import type { ClientRequest, IncomingMessage } from 'node:http';

import { Interrupted, NoduleError, type Problem, RequestError, RunError } from './errors.js';
import { answerTo, type Connection, refused, textOf } from './http.js';
import { type Items, ItemWriter } from './items.js';
import { linesOf } from './lines.js';

export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };

export interface AllowEntry {
	origin: string;
	path?: string;
	methods?: string[];
	/** Whether the name may resolve to a private address. */
	private?: boolean;
}

/** An access token of the caller's own log-in, for a credential of the scheme `oauth2`. */
export interface AccessToken {
	accessToken: string;
	/** When it ends, as `2026-01-31T12:00:00Z`. */
	expiresAt?: string;
}

/** What a component is bound to. */
export interface Binding {
	/** Tenants share neither sessions nor connections. */
	tenant?: string;
	credential?: object;
	token?: AccessToken;
	/** The text of a policy file, in the place of the settings' one. */
	policy?: string;
	allow?: Array<string | AllowEntry>;
	/** Grants every origin that the node's description declares. */
	allowDeclared?: boolean;
	tls?: Tls;
}

/** Certificates of a run, as PEM. */
export interface Tls {
	/** Trusted beside the settings' certificates. */
	ca?: string;
	/** Shown where the credential's access goes, and nowhere else. */
	clientCertificate?: string;
	clientKey?: string;
	/** Where no certificate is checked. The settings' `insecureOrigins` have to permit each. */
	insecureOrigins?: string[];
}

export interface RunRequest extends Binding {
	group: string;
	operation: string;
	concurrency?: number;
	onFailure?: 'continue' | 'stop';
	order?: 'items' | 'completion';
	retries?: number;
	itemTimeMs?: number;
	runTimeMs?: number;
	rate?: string;
	/** Whether rows come while their item goes on, as `rows`. */
	streamRows?: boolean;
	/** The most rows of each item. */
	limit?: number;
	progressMs?: number;
	journal?: { path: string; acceptComponent?: boolean; unknown?: 'fail' | 'skip' | 'retry' };
	record?: { path: string; against?: string };
	replay?: { path: string };
}

/** Why an item has no output. */
export interface Failure {
	kind: string;
	message: string;
	status?: number;
	code?: string;
	requestId?: string;
	retryAfterMs?: number;
	certainty?: 'not-done' | 'unknown';
	problems?: Array<{ pointer: string; label: string; message: string }>;
	hint?: string;
	detail?: Json;
}

/** An item's result; `item` is its `id`, or its position from 0. */
export type ItemResult =
	| { item: number | string; output: Json[]; files?: Array<Record<string, OutputFile>>; end?: RowsEnd; rows?: never; error?: never }
	| { item: number | string; output?: never; rows?: never; error: Failure }
	/** With `streamRows`: rows of an item that goes on, before its `output` or `error`. */
	| { item: number | string; output?: never; rows: Json[]; error?: never };

/** A file of an output item, by its key there. */
export interface OutputFile {
	/** For `Host.files`. */
	id: string;
	fileName?: string;
	mediaType?: string;
	size: number;
	/** In lower-case hexadecimal. */
	sha256: string;
}

/** How many rows an item had in all; `complete` is false where it had as many as its limit. */
export interface RowsEnd {
	rows: number;
	complete?: false;
}

/** What an item would send. */
export type PlanResult =
	| { item: number | string; requests: Array<{ method: string; url: string; headers: Record<string, string>; body?: Json }>; error?: never }
	| { item: number | string; requests?: never; error: Failure };

export interface Notice {
	kind: string;
	message: string;
}

export interface Summary {
	items: number;
	done: number;
	again: number;
	skipped: number;
	failed: Record<string, number>;
	unknown: number;
	retries: number;
	renewals: number;
	requests: number;
	rows: number;
	sameKey: number;
	latencyMs: Record<string, number>;
	elapsedMs: number;
	ended: string;
}

export interface RunOptions {
	/** Abandons the run: items under way end, each with a result that says what is known. */
	signal?: AbortSignal | undefined;
	/** Gives another access token: the one of the run ends, or the service refused it. Where it throws, the run is abandoned. */
	onToken?: (why: 'ending' | 'refused') => AccessToken | Promise<AccessToken>;
	onNotice?: (notice: Notice) => void;
	onProgress?: (summary: Summary) => void;
}

const RESULT = '{"item":';

/** What comes back for items: the results of a run, or plans. It can be read once. */
export class Exchange<Result> implements AsyncIterable<Result> {
	protected readonly sent: ClientRequest;
	protected readonly writer: ItemWriter;
	private readonly answer: Promise<IncomingMessage>;
	/** Why there are no more items, where giving them failed. */
	private broken: { error: unknown } | undefined;
	private closed = false;

	constructor(
		protected readonly connection: Connection,
		path: string,
		first: object,
		items: Items,
	) {
		this.sent = connection.open('POST', path, 'application/x-ndjson');
		this.answer = answerTo(this.sent);
		// Whoever reads the answer hears of what went wrong with it.
		const begun = this.answer.then(({ statusCode }) => statusCode === 200, () => false);
		this.writer = new ItemWriter(this.sent);
		this.writer.all(`${JSON.stringify(first)}\n`, begun, items).catch((error: unknown) => {
			this.broken = { error };
			this.destroy();
		});
	}

	/** Results one by one. */
	async *[Symbol.asyncIterator](): AsyncGenerator<Result, void, undefined> {
		for await (const batch of this.batches()) yield* batch;
	}

	/** Results as they come, many at a time: the fast way. */
	async *batches(): AsyncGenerator<Result[], void, undefined> {
		for await (const lines of this.lines()) yield lines.map((line) => JSON.parse(line) as Result);
	}

	/** Results as the texts that the host sent, each a line of JSON that begins with its item: `{"item":0,"output":[…]}`. */
	async *lines(): AsyncGenerator<string[], void, undefined> {
		try {
			const response = await this.answer;
			if (response.statusCode !== 200) throw refused(response, await textOf(response));
			for await (const lines of linesOf(response)) {
				const results = lines.every((line) => line.startsWith(RESULT)) ? lines : lines.filter((line) => this.isResult(line));
				if (results.length > 0) yield results;
				// The host may wait for items that nobody gives it any more.
				if (this.isOver()) break;
			}
			this.complete();
		} catch (error) {
			// What breaks behind the end breaks nothing.
			if (this.isOver()) return this.complete();
			if (this.broken) throw this.broken.error;
			if (error instanceof NoduleError) throw error;
			if (this.closed) throw new Interrupted('the run was closed by its caller: items without a result may have been done', 'unknown', undefined);
			throw await this.interrupted(error);
		} finally {
			this.destroy();
		}
	}

	/** Closes the connection, which ends the run, requests under way included. */
	destroy(): void {
		this.closed = true;
		this.sent.destroy();
	}

	protected isResult(line: string): boolean {
		return line.startsWith(RESULT);
	}

	/** Whether the answer has ended, whatever becomes of the connection. */
	protected isOver(): boolean {
		return false;
	}

	/** What there is to say against an answer that has ended. */
	protected complete(): void {}

	private async interrupted(error: unknown): Promise<Interrupted> {
		// Where nobody listened, nothing was heard.
		const heard = !['ENOENT', 'ECONNREFUSED'].includes((error as NodeJS.ErrnoException).code ?? '');
		return await this.connection.interrupted(error, heard ? 'unknown' : 'not-done', 'a run was under way');
	}
}

/** A run of an operation on items. Leaving a loop over it early ends it. */
export class Run extends Exchange<ItemResult> {
	/** What running the operation twice does: `read`, `idempotent`, `keyed` or `write`. Known with the first result. */
	effect: string | undefined;
	/** There when the results have ended. */
	summary: Summary | undefined;
	private problem: Problem | undefined;
	/** Why there was no access token. */
	private tokenless: { error: unknown } | undefined;
	private readonly begun: Promise<string>;
	private begin!: (id: string) => void;

	constructor(
		connection: Connection,
		first: object,
		items: Items,
		private readonly options: RunOptions,
	) {
		super(connection, '/v1/runs', first, items);
		this.begun = new Promise((resolve) => {
			this.begin = resolve;
		});
		const { signal } = options;
		if (!signal) return;
		const abandon = (): void => void this.abandon().catch(() => this.destroy());
		if (signal.aborted) abandon();
		else signal.addEventListener('abort', abandon, { once: true });
		this.sent.once('close', () => signal.removeEventListener('abort', abandon));
	}

	/** Takes no more items; those under way end. */
	async stop(): Promise<void> {
		await this.tell('stop');
	}

	/** Ends what is under way too; each item that was taken has a result that says what is known. */
	async abandon(): Promise<void> {
		await this.tell('abandon');
	}

	private async tell(what: 'stop' | 'abandon'): Promise<void> {
		await this.post(what);
		this.writer.stop();
	}

	private async post(what: string, body?: string): Promise<void> {
		await this.connection.call('POST', `/v1/runs/${await this.begun}/${what}`, body && 'application/json', body).catch((error: unknown) => {
			// One that has ended needs no telling.
			if (!(error instanceof RequestError && error.kind === 'not-found')) throw error;
		});
	}

	private async giveToken(why: 'ending' | 'refused'): Promise<void> {
		const { onToken } = this.options;
		// The host waits for a while, and then the items fail.
		if (!onToken) return;
		try {
			await this.post('token', JSON.stringify(await onToken(why)));
		} catch (error) {
			this.tokenless = { error };
			await this.abandon().catch(() => this.destroy());
		}
	}

	protected override isResult(line: string): boolean {
		if (line.startsWith(RESULT)) return true;
		if (line === '') return false;
		const said = JSON.parse(line) as {
			run?: { id: string; effect: string };
			notice?: Notice;
			token?: { why: 'ending' | 'refused' };
			progress?: Summary;
			end?: Summary & { error?: Problem };
		};
		if (said.run) {
			this.effect = said.run.effect;
			this.begin(said.run.id);
		} else if (said.notice) {
			this.options.onNotice?.(said.notice);
		} else if (said.token) {
			void this.giveToken(said.token.why);
		} else if (said.progress) {
			this.options.onProgress?.(said.progress);
		} else if (said.end) {
			const { error, ...summary } = said.end;
			this.summary = summary;
			this.problem = error;
			this.writer.stop();
		}
		return false;
	}

	protected override isOver(): boolean {
		return this.summary !== undefined;
	}

	protected override complete(): void {
		if (this.tokenless) throw this.tokenless.error;
		if (this.problem) throw new RunError(this.problem);
		if (!this.summary) throw new Error('the answer ended before the run');
	}
}
