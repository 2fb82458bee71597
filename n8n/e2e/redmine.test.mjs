/** The example for Redmine in a real n8n, against a real Redmine: a file goes up, an issue gets it, and it comes down again. */
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { pack } from '../scripts/pack.mjs';
import { nodule, target, userFolder } from './n8n.mjs';
import { freePort, started } from './server.mjs';

const example = resolve(import.meta.dirname, '../../examples/redmine');
const setup = join(example, 'setup');
const skip = spawnSync(setup, ['--installed']).status === 0 ? false : 'Redmine is not installed (examples/redmine/setup)';
const KITE = 'no picture, but bytes 🪁\n';

const ends = [];
let folder;
let type;
let server;

/** A Redmine of its own: a copy of the template, on loopback. */
async function redmine(home) {
	const installed = execFileSync(setup, { encoding: 'utf8' }).trim();
	const instance = join(home, 'redmine');
	cpSync(join(installed, 'template'), instance, { recursive: true });
	const url = `http://127.0.0.1:${await freePort()}`;
	const command = [instance, 'puma', '--bind', url.replace('http', 'tcp'), '--threads', '1:1', 'config.ru'];
	const running = await started(join(installed, 'redmine'), command, { ready: /Listening on/ });
	ends.unshift(() => running.stop());
	const { apiKey, user, password } = JSON.parse(readFileSync(join(instance, 'access.json'), 'utf8'));
	const get = async (path) => await (await fetch(url + path, { headers: { 'x-redmine-api-key': apiKey } })).json();
	return { byKey: { baseUrl: url, apiKey }, byPassword: { baseUrl: url, user, password }, get };
}

const at = (id, nodeType, parameters, x, more = {}) => ({ id, name: id, type: nodeType, typeVersion: 1, position: [x, 0], parameters, ...more });
const step = (id, x, [resource, operation], parameters, authentication = 'redmineApi') =>
	at(id, type, { authentication, resource, operation, ...parameters }, x, { credentials: { [authentication]: { id: authentication, name: authentication } } });
const byId = (value) => ({ __rl: true, mode: 'id', value });
const columns = (value) => ({
	mappingMode: 'defineBelow',
	value,
	matchingColumns: [],
	schema: Object.keys(value).map((id) => ({ id, displayName: id, required: false, defaultMatch: false, display: true, type: 'string', canBeUsedToMatch: true })),
});

/** Two items with a file each, and what becomes of them. */
function workflow(id, subjects) {
	const items = subjects.map((subject) => ({
		json: { subject },
		binary: { data: { data: Buffer.from(KITE + subject).toString('base64'), mimeType: 'text/plain', fileName: 'kite ä.txt' } },
	}));
	const nodes = [
		at('Start', 'n8n-nodes-base.manualTrigger', {}, 0),
		at('Items', 'n8n-nodes-base.code', { jsCode: `return ${JSON.stringify(items)}` }, 200, { typeVersion: 2 }),
		step('Upload', 400, ['attachment', 'upload'], { binaryPropertyName: 'data', description: 'The tree' }),
		step('Create', 600, ['issue', 'create'], {
			projectId: byId('kites'),
			subject: "={{ $('Items').item.json.subject }}",
			trackerId: 2,
			customFields: columns({ 1: 'red', 6: 'Breeze' }),
			uploads: { upload: [{ token: '={{ $json.token }}', description: 'The tree' }] },
		}),
		step('Update', 800, ['issue', 'update'], { issueId: byId('={{ $json.id }}'), doneRatio: 40 }, 'redmineBasicApi'),
		step('Get', 1000, ['issue', 'get'], { issueId: byId("={{ $('Create').item.json.id }}"), include: ['attachments'] }),
		step('Download', 1200, ['attachment', 'download'], { attachmentId: byId('={{ $json.attachments[0].id }}'), binaryPropertyName: 'kite' }),
	];
	const connections = {};
	nodes.slice(1).forEach(({ name }, index) => {
		connections[nodes[index].name] = { main: [[{ node: name, type: 'main', index: 0 }]] };
	});
	return { id, name: id, active: false, settings: { executionOrder: 'v1' }, nodes, connections };
}

before(async () => {
	if (skip) return;
	const home = mkdtempSync(join(tmpdir(), 'nodule-redmine-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	server = await redmine(home);
	const directory = join(home, 'package');
	const names = await pack(nodule, join(target, 'redmine.wasm'), directory, { dir: example });
	type = `${names.package}.redmine`;
	folder = await userFolder({ socialHub: false, extra: [directory] });
	ends.unshift(folder.remove);
	Object.assign(folder.env, { NODULE_BINARY: nodule });
	await folder.credentials([
		{ id: 'redmineApi', name: 'redmineApi', type: 'redmineApi', data: server.byKey },
		{ id: 'redmineBasicApi', name: 'redmineBasicApi', type: 'redmineBasicApi', data: server.byPassword },
	]);
	await folder.workflows([workflow('kites', ['The tail is lost', 'Torn']), workflow('blank', ['  '])]);
});
after(async () => {
	for (const end of ends) await end();
});

test('issues are made with files and custom fields, and their files come back', { skip }, async () => {
	const { data } = await folder.execute('kites');
	const { runData, error } = data.resultData;
	assert.equal(error, undefined, JSON.stringify(error)?.slice(0, 2000));
	const [issues] = runData.Get[0].data.main;
	assert.deepEqual(issues.map(({ json }) => [json.subject, json.tracker.name, json.done_ratio]), [['The tail is lost', 'Feature', 40], ['Torn', 'Feature', 40]]);
	for (const { json } of issues) {
		const known = await server.get(`/issues/${json.id}.json?include=attachments`);
		assert.deepEqual(json, known.issue);
		const fields = Object.fromEntries(json.custom_fields.map(({ name, value }) => [name, value]));
		assert.deepEqual([fields.Colour, fields.Wind], ['red', 'Breeze']);
	}
	const [files] = runData.Download[0].data.main;
	assert.deepEqual(files.map(({ binary, pairedItem }) => [binary.kite.fileName, binary.kite.mimeType, pairedItem.item]), [['kite ä.txt', 'text/plain', 0], ['kite ä.txt', 'text/plain', 1]]);
	const sizes = ['The tail is lost', 'Torn'].map((subject) => Buffer.byteLength(KITE + subject));
	assert.deepEqual(files.map(({ json }) => json.filesize), sizes);
});

test('a subject that is missing is named as in the form', { skip }, async () => {
	const { data } = await folder.execute('blank');
	assert.match(data.resultData.error.message, /Subject: expected a text/);
});
