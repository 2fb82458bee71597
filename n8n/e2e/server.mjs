/** Processes of n8n on loopback, and its internal API as the owner uses it. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';

import { n8nScript, node } from './n8n.mjs';

export const OWNER = { email: 'owner@example.com', password: 'Owner-Password-1', firstName: 'Ow', lastName: 'Ner' };

export async function freePort() {
	const probe = createServer().listen(0, '127.0.0.1');
	await once(probe, 'listening');
	const { port } = probe.address();
	await new Promise((resolve) => probe.close(resolve));
	return port;
}

/** A program that runs until it is stopped, and has begun when it prints something that matches; `seen` gets each line. */
export async function started(command, args, { ready, seen = () => {}, ...options }) {
	const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'inherit'], ...options });
	const exit = once(child, 'exit');
	const lines = createInterface(child.stdout);
	// What it printed last is there when the lines end, which may be after it does.
	const ended = Promise.all([exit, once(lines, 'close')]);
	const last = [];
	const begun = new Promise((resolve) => {
		lines.on('line', (line) => {
			last.push(line);
			if (last.length > 20) last.shift();
			seen(line);
			if (ready.test(line)) resolve(true);
		});
	});
	if (!(await Promise.race([begun, ended.then(() => false)]))) {
		throw new Error(`${command} ${args.join(' ')} ended before it had begun:\n${last.join('\n')}`);
	}
	return {
		child,
		async stop(signal = 'SIGTERM') {
			if (child.exitCode === null && child.signalCode === null) child.kill(signal);
			await ended;
		},
	};
}

/** `n8n worker`, `n8n start`: one process of a user folder, its ports its own. */
export async function instance(folder, args, { env = {}, ...options }) {
	const ports = { N8N_PORT: String(await freePort()), N8N_RUNNERS_BROKER_PORT: String(await freePort()) };
	const own = { ...folder.env, N8N_LISTEN_ADDRESS: '127.0.0.1', N8N_SECURE_COOKIE: 'false', ...ports, ...env };
	const running = await started(node, [n8nScript, ...args], { env: own, cwd: folder.home, ...options });
	return { ...running, origin: `http://127.0.0.1:${own.N8N_PORT}` };
}

/** A server with its editor, its owner signed in. */
export async function server(folder, env = {}) {
	const running = await instance(folder, ['start'], { ready: /Editor is now accessible/, env });
	let cookie;
	const rest = async (path, body, method = body ? 'POST' : 'GET') => {
		const answer = await fetch(`${running.origin}/rest/${path}`, {
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
	await rest('owner/setup', OWNER);
	/** What a workflow that is begun by a webhook answers. Just after its start n8n does not know the webhook yet. */
	const call = async (id) => {
		for (;;) {
			const answer = await fetch(`${running.origin}/webhook/${id}`, { method: 'POST' });
			const text = await answer.text();
			if (answer.status !== 404) return { status: answer.status, text };
		}
	};
	return { ...running, rest, call, hosts: () => hostsOf(running.child.pid) };
}

/** The host processes that a process of n8n has started. */
function hostsOf(pid) {
	const children = readdirSync(`/proc/${pid}/task`).flatMap((thread) => readFileSync(`/proc/${pid}/task/${thread}/children`, 'utf8').trim().split(' '));
	return children.filter(Boolean).map(Number).filter((child) => readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('\0serve\0'));
}

/** Waits until a process is gone. */
export async function gone(pid) {
	const isThere = () => existsSync(`/proc/${pid}`) && !/^State:\sZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
	while (isThere()) await new Promise((resolve) => setTimeout(resolve, 10));
}
