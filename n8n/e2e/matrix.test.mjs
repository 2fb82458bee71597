/** The example for Matrix in a real n8n, against a real Synapse: a workflow of n8n's own node, of which only the types are changed. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { pack } from '../scripts/pack.mjs';
import { nodule, target, userFolder } from './n8n.mjs';
import { started } from './server.mjs';

const example = resolve(import.meta.dirname, '../../examples/matrix');
const skip = spawnSync(join(example, 'setup'), ['--installed']).status === 0 ? false : 'Synapse is not installed (examples/matrix/setup)';
const KITE = 'no picture, but bytes 🪁\n';
const THEIRS = 'n8n-nodes-base.matrix';

const ends = [];
let folder;
let type;
let users;

const at = (id, nodeType, parameters, x, more = {}) => ({ id, name: id, type: nodeType, typeVersion: 1, position: [x, 0], parameters, ...more });
/** As n8n stores it: without what is the default. */
const theirs = (id, x, parameters, more = {}) => at(id, THEIRS, parameters, x, { credentials: { matrixApi: { id: 'ada', name: 'ada' } }, ...more });
const chain = (id, nodes) => {
	const connections = {};
	nodes.slice(1).forEach(({ name }, index) => {
		connections[nodes[index].name] = { main: [[{ node: name, type: 'main', index: 0 }]] };
	});
	return { id, name: id, active: false, settings: { executionOrder: 'v1' }, nodes, connections };
};
/** The only change: ours in the place of n8n's. */
const changed = (workflow, id) => ({ ...workflow, id, name: id, nodes: workflow.nodes.map((node) => (node.type === THEIRS ? { ...node, type } : node)) });

const ROOM = "={{ $('Room').first().json.room_id }}";
const file = { json: {}, binary: { data: { data: Buffer.from(KITE).toString('base64'), mimeType: 'image/png', fileName: 'kite ä.png' } } };
const STORED = chain('stored', [
	at('Start', 'n8n-nodes-base.manualTrigger', {}, 0),
	theirs('Room', 200, { resource: 'room', roomName: 'Kites' }),
	theirs('Text', 400, { roomId: ROOM, text: '<b>It rains</b>', messageFormat: 'org.matrix.custom.html', fallbackText: 'It rains' }),
	at('File', 'n8n-nodes-base.code', { jsCode: `return ${JSON.stringify([file])}` }, 600, { typeVersion: 2 }),
	theirs('Upload', 800, { resource: 'media', roomId: ROOM, additionalFields: {} }),
	theirs('Messages', 1000, { operation: 'getAll', roomId: ROOM, limit: 2, otherOptions: { filter: '{"types":["m.room.message"]}' } }),
	theirs('Members', 1200, { resource: 'roomMember', roomId: ROOM, filters: { membership: 'join' } }, { executeOnce: true }),
]);

/** What only ours can do: a session of a password, a message once, a download. */
const own = () => {
	const ours = (id, x, parameters) =>
		at(id, type, { authentication: 'matrixPasswordApi', ...parameters }, x, { credentials: { matrixPasswordApi: { id: 'bob', name: 'bob' } } });
	const once = (id, x) => ours(id, x, { operation: 'createOnce', roomId: ROOM, text: 'once', transactionId: 'T1' });
	return chain('own', [
		at('Start', 'n8n-nodes-base.manualTrigger', {}, 0),
		ours('Room', 200, { resource: 'room', roomName: 'Lines' }),
		once('Once', 400),
		once('Again', 600),
		at('File', 'n8n-nodes-base.code', { jsCode: `return ${JSON.stringify([file])}` }, 800, { typeVersion: 2 }),
		ours('Upload', 1000, { resource: 'media', roomId: ROOM }),
		ours('Event', 1200, { resource: 'event', roomId: ROOM, eventId: '={{ $json.event_id }}' }),
		ours('Download', 1400, { resource: 'media', operation: 'download', contentUri: '={{ $json.content.url }}', binaryPropertyName: 'kite' }),
	]);
};

before(async () => {
	if (skip) return;
	const home = mkdtempSync(join(tmpdir(), 'nodule-matrix-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const seen = (line) => {
		users = JSON.parse(line);
	};
	const running = await started('python3', ['-B', join(example, 'synapse.py')], { ready: /^\{/, seen });
	ends.unshift(() => running.stop());
	const directory = join(home, 'package');
	const names = await pack(nodule, join(target, 'matrix.wasm'), directory, { dir: example });
	type = `${names.package}.matrixRooms`;
	folder = await userFolder({ socialHub: false, extra: [directory] });
	ends.unshift(folder.remove);
	// Binary data is in what an execution prints.
	Object.assign(folder.env, { NODULE_BINARY: nodule, N8N_DEFAULT_BINARY_DATA_MODE: 'default' });
	await folder.credentials([
		{ id: 'ada', name: 'ada', type: 'matrixApi', data: users.ada },
		{ id: 'bob', name: 'bob', type: 'matrixPasswordApi', data: users.bob },
	]);
	await folder.workflows([STORED, changed(STORED, 'changed'), own()]);
});
after(async () => {
	for (const end of ends) await end();
});

/** The items of each node. */
async function ran(id) {
	const { runData, error } = (await folder.execute(id)).data.resultData;
	assert.equal(error, undefined, JSON.stringify(error)?.slice(0, 2000));
	return Object.fromEntries(Object.entries(runData).map(([name, [{ data }]]) => [name, data.main[0].map(({ json, binary }) => ({ json, binary }))]));
}

test("a workflow of n8n's own node does the same with the types changed", { skip }, async () => {
	const [before, after] = [await ran('stored'), await ran('changed')];
	const said = ({ Messages, Members }) => ({
		messages: Messages.map(({ json: { content: { url, ...content }, sender } }) => ({ ...content, hasUrl: url !== undefined, sender })),
		members: Members.map(({ json }) => json.state_key),
	});
	assert.deepEqual(said(after), said(before));
	assert.deepEqual(said(after), {
		messages: [
			{ msgtype: 'm.image', body: 'kite ä.png', hasUrl: true, sender: '@ada:matrix.test' },
			{ msgtype: 'm.text', body: 'It rains', format: 'org.matrix.custom.html', formatted_body: '<b>It rains</b>', hasUrl: false, sender: '@ada:matrix.test' },
		],
		members: ['@ada:matrix.test'],
	});
	assert.notEqual(before.Room[0].json.room_id, after.Room[0].json.room_id);
});

test('a password makes a session, a message is one event, and a file comes back', { skip }, async () => {
	const { Once, Again, Download } = await ran('own');
	assert.equal(Once[0].json.event_id, Again[0].json.event_id);
	const [{ json, binary }] = Download;
	assert.deepEqual([binary.kite.fileName, binary.kite.mimeType, json.size], ['kite ä.png', 'image/png', Buffer.byteLength(KITE)]);
	assert.equal(Buffer.from(binary.kite.data, 'base64').toString(), KITE);
});
