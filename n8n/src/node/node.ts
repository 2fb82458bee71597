/** A component as a node type of n8n. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
	ApplicationError,
	type ICredentialsDecrypted,
	type ICredentialTestFunctions,
	type IDataObject,
	type IExecuteFunctions,
	type INodeCredentialTestResult,
	type INodeExecutionData,
	type INodeType,
	type JsonObject,
	NodeApiError,
	NodeOperationError,
} from 'n8n-workflow';

import type { Failure } from '../host/failure.js';
import { LIMITS } from '../host/limits.js';
import { authenticated, type Credential, type Host, run } from '../host/run.js';
import { Sessions, Unauthenticated } from '../host/session.js';
import { byHttpRequest, byRequest } from '../host/transport.js';
import { turn } from '../host/turn.js';
import { BadUrl, baseUrl } from '../host/url.js';
import { Workers } from '../host/workers.js';
import { type Description, operationOf, parametersOf } from './description.js';
import { parse } from './output.js';
import { asItem } from './parameters.js';

/** What the package holds, beside the node's file. */
export interface Component {
	directory: string;
	/** The core modules, by the names that the worker asks for, and what is in them. */
	modules: Array<{ name: string; sha256: string }>;
	memoryBytes: number;
	digest: string;
	description: Description;
}

type Execute = NonNullable<INodeType['execute']>;
type Test = NonNullable<NonNullable<INodeType['methods']>['credentialTest']>[string];

/** What a node's class does; what it says of itself is generated beside it. */
export function nodeType(component: Component): { methods: INodeType['methods']; execute: Execute } {
	const host = load(component);
	const { credential } = component.description;
	return {
		methods: credential ? { credentialTest: { [`${credential.name}Test`]: credentialTest(component, host) } } : {},
		async execute(this: IExecuteFunctions) {
			return [await execute(this, component, host)];
		},
	};
}

/** The threads start with the first execution; what is compiled here is compiled while nobody waits. */
function load({ directory, modules, memoryBytes, digest }: Component): Host {
	const compiled = Promise.all(
		modules.map(async ({ name, sha256 }) => {
			const bytes = readFileSync(join(directory, name));
			const found = createHash('sha256').update(bytes).digest('hex');
			if (found !== sha256) throw new ApplicationError(`${name}: expected what was packed, sha256 ${sha256}, found ${found}`);
			return [name, await WebAssembly.compile(bytes)] as const;
		}),
	).then((entries) => Object.fromEntries(entries));
	// Whoever runs the node hears of it.
	compiled.catch(() => {});
	const workers = new Workers({ script: join(directory, 'worker.js'), modules: compiled, memoryBytes });
	return { workers, sessions: new Sessions(), digest, limits: LIMITS };
}

/** A credential as n8n decrypted it, checked; `undefined` where the node takes none. */
export function bind(description: Description, given: IDataObject): Credential | undefined {
	const { credential } = description;
	if (!credential) return undefined;
	const known = parametersOf(description, credential.fields);
	const field = (name: string): string => (typeof given[name] === 'string' ? given[name] : '');
	const base = known.find(({ id }) => id === credential.baseUrl);
	const fields = Object.fromEntries(
		known.flatMap(({ name }) => (given[name] === undefined || given[name] === '' ? [] : [[name, given[name]]])),
	);
	return {
		json: JSON.stringify(fields),
		base: baseUrl(field(base?.name ?? '')),
		secrets: known.filter(({ kind }) => kind.type === 'secret').map(({ name }) => field(name)),
	};
}

async function execute(self: IExecuteFunctions, component: Component, host: Host): Promise<INodeExecutionData[]> {
	const { description } = component;
	const items = self.getInputData();
	if (items.length === 0) return [];
	await host.workers.ready();
	const node = self.getNode();
	const goOn = self.continueOnFail();
	const operation = operationOf(
		description,
		self.getNodeParameter('resource', 0, '') as string,
		self.getNodeParameter('operation', 0, '') as string,
	);
	const parameters = parametersOf(description, operation.ids).filter(({ name }) => name in node.parameters);
	const timeZone = self.getTimezone();
	const name = description.credential?.name;
	let credential: Credential | undefined;
	try {
		credential = name === undefined ? undefined : bind(description, await self.getCredentials(name));
	} catch (error) {
		// eslint-disable-next-line @n8n/community-nodes/require-node-api-error -- n8n's own words about its credentials
		if (!(error instanceof BadUrl)) throw error;
		throw new NodeOperationError(node, `the credential's base URL: ${error.message}`);
	}

	const results = new Array<INodeExecutionData[]>(items.length);
	const thrown = new Map<number, Error>();
	let first = Infinity;
	await run(host, {
		operation,
		credential,
		transport: byHttpRequest(self.helpers.httpRequest),
		onFailure: goOn ? 'continue' : 'stop',
		count: items.length,
		cancel: self.getExecutionCancelSignal?.(),
		item(index) {
			try {
				return asItem(description, parameters, (name) => self.getNodeParameter(name, index), timeZone);
			} catch (error) {
				// An expression that cannot be evaluated; n8n's own words say where.
				thrown.set(index, error as Error);
				return { kind: 'expression', message: (error as Error).message };
			}
		},
		async settled(index, result) {
			const made = 'output' in result ? await outputOf(result.output, index) : result.failure;
			if (Array.isArray(made)) {
				results[index] = made;
				return;
			}
			const failure = made;
			if (goOn) {
				const { message, ...details } = failure;
				results[index] = [{ json: { error: message, details }, pairedItem: { item: index } }];
			} else if (failure.kind !== 'not-run' && index < first) {
				first = index;
				thrown.set(-1, thrown.get(index) ?? error(self, failure, index));
			}
		},
	});
	const failed = thrown.get(-1);
	if (failed) throw failed;
	return results.flat();
}

async function outputOf(texts: string[], item: number): Promise<INodeExecutionData[] | Failure> {
	const made: INodeExecutionData[] = [];
	try {
		for (const text of texts) {
			await turn();
			made.push({ json: parse(text), pairedItem: { item } });
		}
		return made;
	} catch {
		return { kind: 'bad-output', message: 'the node returned an output item that is not JSON' };
	}
}

/** What the editor shows of a failure. */
function error(self: IExecuteFunctions, failure: Failure, itemIndex: number): Error {
	const { kind, message, status, code, requestId, certainty, retryAfterMs, problems } = failure;
	const facts = [
		...(code === undefined ? [] : [`code ${code}`]),
		...(requestId === undefined ? [] : [`request ${requestId}`]),
		...(certainty === undefined ? [] : [certainty === 'not-done' ? 'nothing was done' : 'it may have been done']),
		...(retryAfterMs === undefined ? [] : [`try again after ${Math.ceil(retryAfterMs / 1000)} s`]),
		...(problems ?? []).map(({ pointer, message: what }) => `${pointer}: ${what}`),
	];
	const description = [kind, ...facts].join(' · ');
	if (status === undefined && kind !== 'unavailable') {
		return new NodeOperationError(self.getNode(), message, { itemIndex, description });
	}
	return new NodeApiError(self.getNode(), { ...failure } as unknown as JsonObject, {
		itemIndex,
		message,
		description,
		...(status === undefined ? {} : { httpCode: String(status) }),
	});
}

function credentialTest(component: Component, host: Host): Test {
	return async function (
		this: ICredentialTestFunctions,
		tested: ICredentialsDecrypted,
	): Promise<INodeCredentialTestResult> {
		try {
			const credential = bind(component.description, (tested.data ?? {}) as IDataObject);
			if (!credential) return { status: 'Error', message: 'this node takes no credential' };
			// Its own sessions: a test says what is so now.
			const own = { ...host, sessions: new Sessions() };
			// eslint-disable-next-line @n8n/community-nodes/no-deprecated-workflow-functions -- a credential's test has no other
			await authenticated(own, credential, byRequest(this.helpers.request), undefined);
			return { status: 'OK', message: 'The service accepted the credential' };
		} catch (error) {
			const known = error instanceof Unauthenticated || error instanceof BadUrl;
			return { status: 'Error', message: known ? error.message : 'The credential could not be tested' };
		}
	};
}

