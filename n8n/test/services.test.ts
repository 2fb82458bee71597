/** Services that answer in every way there is, read and written by the packed node: as the host's own table says. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { expect, test } from 'vitest';

import { run } from './node.js';

interface Expected {
	result: {
		output?: string;
		fails?: { kind: string; status: number | null; words: string[]; certainty: string | null; retryAfterS: { start: number; end: number } | null };
	};
	requests: number;
}
interface Scenario {
	name: string;
	base: string;
	policy: string;
	read: Expected;
	write: Expected;
}

const READ = { resource: 'member', operation: 'getMember', items: [{ cardNo: 'M17' }] };
const WRITE = { resource: 'masterdata', operation: 'saveStore', items: [{ organizationCode: 'O1', organizationName: 'N' }] };
/** So many at once: most of the time is spent waiting. */
const AT_ONCE = 16;

/** The server's scenarios, one after the other as it says them; it ends with the test. */
async function scenarios(): Promise<{ all: Scenario[]; stop: () => Promise<void> }> {
	const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
	const server = spawn(join(target, 'release/services'), { stdio: ['pipe', 'pipe', 'inherit'] });
	const all: Scenario[] = [];
	for await (const line of createInterface(server.stdout)) {
		if (line === '') break;
		all.push(JSON.parse(line) as Scenario);
	}
	const stop = async (): Promise<void> => {
		server.stdin.end();
		await once(server, 'exit');
	};
	return { all, stop };
}

/** Numbers that JavaScript does not hold are texts in n8n. */
function isSame(json: object, document: string): boolean {
	if (document === '') return false;
	const expected = JSON.parse(document) as object;
	if (JSON.stringify(json) === JSON.stringify(expected)) return true;
	return JSON.stringify(expected) !== document.trim() && Object.keys(json).join() === Object.keys(expected).join();
}

/** What is not as it was to be, in words. */
async function problem({ name, base, read, write }: Scenario, isWrite: boolean): Promise<string | undefined> {
	const credential = { baseUrl: base, appId: 'demo', appSecret: 'demo-secret-0123456789' };
	const [found] = await run({ ...(isWrite ? WRITE : READ), credential, goOn: true });
	const { result, requests } = isWrite ? write : read;
	const json = found?.json ?? {};
	const { error, details } = json as { error?: string; details?: { kind: string; status?: number; certainty?: string; retryAfterMs?: number } };
	const { fails } = result;
	const seconds = details?.retryAfterMs === undefined ? undefined : Math.ceil(details.retryAfterMs / 1000);
	// n8n's "Retry On Fail" is what sends a plain write again: what surely was not done is a failure here.
	const isLeft = isWrite && !fails && requests > 1;
	const isExpectedFailure = (): boolean =>
		details?.kind === fails?.kind &&
		(details?.status ?? null) === fails?.status &&
		(details?.certainty ?? null) === fails?.certainty &&
		fails?.words.every((words) => error?.includes(words)) === true &&
		(fails.retryAfterS ? seconds !== undefined && seconds >= fails.retryAfterS.start && seconds <= fails.retryAfterS.end : seconds === undefined);
	let isRight = details === undefined && isSame(json, result.output ?? '');
	if (isLeft) isRight = details !== undefined && details.certainty !== 'unknown';
	else if (fails) isRight = isExpectedFailure();
	return isRight ? undefined : `${name}, ${isWrite ? 'write' : 'read'}: expected ${JSON.stringify(result)}, found ${JSON.stringify(json)}`;
}

test.each([
	['read', false],
	['written', true],
])('every service is %s as its scenario says', { timeout: 120_000 }, async (_, isWrite) => {
	const { all, stop } = await scenarios();
	try {
		// A policy would be the whole process's.
		const left = all.filter(({ policy }) => policy === '');
		expect(left.length).toBeGreaterThan(150);
		const problems: string[] = [];
		const work = async (): Promise<void> => {
			for (let next = left.pop(); next; next = left.pop()) {
				const found = await problem(next, isWrite);
				if (found !== undefined) problems.push(found);
			}
		};
		await Promise.all(Array.from({ length: AT_ONCE }, work));
		expect(problems).toEqual([]);
	} finally {
		await stop();
	}
});
