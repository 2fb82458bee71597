/** Hostile components in a real n8n: what a workflow can reach of the rows of `make test-hostile`. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { hostile } from './hostile.mjs';
import { hooked, nodule, userFolder } from './n8n.mjs';
import { server } from './server.mjs';

const OWN_SECRET = 'the-secret-of-this-credential-42';
const GUESTS = ['spins', 'grows', 'returns_much', 'recurses', 'calls', 'complains'];
const ends = [];
const seen = [];
let n8n;

before(async () => {
	const home = mkdtempSync(join(tmpdir(), 'nodule-hostile-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const listening = async () => {
		const service = createServer((request, answer) => {
			seen.push(`${service.address().port}${request.url}`);
			answer.end('{}');
		});
		await new Promise((resolve) => service.listen(0, '127.0.0.1', resolve));
		ends.unshift(() => service.close());
		return service.address().port;
	};
	const [own, other] = [await listening(), await listening()];
	const nodes = new Map();
	for (const guest of GUESTS) nodes.set(guest, await hostile(guest, home));
	const folder = await userFolder({ socialHub: false, extra: [...nodes.values()].map(({ directory }) => directory) });
	ends.unshift(folder.remove);
	const policy = join(home, 'policy.toml');
	writeFileSync(policy, '[limits]\nrun-timeout-ms = 10000\n');
	Object.assign(folder.env, { NODULE_BINARY: nodule, NODULE_POLICY: policy, A_SECRET_OF_N8N: 'visible' });
	await folder.credentials(
		[...nodes].map(([guest, { credential }]) => {
			const complaint = { say: 'rejected', text: OWN_SECRET };
			const mode = guest === 'complains' ? `say ${JSON.stringify(complaint)}` : '';
			return { id: guest, name: guest, type: credential, data: { baseUrl: `http://127.0.0.1:${own}/api`, secret: OWN_SECRET, mode } };
		}),
	);
	const requests = [`http://127.0.0.1:${other}/x`, 'http://169.254.169.254/latest/meta-data', 'file:///etc/passwd', `http://127.0.0.1:${own}/elsewhere`];
	await folder.workflows(
		[...nodes].map(([guest, { type, credential }]) =>
			hooked(guest, {
				resource: 'things',
				operation: 'read',
				items: [{}, { hostile: true, requests: requests.map((url) => ({ url })) }, {}],
				onError: 'continueRegularOutput',
				type,
				credentials: { [credential]: { id: guest, name: guest } },
			}),
		),
	);
	for (const guest of GUESTS) await folder.n8n('publish:workflow', `--id=${guest}`);
	n8n = await server(folder);
	ends.unshift(async () => await n8n.stop());
});
after(async () => {
	for (const end of ends) await end();
});

const done = async (id) => {
	const { status, text } = await n8n.call(id);
	assert.equal(status, 200, text);
	return JSON.parse(text);
};
/** The items beside the hostile one are done. */
const failed = (items) => {
	assert.equal(items.length, 3, JSON.stringify(items));
	assert.deepEqual(items.map((item) => 'error' in item), [false, true, false], JSON.stringify(items).slice(0, 1000));
	return items[1];
};

test('an endless loop ends at its deadline, and n8n answers meanwhile', async () => {
	let over = false;
	const run = done('spins').finally(() => (over = true));
	let answers = 0;
	while (!over) {
		const answer = await fetch(`${n8n.origin}/healthz`);
		assert.equal(answer.status, 200);
		await answer.arrayBuffer();
		if (!over) answers += 1;
	}
	const { error, details } = failed(await run);
	assert.equal(details.kind, 'limit');
	assert.match(error, /run-timeout-ms/);
	assert.ok(answers > 100, `${answers} answers in ten seconds`);
});

test('memory without end is a failure of its item', async () => {
	const { error, details } = failed(await done('grows'));
	assert.equal(details.kind, 'limit');
	assert.match(error, /memory-bytes/);
});

test('a gigabyte of output is a failure, and does not reach n8n', async () => {
	const items = await done('returns_much');
	const text = JSON.stringify(items);
	assert.match(text, /output-bytes|memory-bytes/);
	assert.ok(text.length < 100_000, `${text.length}`);
});

test('deep recursion is a failure of its item', async () => {
	assert.match(failed(await done('recurses')).details.kind, /^(trap|limit)$/);
});

test('another port, another path, the metadata service and files are out of reach', async () => {
	const items = await done('calls');
	const text = JSON.stringify(items[1]);
	assert.ok(!/root:|latest/.test(text), text);
	assert.deepEqual(seen, []);
	assert.match(text, /denied|Denied/);
});

test('what authenticate says in failing is not shown, in the execution as in the credential\'s test', async () => {
	const items = await done('complains');
	assert.ok(items.every((item) => 'error' in item), JSON.stringify(items));
	assert.ok(!JSON.stringify(items).includes(OWN_SECRET));
	assert.match(JSON.stringify(items), /unauthenticated/);
	const executions = await n8n.rest('executions?limit=100');
	for (const { id } of executions.results) {
		const { data } = await n8n.rest(`executions/${id}`);
		assert.ok(!data.includes(OWN_SECRET), id);
	}
	const complaint = { say: 'rejected', text: OWN_SECRET };
	const data = { baseUrl: 'http://127.0.0.1:1/api', secret: OWN_SECRET, mode: `say ${JSON.stringify(complaint)}` };
	const tested = await n8n.rest('credentials/test', { credentials: { id: 'complains', name: 'complains', type: 'hostileComplainsApi', data } });
	assert.equal(tested.status, 'Error');
	assert.ok(!tested.message.includes(OWN_SECRET), tested.message);
});

test('all packages share one host process, which knows nothing of n8n\'s variables', async () => {
	const hosts = n8n.hosts();
	assert.equal(hosts.length, 1);
	assert.ok(!readFileSync(`/proc/${hosts[0]}/environ`, 'utf8').includes('A_SECRET_OF_N8N'));
});
