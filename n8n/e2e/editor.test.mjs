/** The editor as its user has it: the node is found and placed, its form is filled in, its credential is tested. */
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';

import { editor, steps } from './editor.mjs';
import { describe, SECRET, simulator, userFolder } from './n8n.mjs';
import { server } from './server.mjs';

const described = describe('json');
let service;
let folder;
let running;
let n8n;

before(async () => {
	service = await simulator();
	folder = await userFolder();
	await folder.credential(service.url);
	running = await server(folder);
	n8n = await editor(running.origin);
});
after(async () => {
	await n8n?.close();
	await running?.stop();
	await service?.stop();
	folder?.remove();
});

test('the credential test says yes when the credential works, and no when it does not', async () => {
	const check = async (appSecret) =>
		await running.rest('credentials/test', {
			credentials: { id: 'c1', name: 'SocialHub', type: 'socialHubApi', data: { baseUrl: service.url, appId: 'demo', appSecret } },
		});
	assert.deepEqual(await check(SECRET), { status: 'OK', message: 'The service accepted the credential' });
	assert.equal((await check('wrong')).status, 'Error');
});

test('in the editor', async (t) => {
	const { page, shot, byId, label, creator, offered, pick } = n8n;
	t.after(async () => await shot('last'));
	const step = steps(t);

	await step('the node is found with all its actions, and placed by one of them', async () => {
		await page.goto(`${running.origin}/workflow/new`);
		await byId('canvas-add-button').click();
		await byId('node-creator-search-bar').fill('SocialHub');
		await creator(/^SocialHub$/).click();
		await creator(/^Query a customer$/).waitFor();
		// Its actions slide over the list that it was found in.
		await creator(/^SocialHub$/).waitFor({ state: 'detached' });
		await shot('actions');
		const found = await byId('node-creator-item-name').allTextContents();
		// n8n lists ways to start a workflow before them, of which there is none yet.
		assert.deepEqual(found.filter((name) => !/^On a /.test(name)).sort(), described.operations.map(({ action }) => action).sort());
		await creator(/^Query a customer$/).click();
		await label('Phone Prefix').waitFor();
		assert.ok((await byId('canvas-node').allInnerTexts()).some((text) => text.includes('Query a customer')));
	});

	await step('choosing E-mail hides the phone prefix', async () => {
		await shot('form');
		await pick('type', 'Email');
		await label('Phone Prefix').waitFor({ state: 'detached' });
		await shot('form-email');
	});

	await step('its form has every resource and every operation', async () => {
		const resources = await offered('resource');
		const operations = [];
		for (const resource of resources) {
			await pick('resource', resource);
			operations.push(...(await offered('operation')));
		}
		const titles = (list) => list.map(({ displayName }) => displayName);
		assert.deepEqual(resources, titles(described.resources));
		assert.deepEqual(operations, titles(described.operations));
	});

	await step('a row can be added, and another, and taken away', async () => {
		await pick('resource', 'Order Management');
		await pick('operation', 'Transaction Synchronization');
		const columns = byId('parameter-input-productCode');
		assert.equal(await columns.count(), 0);
		for (const rows of [1, 2]) {
			await byId('fixed-collection-add').click();
			await columns.nth(rows - 1).locator('input').fill(`P${rows}`);
		}
		await shot('rows');
		await byId('fixed-collection-delete').first().click();
		await columns.nth(1).waitFor({ state: 'detached' });
		assert.equal(await columns.first().locator('input').inputValue(), 'P2');
	});

	await step('the credential\'s test passes', async () => {
		await byId('credential-edit-button').click();
		await byId('credentials-config-container-test-success').waitFor();
		await shot('credential');
	});
});
