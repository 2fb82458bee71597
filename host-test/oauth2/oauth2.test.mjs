/** The flows of OAuth 2.0 against `oidc-provider`: a code with PKCE, renewals with rotation, a client's own secret, a consent that is taken back. */
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { LASTS_S, SECRET, start } from './provider.mjs';

const ROOT = join(import.meta.dirname, '../..');
const NODULE = join(ROOT, 'target/release/nodule');
const GUEST = join(ROOT, 'target/hostile/grants.wasm');
const CHROMIUM = process.env.CHROMIUM ?? '/usr/bin/chromium';

let provider;
before(async () => (provider = await start()));
after(async () => await provider.stop());

/** A folder with a credential. */
function user(t, fields) {
	const folder = mkdtempSync(join(tmpdir(), 'nodule-oauth2-'));
	t.after(() => rmSync(folder, { recursive: true }));
	const credential = join(folder, 'credential.json');
	const base = { baseUrl: `http://127.0.0.1:${provider.port}/api`, mode: String(provider.port) };
	writeFileSync(credential, JSON.stringify({ ...base, ...fields }), { mode: 0o600 });
	const { DISPLAY, WAYLAND_DISPLAY, ...env } = process.env;
	return {
		env,
		words: (command, ...rest) => [command, GUEST, ...rest, '--credential', credential],
		tokens: () => JSON.parse(readFileSync(`${credential}.tokens`, 'utf8')),
		async nodule(command, ...rest) {
			return await new Promise((resolve) => {
				execFile(NODULE, this.words(command, ...rest), { env }, (error, stdout, stderr) => resolve({ code: error?.code ?? 0, stdout, stderr }));
			});
		},
		/** Asks the service who is asking. */
		async who() {
			const requests = JSON.stringify([{ url: `http://127.0.0.1:${provider.port}/api/things` }]);
			const { stdout, stderr } = await this.nodule('run', 'things', 'read', '--param', `requests:=${requests}`);
			assert.ok(!`${stdout}${stderr}`.includes(SECRET));
			const { json, error } = JSON.parse(stdout);
			return { error, stderr, ...(json && JSON.parse(json.body)) };
		},
	};
}
const person = (t) => user(t, { $credential: 'userApi', clientId: 'c1', secret: SECRET });

/** Starts a log-in; gives its URL, and what becomes of it. */
async function begin(of, ...flags) {
	const child = spawn(NODULE, of.words('login', ...flags), { env: of.env, stdio: ['pipe', 'pipe', 'pipe'] });
	const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
	let said = '';
	child.stderr.on('data', (piece) => (said += piece));
	const { value: url } = await lines.next();
	assert.ok(url, said);
	return {
		url,
		input: child.stdin,
		async ended() {
			const { value: last } = await lines.next();
			const [code] = child.exitCode === null ? await once(child, 'exit') : [child.exitCode];
			return { code, last, said };
		},
	};
}

/** Follows redirects and sends forms as a browser does, until a URL begins with `end`. */
async function walk(url, end) {
	const cookies = new Map();
	let asked = { url };
	for (let steps = 0; steps < 20; steps += 1) {
		if (asked.url.startsWith(end)) return asked.url;
		const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
		const headers = { cookie, ...(asked.body && { 'content-type': 'application/x-www-form-urlencoded' }) };
		const answer = await fetch(asked.url, { method: asked.body ? 'POST' : 'GET', body: asked.body, headers, redirect: 'manual' });
		for (const set of answer.headers.getSetCookie()) {
			const [, name, value] = /^([^=]+)=([^;]*)/.exec(set);
			cookies.set(name, value);
		}
		const to = answer.headers.get('location');
		if (to) {
			asked = { url: new URL(to, asked.url).href };
			continue;
		}
		const page = await answer.text();
		const [, action] = /<form[^>]* action="([^"]+)"/.exec(page) ?? assert.fail(page);
		const body = new URLSearchParams();
		for (const [input] of page.matchAll(/<input[^>]*>/g)) {
			const [, name] = / name="([^"]+)"/.exec(input) ?? [];
			const [, value] = / value="([^"]*)"/.exec(input) ?? [];
			if (name) body.set(name, value ?? 'ann');
		}
		asked = { url: new URL(action, asked.url).href, body: body.toString() };
	}
	assert.fail(`it does not end: ${asked.url}`);
}

async function logIn(of) {
	const login = await begin(of, '--no-browser');
	const redirect = new URL(login.url).searchParams.get('redirect_uri');
	login.input.write(`${await walk(login.url, redirect)}\n`);
	const { code, last, said } = await login.ended();
	assert.equal(code, 0, said);
	assert.match(last, /^logged in: /);
}

test('a user logs in by a code with PKCE, and the tokens are renewed with rotation', async (t) => {
	const ann = person(t);
	const before = await ann.who();
	assert.equal(before.error.kind, 'login-required');
	provider.granted.length = 0;
	await logIn(ann);
	assert.deepEqual(provider.granted, ['authorization_code']);
	assert.deepEqual(await ann.who().then(({ client, user }) => [client, user]), ['c1', 'ann']);
	const first = ann.tokens();
	await sleep(LASTS_S * 600);
	assert.equal((await ann.who()).user, 'ann');
	const second = ann.tokens();
	assert.notEqual(second.refreshToken, first.refreshToken);
	assert.deepEqual([await provider.isGood(first.refreshToken), await provider.isGood(second.refreshToken)], [false, true]);
	await sleep(LASTS_S * 600);
	// Two processes at once: the provider ends the log-in if it sees a refresh token twice.
	const both = await Promise.all([ann.who(), ann.who()]);
	assert.deepEqual(both.map(({ user }) => user), ['ann', 'ann'], both[0].stderr);
	assert.deepEqual(provider.granted, ['authorization_code', 'refresh_token', 'refresh_token']);
});

test('a client asks with its own secret, and needs no log-in', async (t) => {
	const machine = user(t, { $credential: 'machineApi', clientId: 'm1', machineSecret: SECRET });
	assert.equal((await machine.who()).client, 'm1');
	const wrong = user(t, { $credential: 'machineApi', clientId: 'm1', machineSecret: 'wrong' });
	const { error } = await wrong.who();
	assert.equal(error.kind, 'unauthenticated');
	assert.match(error.message, /invalid_client/);
	const login = await machine.nodule('login');
	assert.match(login.stderr, /needs no log-in/);
});

test('a consent that is taken back asks for another log-in', async (t) => {
	const ann = person(t);
	await logIn(ann);
	await provider.revoke(ann.tokens().refreshToken);
	const { error } = await ann.who();
	assert.equal(error.kind, 'login-required');
	assert.match(error.message, /invalid_grant.*log in again/);
	const checked = await ann.nodule('check-credential');
	assert.match(checked.stderr, /nodule login/);
	await logIn(ann);
	assert.equal((await ann.who()).user, 'ann');
});

test('a user logs in with a browser', { skip: !existsSync(CHROMIUM) && `there is no ${CHROMIUM}` }, async (t) => {
	const { chromium } = await import('playwright-core');
	const browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
	t.after(async () => await browser.close());
	const ann = person(t);
	const login = await begin(ann);
	const page = await browser.newPage();
	// A stranger's page that the browser opens meanwhile.
	const redirect = new URL(login.url).searchParams.get('redirect_uri');
	const stranger = await page.goto(`${redirect}?code=theirs&state=theirs`);
	assert.equal(stranger.status(), 400);
	await page.goto(login.url);
	await page.locator('input[name="login"]').fill('ann');
	await page.locator('input[name="password"]').fill('any');
	await page.locator('button[type="submit"]').click();
	await page.locator('button[type="submit"]').click();
	await page.getByText('You may close this window').waitFor();
	const { code, last, said } = await login.ended();
	assert.equal(code, 0, said);
	assert.match(last, /^logged in: /);
	assert.equal((await ann.who()).user, 'ann');
});

test('a user who refuses is told so', async (t) => {
	const ann = person(t);
	const login = await begin(ann, '--no-browser');
	const url = new URL(login.url);
	const redirect = url.searchParams.get('redirect_uri');
	const back = `${redirect}?error=access_denied&error_description=End-User%20aborted&state=${url.searchParams.get('state')}`;
	login.input.write(`${back}\n`);
	const { code, said } = await login.ended();
	assert.equal(code, 1);
	assert.match(said, /`access_denied`: End-User aborted/);
});
