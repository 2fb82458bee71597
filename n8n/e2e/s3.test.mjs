/** The example for S3 in a real n8n, against a server that verifies signatures: files go up, a large one in parts, and come down again. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { pack } from '../scripts/pack.mjs';
import { nodule, target, userFolder } from './n8n.mjs';
import { freePort, started } from './server.mjs';

const example = resolve(import.meta.dirname, '../../examples/s3');
const setup = join(example, 'setup');
const skip = spawnSync(setup, ['--installed']).status === 0 ? false : 'the S3 servers are not installed (examples/s3/setup)';
const KEYS = { region: 'us-east-1', accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY' };
/** Some more than one part. */
const SIZES = { 'kite ä.txt': 40, 'large.bin': 9_000_000 };

const ends = [];
let folder;
let type;
let root;

async function s3s(home) {
	const installed = execFileSync(setup, { encoding: 'utf8' }).trim();
	root = join(home, 'root');
	mkdirSync(root);
	const port = await freePort();
	const keys = ['--access-key', KEYS.accessKeyId, '--secret-key', KEYS.secretAccessKey];
	const running = await started(join(installed, 's3s-fs/bin/s3s-fs'), ['--host', '127.0.0.1', '--port', `${port}`, ...keys, root], { ready: /server is running/, env: { ...process.env, RUST_LOG: 's3s_fs=info' } });
	ends.unshift(() => running.stop());
	return `http://127.0.0.1:${port}`;
}

const at = (id, nodeType, parameters, x, more = {}) => ({ id, name: id, type: nodeType, typeVersion: 1, position: [x, 0], parameters, ...more });
const step = (id, x, [resource, operation], parameters, credential = 's3') =>
	at(id, type, { resource, operation, ...parameters }, x, { credentials: { s3: { id: credential, name: credential } } });
const bucketName = 'kites';

function workflow(id, credential) {
	const code = `const items = [];
for (const [name, size] of Object.entries(${JSON.stringify(SIZES)})) {
	items.push({ json: { name }, binary: { data: await this.helpers.prepareBinaryData(Buffer.alloc(size, name), name) } });
}
return items;`;
	const nodes = [
		at('Start', 'n8n-nodes-base.manualTrigger', {}, 0),
		step('Bucket', 200, ['bucket', 'create'], { name: bucketName, additionalFields: {} }, credential),
		at('Items', 'n8n-nodes-base.code', { jsCode: code }, 400, { typeVersion: 2 }),
		step('Upload', 600, ['file', 'upload'], { bucketName, binaryData: true, binaryPropertyName: 'data', additionalFields: { parentFolderKey: 'days' } }, credential),
		at('Once', 'n8n-nodes-base.limit', { maxItems: 1 }, 700),
		step('List', 800, ['file', 'getAll'], { bucketName, returnAll: true, options: { folderKey: 'days/' } }, credential),
		step('Download', 1000, ['file', 'download'], { bucketName, fileKey: '={{ $json.Key }}', binaryPropertyName: 'back' }, credential),
	];
	const connections = {};
	nodes.slice(1).forEach(({ name }, index) => {
		connections[nodes[index].name] = { main: [[{ node: name, type: 'main', index: 0 }]] };
	});
	return { id, name: id, active: false, settings: { executionOrder: 'v1' }, nodes, connections };
}

before(async () => {
	if (skip) return;
	const home = mkdtempSync(join(tmpdir(), 'nodule-s3-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const endpoint = await s3s(home);
	const directory = join(home, 'package');
	const names = await pack(nodule, join(target, 's3.wasm'), directory, { dir: example });
	type = `${names.package}.s3Storage`;
	folder = await userFolder({ socialHub: false, extra: [directory] });
	ends.unshift(folder.remove);
	Object.assign(folder.env, { NODULE_BINARY: nodule });
	// As n8n's own credential of that name stores it.
	const data = { endpoint, ...KEYS, forcePathStyle: true, ignoreSSLIssues: false };
	await folder.credentials([
		{ id: 's3', name: 's3', type: 's3', data },
		{ id: 'wrong', name: 'wrong', type: 's3', data: { ...data, secretAccessKey: 'wrong-0123456789-0123456789' } },
	]);
	await folder.workflows([workflow('kites', 's3'), workflow('refused', 'wrong')]);
});
after(async () => {
	for (const end of ends) await end();
});

test('files go up, a large one in parts, are listed and come down', { skip }, async () => {
	const { data } = await folder.execute('kites');
	const { runData, error } = data.resultData;
	assert.equal(error, undefined, JSON.stringify(error)?.slice(0, 2000));
	const [uploaded] = runData.Upload[0].data.main;
	assert.deepEqual(uploaded.map(({ json }) => json), [{ success: true }, { success: true }]);
	const digest = (bytes) => createHash('sha256').update(bytes).digest('hex');
	for (const [name, size] of Object.entries(SIZES)) {
		assert.equal(digest(readFileSync(join(root, bucketName, 'days', name))), digest(Buffer.alloc(size, name)));
	}
	const [files] = runData.Download[0].data.main;
	assert.deepEqual(files.map(({ json, binary }) => [binary.back.fileName, json.size]), Object.entries(SIZES));
});

test('a wrong secret is named as what it is', { skip }, async () => {
	const { data } = await folder.execute('refused');
	assert.match(JSON.stringify(data.resultData.error), /SignatureDoesNotMatch/);
});
