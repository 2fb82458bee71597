/** What n8n's queue mode stands on: Redis and PostgreSQL as Debian has them, on loopback, in a folder that is thrown away. */
import { execFile, execFileSync } from 'node:child_process';
import { chownSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { freePort, started } from './server.mjs';

const run = promisify(execFile);

export async function redis() {
	const port = String(await freePort());
	const data = mkdtempSync(join(tmpdir(), 'nodule-redis-'));
	const running = await started('redis-server', ['--bind', '127.0.0.1', '--port', port, '--save', '', '--appendonly', 'no', '--dir', data], {
		ready: /Ready to accept connections/,
	});
	return { env: { QUEUE_BULL_REDIS_HOST: '127.0.0.1', QUEUE_BULL_REDIS_PORT: port }, stop: andRemove(running, data) };
}

export async function postgres() {
	const port = String(await freePort());
	const versions = '/usr/lib/postgresql';
	const [newest] = readdirSync(versions).sort((a, b) => Number(b) - Number(a));
	const program = (name) => join(versions, newest, 'bin', name);
	const data = mkdtempSync(join(tmpdir(), 'nodule-postgres-'));
	// It refuses to run as root; Debian's package makes a user for it.
	const id = (flag) => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
	const as = process.getuid() === 0 ? { uid: id('-u'), gid: id('-g') } : {};
	if (as.uid !== undefined) chownSync(data, as.uid, as.gid);
	await run(program('initdb'), ['--pgdata', data, '--username', 'n8n', '--auth', 'trust', '--encoding', 'UTF8', '--locale', 'C', '--no-sync'], { ...as, cwd: data });
	// What it has to say it says on standard error.
	const flags = ['-D', data, '-h', '127.0.0.1', '-p', port, '-k', '', '-c', 'fsync=off'];
	const running = await started('sh', ['-c', 'exec "$@" 2>&1', 'postgres', program('postgres'), ...flags], {
		ready: /ready to accept connections/,
		...as,
		cwd: data,
	});
	const env = {
		DB_TYPE: 'postgresdb',
		DB_POSTGRESDB_HOST: '127.0.0.1',
		DB_POSTGRESDB_PORT: port,
		DB_POSTGRESDB_DATABASE: 'postgres',
		DB_POSTGRESDB_USER: 'n8n',
		DB_POSTGRESDB_PASSWORD: 'none-is-asked-for',
	};
	return { env, stop: andRemove(running, data, 'SIGINT') };
}

const andRemove = (running, data, signal) => async () => {
	await running.stop(signal);
	rmSync(data, { recursive: true, force: true });
};
