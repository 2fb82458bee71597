/**
 * Queue mode, n8n's own way over more than one process: one main and two workers with the same package, Redis and
 * PostgreSQL between them. (n8n starts with SQLite too, with a warning, and then fails executions because its file is locked.)
 * 200 executions adjust points; a worker is killed while it has some of them. `make test-n8n-queue`.
 */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { itemOf } from './items.mjs';
import { simulator, userFolder, workflow } from './n8n.mjs';
import { instance, server } from './server.mjs';
import { postgres, redis } from './services.mjs';

const EXECUTIONS = 200;
/** Of each worker: so many executions may be lost with it. */
const CONCURRENCY = 5;
const PATIENCE_MS = 240_000;
/** A lost worker's jobs are noticed by their lock, which nobody renews. n8n's own values are 60, 10 and 30 s. */
const LOCK = { QUEUE_WORKER_LOCK_DURATION: '10000', QUEUE_WORKER_LOCK_RENEW_TIME: '2000', QUEUE_WORKER_STALLED_INTERVAL: '3000' };

const stops = [];
let service;
let main;
before(async () => {
	// Slow enough that executions are under way when the worker is killed.
	service = await simulator('--latency-ms', '200');
	stops.push(service.stop);
	const folder = await userFolder();
	stops.push(folder.remove);
	for (const begin of [postgres, redis]) {
		const { env, stop } = await begin();
		stops.push(stop);
		Object.assign(folder.env, env);
	}
	Object.assign(folder.env, { EXECUTIONS_MODE: 'queue', ...LOCK });
	await folder.credential(service.url);
	const made = workflow('queued', {
		resource: 'points',
		operation: 'adjustPoints',
		items: [{ ...itemOf('adjustPoints'), operationId: '={{ $json.body.operationId }}' }],
	});
	const hook = { id: 'w', name: 'Hook', type: 'n8n-nodes-base.webhook', typeVersion: 2, position: [0, 0], webhookId: 'adjust', parameters: { path: 'adjust', httpMethod: 'POST', responseMode: 'onReceived' } };
	const [, , node] = made.nodes;
	await folder.workflows([{ ...made, nodes: [hook, node], connections: { Hook: { main: [[{ node: 'Node', type: 'main', index: 0 }]] } } }]);
	await folder.n8n('publish:workflow', '--id=queued');

	main = await server(folder);
	stops.push(main.stop);
	for (const worker of workers) {
		const seen = (line) => {
			const [, what, execution] = /Worker (started|finished) execution (\d+)/.exec(line) ?? [];
			if (what === 'started') worker.holds.add(execution);
			if (what === 'finished' && worker.holds.delete(execution)) worker.finished += 1;
			worker.changed();
		};
		Object.assign(worker, await instance(folder, ['worker', `--concurrency=${CONCURRENCY}`], { ready: /n8n worker is now ready/, seen }));
		stops.push(worker.stop);
	}
});
after(async () => {
	for (const stop of stops.reverse()) await stop();
});

const workers = [1, 2].map(() => ({ holds: new Set(), finished: 0, changed: () => {} }));
const [victim, other] = workers;

/** Resolves when it is so, looked at whenever a worker says something. */
const until = async (isSo) =>
	await new Promise((resolve) => {
		const look = () => isSo() && resolve();
		for (const worker of workers) worker.changed = look;
		look();
	});

/** Ten at once. */
const each = async (all, one) => {
	const left = [...all];
	await Promise.all(Array.from({ length: 10 }, async () => {
		while (left.length > 0) await one(left.shift());
	}));
};

/** What n8n shows: the status of each execution, by its ID. */
const statuses = async () => {
	const filter = encodeURIComponent(JSON.stringify({ workflowId: 'queued' }));
	const found = new Map();
	let cursor = '';
	do {
		const { results, nextCursor } = await main.rest(`executions?limit=100&filter=${filter}${cursor && `&cursor=${cursor}`}`);
		for (const { id, status } of results) found.set(id, status);
		cursor = nextCursor;
	} while (cursor);
	// n8n orders a page by when executions started and goes on by ID: one that started out of its turn is on none.
	const ids = [...found.keys()].map(Number);
	for (let id = Math.min(...ids); id < Math.max(...ids); id += 1) {
		if (found.has(String(id))) continue;
		const { workflowId, status } = await main.rest(`executions/${id}`);
		if (workflowId === 'queued') found.set(String(id), status);
	}
	return found;
};

test('a worker that is killed loses no execution silently, and nothing is done twice', { timeout: 2 * PATIENCE_MS }, async () => {
	const ids = Array.from({ length: EXECUTIONS }, (_, index) => `queued-${index}`);
	let killedAt = 0;
	const halfWay = () => victim.finished + other.finished >= EXECUTIONS / 2 && victim.holds.size > 0;
	const killed = until(halfWay).then(async () => {
		killedAt = victim.finished + other.finished;
		await victim.stop('SIGKILL');
	});
	await each(ids, async (operationId) => {
		const answer = await fetch(`${main.origin}/webhook/adjust`, {
			method: 'POST',
			headers: { 'content-type': 'application/json' },
			body: JSON.stringify({ operationId }),
		});
		assert.equal(answer.status, 200, await answer.text());
	});
	await killed;

	const began = Date.now();
	let shown = new Map();
	const open = () => [...shown.values()].filter((status) => ['new', 'running', 'waiting'].includes(status)).length;
	do {
		shown = await statuses();
	} while ((shown.size < EXECUTIONS || open() > 0) && Date.now() - began < PATIENCE_MS);

	const count = (...wanted) => [...shown].filter(([, status]) => wanted.includes(status));
	const succeeded = count('success');
	const lost = count('crashed', 'error');
	process.stdout.write(`# killed a worker that held ${victim.holds.size} executions, after ${killedAt} of ${EXECUTIONS}; ${succeeded.length} succeeded, ${lost.length} are shown as failed: ${[...new Set(lost.map(([, status]) => status))].join()}\n`);
	assert.equal(shown.size, EXECUTIONS);
	assert.equal(succeeded.length + lost.length, EXECUTIONS, JSON.stringify([...shown]));
	assert.ok(lost.length >= 1 && lost.length <= CONCURRENCY, `${lost.length} executions failed, of a worker that has ${CONCURRENCY} at once`);
	for (const id of victim.holds) assert.notEqual(shown.get(id), 'success', id);

	const done = (await service.control('ledger')).operations;
	const applied = ids.filter((id) => id in done);
	assert.deepEqual(Object.keys(done).filter((id) => !ids.includes(id)), []);
	for (const id of applied) assert.deepEqual(done[id], { received: 1, applied: 1 }, id);
	assert.ok(applied.length >= succeeded.length, `${applied.length} adjustments for ${succeeded.length} successes`);
	const operationOf = async (id) => {
		const { data } = await main.rest(`executions/${id}`);
		return /queued-\d+/.exec(data)?.[0];
	};
	await each(succeeded, async ([id]) => assert.ok((await operationOf(id)) in done, `execution ${id} succeeded, and is not in the ledger`));
});
