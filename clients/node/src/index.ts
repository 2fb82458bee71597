/**
 * Runs workflow nodes that are WebAssembly components, by a `nodule serve` of this process's own.
 *
 * ```ts
 * const host = await Host.start();
 * const component = await host.load('socialhub.wasm', { digest: 'sha256:…' });
 * const run = component.run({ group: 'member', operation: 'getMember', credential }, [{ parameters: { cardNo: 'M1' } }]);
 * for await (const { item, output, error } of run) console.log(item, output ?? error);
 * await host.close();
 * ```
 */
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { resolve, sep } from 'node:path';

import type { Ended } from './errors.js';
import { Files } from './files.js';
import { Connection } from './http.js';
import type { Items } from './items.js';
import { type Process, start, type StartOptions } from './process.js';
import { type Binding, Exchange, type Failure, type PlanResult, Run, type RunOptions, type RunRequest, type Summary } from './run.js';

export * from './errors.js';
export type { Item, Items } from './items.js';
export { binaryName, findBinary, type Settings, type StartOptions } from './process.js';
export { Files } from './files.js';
export { Exchange, Run } from './run.js';
export type { AccessToken, AllowEntry, Binding, Failure, ItemResult, Json, Notice, OutputFile, PlanResult, RunOptions, RunRequest, Summary, Tls } from './run.js';

export interface About {
	version: string;
	contract: string;
	components: string[];
	runs: string[];
}

export interface CredentialCheck {
	ok: boolean;
	error?: Failure;
}

/** What a form asks the service while it is filled in. */
export interface Question extends Binding {
	group: string;
	operation: string;
	/** Its ID. */
	parameter: string;
	/** The item's parameters so far. */
	filledIn: object;
	search?: string;
	/** Where the page before said that this one begins. */
	cursor?: string;
	/** An answer of the last minute will do. */
	keep?: boolean;
}

export interface ChoicePage {
	choices: Array<{ label: string; value: string | number | boolean; summary: string }>;
	next?: string;
}

/** A parameter as `nodule describe --format json` has it, as far as a form needs it. */
export interface Field {
	name: string;
	displayName: string;
	required: boolean;
	kind: { type: string; known?: ChoicePage['choices'] };
}

export type DescriptionFormat = 'json' | 'n8n' | 'markdown' | 'text';

/** A host process. It ends with this one, however this one ends, and does not keep it alive. */
export class Host {
	/** Of a host that was connected to: empty and 0. */
	readonly version: string;
	readonly pid: number;
	/** How the process ended; it never rejects. */
	readonly ended: Promise<Ended>;
	readonly files: Files;
	private readonly connection: Connection;

	private constructor(
		private readonly process: Process,
		private readonly read: string[],
	) {
		this.connection = new Connection(process);
		this.files = new Files(this.connection);
		this.version = process.version;
		this.pid = process.pid;
		this.ended = process.ended;
	}

	static async start(options: StartOptions = {}): Promise<Host> {
		const read = [...(options.read ?? []), ...(options.write ?? [])].map((path) => resolve(path) + sep);
		return new Host(await start(options), read);
	}

	/** A host that somebody else has started and ends: its socket, and the token of its settings or beside the socket. */
	static connect({ socket, token }: { socket: string; token: string }): Host {
		const ended = new Promise<Ended>(() => {});
		return new Host({ socket, token, version: '', pid: 0, ended, end: () => {} }, []);
	}

	/** Loads a component, from its bytes or its file. The digest pins it: of another component nothing is loaded. */
	async load(component: Uint8Array | string, { digest }: { digest?: string } = {}): Promise<Component> {
		let loaded: string;
		if (typeof component === 'string' && this.read.some((folder) => resolve(component).startsWith(folder))) {
			const body = JSON.stringify({ path: resolve(component), digest });
			loaded = await this.connection.call('POST', '/v1/components', 'application/json', body);
		} else {
			const bytes = typeof component === 'string' ? await readFile(component) : component;
			const pin = digest ?? `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
			loaded = await this.connection.call('POST', `/v1/components?digest=${encodeURIComponent(pin)}`, 'application/wasm', bytes);
		}
		const { digest: found, name, version } = JSON.parse(loaded) as { digest: string; name: string; version: string };
		return new Component(this.connection, found, name, version);
	}

	async about(): Promise<About> {
		return JSON.parse(await this.connection.call('GET', '/v1')) as About;
	}

	/** Whether a credential works, by a session that is made for that. */
	async checkCredential(binding: Binding & { component: string }): Promise<CredentialCheck> {
		return JSON.parse(await this.connection.call('POST', '/v1/check-credential', 'application/json', JSON.stringify(binding))) as CredentialCheck;
	}

	/** How far a run is. */
	async progress(id: string): Promise<Summary> {
		return JSON.parse(await this.connection.call('GET', `/v1/runs/${encodeURIComponent(id)}`)) as Summary;
	}

	/** Ends the process, runs under way included. Of a host that somebody else has started it closes idle connections. */
	async close(): Promise<void> {
		this.connection.close();
		if (this.pid === 0) return;
		this.process.end();
		await this.ended;
	}
}

/** A component that the host has loaded. */
export class Component {
	/** Those of its host. */
	readonly files: Files;

	constructor(
		private readonly connection: Connection,
		readonly digest: string,
		readonly name: string,
		readonly version: string,
	) {
		this.files = new Files(connection);
	}

	/** What it can do: as JSON an object of `nodule describe --format json`, else a text. */
	async describe(format?: 'json' | 'n8n'): Promise<Record<string, unknown>>;
	async describe(format: 'markdown' | 'text'): Promise<string>;
	async describe(format: DescriptionFormat = 'json'): Promise<unknown> {
		const text = await this.connection.call('GET', `${this.path()}?format=${format}`);
		return format === 'json' || format === 'n8n' ? JSON.parse(text) : text;
	}

	async checkCredential(binding: Binding): Promise<CredentialCheck> {
		const body = JSON.stringify({ ...binding, component: this.digest });
		return JSON.parse(await this.connection.call('POST', '/v1/check-credential', 'application/json', body)) as CredentialCheck;
	}

	/** One page of the values that a parameter may have. */
	async choices(question: Question): Promise<ChoicePage> {
		return JSON.parse(await this.ask('/v1/choices', question)) as ChoicePage;
	}

	/** The columns of a parameter. */
	async fields(question: Question): Promise<{ fields: Field[] }> {
		return JSON.parse(await this.ask('/v1/fields', question)) as { fields: Field[] };
	}

	private async ask(path: string, question: Question): Promise<string> {
		return await this.connection.call('POST', path, 'application/json', JSON.stringify({ ...question, component: this.digest }));
	}

	/** Runs an operation. It begins at once, and goes on as its results are read. */
	run(request: RunRequest, items: Items, options: RunOptions = {}): Run {
		return new Run(this.connection, { ...request, component: this.digest }, items, options);
	}

	/** Says what each item would send, or what is wrong with it, and sends nothing. */
	plan(request: RunRequest, items: Items): Exchange<PlanResult> {
		return new Exchange(this.connection, '/v1/plan', { ...request, component: this.digest }, items);
	}

	/** The host forgets it. Runs under way go on. */
	async forget(): Promise<void> {
		await this.connection.call('DELETE', this.path());
	}

	private path(): string {
		return `/v1/components/${encodeURIComponent(this.digest)}`;
	}
}
