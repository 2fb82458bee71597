/** What the client does with answers that break, by a stand-in for the host. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';

import { binaryName, Host, Interrupted, NoduleError, RequestError, RunError, StartError } from '../dist/index.js';
import { fake } from './fake.mjs';

async function component(t) {
	const host = await Host.start({ binary: fake(t) });
	t.after(async () => await host.close());
	return { host, component: await host.load(new Uint8Array([0]), { digest: 'sha256:fake' }) };
}
const all = async (results) => {
	const found = [];
	for await (const result of results) found.push(result);
	return found;
};
const failure = async (run) => await all(run).then(() => assert.fail('it did not fail'), (error) => error);
const given = (operation) => ({ group: 'g', operation });

test('the process gets flags and no environment, and stands in a folder of its user alone', async (t) => {
	process.env.A_SECRET_OF_THE_ENGINE = 'x';
	const host = await Host.start({ binary: fake(t), cache: '/c', read: ['/r'], write: ['/w'], memoryMb: 99 });
	t.after(async () => await host.close());
	const { components: flags, runs: variables } = await host.about();
	const text = flags.join(' ');
	assert.match(text, / serve --socket \S+\/s --stdio-lifetime --settings - --cache \/c --read \/r --write \/w --memory-mb 99$/);
	assert.deepEqual(variables.filter((name) => !['PWD', 'SHLVL', '_', 'OLDPWD'].includes(name)), []);
	const folder = dirname(flags[flags.indexOf('--socket') + 1]);
	assert.equal(statSync(folder).mode & 0o777, 0o700);
	await host.close();
	assert.throws(() => statSync(folder));
});

test('a program that is not there, or does not start, is said to be the problem, with what to do', async (t) => {
	const missing = await Host.start({ binary: '/nowhere/nodule' }).catch((error) => error);
	assert.ok(missing instanceof StartError);
	assert.match(missing.message, /\/nowhere\/nodule does not exist/);
	assert.match(missing.hint, /`binary`/);
	const beside = await Host.start({ binaries: '/nowhere' }).catch((error) => error);
	assert.match(beside.message, /\/nowhere\/nodule-\w+-\w+ does not exist/);
	assert.match(beside.hint, /NODULE_BINARY/);
	const closed = fake(t);
	chmodSync(closed, 0o644);
	const denied = await Host.start({ binary: closed }).catch((error) => error);
	assert.match(denied.message, /could not be started: spawn .* EACCES/);
	assert.match(denied.hint, /executable/);
	assert.deepEqual([binaryName('linux', 'arm64'), binaryName('darwin', 'x64'), binaryName('win32', 'x64')], ['nodule-linux-arm64', 'nodule-macos-x64', 'nodule-windows-x64.exe']);
	const broken = await Host.start({ binary: fake(t), cache: '/no' }).catch((error) => error);
	assert.equal(broken.message, 'the host process ended with code 2: error: the cache is not yours');
});

test('a question is asked of its component, and a refusal is an error with what to do', async (t) => {
	const { component: fake } = await component(t);
	const question = { ...given('o'), parameter: 'g.o.p', filledIn: { a: 1 }, search: 'x', keep: true };
	const { choices, next } = await fake.choices(question);
	assert.deepEqual(choices, [{ label: 'A', value: 1, summary: '' }]);
	assert.deepEqual(JSON.parse(next), { ...question, component: 'sha256:fake' });
	assert.deepEqual(await fake.fields(question), { fields: [{ ...question, component: 'sha256:fake' }] });
	const refused = await fake.choices({ ...question, parameter: 'refused' }).catch((error) => error);
	assert.ok(refused instanceof RequestError);
	assert.deepEqual([refused.kind, refused.hint], ['denied', 'allow it']);
});

test('items go by object and by text, alone and in lists, from any iterable, and keep their names', async (t) => {
	const { component: fake } = await component(t);
	const items = [{ parameters: { a: 1 } }, { id: 'x"y', parameters: '{\n"a": 12345678901234567890}' }, [{ id: 7, parameters: {} }, { id: 8, parameters: {} }]];
	async function* slowly() {
		for (const item of items) {
			await new Promise(setImmediate);
			yield item;
		}
	}
	for (const iterable of [items, slowly()]) {
		const run = fake.run(given('echo'), iterable);
		const results = await all(run);
		assert.deepEqual(results.map(({ item }) => item), [0, 'x"y', 7, 8]);
		assert.deepEqual(results[0].output, [{ a: 1 }]);
		assert.equal(run.effect, 'write');
		assert.deepEqual(run.summary, { items: 4 });
	}
});

test('a host that somebody else has started is used, and not ended', async (t) => {
	const { host } = await component(t);
	const flags = (await host.about()).components;
	const socket = flags[flags.indexOf('--socket') + 1];
	const stranger = Host.connect({ socket, token: 'of somebody else' });
	assert.equal((await stranger.about().catch((error) => error)).kind, 'unauthorized');
	await stranger.close();
	await host.about();
});

test('results come while items are still given', async (t) => {
	const { component: fake } = await component(t);
	let next;
	async function* oneByOne() {
		for (let n = 0; n < 5; n += 1) {
			const seen = new Promise((resolve) => (next = resolve));
			yield { parameters: { n } };
			await seen;
		}
	}
	const seen = [];
	for await (const { output } of fake.run(given('echo'), oneByOne())) {
		seen.push(output[0].n);
		next();
	}
	assert.deepEqual(seen, [0, 1, 2, 3, 4]);
});

test('no more items are taken than the host reads, and no more results than are read', async (t) => {
	const { component: fake } = await component(t);
	let taken = 0;
	const text = 'x'.repeat(10_000);
	function* endless() {
		for (;; taken += 1) yield { parameters: { text } };
	}
	const run = fake.run(given('echo'), endless());
	const results = run.batches();
	await results.next();
	// Nobody reads: soon all buffers are full, and it stands still.
	let before = -1;
	while (before !== taken) {
		before = taken;
		await new Promise((resolve) => setTimeout(resolve, 100));
	}
	assert.ok(taken < 5_000, `${taken} items were taken`);
	await results.return();
});

test('a line that is longer than a piece of the body is one result', async (t) => {
	const { component: fake } = await component(t);
	const text = 'é'.repeat(1_000_000);
	const [{ output }] = await all(fake.run(given('echo'), [{ parameters: { text } }]));
	assert.equal(output[0].text, text);
});

test('a refused run says kind, hint and status', async (t) => {
	const { component: fake } = await component(t);
	const error = await failure(fake.run(given('refused'), []));
	assert.ok(error instanceof RequestError && error instanceof NoduleError);
	assert.deepEqual([error.status, error.kind, error.message, error.hint], [400, 'credential', 'it lacks a field', 'give it']);
});

test('a run that breaks says why, and what came before it came', async (t) => {
	const { component: fake } = await component(t);
	const error = await failure(fake.run(given('broken'), []));
	assert.ok(error instanceof RunError);
	assert.deepEqual([error.kind, error.hint], ['journal', 'more room']);
});

test('when the process is killed, each run under way says so, and that items may have been done', async (t) => {
	const { host, component: fake } = await component(t);
	const runs = await Promise.all([failure(fake.run(given('until-told'), [])), failure(fake.run(given('die'), []))]);
	for (const error of runs) {
		assert.ok(error instanceof Interrupted, String(error));
		assert.match(error.message, /ended by SIGKILL while a run was under way: items without a result may have been done/);
		assert.deepEqual([error.certainty, error.ended.signal], ['unknown', 'SIGKILL']);
	}
	assert.deepEqual(await host.ended, { code: null, signal: 'SIGKILL' });
	const later = await failure(fake.run(given('echo'), []));
	assert.match(later.message, /nothing was done/);
});

test('an answer that is cut off is no end', async (t) => {
	const { component: fake } = await component(t);
	for (const operation of ['cut', 'no-end']) {
		const error = await failure(fake.run(given(operation), []));
		assert.ok(error instanceof Interrupted);
		assert.match(error.message, /the connection to the host broke/);
	}
});

test('an abort abandons the run, which gives the rest of its results', async (t) => {
	const { component: fake } = await component(t);
	const controller = new AbortController();
	async function* never() {
		yield { parameters: {} };
		await new Promise(() => {});
	}
	const notices = [];
	const onNotice = (notice) => {
		notices.push(notice.kind);
		controller.abort();
	};
	const run = fake.run(given('until-told'), never(), { signal: controller.signal, onNotice });
	const results = await all(run);
	assert.deepEqual(results.map(({ error }) => error.kind), ['abandoned']);
	assert.deepEqual(notices, ['throttled']);
});

test('a run that needs another access token is given one', async (t) => {
	const { component: fake } = await component(t);
	const asked = [];
	const onToken = async (why) => {
		asked.push(why);
		return { accessToken: 'two' };
	};
	const [result] = await all(fake.run({ ...given('refused-token'), token: { accessToken: 'one' } }, [], { onToken }));
	assert.deepEqual(result.output, [{ accessToken: 'one' }, '/v1/runs/7/token{"accessToken":"two"}']);
	assert.deepEqual(asked, ['refused']);
});

test('a caller without another access token ends the run, and says why', async (t) => {
	const { component: fake } = await component(t);
	const onToken = () => {
		throw new Error('the user has to log in again');
	};
	const run = fake.run({ ...given('refused-token'), token: { accessToken: 'one' } }, [], { onToken });
	assert.match((await failure(run)).message, /log in again/);
});

test('items that cannot be given end the run, and say why', async (t) => {
	const { component: fake } = await component(t);
	function* broken() {
		yield { parameters: {} };
		throw new Error('the disk is gone');
	}
	assert.match((await failure(fake.run(given('echo'), broken()))).message, /the disk is gone/);
});

test('a process that has nothing else to do ends, and takes the host with it', async (t) => {
	const script = `
		import { Host } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
		const host = await Host.start({ binary: ${JSON.stringify(fake(t))} });
		console.log(host.pid);
		const component = await host.load(new Uint8Array([0]));
		for await (const _ of component.run({ group: 'g', operation: 'echo' }, [{ parameters: {} }]));
	`;
	const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
	let text = '';
	child.stdout.on('data', (piece) => (text += piece));
	const [code] = await once(child, 'exit');
	assert.equal(code, 0);
	await gone(Number(text));
});

test('a process that is killed takes the host with it', async (t) => {
	const script = `
		import { Host } from ${JSON.stringify(new URL('../dist/index.js', import.meta.url).href)};
		const host = await Host.start({ binary: ${JSON.stringify(fake(t))} });
		console.log(host.pid);
		setInterval(() => {}, 1000);
	`;
	const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
	const [pid] = await once(child.stdout, 'data');
	child.kill('SIGKILL');
	await gone(Number(pid));
});

/** Waits until there is no such process. */
async function gone(pid) {
	assert.ok(pid > 0);
	for (;;) {
		try {
			process.kill(pid, 0);
		} catch {
			return;
		}
		await new Promise((resolve) => setTimeout(resolve, 10));
	}
}
