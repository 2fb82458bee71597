/** The host process: started with nothing of this one's environment, and ended with it. */
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

import { type Ended, howEnded, StartError } from './errors.js';

/** What `docs/serve.md` calls settings, but for the token, which is made here. */
export interface Settings {
	policy?: string;
	certificates?: string[];
	/** Where runs may leave certificates unchecked. */
	insecureOrigins?: string[];
	proxy?: { http?: string; https?: string; no?: string };
	addresses?: { allowed?: string[]; blocked?: string[] };
}

export interface StartOptions {
	/** The program. Without it NODULE_BINARY, or the one for this platform in the folder `binaries`. */
	binary?: string;
	/** A folder with programs by the names of `make binaries`, such as `nodule-linux-x64`; without it, `bin` beside this package. */
	binaries?: string;
	/** Where compiled components are kept: a folder of this user's alone. Without it NODULE_CACHE_DIR, or nowhere. */
	cache?: string;
	/** Folders that components, recordings and policies may be read from. */
	read?: string[];
	/** Folders that journals and recordings may be written to. */
	write?: string[];
	/** The most memory that the process may have. */
	memoryMb?: number;
	settings?: Settings;
	/** Gets each line that the process prints on standard error. */
	onLog?: (line: string) => void;
}

/** Of a process that did not start, the end of what it said is shown. */
const SAID_CHARS = 4_000;
/** A Unix socket's path has at most 104 bytes with macOS, 108 with Linux. */
const PATH_BYTES = 100;
/** Starting takes some hundredths of a second; with a cache on a slow disk a second. */
const START_MS = 30_000;
/** It ends at once when its standard input does; one that is stuck is killed. */
const END_MS = 10_000;

/** What a system says of a program that is there and cannot be started. */
const HINTS: Record<string, string> = {
	EACCES: 'make the file executable, on a file system from which programs may be started',
	ENOENT: 'the program needs a C library that this system does not have: take a static one, by `make binaries`',
	ENOEXEC: 'the program is for another kind of machine',
};

export interface Process {
	socket: string;
	token: string;
	version: string;
	pid: number;
	/** How it ended; it never rejects. */
	ended: Promise<Ended>;
	end(): void;
}

/** The name of a program for a platform of Node's, as `make binaries` calls it. */
export function binaryName(platform: string = process.platform, arch: string = process.arch): string {
	const system = { darwin: 'macos', win32: 'windows' }[platform] ?? platform;
	return `nodule-${system}-${arch}${platform === 'win32' ? '.exe' : ''}`;
}

/** The program that is started. */
export function findBinary({ binary, binaries }: Pick<StartOptions, 'binary' | 'binaries'>): string {
	const own = binary ?? process.env.NODULE_BINARY;
	const name = binaryName();
	const found = own ? resolve(own) : join(binaries ?? fileURLToPath(new URL('../bin', import.meta.url)), name);
	if (existsSync(found)) return found;
	throw new StartError({
		kind: 'no-binary',
		message: `no host program: ${found} does not exist`,
		hint: own
			? `correct ${binary ? 'the option `binary`' : 'NODULE_BINARY'}, which names it`
			: `build \`nodule\` for ${process.platform} on ${process.arch} and set NODULE_BINARY to its path`,
	});
}

function folder(): string {
	const fits = (parent: string): boolean => Buffer.byteLength(join(parent, 'nodule-XXXXXX/s')) <= PATH_BYTES;
	// By mkdtemp a folder is its user's alone.
	return mkdtempSync(join(fits(tmpdir()) ? tmpdir() : '/tmp', 'nodule-'));
}

export async function start(options: StartOptions): Promise<Process> {
	const binary = findBinary(options);
	const home = folder();
	const socket = process.platform === 'win32' ? `\\\\.\\pipe\\nodule-${randomBytes(16).toString('hex')}` : join(home, 's');
	const token = randomBytes(32).toString('hex');
	const cache = options.cache ?? process.env.NODULE_CACHE_DIR;
	const flags = [
		'serve',
		'--socket',
		socket,
		'--stdio-lifetime',
		'--settings',
		'-',
		...(cache ? ['--cache', resolve(cache)] : []),
		...(options.read ?? []).flatMap((path) => ['--read', resolve(path)]),
		...(options.write ?? []).flatMap((path) => ['--write', resolve(path)]),
		...(options.memoryMb === undefined ? [] : ['--memory-mb', String(options.memoryMb)]),
	];
	const child = spawn(binary, flags, {
		cwd: home,
		// Windows starts nothing without it.
		env: process.platform === 'win32' && process.env.SystemRoot ? { SystemRoot: process.env.SystemRoot } : {},
		stdio: ['pipe', 'pipe', 'pipe'],
		// A terminal's Ctrl-C is for this process, which then ends its runs as it sees fit.
		detached: process.platform !== 'win32',
		windowsHide: true,
	});
	const clean = (): void => rmSync(home, { recursive: true, force: true });
	process.once('exit', clean);
	const ended = new Promise<Ended>((done) => {
		child.once('exit', (code, signal) => done({ code, signal }));
		child.once('error', () => done({ code: null, signal: null }));
	});
	void ended.then(() => {
		process.off('exit', clean);
		clean();
	});
	// A process that has ended takes no settings; that it has ended is seen elsewhere.
	child.stdin.on('error', () => {});
	child.stdin.write(`${JSON.stringify({ ...options.settings, token })}\n`);
	const said = log(child, options.onLog);
	try {
		const { version, pid } = await ready(child, ended, said);
		unref(child);
		return { socket, token, version, pid, ended, end: () => end(child, ended) };
	} catch (error) {
		child.stdin.destroy();
		child.kill('SIGKILL');
		throw error;
	}
}

/** Whoever ends it waits for it. */
function end(child: ChildProcess, ended: Promise<Ended>): void {
	child.ref();
	child.stdin?.destroy();
	const timer = setTimeout(() => child.kill('SIGKILL'), END_MS);
	void ended.then(() => clearTimeout(timer));
}

/** Passes lines of standard error on, and keeps the last of them. */
function log(child: ChildProcess, onLog: ((line: string) => void) | undefined): () => string {
	let said = '';
	let rest = '';
	child.stderr?.setEncoding('utf8').on('data', (text: string) => {
		said = (said + text).slice(-SAID_CHARS);
		if (!onLog) return;
		const lines = (rest + text).split('\n');
		rest = lines.pop() ?? '';
		for (const line of lines) onLog(line);
	});
	return () => said.trim();
}

async function ready(child: ChildProcess, ended: Promise<Ended>, said: () => string): Promise<{ version: string; pid: number }> {
	let timer: NodeJS.Timeout | undefined;
	const line = await new Promise<string>((resolve, reject) => {
		const fail = (message: string, hint?: string): void => {
			reject(new StartError({ kind: 'start', message: [message, said()].filter(Boolean).join(': '), ...(hint ? { hint } : {}) }));
		};
		let text = '';
		child.stdout?.setEncoding('utf8').on('data', (piece: string) => {
			text += piece;
			if (text.includes('\n')) resolve(text);
		});
		child.once('error', (error: NodeJS.ErrnoException) => fail(`the host process could not be started: ${error.message}`, HINTS[error.code ?? '']));
		// Once all that it has said is there.
		child.once('close', () => void ended.then((how) => fail(howEnded(how))));
		timer = setTimeout(() => fail(`the host process did not start within ${START_MS / 1000} s`), START_MS);
	}).finally(() => clearTimeout(timer));
	try {
		return (JSON.parse(line) as { ready: { version: string; pid: number } }).ready;
	} catch (cause) {
		throw new StartError({ kind: 'start', message: `expected the ready line of \`nodule serve\`, found ${line.slice(0, 100)}` }, { cause });
	}
}

/** The process keeps nobody alive: whoever started it ends when nothing else is left to do, and it with them. */
function unref(child: ChildProcess): void {
	child.unref();
	// They are sockets, of which the types say nothing.
	for (const stream of [child.stdin, child.stdout, child.stderr]) (stream as unknown as { unref?(): void } | null)?.unref?.();
}
