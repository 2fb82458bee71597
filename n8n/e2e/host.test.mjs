/** The host process beside a real n8n: what its end, and n8n's, come to. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { itemOf } from './items.mjs';
import { hooked, simulator, userFolder } from './n8n.mjs';
import { gone, server } from './server.mjs';

const ITEMS = 1000;
let service;
let folder;
let n8n;

const adjust = (id, count) =>
	hooked(id, {
		resource: 'points',
		operation: 'adjustPoints',
		items: [itemOf('adjustPoints')],
		onError: 'continueRegularOutput',
		count,
		more: { code: `{id: \`${id}-\${i}\`}`, parameters: { operationId: '={{ $json.id }}' } },
	});
before(async () => {
	service = await simulator('--latency-ms', '20');
	folder = await userFolder();
	await folder.credential(service.url);
	await folder.workflows([adjust('many', ITEMS), adjust('few', 20), adjust('warm', 1)]);
	for (const id of ['many', 'few', 'warm']) await folder.n8n('publish:workflow', `--id=${id}`);
	n8n = await server(folder);
});
after(async () => {
	await n8n?.stop();
	await service?.stop();
	folder?.remove();
});

const done = async (id) => {
	const { status, text } = await n8n.call(id);
	assert.equal(status, 200, text);
	return JSON.parse(text);
};
const ledger = async () => (await service.control('ledger')).operations;

test('there is no host process before the first execution, and one after', async () => {
	assert.deepEqual(n8n.hosts(), []);
	assert.equal((await done('warm')).length, 1);
	assert.equal(n8n.hosts().length, 1);
});

test('when the host process is killed, each item has a result or says what is known, nothing is done twice, and n8n goes on', async () => {
	const answer = done('many');
	while (Object.keys(await ledger()).filter((id) => id.startsWith('many-')).length < ITEMS / 5) await new Promise(setImmediate);
	const [host] = n8n.hosts();
	process.kill(host, 'SIGKILL');
	const items = await answer;
	assert.equal(items.length, ITEMS);
	const sent = await ledger();
	const counts = { done: 0, unknown: 0, 'not-done': 0 };
	items.forEach((item, index) => {
		const id = `many-${index}`;
		if (!('error' in item)) {
			counts.done += 1;
			assert.deepEqual(sent[id], { received: 1, applied: 1 }, id);
			return;
		}
		const { kind, certainty } = item.details;
		assert.equal(kind, 'interrupted', JSON.stringify(item));
		assert.match(item.error, /^the host process was ended by SIGKILL/);
		counts[certainty] += 1;
		if (certainty === 'not-done') assert.equal(sent[id], undefined, id);
		else assert.ok(sent[id] === undefined || sent[id].received === 1, id);
	});
	process.stdout.write(`# ${JSON.stringify(counts)}; ${Object.keys(sent).length} adjustments arrived\n`);
	assert.ok(counts.done > 0 && counts.unknown > 0);
	assert.ok(Object.values(sent).every(({ received }) => received === 1));

	assert.ok((await done('few')).every((item) => !('error' in item)));
	assert.equal(n8n.hosts().length, 1);
	assert.notEqual(n8n.hosts()[0], host);
});

test('when n8n is killed, no process is left behind', async () => {
	const [host] = n8n.hosts();
	assert.ok(host > 0);
	await n8n.stop('SIGKILL');
	await gone(host);
});
