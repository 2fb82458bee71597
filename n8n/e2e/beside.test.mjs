/** A package whose credential type has the name of one of n8n's own takes its place. n8n's own node works with it all the same. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { after, before, test } from 'node:test';

import { pack } from '../scripts/pack.mjs';
import { nodule, target, userFolder } from './n8n.mjs';

const TOKEN = 'ghp_0123456789abcdefghijABCDEFGHIJ012345';
const ends = [];
const asked = [];
let folder;

function workflow(id, type) {
	const github = { resource: 'issue', operation: 'get', owner: { __rl: true, mode: 'name', value: 'octocat' }, repository: { __rl: true, mode: 'name', value: 'hello' }, issueNumber: 7 };
	const nodes = [
		{ id: 'Start', name: 'Start', type: 'n8n-nodes-base.manualTrigger', typeVersion: 1, position: [0, 0], parameters: {} },
		{ id: 'GitHub', name: 'GitHub', type, typeVersion: 1, position: [200, 0], parameters: github, credentials: { githubApi: { id: 'github', name: 'github' } } },
	];
	return { id, name: id, active: false, settings: { executionOrder: 'v1' }, nodes, connections: { Start: { main: [[{ node: 'GitHub', type: 'main', index: 0 }]] } } };
}

before(async () => {
	const service = createServer((request, response) => {
		asked.push(`${request.method} ${request.url} ${request.headers.authorization}`);
		response.writeHead(200, { 'content-type': 'application/json' }).end('{"number":7}');
	});
	await new Promise((done) => service.listen(0, '127.0.0.1', done));
	ends.unshift(() => service.close());
	const home = mkdtempSync(join(tmpdir(), 'nodule-beside-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const directory = join(home, 'package');
	const names = await pack(nodule, join(target, 'github.wasm'), directory, { dir: resolve(import.meta.dirname, '../../examples/github') });
	folder = await userFolder({ socialHub: false, extra: [directory] });
	ends.unshift(folder.remove);
	Object.assign(folder.env, { NODULE_BINARY: nodule });
	await folder.credentials([{ id: 'github', name: 'github', type: 'githubApi', data: { server: `http://127.0.0.1:${service.address().port}`, user: '', accessToken: TOKEN } }]);
	await folder.workflows([workflow('theirs', 'n8n-nodes-base.github'), workflow('ours', `${names.package}.github`)]);
});
after(async () => {
	for (const end of ends) await end();
});

for (const id of ['theirs', 'ours']) {
	test(`a token goes out: ${id}`, async () => {
		asked.length = 0;
		const { data } = await folder.execute(id);
		assert.equal(data.resultData.error, undefined, JSON.stringify(data.resultData.error)?.slice(0, 1000));
		assert.deepEqual(asked, [`GET /repos/octocat/hello/issues/7 Bearer ${TOKEN}`]);
	});
}
