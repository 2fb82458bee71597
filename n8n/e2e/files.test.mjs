/** Binary data in a real n8n: up and down, by streams, in flat memory. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { hostile } from './hostile.mjs';
import { nodule, userFolder } from './n8n.mjs';

const LARGE = 200_000_000;
const FLAT_MB = 64;
const PIECE = Buffer.from(Array.from({ length: 65_521 }, (_, index) => index % 256));

const ends = [];
const uploads = [];
let folder;
let base;
let moves;

/** `/give/N` has N bytes; what is put to `/echo` comes back, and what is put elsewhere is digested. */
async function service() {
	const made = createServer(async (request, response) => {
		const [, size] = /^\/give\/(\d+)/.exec(request.url) ?? [];
		if (request.url === '/echo') {
			response.writeHead(200, { 'content-type': 'image/x-test', 'content-length': request.headers['content-length'] });
			request.pipe(response);
		} else if (size !== undefined) {
			response.writeHead(200, { 'content-type': 'application/octet-stream', 'content-length': size, 'content-disposition': 'attachment; filename="given.bin"' });
			for (let left = Number(size); left > 0; left -= PIECE.length) {
				if (!response.write(PIECE.subarray(0, Math.min(left, PIECE.length)))) await once(response, 'drain');
			}
			response.end();
		} else {
			const hash = createHash('sha256');
			let bytes = 0;
			for await (const piece of request) {
				hash.update(piece);
				bytes += piece.length;
			}
			uploads.push({ url: request.url, bytes, digest: hash.digest('hex') });
			response.end('{}');
		}
	}).listen(0, '127.0.0.1');
	await once(made, 'listening');
	ends.unshift(() => made.close());
	return `http://127.0.0.1:${made.address().port}`;
}

function digestOf(size) {
	const hash = createHash('sha256');
	for (let left = size; left > 0; left -= PIECE.length) hash.update(PIECE.subarray(0, Math.min(left, PIECE.length)));
	return hash.digest('hex');
}

const at = (id, type, parameters, x, more = {}) => ({ id, name: id, type, typeVersion: 1, position: [x, 0], parameters, ...more });
const moving = (id, x, task, file) =>
	at(id, moves.type, { resource: 'things', operation: 'read', task: JSON.stringify(task), file }, x, {
		credentials: { [moves.credential]: { id: 'moves', name: 'moves' } },
	});

/** Fetches files by n8n's own node, echoes them through ours, and puts what came out by ours again. */
function chain(id, sizes) {
	const code = `return ${JSON.stringify(sizes.map((size) => ({ json: { size } })))}`;
	const nodes = [
		at('Start', 'n8n-nodes-base.manualTrigger', {}, 0),
		at('Items', 'n8n-nodes-base.code', { jsCode: code }, 200, { typeVersion: 2 }),
		at('Fetch', 'n8n-nodes-base.httpRequest', { url: `=${base}/give/{{ $json.size }}`, options: { response: { response: { responseFormat: 'file', outputPropertyName: 'data' } } } }, 400, { typeVersion: 4.2 }),
		moving('Echo', 600, { requests: [{ method: 'PUT', url: `${base}/echo`, body: [{ file: 0 }], keep: true }], give: [{ key: 'copy', name: 'dir/copy.bin', type: 'image/x-test', kept: 0 }] }, 'data'),
		moving('Put', 800, { requests: [{ method: 'PUT', url: `${base}/${id}`, body: [{ file: 0 }] }] }, 'copy'),
	];
	const connections = {};
	nodes.slice(1).forEach(({ name }, index) => {
		connections[nodes[index].name] = { main: [[{ node: name, type: 'main', index: 0 }]] };
	});
	return { id, name: id, active: false, settings: { executionOrder: 'v1' }, nodes, connections };
}

before(async () => {
	const home = mkdtempSync(join(tmpdir(), 'nodule-files-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	base = await service();
	moves = await hostile('moves', home);
	folder = await userFolder({ socialHub: false, extra: [moves.directory] });
	ends.unshift(folder.remove);
	Object.assign(folder.env, { NODULE_BINARY: nodule });
	await folder.credentials([{ id: 'moves', name: 'moves', type: moves.credential, data: { baseUrl: base, secret: 'the-secret-of-this-credential' } }]);
	await folder.workflows([chain('small', [1, 70_000]), chain('tenth', [LARGE / 10]), chain('large', [LARGE]), chain('missing', [5])]);
});
after(async () => {
	for (const end of ends) await end();
});

const ran = async (id) => (await folder.execute(id)).data.resultData;
/** The most memory of n8n and of the host, by a probe in n8n's process. */
async function measured(id) {
	const probe = join(folder.home, `probe-${id}`);
	const { NODE_OPTIONS: before } = folder.env;
	Object.assign(folder.env, { NODE_OPTIONS: `--require ${join(import.meta.dirname, 'probe.cjs')}`, NODULE_PROBE: probe });
	const data = await ran(id);
	folder.env.NODE_OPTIONS = before ?? '';
	const { rssKb } = JSON.parse(readFileSync(probe, 'utf8').trim().split('\n').pop());
	return { data, mb: rssKb / 1024 };
}

for (const mode of ['default', 'filesystem']) {
	test(`binary data goes up and comes down, with its name and media type, in the mode ${mode}`, async () => {
		folder.env.N8N_DEFAULT_BINARY_DATA_MODE = mode;
		uploads.length = 0;
		const { runData, error } = await ran('small');
		assert.equal(error, undefined, JSON.stringify(error)?.slice(0, 2000));
		const [copies] = runData.Echo[0].data.main;
		assert.deepEqual(copies.map(({ binary }) => [binary.copy.fileName, binary.copy.mimeType]), [['copy.bin', 'image/x-test'], ['copy.bin', 'image/x-test']]);
		assert.deepEqual(copies.map(({ pairedItem }) => pairedItem.item), [0, 1]);
		assert.deepEqual(new Set(uploads.map(({ digest }) => digest)), new Set([digestOf(1), digestOf(70_000)]));
	});
}

test('200 MB go both ways in flat memory', async (t) => {
	folder.env.N8N_DEFAULT_BINARY_DATA_MODE = 'filesystem';
	// What streams take is there with a tenth of it too.
	const small = await measured('tenth');
	uploads.length = 0;
	const large = await measured('large');
	assert.equal(large.data.error, undefined, JSON.stringify(large.data.error)?.slice(0, 2000));
	assert.deepEqual(uploads, [{ url: '/large', bytes: LARGE, digest: digestOf(LARGE) }]);
	t.diagnostic(`n8n and host: ${small.mb.toFixed(0)} MB with a file of 20 MB, ${large.mb.toFixed(0)} MB with one of 200 MB`);
	assert.ok(large.mb - small.mb < FLAT_MB, `${small.mb} MB, then ${large.mb} MB`);
});

test('a file that an item does not have is named as in the form', async () => {
	const made = chain('missing', [5]);
	made.nodes[3].parameters.file = 'photo';
	await folder.workflows([made]);
	const { error } = await ran('missing');
	assert.match(error.message, /File: expected the key of a file of the item/);
});
