/**
 * A form of every kind in the editor, as its user fills it in: what it shows, what it asks the service meanwhile, and what a workflow then
 * sends. The node is the one that the tests of the command line draw.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { editor, steps } from './editor.mjs';
import { guest } from './guests.mjs';
import { nodule, target, userFolder, workflow } from './n8n.mjs';
import { server } from './server.mjs';
import { TOKEN, warehouse } from './warehouse.mjs';

const ends = [];
let service;
let n8n;
let ui;
let type;

before(async () => {
	service = await warehouse();
	ends.unshift(() => service.stop());
	const home = mkdtempSync(join(tmpdir(), 'nodule-forms-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const packed = await guest('warehouse', home);
	({ type } = packed);
	const folder = await userFolder({ socialHub: false, extra: [packed.directory] });
	ends.unshift(folder.remove);
	folder.env.NODULE_BINARY = nodule;
	const credential = (id, more) => ({ id, name: id, type: id, data: { baseUrl: service.url, ...more } });
	await folder.credentials([credential('warehouseToken', { token: TOKEN }), credential('warehouseKeys', { secret: TOKEN })]);
	const made = workflow('form', {
		resource: 'item',
		operation: 'store',
		items: [{}],
		type,
		typeVersion: 2,
		credentials: { warehouseToken: { id: 'warehouseToken', name: 'warehouseToken' } },
	});
	await folder.workflows([made]);
	n8n = await server(folder);
	ends.unshift(async () => await n8n.stop());
	ui = await editor(n8n.origin);
	ends.unshift(async () => await ui.close());
});
after(async () => {
	for (const end of ends) await end();
});

test('n8n takes the form as it is, with its aliases', async () => {
	const types = await ui.page.evaluate(async () => await (await fetch('/types/nodes.json')).json());
	const [found, ...more] = types.filter(({ name }) => name === type);
	assert.deepEqual(more, []);
	const n8n = JSON.parse(execFileSync(nodule, ['describe', join(target, 'hostile/warehouse.wasm'), '--format', 'n8n'], { encoding: 'utf8' }));
	assert.deepEqual(found.properties, n8n.node.properties);
	assert.deepEqual(found.codex.alias, n8n.codex.alias);
	assert.deepEqual(found.credentials.map(({ name }) => name), ['warehouseToken', 'warehouseLogin', 'warehouseKeys']);
});
