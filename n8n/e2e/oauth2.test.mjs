/**
 * A log-in in a real n8n: its own button, its own callback, its own store of tokens, against a certified provider on this machine. The
 * host sends the requests; n8n refreshes.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';

import { SECRET, start } from '../../host-test/oauth2/provider.mjs';
import { editor } from './editor.mjs';
import { guest } from './guests.mjs';
import { hooked, nodule, userFolder } from './n8n.mjs';
import { server } from './server.mjs';

/** Longer than the minute before its end in which a token is renewed. */
const LASTS_S = 3600;
const CREDENTIAL = { id: 'user', name: 'A user', type: 'userApi' };
const ends = [];
let provider;
let n8n;
let ui;

before(async () => {
	provider = await start({ callback: 'http://localhost/rest/oauth2-credential/callback', lasts: LASTS_S });
	ends.unshift(async () => await provider.stop());
	const home = mkdtempSync(join(tmpdir(), 'nodule-oauth2-'));
	ends.unshift(() => rmSync(home, { recursive: true }));
	const { directory, type } = await guest('connects', home);
	const folder = await userFolder({ socialHub: false, extra: [directory] });
	ends.unshift(folder.remove);
	folder.env.NODULE_BINARY = nodule;
	const data = { baseUrl: `http://127.0.0.1:${provider.port}/api`, mode: String(provider.port), clientId: 'c1', clientSecret: SECRET };
	await folder.credentials([{ ...CREDENTIAL, data }]);
	const { id, name } = CREDENTIAL;
	const given = { resource: 'things', operation: 'read', items: [{}], type, credentials: { userApi: { id, name } } };
	await folder.workflows([hooked('who', given)]);
	await folder.n8n('publish:workflow', '--id=who');
	n8n = await server(folder);
	ends.unshift(async () => await n8n.stop());
	// n8n's callback tells the editor that it is done, which only a page of the same origin hears.
	ui = await editor(n8n.origin.replace('127.0.0.1', 'localhost'));
	ends.unshift(async () => await ui.close());
});
after(async () => {
	for (const end of ends) await end();
});

const who = async () => {
	const { status, text } = await n8n.call('who');
	return { status, ...JSON.parse(text)[0] };
};
/** What was granted, and what the service answered, since the last time. */
const seen = () => [provider.granted.splice(0), provider.statuses.splice(0)];

test('before the log-in an execution says what to do, and sends nothing', async () => {
	await n8n.call('who');
	const { results } = await n8n.rest('executions?limit=1');
	const { data } = await n8n.rest(`executions/${results[0].id}`);
	assert.match(data, /the credential is not connected yet/);
	assert.deepEqual(seen(), [[], []]);
});

test('n8n\'s button logs in at the provider, and a workflow runs with the token', async () => {
	const { page, shot } = ui;
	await page.goto(`${n8n.origin.replace('127.0.0.1', 'localhost')}/home/credentials/${CREDENTIAL.id}`);
	await shot('oauth2-before');
	const [popup] = await Promise.all([page.waitForEvent('popup'), page.getByRole('button', { name: /connect|sign in/i }).first().click()]);
	await popup.locator('input[name="login"]').fill('ann');
	await popup.locator('input[name="password"]').fill('any');
	await popup.locator('button[type="submit"]').click();
	await popup.getByText('Authorize').first().waitFor();
	await Promise.all([popup.waitForEvent('close'), popup.locator('button[type="submit"]').click()]);
	await ui.byId('oauth-connect-success-banner').waitFor();
	await shot('oauth2-after');
	assert.deepEqual(seen(), [['authorization_code'], []]);
	assert.deepEqual(await who(), { status: 200, client: 'c1', user: 'ann' });
	assert.deepEqual(seen(), [[], [200]]);
});

test('a token that the service refuses is refreshed by n8n, which stores the refresh token that rotates', async () => {
	// The provider ends the log-in if a refresh token comes twice, so that the second time shows what was stored.
	for (const _ of [1, 2]) {
		await provider.refuse();
		assert.equal((await who()).user, 'ann');
		assert.deepEqual(seen(), [['refresh_token'], [401, 200]]);
		assert.equal((await who()).user, 'ann');
		assert.deepEqual(seen(), [[], [200]]);
	}
});
