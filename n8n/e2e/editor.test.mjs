/**
 * The editor, in Debian's Chromium: the node is there with its form, and its credential test says yes. Screenshots go to
 * the folder that SCREENSHOTS names.
 */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

import { chromium } from 'playwright-core';

import { n8nScript, node, SECRET, simulator, TYPE, userFolder, workflow } from './n8n.mjs';

const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';
const shots = process.env.SCREENSHOTS ?? join(import.meta.dirname, '../build/screenshots');
const OWNER = { email: 'owner@example.com', password: 'Owner-Password-1', firstName: 'Ow', lastName: 'Ner' };
let service;
let folder;
let server;
let origin;
let cookie;

const freePort = async () => {
	const probe = createServer().listen(0, '127.0.0.1');
	await once(probe, 'listening');
	const { port } = probe.address();
	await new Promise((resolve) => probe.close(resolve));
	return port;
};
const rest = async (path, body, method = body ? 'POST' : 'GET') => {
	const answer = await fetch(`${origin}/rest/${path}`, {
		method,
		headers: { 'content-type': 'application/json', 'browser-id': 'tests', ...(cookie && { cookie }) },
		...(body && { body: JSON.stringify(body) }),
	});
	const set = answer.headers.getSetCookie().map((one) => one.split(';')[0]);
	if (set.length > 0) cookie = set.join('; ');
	const text = await answer.text();
	assert.ok(answer.ok, `${path}: ${answer.status} ${text.slice(0, 300)}`);
	return JSON.parse(text).data;
};

before(async () => {
	service = await simulator('--latency-ms', '300');
	folder = await userFolder();
	await folder.credential(service.url);
	await folder.workflows([
		workflow('editor', { resource: 'consumer', operation: 'queryConsumer', items: [{ type: 1, query: '1' }] }),
	]);
	origin = `http://127.0.0.1:${await freePort()}`;
	const env = { ...folder.env, N8N_PORT: new URL(origin).port, N8N_LISTEN_ADDRESS: '127.0.0.1', N8N_SECURE_COOKIE: 'false', N8N_RUNNERS_BROKER_PORT: String(await freePort()) };
	server = spawn(node, [n8nScript, 'start'], { env, cwd: folder.home, stdio: ['ignore', 'pipe', 'inherit'] });
	for await (const line of createInterface(server.stdout)) if (/Editor is now accessible/.test(line)) break;
	server.stdout.resume();
	await rest('owner/setup', OWNER);
	mkdirSync(shots, { recursive: true });
});
after(async () => {
	if (server) {
		server.kill();
		await once(server, 'exit');
	}
	await service?.stop();
	folder?.remove();
});

test('the credential test says yes when the credential works, and no when it does not', async () => {
	const check = async (appSecret) =>
		await rest('credentials/test', {
			credentials: { id: 'c1', name: 'SocialHub', type: 'socialHubApi', data: { baseUrl: service.url, appId: 'demo', appSecret } },
		});
	assert.deepEqual(await check(SECRET), { status: 'OK', message: 'The service accepted the credential' });
	assert.equal((await check('wrong')).status, 'Error');
});

test('the form has 5 resources and 18 operations, and hides what a choice hides', { skip: !existsSync(CHROMIUM) }, async () => {
	const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
	try {
		const context = await browser.newContext({ viewport: { width: 1400, height: 900 } });
		const page = await context.newPage();
		await page.goto(`${origin}/signin`);
		// A session belongs to the browser that it began in.
		page.setDefaultTimeout(60_000);
		await page.locator('input[type="password"]').fill(OWNER.password);
		await page.locator('input').first().fill(OWNER.email);
		await page.keyboard.press('Enter');
		await page.waitForURL((url) => !url.pathname.includes('signin'));
		await page.goto(`${origin}/workflow/editor`);
		const placed = page.locator('[data-test-id="canvas-node"]', { hasText: 'Node' }).last();
		await placed.waitFor();
		await page.screenshot({ path: join(shots, 'canvas.png') });
		await placed.dblclick();
		const prefix = page.getByText('Phone Prefix', { exact: true });
		await prefix.first().waitFor();
		await page.screenshot({ path: join(shots, 'form.png') });
		const types = await page.evaluate(async () => await (await fetch('/types/nodes.json')).json());
		const mine = types.find(({ name }) => name === 'n8n-nodes-social-hub.socialHub');
		const options = (name) => mine.properties.filter((one) => one.name === name).flatMap((one) => one.options);
		assert.equal(mine.name, TYPE);
		assert.deepEqual([options('resource').length, options('operation').length], [5, 18]);

		await page.locator('[data-test-id="parameter-input-type"] input').first().click();
		await page.locator('.el-select-dropdown__item:visible', { hasText: 'Email' }).first().click();
		await prefix.first().waitFor({ state: 'detached' });
		await page.screenshot({ path: join(shots, 'email.png') });
	} catch (error) {
		for (const context of browser.contexts()) for (const page of context.pages()) await page.screenshot({ path: join(shots, 'failed.png') });
		throw error;
	} finally {
		await browser.close();
	}
});
