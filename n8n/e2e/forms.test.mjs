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
	// n8n offers its HTTP Request node beside the operations of a node with an OAuth2 credential.
	for (const { options } of found.properties.filter(({ name }) => ['resource', 'operation'].includes(name))) {
		assert.equal(options.pop().value, '__CUSTOM_API_CALL__');
	}
	assert.deepEqual(found.properties, n8n.node.properties);
	assert.deepEqual(found.codex.alias, n8n.codex.alias);
	assert.deepEqual(found.credentials.map(({ name }) => name), ['warehouseToken', 'warehouseLogin', 'warehouseKeys']);
});

test('in the editor', async (t) => {
	const { page, byId, parameter, entries, open, closed, offered, pick, shot, label } = ui;
	t.after(async () => await shot('forms-last'));
	const step = steps(t);
	const field = (name) => parameter(name).locator('input');
	const add = (name) => byId(`fixed-collection-${name}`).locator('[data-test-id="fixed-collection-add"]');
	/** An entry of the list of a reference. */
	const listed = (index) => byId('rlc-item').nth(index);
	const openNode = async () => {
		await byId('canvas-node').filter({ hasText: /^Node/ }).first().dblclick();
		await parameter('shelf').waitFor();
	};
	const filledIn = ({ with: text }) => JSON.parse(text);
	// All of the form at once: what is out of sight is not drawn.
	await page.setViewportSize({ width: 1400, height: 2600 });

	await step('the form has each kind, its notice and its hints, and hides what its conditions hide', async () => {
		await page.goto(`${n8n.origin}/workflow/form`, { waitUntil: 'commit' });
		await openNode();
		await label('Mind <the> gap: It is wide').waitFor();
		assert.equal(await page.getByText('Other values are passed on too, by expression').count(), 1);
		for (const name of ['tags', 'dock', 'weight', 'owner', 'row', 'owners', 'scale', 'value']) assert.equal(await parameter(name).count(), 1, name);
		for (const name of ['size', 'parts', 'places']) assert.equal(await byId(`fixed-collection-${name}`).count(), 1, name);
		for (const name of ['colour', 'label', 'fragile']) assert.equal(await parameter(name).count(), 0, name);
	});

	await step('a list of the service comes after the values that are known', async () => {
		assert.deepEqual(await offered('shelf'), ['Not Set', 'Any', 'Top', 'Low']);
		await pick('shelf', 'Top');
	});

	await step('a reference is listed, its next page is loaded by scrolling, and it is searched', async () => {
		service.seen.splice(0);
		await byId('rlc-input').first().click();
		await listed(24).waitFor();
		await byId('rlc-item').last().hover();
		await page.mouse.wheel(0, 5000);
		await listed(49).waitFor();
		await byId('rlc-search').locator('input').or(byId('rlc-search').and(page.locator('input'))).fill('owner 3');
		await listed(0).filter({ hasText: 'Owner 30' }).waitFor();
		await listed(10).waitFor({ state: 'detached' });
		assert.equal(await listed(9).innerText(), 'Owner 39');
		const asked = service.asked('owner');
		assert.deepEqual(asked.slice(0, 2).map(({ search, cursor }) => [search, cursor]), [[undefined, undefined], [undefined, '25']]);
		assert.equal(asked.at(-1).search, 'owner 3');
		assert.equal(filledIn(asked[0]).shelf, 'top');
		await byId('rlc-item').filter({ hasText: 'Owner 37' }).click();
		await byId('rlc-item').first().waitFor({ state: 'hidden' });
	});

	await step('a list that depends on it is asked for again', async () => {
		assert.deepEqual(await offered('dock'), ['Dock 1 of 37, top', 'Dock 2 of 37, top']);
		await open('dock');
		await entries().filter({ hasText: 'Dock 1' }).click();
		await page.keyboard.press('Escape');
		await closed();
	});

	await step('a reference may be the URL of its page', async () => {
		await byId('rlc-mode-selector').first().click();
		await entries().filter({ hasText: 'By URL' }).click();
		await closed();
		const url = byId('rlc-input').first();
		await url.fill('https://warehouse.example/owners/x');
		await byId('parameter-issues').first().hover();
		await page.getByText('Not the URL of a page of Owner').waitFor();
		await url.fill('https://warehouse.example/owners/37');
		await shot('forms-url');
	});

	const columns = byId('mapping-fields-container');
	const column = (name) => columns.locator('.parameter-item').filter({ hasText: name }).last().locator('input').first();
	await step('the columns are those of what was chosen', async () => {
		await columns.getByText('OF_37', { exact: true }).waitFor();
		await shot('forms-columns');
		await column('NAME').fill('Box');
		await column('COUNT').fill('3');
		await column('OF_37').fill('yes');
		await column('STATE').click();
		await entries().filter({ hasText: 'New' }).click();
		await closed();
	});

	await step('several values are chosen, and a number keeps its range', async () => {
		await open('tags');
		await entries().filter({ hasText: 'Equals' }).click();
		await page.keyboard.press('Escape');
		await closed();
		await field('weight').fill('2.5');
		await open('owners');
		for (const name of ['Owner 02', 'Owner 04']) await entries().filter({ hasText: name }).click();
		await page.keyboard.press('Escape');
		await closed();
	});

	await step('a group gets the fields that the user adds, by their conditions', async () => {
		for (const name of ['Fragile', 'Until']) {
			await byId('collection-parameter-add').click();
			await page.getByText(name, { exact: true }).last().click();
			await parameter(name.toLowerCase()).waitFor();
		}
		await field('until').fill('2030-01-31');
		// Shown where the group is not empty.
		await parameter('label').locator('textarea').fill('mine');
		await add('size').click();
		await field('width').fill('5');
	});

	await step('rows are added, as many as there must be, with a list of their own', async () => {
		await add('parts').click();
		if ((await parameter('code').count()) < 2) await add('parts').click();
		for (const [row, code] of ['A', 'B'].entries()) {
			await field('code').nth(row).fill(code);
			await parameter('kind').nth(row).locator('input').first().click();
			await entries().filter({ hasText: row === 0 ? 'Whatever is on top' : 'Screw' }).click();
			await closed();
		}
		await add('places').click();
		await field('row').last().fill('second');
	});

	await step('a list of single values gets those that the user adds', async () => {
		const names = page.locator('[data-test-id^="parameter-input-names"], [data-test-id="parameter-input-names"]').locator('input');
		for (const [index, name] of ['first', 'second'].entries()) {
			await page.getByText('Add Name', { exact: true }).click();
			await names.nth(index).fill(name);
			// The tip of a field that is being filled in covers what is below it.
			await names.nth(index).blur();
		}
		// One that stays empty is none.
		await page.getByText('Add Name', { exact: true }).click();
		await shot('forms-names');
	});

	await step('of two parameters with one name the one is shown that belongs to the choice', async () => {
		await field('value').fill('7');
		await pick('scale', 'Text');
		await field('value').fill('seven');
	});

	await step('the credential is chosen from those of all its types, and its secrets are hidden', async () => {
		const select = byId('node-credentials-select').locator('input').first();
		assert.equal(await select.inputValue(), 'warehouseToken');
		await select.click();
		await entries().filter({ hasText: 'warehouseToken' }).waitFor();
		await entries().filter({ hasText: 'warehouseKeys' }).click();
		await closed();
		await byId('credential-edit-button').click();
		const secret = parameter('secret').locator('input').first();
		await secret.waitFor();
		assert.equal(await secret.getAttribute('type'), 'password');
		await shot('forms-credential');
		await page.keyboard.press('Escape');
		await secret.waitFor({ state: 'detached' });
		// The key closes the node's panel, too.
		await openNode();
	});

	await step('the workflow runs with what was chosen', async () => {
		service.seen.splice(0);
		await shot('forms-filled');
		await byId('node-execute-button').first().click();
		// Of the input, and of the output.
		await page.getByText('1 item', { exact: true }).nth(1).waitFor();
		const { body, headers, query } = service.seen.find(({ method }) => method === 'POST');
		assert.deepEqual([headers['x-signature'], headers.authorization, query.key], [TOKEN, undefined, undefined]);
		assert.deepEqual(JSON.parse(body), {
			shelf: 'top',
			tags: ['heavy', '=1'],
			dock: ['37-1'],
			weight: 2.5,
			owner: '37',
			marks: { fragile: true, until: '2030-01-31' },
			// What n8n has of a field that is empty; in the contract it is no value.
			size: { cm: { width: 5, height: '' } },
			parts: { part: [{ code: 'A', kind: 'other' }, { code: 'B', kind: 'screw' }] },
			places: [{ row: '=a' }, { row: 'second' }],
			names: ['first', 'second'],
			owners: ['2', '4'],
			fields: { name: 'Box', count: 3, state: 'new', of_37: 'yes' },
			label: 'mine',
			scale: 2,
			value: 'seven',
		});
	});
});
