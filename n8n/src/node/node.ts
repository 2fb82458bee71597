/** A component as a node type of n8n: parameters are resolved here, and everything else is the host's. */
import { join } from 'node:path';
import {
	type ICredentialsDecrypted,
	type ICredentialTestFunctions,
	type IDataObject,
	type IExecuteFunctions,
	type ILoadOptionsFunctions,
	type INodeCredentialTestResult,
	type INodeExecutionData,
	type INodeType,
	NodeOperationError,
} from 'n8n-workflow';
import type { Binding, Failure, Item, NoduleError, OutputFile, RunRequest } from 'nodule-client';

import { type Asked, formMethods, type Method, type Page } from './choices.js';
import { type Credential, type Description, operationOf, parametersOf } from './description.js';
import { nodeError, withoutResult } from './failure.js';
import { FilesOfItems } from './files.js';
import { type Packed, read, sharedHost } from './host.js';
import { type AccessToken, assertConnected, renewed, tokenOf } from './oauth2.js';
import { type Result, resultOf } from './output.js';
import { isStatic, itemsOf } from './parameters.js';
import { policyOf, reach } from './settings.js';
import { isOver, SLICE_MS, turn } from './turn.js';

/** What the package holds, beside the node's file. */
export interface Component {
	/** Of the node's file. */
	directory: string;
	/** The component's, in the same folder. */
	file: string;
	sha256: string;
	description: Description;
	/** The declared origins that were granted when the package was made. */
	granted?: string[];
	/** What its form asks the service. */
	methods?: Method[];
}

type Execute = NonNullable<INodeType['execute']>;
type Test = NonNullable<NonNullable<INodeType['methods']>['credentialTest']>[string];

/** How many items are under way at once: enough to hide a service's latency, few enough for one that is small. */
const CONCURRENCY = 16;
/** A service that is busy is asked twice more; what lasts longer is the affair of n8n's "Retry On Fail". */
const RETRIES = 2;
/** So long an item may wait for that. */
const ITEM_TIME_MS = 60_000;
/** What is resolved without an expression is ready at once, and sent in pieces all the same. */
const BATCH = 256;
/**
 * Items that take long to resolve are sent together, at intervals that grow to this: whoever sends them one by one wakes the host for
 * each, which then has a processor busy that n8n's thread needs.
 */
const SEND_MS = 128;

/** What a node's class does; what it says of itself is generated beside it. */
export function nodeType(component: Component): { methods: INodeType['methods']; execute: Execute } {
	const tests = component.description.credentials.map((credential) => [`${credential.name}Test`, credentialTest(component, credential)] as const);
	return {
		methods: {
			...(tests.length > 0 ? { credentialTest: Object.fromEntries(tests) } : {}),
			...formMethods(component.methods ?? [], async (self, method, page) => await question(self, component, method, page)),
		},
		async execute(this: IExecuteFunctions) {
			return [await execute(this, component)];
		},
	};
}

const packed = ({ directory, file, sha256 }: Component): Packed => ({
	file: join(directory, file),
	sha256,
	// Beside `dist/nodes`, which holds this node's folder.
	binaries: join(directory, '../../bin'),
});

/** The member of a credential that says which of the node's it is. */
const CREDENTIAL_MEMBER = '$credential';

type Bound = Binding & { token?: AccessToken };

/** A credential as n8n decrypted it, and what it may reach; nothing where the node takes none. */
export function bind({ description, granted = [] }: Pick<Component, 'description' | 'granted'>, credential: Credential | undefined, given: IDataObject): Bound {
	const policy = policyOf(granted, process.env);
	if (!credential) return policy;
	const isOneOfSeveral = description.credentials.length > 1;
	const known = parametersOf(description, credential.fields);
	const { clientId, clientSecret } = credential.oauth2 ?? {};
	const inN8n = (name: string): string => ({ [clientId ?? '']: 'clientId', [clientSecret ?? '']: 'clientSecret' })[name] ?? name;
	const fields = known.flatMap(({ name }) => {
		const value = given[inN8n(name)];
		return value === undefined || value === '' ? [] : [[name, value]];
	});
	const base = given[known.find(({ id }) => id === credential.baseUrl)?.name ?? ''];
	return {
		...policy,
		...tokenOf(credential, given),
		credential: Object.fromEntries(isOneOfSeveral ? [...fields, [CREDENTIAL_MEMBER, credential.name]] : fields) as object,
		allow: typeof base === 'string' ? reach(base.trim(), process.env, read) : [],
	};
}

/** The credential that the node's user selected: the only one, or one of several. */
function selected(self: IExecuteFunctions | ILoadOptionsFunctions, { credentials, authentication }: Description): Credential | undefined {
	const [first] = credentials;
	if (!first || !authentication) return first;
	// The form does not let it be an expression.
	const name = self.getNode().parameters[authentication] ?? first.name;
	const found = credentials.find((credential) => credential.name === name);
	if (!found) throw new NodeOperationError(self.getNode(), `this node has no credential ${JSON.stringify(name)}`);
	return found;
}

/** A question of the form. What is filled in by an expression is not known yet, and left out. */
async function question(self: ILoadOptionsFunctions, component: Component, method: Method, page: Page): Promise<Asked> {
	const { description } = component;
	const { group, operation, parameter } = method;
	const set = self.getCurrentNodeParameters() ?? {};
	const parameters = parametersOf(description, operationOf(description, group, operation).parameters);
	const known = parameters.filter(({ name }) => name in set && isStatic(set[name]));
	const filledIn = JSON.parse(itemsOf(description, known, self.getTimezone())((name) => (isStatic(set[name]) ? set[name] : undefined))) as object;
	try {
		const credential = selected(self, description);
		const given = credential ? await self.getCredentials(credential.name) : {};
		assertConnected(self, credential, given);
		const loaded = await sharedHost().component(packed(component));
		const asked = { ...bind(component, credential, given), group, operation, parameter, filledIn, ...page };
		const answer = async (question: typeof asked): Promise<Asked> =>
			method.kind === 'resourceMapping' ? { choices: [], ...(await loaded.fields(question)) } : { fields: [], ...(await loaded.choices(question)) };
		return await answer(asked).catch(async (error: Error) => {
			const { token } = asked;
			// A question has no way to ask for another token while it is asked.
			const isRefused = isKnown(error) && error.kind === 'unauthenticated';
			if (!isRefused || !credential || !token) return await Promise.reject(error);
			return await answer({ ...asked, token: await renewed(self, credential, token) });
		});
	} catch (error) {
		throw isKnown(error) ? asNodeError(self, error) : new NodeOperationError(self.getNode(), error as Error);
	}
}

async function execute(self: IExecuteFunctions, component: Component): Promise<INodeExecutionData[]> {
	const items = self.getInputData();
	if (items.length === 0) return [];
	const goOn = self.continueOnFail();
	const { description } = component;
	const [group, name] = ['resource', 'operation'].map((one) => self.getNodeParameter(one, 0, '') as string) as [string, string];
	const operation = operationOf(description, group, name);
	const collected = new Collected(items.length, goOn);
	const signal = self.getExecutionCancelSignal?.();

	const credential = selected(self, description);
	const given = credential ? await self.getCredentials(credential.name) : {};
	assertConnected(self, credential, given);
	const binding = bind(component, credential, given);
	let { token } = binding;
	const onToken = async (): Promise<AccessToken> => {
		if (!credential || !token) throw new NodeOperationError(self.getNode(), 'n8n keeps no token for this credential');
		token = await renewed(self, credential, token);
		return token;
	};
	const { run, files } = await begun(self, async () => {
		const request: RunRequest = {
			...binding,
			group,
			operation: name,
			concurrency: CONCURRENCY,
			onFailure: goOn ? 'continue' : 'stop',
			order: 'completion',
			// A plain write is never sent again by itself.
			retries: operation.effect.type === 'write' ? 0 : RETRIES,
			itemTimeMs: ITEM_TIME_MS,
			// n8n takes an item whole, but neither the host nor the node has to hold it.
			streamRows: true,
		};
		const loaded = await sharedHost().component(packed(component));
		const files = new FilesOfItems(self, loaded, parametersOf(description, operation.parameters));
		const resolved = resolve(self, component, operation.parameters, collected, files, signal);
		return { run: loaded.run(request, resolved, { signal, ...(token ? { onToken } : {}) }), files };
	});
	try {
		for await (const lines of run.lines()) {
			for (const line of lines) {
				if (isOver()) await turn();
				const { item, came } = collected.line(line);
				for (const [one, named] of came) one.binary = await files.taken(named);
				if (files.areTaken) await files.done(item);
			}
		}
		if (signal?.aborted) collected.rest({ kind: 'cancelled', message: 'the execution was cancelled' } as NoduleError);
	} catch (error) {
		if (!isKnown(error)) throw new NodeOperationError(self.getNode(), error as Error);
		// Before it began, it was refused as a whole.
		if ('status' in error) throw asNodeError(self, error);
		collected.rest(error);
	}
	return collected.end(self);
}

/** Items in the order of their index, each with the parameters that n8n makes of its expressions. */
async function* resolve(
	self: IExecuteFunctions,
	{ description }: Component,
	ids: string[],
	collected: Collected,
	files: FilesOfItems,
	signal: AbortSignal | undefined,
): AsyncGenerator<Item[], void, undefined> {
	const { parameters: set } = self.getNode();
	const parameters = parametersOf(description, ids).filter(({ name }) => name in set);
	const fixed = new Map(
		parameters.flatMap(({ name }) => (isStatic(set[name]) ? [[name, self.getNodeParameter(name, 0) as unknown] as const] : [])),
	);
	const asItem = itemsOf(description, parameters, self.getTimezone());
	const same = fixed.size === parameters.length ? asItem((name) => fixed.get(name)) : undefined;
	let batch: Item[] = [];
	// The first expression makes n8n prepare for all of them, which is a long turn by itself: it counts from here.
	await turn();
	let sent = performance.now();
	let wait = SLICE_MS;
	for (let index = 0; index < collected.count && !signal?.aborted; index += 1) {
		try {
			const value = lookup(self, set, fixed, index);
			const item = same ?? asItem(value);
			if (files.areTaken) {
				// Its files wait for room with the host, and so for the results of items that were sent.
				const parameters = await files.with(index, item);
				collected.given = index + 1;
				yield [{ id: index, parameters }];
				continue;
			}
			batch.push({ id: index, parameters: item });
		} catch (error) {
			// An expression that cannot be evaluated; n8n's own words say where.
			if (collected.unresolved(index, error as Error)) break;
		}
		const over = isOver();
		if (batch.length >= BATCH || (over && performance.now() - sent >= wait)) {
			collected.given = index + 1;
			yield batch;
			batch = [];
			sent = performance.now();
			wait = Math.min(2 * wait, SEND_MS);
		}
		if (over) await turn();
	}
	if (batch.length > 0) {
		collected.given = collected.count;
		yield batch;
	}
}

/** The values of one item, each resolved once: a condition may look at what is read anyway. */
function lookup(self: IExecuteFunctions, set: object, fixed: Map<string, unknown>, index: number): (name: string) => unknown {
	const resolved = new Map<string, unknown>();
	return (name) => {
		if (fixed.has(name)) return fixed.get(name);
		if (!resolved.has(name)) resolved.set(name, name in set ? self.getNodeParameter(name, index) : undefined);
		return resolved.get(name);
	};
}

/** What comes of the items, whichever order it comes in. */
class Collected {
	/** Of so many items the host may know. */
	given = 0;
	private readonly results: Array<INodeExecutionData[] | undefined>;
	/** Of items that go on. */
	private readonly rows = new Map<number, INodeExecutionData[]>();
	private first: { index: number; failure: Failure; thrown?: Error } | undefined;

	constructor(
		readonly count: number,
		private readonly goOn: boolean,
	) {
		this.results = new Array<INodeExecutionData[] | undefined>(count);
	}

	/** Takes a line. Comes back with the outputs that files came with. */
	line(line: string): { item: number; came: Array<[INodeExecutionData, Record<string, OutputFile>]> } {
		let result: Result;
		try {
			result = resultOf(line);
		} catch {
			const [, item] = /^\{"item":(\d+)/.exec(line) ?? [];
			result = { item: Number(item), error: { kind: 'bad-output', message: 'the node returned an output item that is not JSON' } };
		}
		const { item } = result;
		if (!('output' in result)) {
			this.failed(item, result.error);
			return { item, came: [] };
		}
		const made: INodeExecutionData[] = result.output.map((json) => ({ json, pairedItem: { item } }));
		const came = (result.files ?? []).flatMap((named, index) => {
			const one = made[index];
			return one && Object.keys(named).length > 0 ? [[one, named] as [INodeExecutionData, Record<string, OutputFile>]] : [];
		});
		const rows = this.rows.get(item);
		if (rows) for (const one of made) rows.push(one);
		if (result.goesOn) {
			this.rows.set(item, rows ?? made);
		} else {
			this.rows.delete(item);
			this.results[item] = rows ?? made;
		}
		return { item, came };
	}

	/** Whether nothing after it is to be run. */
	unresolved(index: number, thrown: Error): boolean {
		this.failed(index, { kind: 'expression', message: thrown.message }, thrown);
		return !this.goOn;
	}

	/** Why the others have no result. */
	rest(error: NoduleError): void {
		for (let index = 0; index < this.count; index += 1) {
			if (this.results[index] === undefined && this.first?.index !== index) this.failed(index, withoutResult(error, index < this.given));
			// With "stop" one failure is all that is shown.
			if (!this.goOn && this.first) break;
		}
	}

	end(self: IExecuteFunctions): INodeExecutionData[] {
		if (this.first && !this.goOn) throw this.first.thrown ?? nodeError(self, this.first.failure, this.first.index);
		return this.results.flatMap((made) => made ?? []);
	}

	private failed(index: number, failure: Failure, thrown?: Error): void {
		this.rows.delete(index);
		if (this.goOn) {
			const { message, ...details } = failure;
			this.results[index] = [{ json: { error: message, details: details as unknown as IDataObject }, pairedItem: { item: index } }];
		} else if (failure.kind !== 'not-run' && (!this.first || index < this.first.index)) {
			this.first = { index, failure, ...(thrown ? { thrown } : {}) };
		}
	}
}

/** Of another package that shares the host the classes are others. */
const isKnown = (error: unknown): error is NoduleError => error instanceof Error && typeof (error as { kind?: unknown }).kind === 'string';

const asNodeError = (self: IExecuteFunctions | ILoadOptionsFunctions, { kind, message, hint }: NoduleError): NodeOperationError =>
	new NodeOperationError(self.getNode(), message, { description: hint === undefined ? kind : `${kind} · ${hint}` });

/** What fails before a run begins is about the node as a whole. */
async function begun<T>(self: IExecuteFunctions, begin: () => Promise<T>): Promise<T> {
	try {
		return await begin();
	} catch (error) {
		if (isKnown(error)) throw asNodeError(self, error);
		throw new NodeOperationError(self.getNode(), error as Error);
	}
}

function credentialTest(component: Component, credential: Credential): Test {
	return async function (
		this: ICredentialTestFunctions,
		tested: ICredentialsDecrypted,
	): Promise<INodeCredentialTestResult> {
		try {
			const binding = bind(component, credential, (tested.data ?? {}) as IDataObject);
			const loaded = await sharedHost().component(packed(component));
			const { ok, error } = await loaded.checkCredential(binding);
			if (ok) return { status: 'OK', message: 'The service accepted the credential' };
			return { status: 'Error', message: error?.message ?? 'The service did not accept the credential' };
		} catch (error) {
			return { status: 'Error', message: (error as Error).message };
		}
	};
}
