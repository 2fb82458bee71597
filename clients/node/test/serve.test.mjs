/** The client and the real host, with the simulator as the service. */
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { after, before, test } from 'node:test';

import { Host, Interrupted, RequestError } from '../dist/index.js';

const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../../target');
const file = process.env.COMPONENT ?? join(target, 'socialhub.wasm');
const binary = join(target, 'release/nodule');
const digest = `sha256:${createHash('sha256').update(readFileSync(file)).digest('hex')}`;
const folder = mkdtempSync(join(tmpdir(), 'nodule-client-'));
const ends = [() => rmSync(folder, { recursive: true })];
let host;
let component;
let url;

async function simulator(...flags) {
	const child = spawn(join(target, 'release/simulator'), ['--log-requests', ...flags], { stdio: ['ignore', 'pipe', 'inherit'] });
	ends.unshift(() => child.kill());
	const [line] = await once(createInterface(child.stdout), 'line');
	return line.trim();
}
const requests = async (base) => await (await fetch(`${new URL(base).origin}/_simulator/requests`)).json();
before(async () => {
	url = await simulator();
	host = await Host.start({ binary, cache: join(folder, 'cache') });
	ends.unshift(async () => await host.close());
	component = await host.load(file, { digest });
});
after(async () => {
	for (const end of ends) await end();
});

const credential = (baseUrl = url, appSecret = 'demo-secret-0123456789') => ({ baseUrl, appId: 'demo', appSecret });
const getMember = (more = {}) => ({ group: 'member', operation: 'getMember', credential: credential(), ...more });
const cards = (count) => Array.from({ length: count }, (_, index) => ({ id: `card-${index}`, parameters: { cardNo: `M${index}` } }));
const all = async (results) => {
	const found = [];
	for await (const result of results) found.push(result);
	return found;
};

test('a component is loaded by its digest, and described', async () => {
	assert.deepEqual([component.digest, component.name], [digest, 'socialHub']);
	const described = execFileSync(binary, ['describe', file, '--format', 'json'], { encoding: 'utf8' });
	assert.deepEqual(await component.describe(), JSON.parse(described));
	assert.ok((await component.describe('n8n')).node);
	assert.match(await component.describe('markdown'), /getMember/);
	const wrong = await host.load(file, { digest: `sha256:${'0'.repeat(64)}` }).catch((error) => error);
	assert.ok(wrong instanceof RequestError);
	assert.equal(wrong.kind, 'digest');
	assert.ok((await host.about()).components.includes(digest));
});

test('a file is given as a stream, named by an item, and comes back as one', async (t) => {
	const service = createServer((request, response) => request.pipe(response)).listen(0, '127.0.0.1');
	await once(service, 'listening');
	t.after(() => service.close());
	const base = `http://127.0.0.1:${service.address().port}`;
	const moves = await host.load(join(target, 'hostile/moves.wasm'));
	const piece = Buffer.alloc(65_536, 'x');
	const { id, size } = await host.files.give(Readable.from((function* () {
		for (let index = 0; index < 80; index += 1) yield piece;
	})()));
	assert.equal(size, 80 * 65_536);
	const task = {
		requests: [{ method: 'PUT', url: `${base}/echo`, body: ['<', { file: 0 }, '>'], keep: true }],
		give: [{ key: 'data', name: 'a.bin', type: 'text/plain', kept: 0 }],
	};
	const request = { group: 'things', operation: 'read', credential: { baseUrl: base, secret: '0123456789abcdef' } };
	const [result] = await all(moves.run(request, [{ parameters: { task, file: 'f', $files: { f: { id, fileName: 'b' } } } }]));
	const { data } = result.files[0];
	assert.deepEqual([data.fileName, data.mediaType, data.size], ['a.bin', 'text/plain', size + 2]);
	const hash = createHash('sha256');
	for await (const bytes of await host.files.open(data.id)) hash.update(bytes);
	assert.equal(hash.digest('hex'), data.sha256);
	await host.files.forget(data.id);
	const gone = await host.files.open(data.id).catch((error) => error);
	assert.ok(gone instanceof RequestError);
	assert.equal(gone.kind, 'not-found');
	const broken = Readable.from((function* () {
		yield piece;
		throw new Error('the disk is gone');
	})());
	await assert.rejects(host.files.give(broken), /the disk is gone/);
});

test('a credential is checked, and a secret is not repeated', async () => {
	assert.deepEqual(await component.checkCredential({ credential: credential() }), { ok: true });
	const { ok, error } = await component.checkCredential({ credential: credential(url, 'wrong-secret-0123') });
	assert.equal(ok, false);
	assert.equal(error.kind, 'unauthenticated');
	assert.ok(!JSON.stringify(error).includes('wrong-secret'));
});

test('each item has its result, by the name that it came with', async () => {
	const run = component.run(getMember(), cards(1000));
	const results = await all(run);
	assert.deepEqual(results.map(({ item }) => item), cards(1000).map(({ id }) => id));
	assert.deepEqual(results.map(({ output }) => output[0].data.cardNo), cards(1000).map(({ parameters }) => parameters.cardNo));
	assert.equal(run.effect, 'read');
	assert.deepEqual([run.summary.items, run.summary.done, run.summary.ended], [1000, 1000, 'complete']);
});

test('a failure is the item\'s result, and with `stop` those after it are not run', async () => {
	const items = [{ parameters: { cardNo: 'M1' } }, { parameters: { cardNo: 'nobody' } }, { parameters: { card: 1 } }, { parameters: { cardNo: 'M2' } }];
	const results = await all(component.run(getMember(), items));
	assert.deepEqual(results.map(({ error }) => error?.kind), [undefined, 'rejected', 'invalid-parameters', undefined]);
	const stopped = await all(component.run(getMember({ onFailure: 'stop', concurrency: 1 }), items));
	// Those that were taken already were not run.
	assert.deepEqual(stopped.map(({ error }) => error?.kind).filter((kind) => kind !== 'not-run'), [undefined, 'rejected']);
});

test('a plan says what would be sent, and sends nothing', async () => {
	const before = (await requests(url)).length;
	const [planned, wrong] = await all(component.plan(getMember(), [{ parameters: { cardNo: 'M1' } }, { parameters: {} }]));
	assert.match(planned.requests[0].url, /\/v1\/member\/M1$/);
	assert.equal(wrong.error.kind, 'invalid-parameters');
	assert.equal((await requests(url)).length, before);
});

test('what is refused before a run begins says what to do', async () => {
	const unknown = await all(component.run(getMember({ operation: 'getMembers' }), cards(1))).catch((error) => error);
	assert.ok(unknown instanceof RequestError);
	assert.match(unknown.message, /getMember/);
	const { appSecret, ...without } = credential();
	const credentialError = await all(component.run(getMember({ credential: without }), cards(1))).catch((error) => error);
	assert.equal(credentialError.kind, 'credential');
	assert.ok(!credentialError.message.includes(appSecret));
});

test('an abort gives each item that was taken a result', async () => {
	const slow = await simulator('--latency-ms', '300');
	const controller = new AbortController();
	const run = component.run(getMember({ credential: credential(slow), order: 'completion' }), cards(1000), { signal: controller.signal });
	const results = [];
	for await (const batch of run.batches()) {
		results.push(...batch);
		controller.abort();
	}
	assert.ok(results.length < 1000, `${results.length}`);
	assert.ok(results.some(({ output }) => output));
	assert.equal(run.summary.items, results.length);
});

test('a run that may take no longer ends with items still to be given, and says so', async () => {
	const slow = await simulator('--latency-ms', '300');
	const run = component.run(getMember({ credential: credential(slow), runTimeMs: 500 }), cards(100_000));
	await all(run);
	assert.equal(run.summary.ended, 'out-of-time');
});

test('a run that is stopped while items are given ends, again and again, and its connection\'s end is nobody\'s error', async () => {
	function* many() {
		for (let index = 0; index < 20_000; index += 1) yield { parameters: { cardNo: `M${index}` } };
	}
	for (let round = 0; round < 20; round += 1) {
		const run = component.run(getMember(), many());
		let stopping;
		for await (const _ of run.batches()) stopping ??= run.stop();
		await stopping;
		await run.stop();
		assert.equal(run.summary.ended, 'stopped');
		assert.ok(run.summary.items < 20_000);
	}
});

test('when the host is killed, each item has a result or may have been done, and another host goes on', async () => {
	const slow = await simulator('--latency-ms', '20');
	const own = await Host.start({ binary, cache: join(folder, 'cache') });
	ends.unshift(async () => await own.close());
	const run = (await own.load(file, { digest })).run(getMember({ credential: credential(slow) }), cards(1000));
	const results = [];
	const error = await (async () => {
		for await (const result of run) {
			results.push(result);
			if (results.length === 100) process.kill(own.pid, 'SIGKILL');
		}
	})().catch((thrown) => thrown);
	assert.ok(error instanceof Interrupted, String(error));
	assert.deepEqual([error.certainty, error.ended.signal], ['unknown', 'SIGKILL']);
	assert.ok(results.length >= 100 && results.length < 1000);
	assert.equal((await all(component.run(getMember({ credential: credential(slow) }), cards(10)))).length, 10);
});
