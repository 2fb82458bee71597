/** Requests over the socket. */
import { Agent, type ClientRequest, type IncomingMessage, request } from 'node:http';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

import { howEnded, Interrupted, type Problem, RequestError } from './errors.js';
import type { Process } from './process.js';

/** The end of a process is told apart from a closed connection, which is seen first. */
const END_MS = 1_000;

/**
 * A connection for each request: it takes a tenth of a millisecond, and none is used that its other end is about to close. An error
 * of one is never nobody's: Node stops listening once an answer is complete, and items may still be written.
 */
class QuietAgent extends Agent {
	override createConnection(...given: Parameters<Agent['createConnection']>): ReturnType<Agent['createConnection']> {
		const made = super.createConnection(...given);
		made?.on('error', () => {});
		return made;
	}
}

export class Connection {
	private readonly agent = new QuietAgent();

	constructor(readonly process: Process) {}

	open(method: string, path: string, type?: string): ClientRequest {
		const { socket, token } = this.process;
		return request({
			socketPath: socket,
			agent: this.agent,
			method,
			path,
			headers: { authorization: `Bearer ${token}`, ...(type ? { 'content-type': type } : {}) },
		});
	}

	async call(method: string, path: string, type?: string, body?: string | Uint8Array): Promise<string> {
		const sent = this.open(method, path, type);
		const answer = this.accepted(sent, 'a request', textOf);
		sent.end(body);
		return await answer;
	}

	/** Sends what a stream has, of any length. */
	async send(path: string, body: Readable): Promise<string> {
		const sent = this.open('POST', path, 'application/octet-stream');
		const answer = this.accepted(sent, 'a file', textOf, body);
		// What breaks the request is what its reader hears of, unless the stream itself broke.
		pipeline(body, sent).catch(() => {});
		return await answer;
	}

	/** The body of an answer, as it comes. */
	async stream(path: string): Promise<IncomingMessage> {
		const sent = this.open('GET', path);
		const answer = this.accepted(sent, 'a file', async (response) => response);
		sent.end();
		return await answer;
	}

	/** What is read of the answer, unless that is a refusal. An error of the stream that is sent counts first. */
	private async accepted<T>(
		sent: ClientRequest,
		what: string,
		read: (response: IncomingMessage) => Promise<T>,
		body?: Readable,
	): Promise<T> {
		try {
			const response = await answerTo(sent);
			if ((response.statusCode ?? 0) >= 300) throw refused(response, await textOf(response));
			return await read(response);
		} catch (error) {
			if (body?.errored) throw body.errored;
			throw error instanceof RequestError ? error : await this.interrupted(error, 'not-done', `${what} was under way`);
		}
	}

	/** What a broken connection comes to: where the process has ended, that is why. */
	async interrupted(cause: unknown, certainty: Interrupted['certainty'], what: string): Promise<Interrupted> {
		let timer: NodeJS.Timeout | undefined;
		const patience = new Promise<undefined>((resolve) => (timer = setTimeout(resolve, END_MS, undefined)));
		const ended = await Promise.race([this.process.ended, patience]).finally(() => clearTimeout(timer));
		const why = ended ? howEnded(ended) : `the connection to the host broke (${(cause as Error).message})`;
		const known = certainty === 'unknown' ? 'items without a result may have been done' : 'nothing was done';
		return new Interrupted(`${why} while ${what}: ${known}`, certainty, ended, { cause });
	}

	close(): void {
		this.agent.destroy();
	}
}

export async function answerTo(sent: ClientRequest): Promise<IncomingMessage> {
	return await new Promise((resolve, reject) => {
		sent.once('response', resolve);
		// An error after the answer is seen by its reader.
		sent.on('error', reject);
	});
}

export async function textOf(response: IncomingMessage): Promise<string> {
	const pieces: Buffer[] = [];
	for await (const piece of response) pieces.push(piece as Buffer);
	return Buffer.concat(pieces).toString();
}

export function refused(response: IncomingMessage, text: string): RequestError {
	const status = response.statusCode ?? 0;
	let problem: Problem = { kind: 'invalid-answer', message: `the host answered ${status}: ${text.slice(0, 200)}` };
	try {
		const { error } = JSON.parse(text) as { error?: Problem };
		if (error) problem = error;
	} catch {
		// What it said stands in the message.
	}
	return new RequestError(status, problem);
}
