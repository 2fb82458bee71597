/** A stand-in for `nodule serve` whose answers break in the ways that a real one's do not on demand. What it does is its operation's name. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const HOST = String.raw`
import { createServer } from 'node:http';
import { createInterface } from 'node:readline';
const flag = (name) => process.argv[process.argv.indexOf(name) + 1];
const lines = createInterface(process.stdin);
const settings = JSON.parse(await new Promise((resolve) => lines.once('line', resolve)));
lines.on('close', () => process.exit(0));
const say = (answer, line) => answer.write(JSON.stringify(line) + '\n');
const server = createServer(async (request, answer) => {
	if (request.headers.authorization !== 'Bearer ' + settings.token) return answer.writeHead(401).end('{"error":{"kind":"unauthorized","message":"no"}}');
	if (request.url === '/v1') return answer.end(JSON.stringify({ version: '0', contract: 'c', components: process.argv, runs: Object.keys(process.env) }));
	if (request.url.startsWith('/v1/components')) {
		for await (const _ of request);
		return answer.end('{"digest":"sha256:fake","name":"fake","version":"1"}');
	}
	if (/\/(stop|abandon|token)$/.test(request.url)) {
		let body = '';
		for await (const piece of request) body += piece;
		told(request.url + body);
		return answer.writeHead(204).end();
	}
	if (request.url === '/v1/choices' || request.url === '/v1/fields') {
		let body = '';
		for await (const piece of request) body += piece;
		const asked = JSON.parse(body);
		if (asked.parameter === 'refused') return answer.writeHead(422).end('{"error":{"kind":"denied","message":"it may not","hint":"allow it"}}');
		return answer.end(JSON.stringify(request.url === '/v1/fields' ? { fields: [asked] } : { choices: [{ label: 'A', value: 1, summary: '' }], next: body }));
	}
	const items = createInterface(request)[Symbol.asyncIterator]();
	const run = JSON.parse((await items.next()).value);
	if (run.operation === 'refused') return answer.writeHead(400).end('{"error":{"kind":"credential","message":"it lacks a field","hint":"give it"}}');
	say(answer, { run: { id: '7', effect: 'write' } });
	if (run.operation === 'die') {
		say(answer, { item: 0, output: [] });
		setTimeout(() => process.kill(process.pid, 'SIGKILL'), 20);
		return;
	}
	if (run.operation === 'cut') return setTimeout(() => answer.socket.destroy(), 20);
	if (run.operation === 'no-end') return answer.end();
	if (run.operation === 'broken') return answer.end('{"end":{"items":0,"error":{"kind":"journal","message":"full","hint":"more room"}}}\n');
	if (run.operation === 'until-told') {
		say(answer, { notice: { kind: 'throttled', message: 'wait' } });
		await new Promise((resolve) => (told = resolve));
		say(answer, { item: 0, error: { kind: 'abandoned', message: 'given up' } });
		say(answer, { end: { items: 1 } });
		return answer.end();
	}
	if (run.operation === 'refused-token') {
		say(answer, { token: { why: 'refused' } });
		const said = await new Promise((resolve) => (told = resolve));
		say(answer, { item: 0, output: [run.token, said] });
		say(answer, { end: { items: 1 } });
		return answer.end();
	}
	let taken = 0;
	for (let next = await items.next(); !next.done; next = await items.next()) {
		const { id, parameters } = JSON.parse(next.value);
		const goOn = answer.write('{"item":' + (id === undefined ? taken : JSON.stringify(id)) + ',"output":[' + JSON.stringify(parameters) + ']}\n');
		if (!goOn) await new Promise((resolve) => answer.once('drain', resolve));
		taken += 1;
	}
	say(answer, { end: { items: taken } });
	answer.end();
});
let told;
if (process.argv.includes('/no')) {
	process.stderr.write('error: the cache is not yours\n');
	process.exit(2);
}
server.listen(flag('--socket'), () => process.stdout.write(JSON.stringify({ ready: { socket: flag('--socket'), version: '0.1.0', pid: process.pid } }) + '\n'));
`;

/** The program's path; the folder is removed with `t`. */
export function fake(t) {
	const folder = mkdtempSync(join(tmpdir(), 'nodule-fake-'));
	t.after(() => rmSync(folder, { recursive: true }));
	const script = join(folder, 'host.mjs');
	writeFileSync(script, HOST);
	const program = join(folder, 'nodule');
	writeFileSync(program, `#!/bin/sh\nexec '${process.execPath}' '${script}' "$@"\n`);
	chmodSync(program, 0o755);
	return program;
}
