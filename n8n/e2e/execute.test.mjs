/** Real workflows by `n8n execute`. `node --test`, with the cached n8n. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { guest } from './guests.mjs';
import { CASES, itemOf } from './items.mjs';
import { describe, nodule, noduleRun, simulator, TYPE, userFolder, workflow } from './n8n.mjs';
import { differences, LISTED } from './vendor.mjs';

const ends = [];
let service;
let folder;
const cases = CASES.map((one) => ({ id: `op-${one.operation}`, ...one }));
const failing = { resource: 'member', operation: 'getMember', items: [{ cardNo: 'M1' }, { cardNo: 'no/body?x=1#y' }, { cardNo: 'M2' }] };

before(async () => {
	service = await simulator();
	ends.unshift(async () => await service.stop());
	const home = mkdtempSync(join(tmpdir(), 'nodule-open-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const open = await guest('open', home);
	folder = await userFolder({ extra: [open.directory] });
	ends.unshift(folder.remove);
	await folder.credential(service.url);
	await folder.workflows([
		workflow('open', { resource: 'things', operation: 'read', items: [{ url: `${service.url}/_simulator/requests` }], type: open.type, credentials: {} }),
		...cases.map(({ id, ...given }) => workflow(id, given)),
		...['stopWorkflow', 'continueRegularOutput', 'continueErrorOutput'].map((onError) => workflow(onError, { ...failing, onError })),
		workflow('zone', {
			resource: 'points',
			operation: 'adjustPoints',
			items: [{ ...itemOf('adjustPoints'), operationId: 'zone-1', effectiveEndTime: '2030-01-31T13:45:00' }],
		}),
	]);
});
after(async () => {
	for (const end of ends) await end();
});

/** What went over the wire, but for time, nonce, and who says that it sent it. Requests of several items overlap, and arrive in any order. */
const wire = (requests) =>
	requests
		.filter(({ path, target }) => !/\/auth\//.test(path ?? target))
		.map(({ method, path, target, query, body }) => JSON.stringify({ method, path, target, query, body }))
		.map((text) => text.replace(/((?:timestamp|nonceId)\W{1,3})[\w-]+/g, '$1…'))
		.sort();
const outputs = (execution, output = 0) => execution.data.resultData.runData.Node[0].data.main[output].map(({ json }) => json);

/** The node types as n8n has loaded them. */
async function listed() {
	const file = `${folder.home}/nodes.json`;
	await folder.n8n('export:nodes', `--output=${file}`);
	const types = JSON.parse(readFileSync(file, 'utf8'));
	return Array.isArray(types) ? types : Object.values(types).flat();
}

test('n8n lists the node, and its form is the one that stored workflows expect, but for the listed differences', async () => {
	const [found, ...more] = (await listed()).filter(({ name }) => name === TYPE);
	assert.deepEqual(more, []);
	assert.equal(found.properties.find(({ name }) => name === 'resource').options.length, describe('json').resources.length);
	const others = differences(found.properties);
	assert.deepEqual(others.filter((one) => !LISTED.includes(one)), []);
	// The comparison sees what differs.
	assert.ok(others.includes('adjustPoints.pointValue: default') && others.includes('batchSyncProduct.batchReq.price: default'), others.join('\n'));
});

for (const { id, resource, operation, items, answer } of cases) {
	test(`${operation} sends what \`nodule run\` sends, and gives what it gives`, async (t) => {
		t.after(async () => await service.control('faults', 'DELETE'));
		if (answer) {
			const body = JSON.stringify(answer);
			await service.control('faults', 'POST', [{ when: { except: '/v1/auth/' }, action: { status: { code: 200, body } } }]);
		}
		await service.control('requests', 'DELETE');
		const execution = await folder.execute(id);
		const sent = wire(await service.control('requests'));
		await service.control('requests', 'DELETE');
		const expected = await noduleRun(service.url, resource, operation, items, folder.home);
		assert.deepEqual(sent, wire(await service.control('requests')));
		const failed = expected.find(({ error }) => error);
		if (failed) {
			assert.equal(execution.data.resultData.error.messages?.[0] ?? execution.data.resultData.error.message, failed.error.message);
		} else {
			assert.equal(execution.data.resultData.error, undefined);
			assert.equal(outputs(execution).length, expected.length);
			assert.deepEqual(Object.keys(outputs(execution)[0]), Object.keys(expected[0].json));
		}
		assert.ok(sent.length > 0);
	});
}

test('by default a failure ends the execution, with item, code and the service\'s words', async () => {
	const { data } = await folder.execute('stopWorkflow');
	const { error } = data.resultData;
	assert.equal(error.name, 'NodeApiError');
	assert.equal(error.context.itemIndex, 1);
	assert.match(error.description, /^rejected · code .+ · request /);
});

test('failed items go on to the regular output, paired with what they came from', async () => {
	const execution = await folder.execute('continueRegularOutput');
	assert.deepEqual(outputs(execution).map((json) => 'error' in json), [false, true, false]);
	const items = execution.data.resultData.runData.Node[0].data.main[0];
	assert.deepEqual(items.map(({ pairedItem }) => pairedItem.item), [0, 1, 2]);
});

test('failed items go to the error output, with what they came from', async () => {
	const execution = await folder.execute('continueErrorOutput');
	assert.equal(outputs(execution, 0).length, 2);
	const [failed] = outputs(execution, 1);
	assert.equal(failed.cardNo, 'no/body?x=1#y');
	assert.equal(failed.details.kind, 'rejected');
});

test('a time without an offset is of the workflow\'s time zone', async () => {
	await service.control('requests', 'DELETE');
	await folder.execute('zone');
	const sent = JSON.stringify(await service.control('requests'));
	assert.ok(sent.includes(String(Date.parse('2030-01-31T12:45:00Z'))), sent);
});

test('a node without a credential runs, and reaches what the operator allows and nothing else', async (t) => {
	const policy = join(folder.home, 'policy.toml');
	folder.env.NODULE_BINARY = nodule;
	t.after(() => {
		delete folder.env.NODULE_BINARY;
		delete folder.env.NODULE_POLICY;
	});
	const refused = await folder.execute('open');
	assert.match(refused.data.resultData.error.description, /^denied · .*\[\[allow\]\]/s);
	writeFileSync(policy, `[[allow]]\norigin = "${new URL(service.url).origin}"\nprivate = true\n`);
	folder.env.NODULE_POLICY = policy;
	await service.control('requests', 'DELETE');
	const [page] = outputs(await folder.execute('open'));
	assert.equal(page.read, '[]');
});

test('an operator\'s policy lowers how many writes an item sends, for all operations and for one', async (t) => {
	const policy = join(folder.home, 'writes.toml');
	const allowed = `[[allow]]\norigin = "${new URL(service.url).origin}"\nprivate = true\n`;
	writeFileSync(policy, `write-requests = 0\n[operations."points.adjustPoints"]\nwrite-requests = 1\n${allowed}`);
	folder.env.NODULE_POLICY = policy;
	t.after(() => delete folder.env.NODULE_POLICY);
	await service.control('requests', 'DELETE');
	const { error } = (await folder.execute('op-saveStore')).data.resultData;
	assert.match(error.messages?.[0] ?? error.message, /may send 0 requests other than GET and HEAD, as the policy says/);
	assert.deepEqual(wire(await service.control('requests')), []);
	const adjusted = outputs(await folder.execute('op-adjustPoints'));
	assert.ok(adjusted.length > 0);
	assert.equal(wire(await service.control('requests')).length, adjusted.length);
});
