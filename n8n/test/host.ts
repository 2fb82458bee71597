/** What the tests share: hosts, servers on loopback, and the helper that stands for n8n's. */
import { createServer, request as http, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import type { IHttpRequestOptions } from 'n8n-workflow';
import { inject } from 'vitest';

// @ts-expect-error -- a script without types
import { capMemory } from '../scripts/memory.mjs';
import { LIMITS, type Limits } from '../src/host/limits.js';
import { type Credential, type Host, type ItemResult, type Operation, run } from '../src/host/run.js';
import { Sessions } from '../src/host/session.js';
import { byHttpRequest } from '../src/host/transport.js';
import { baseUrl } from '../src/host/url.js';
import { Workers } from '../src/host/workers.js';

/** (module (memory (export "memory") 1)) */
export const MEMORY = Buffer.from([0, 97, 115, 109, 1, 0, 0, 0, 5, 3, 1, 0, 1, 7, 10, 1, 6, 109, 101, 109, 111, 114, 121, 2, 0]);
export const SECRET = 'a-secret-that-nobody-may-see';
export const TOKEN = 'token-0123456789-abcdef';

/** As n8n's does with these options: no redirects, no throwing on a status, the body decompressed and as a stream. */
export async function httpRequest(options: IHttpRequestOptions): Promise<unknown> {
	return await new Promise((resolve, reject) => {
		const sent = http(
			options.url,
			{ method: options.method, headers: options.headers as Record<string, string>, signal: options.abortSignal as AbortSignal, agent: false },
			(answer: IncomingMessage) => {
				const body: Readable = answer.headers['content-encoding'] === 'gzip' ? answer.pipe(createGunzip()) : answer;
				resolve({ statusCode: answer.statusCode, headers: answer.headers, body });
			},
		);
		sent.on('error', reject);
		sent.end(options.body);
	});
}

const closing: Array<() => Promise<unknown>> = [];
export async function closeAll(): Promise<void> {
	await Promise.all(closing.splice(0).map(async (close) => await close()));
}

export function hostile(limits: Partial<Limits> = {}): Host {
	const memoryBytes = 4 * 1024 * 1024;
	const modules = WebAssembly.compile(capMemory(MEMORY, 64)).then((memory) => ({ memory }));
	const workers = new Workers({ script: join(inject('hostile'), 'worker.js'), modules, memoryBytes });
	closing.push(async () => await workers.close());
	return { workers, sessions: new Sessions(), digest: 'hostile', limits: { ...LIMITS, ...limits } };
}

export async function serve(listener: RequestListener): Promise<{ url: string; server: Server; count: () => number }> {
	let count = 0;
	const server = createServer((request, response) => {
		count += 1;
		listener(request, response);
	});
	await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
	closing.push(async () => {
		server.closeAllConnections();
		await new Promise((resolve) => server.close(resolve));
	});
	return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server, count: () => count };
}

export const credential = (base: string, more: object = {}): Credential => ({
	json: JSON.stringify({ base, secret: SECRET, token: TOKEN, ...more }),
	base: baseUrl(base),
	secrets: [SECRET],
});

export interface Options {
	effect?: Operation['effect'];
	onFailure?: 'stop' | 'continue';
	credential?: Credential;
	transport?: typeof httpRequest;
	cancel?: AbortSignal;
	path?: string[];
}

export async function execute(host: Host, name: string, items: object[], options: Options = {}): Promise<ItemResult[]> {
	const results: ItemResult[] = [];
	await run(host, {
		operation: { group: 'g', name, effect: options.effect ?? 'read', path: options.path ?? [] },
		credential: options.credential,
		transport: byHttpRequest(options.transport ?? httpRequest),
		onFailure: options.onFailure ?? 'continue',
		count: items.length,
		item: (index) => JSON.stringify(items[index]),
		settled: (index, result) => void (results[index] = result),
		...(options.cancel ? { cancel: options.cancel } : {}),
	});
	return results;
}

export const kinds = (results: ItemResult[]): string[] =>
	results.map((result) => ('failure' in result ? result.failure.kind : 'ok'));
export const message = (result: ItemResult | undefined): string =>
	result && 'failure' in result ? result.failure.message : `no failure: ${JSON.stringify(result)}`;
export const output = (result: ItemResult | undefined): { status: number; text: string; length: number; headers: string[][] } =>
	JSON.parse(result && 'output' in result ? (result.output[0] ?? '') : `"${message(result)}"`) as never;
