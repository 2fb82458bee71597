/**
 * How items become calls, and what becomes of the items: each gets exactly one result, whatever the node does.
 *
 * - An operation whose effect is `write` runs one item per call and never runs one again; others are split into chunks,
 *   whose requests the node overlaps itself.
 * - With `stop`, nothing starts after a failure: one call at a time, of which the node keeps that promise itself.
 * - A call that breaks, or gives too few or too many results, has none: its items run again, each alone.
 * - Items whose session was refused run again, once, with a new one.
 * - Items that the service asked to be sent again later run again then, within limits; others fail at once, and trying
 *   again is n8n's "Retry On Fail".
 * - Items that change the same thing, by the values of the path's parameters, keep their order and never overlap.
 */
import { createHash } from 'node:crypto';
import { setTimeout } from 'node:timers/promises';

import type { Call, Session as Given, Task } from '../messages.js';
import { bare, failure, type Failure } from './failure.js';
import { CONCURRENCY, INSTANCES, ITEMS_PER_PLACE, type Limits, PATIENCE_MS, TRIES, WRITE_INSTANCES } from './limits.js';
import { Pipeline } from './pipeline.js';
import { Session, Sessions, Unauthenticated } from './session.js';
import type { Transport } from './transport.js';
import { turn } from './turn.js';
import { asText, type Target } from './url.js';
import type { Stopped, Workers } from './workers.js';

export type ItemResult = { output: string[] } | { failure: Failure };

export interface Operation {
	group: string;
	name: string;
	effect: 'read' | 'idempotent' | 'keyed' | 'write';
	/** Names of the parameters in the request's path. */
	path: string[];
}

export interface Credential {
	/** All of it, for `authenticate` alone. */
	json: string;
	base: Target;
	secrets: string[];
}

export interface Host {
	workers: Workers;
	sessions: Sessions;
	/** Of the component: a session of one is not another's. */
	digest: string;
	limits: Limits;
}

export interface Run {
	operation: Operation;
	credential: Credential | undefined;
	transport: Transport;
	onFailure: Call['onFailure'];
	count: number;
	/** An item's parameters as JSON text, or why there are none. Asked for as they are needed, in order. */
	item(index: number): string | Failure;
	/** Called once for each item, as soon as its result is there. */
	settled(index: number, result: ItemResult): Promise<void> | void;
	cancel?: AbortSignal | undefined;
}

interface Item {
	index: number;
	parameters: string;
}

export async function run(host: Host, given: Run): Promise<void> {
	const { operation, onFailure } = given;
	const stop = onFailure === 'stop';
	const alone = operation.effect === 'write';
	const places = stop ? 1 : alone ? WRITE_INSTANCES : INSTANCES;
	const inFlight = alone ? 1 : Math.max(1, Math.floor(CONCURRENCY / places));
	const size = alone ? 1 : inFlight * ITEMS_PER_PLACE;

	const busy = new Set<string>();
	const active = new Set<Promise<void>>();
	const waiting: Item[] = [];
	let taken = 0;
	let stopped = false;

	const settle = async (index: number, result: ItemResult): Promise<void> => {
		if (stop && 'failure' in result) stopped = true;
		await given.settled(index, result);
	};
	const prepare = async (): Promise<void> => {
		await turn();
		const index = taken;
		taken += 1;
		const parameters = given.item(index);
		if (typeof parameters === 'string') waiting.push({ index, parameters });
		else await settle(index, { failure: parameters });
	};
	const chunk = async (): Promise<{ items: Item[]; things: string[] }> => {
		const items: Item[] = [];
		const things: string[] = [];
		while (items.length < size) {
			if (waiting.length === 0 && taken < given.count && !stopped) await prepare();
			const [item] = waiting;
			if (!item) {
				if (taken < given.count && !stopped) continue;
				break;
			}
			const thing = thingOf(operation, item);
			if (thing !== undefined) {
				// Items of the same thing keep their order, so those behind it wait with it.
				if (busy.has(thing)) break;
				busy.add(thing);
				things.push(thing);
			}
			items.push(item);
			waiting.shift();
		}
		return { items, things };
	};

	for (;;) {
		while (active.size < places && (!stopped || waiting.length > 0)) {
			const { items, things } = await chunk();
			if (items.length === 0) break;
			const call = runChunk(host, given, items, inFlight).then(async (results) => {
				for (const thing of things) busy.delete(thing);
				// Before anything waits: what failed stops what has not begun.
				if (stop && results.some((result) => 'failure' in result)) stopped = true;
				for (const [position, { index }] of items.entries()) await settle(index, results[position] ?? { failure: NOT_RUN });
			});
			const entry: Promise<void> = call.finally(() => active.delete(entry));
			active.add(entry);
		}
		if (active.size === 0) break;
		await Promise.race(active);
	}
	for (; taken < given.count; taken += 1) await given.settled(taken, { failure: NOT_RUN });
}

const NOT_RUN = failure({ tag: 'not-run' });

/** What an item changes; nothing where the path does not say. */
function thingOf(operation: Operation, item: Item): string | undefined {
	if (operation.effect === 'read' || operation.path.length === 0) return undefined;
	const fields = JSON.parse(item.parameters) as Record<string, unknown>;
	return JSON.stringify(operation.path.map((name) => String(fields[name] ?? '').trim()));
}

/** Again after the time that the service asked for, as long as that lies within {@link PATIENCE_MS}. */
async function runChunk(host: Host, given: Run, items: Item[], inFlight: number): Promise<ItemResult[]> {
	const results = await withSession(host, given, items, inFlight);
	// A `write` that was refused for now has done nothing; but that is the service's word, and it is never sent twice.
	if (given.operation.effect === 'write') return results;
	const until = performance.now() + PATIENCE_MS;
	for (let tries = 1; tries < TRIES; tries += 1) {
		const left = until - performance.now();
		const fits = (result: ItemResult): number[] => {
			const wait = 'failure' in result ? (result.failure.retryAfterMs ?? Infinity) : Infinity;
			return wait <= left ? [wait] : [];
		};
		const waits = results.flatMap(fits);
		if (waits.length === 0) break;
		await setTimeout(Math.max(...waits), undefined, { signal: given.cancel }).catch(() => {});
		if (given.cancel?.aborted) break;
		// With `stop`, the items after it were not run because of it: they get their turn now.
		const positions = results.flatMap((result, position) =>
			fits(result).length > 0 || ('failure' in result && result.failure.kind === 'not-run') ? [position] : [],
		);
		const chosen = positions.flatMap((position) => items[position] ?? []);
		const next = await withSession(host, given, chosen, inFlight);
		positions.forEach((position, index) => (results[position] = next[index] ?? { failure: NOT_RUN }));
	}
	return results;
}

/** With a session, and once more with a new one for the items whose session was refused. */
async function withSession(host: Host, given: Run, items: Item[], inFlight: number): Promise<ItemResult[]> {
	const all = (found: Failure, count: number): ItemResult[] => Array.from({ length: count }, () => ({ failure: found }));
	let session: Session | undefined;
	try {
		session = given.credential && (await authenticated(host, given.credential, given.transport, undefined));
	} catch (error) {
		return all(refusal(error), items.length);
	}
	const results = await isolated(host, given, items, session, inFlight);
	const again = (kinds: string[]): number[] =>
		results.flatMap((result, position) => ('failure' in result && kinds.includes(result.failure.kind) ? [position] : []));
	const refused = again(['unauthenticated']);
	if (!session || !given.credential || refused.length === 0) return results;
	let renewed: Session;
	try {
		renewed = await authenticated(host, given.credential, given.transport, session);
	} catch (error) {
		// The refusal stands; why there is no new session is what its owner has to know.
		for (const position of refused) results[position] = { failure: refusal(error) };
		return results;
	}
	// With `stop`, the items after the refused one were not run because of it: they get their turn now.
	const positions = again(['unauthenticated', 'not-run']);
	const chosen = positions.flatMap((position) => items[position] ?? []);
	const second = await isolated(host, given, chosen, renewed, inFlight);
	positions.forEach((position, index) => (results[position] = second[index] ?? { failure: NOT_RUN }));
	return results;
}

const refusal = (error: unknown): Failure =>
	error instanceof Unauthenticated ? error.failure : { kind: 'authentication', message: 'authentication failed' };

/** All items in one call, or, when that call breaks, each in one of its own. */
async function isolated(
	host: Host,
	given: Run,
	items: Item[],
	session: Session | undefined,
	inFlight: number,
): Promise<ItemResult[]> {
	const first = await once(host, given, items, session, inFlight);
	if (Array.isArray(first)) return first;
	if (items.length === 1 || first.kind === 'cancelled') return items.map(() => ({ failure: first }));
	const results: ItemResult[] = [];
	let stopped = false;
	for (const item of items) {
		const end: ItemResult[] | Failure = stopped ? NOT_RUN : await once(host, given, [item], session, 1);
		const result: ItemResult = (Array.isArray(end) ? end[0] : undefined) ?? { failure: Array.isArray(end) ? NOT_RUN : end };
		results.push(result);
		stopped ||= given.onFailure === 'stop' && 'failure' in result;
	}
	return results;
}

/** One call. Its results are as many as the items, or there are none and this is why. */
async function once(
	host: Host,
	given: Run,
	items: Item[],
	session: Session | undefined,
	inFlight: number,
): Promise<ItemResult[] | Failure> {
	const { operation, credential, onFailure } = given;
	const pipeline = new Pipeline({
		scope: 'operation',
		base: credential?.base,
		session,
		transport: given.transport,
		limits: host.limits,
		write: operation.effect === 'write',
	});
	const task: Task = {
		kind: 'execute',
		call: {
			group: operation.group,
			operation: operation.name,
			items: items.map(({ parameters }) => parameters),
			onFailure,
			inFlight,
			baseUrl: credential ? asText(credential.base) : '',
		},
	};
	const end = await host.workers.run(task, pipeline, host.limits, given.cancel);
	if (end.kind === 'failure') {
		const found = pipeline.explain(failure(end.failure));
		return items.map(() => ({ failure: found }));
	}
	if (end.kind !== 'results') return broken(end);
	if (end.results.length !== items.length) {
		return { kind: 'trap', message: `the node stopped: expected ${items.length} results, found ${end.results.length}` };
	}
	const outputs = end.results.flatMap((result) => (result.tag === 'ok' ? result.val : []));
	const bytes = outputs.reduce((sum, { length }) => sum + length, 0);
	if (bytes > host.limits.outputBytes) {
		return { kind: 'limit', message: `results of more than ${host.limits.outputBytes} bytes (\`output-bytes\`)` };
	}
	return end.results.map((result) =>
		result.tag === 'ok' ? { output: result.val } : { failure: pipeline.explain(failure(result.val)) },
	);
}

function broken(end: Exclude<Awaited<ReturnType<Workers['run']>>, { kind: 'results' | 'failure' }>): Failure {
	if (end.kind === 'trap' && end.memoryFull) return { kind: 'limit', message: 'the node\'s memory is full (`memory-bytes`)' };
	if (end.kind === 'trap' && end.tooMany) return { kind: 'limit', message: `the node wants ${end.message}` };
	if (end.kind === 'trap') return { kind: 'trap', message: `the node stopped: ${end.message}` };
	return { kind: end.kind, message: (end as Stopped).message };
}

/** A session of this credential, made by one flight however many ask; so one who gives up does not end it for the others. */
export async function authenticated(
	host: Host,
	credential: Credential,
	transport: Transport,
	refused: Session | undefined,
): Promise<Session> {
	const key = createHash('sha256').update(`${host.digest}\n${credential.json}`).digest('hex');
	return await host.sessions.get(key, refused, async (renew?: Given) => {
		const pipeline = new Pipeline({
			scope: 'authentication',
			base: credential.base,
			session: undefined,
			transport,
			limits: host.limits,
			write: false,
		});
		const task: Task = { kind: 'authenticate', credential: credential.json, ...(renew ? { renew } : {}) };
		const end = await host.workers.run(task, pipeline, host.limits);
		switch (end.kind) {
			case 'session':
				return new Session(end.session, credential.secrets);
			case 'failure':
				throw new Unauthenticated(bare(pipeline.explain(failure(end.failure))));
			case 'results':
				throw new Unauthenticated({ kind: 'authentication', message: 'authentication failed' });
			default:
				throw new Unauthenticated(bare(broken(end)));
		}
	});
}
