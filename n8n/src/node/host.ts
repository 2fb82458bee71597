/**
 * The host process: one for each process of n8n, started with the first execution, shared by all packages that are made so, and
 * ended with n8n. One that has crashed is started again by the next execution.
 */
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { type Component, Host, NoduleError, StartError } from 'nodule-client';

import { settingsOf } from './settings.js';

/** What packages of one version of this interface share. */
const SHARED = Symbol.for('nodule.host:v1');

export interface SharedHost {
	component(packed: Packed): Promise<Component>;
}

/** What a package brings. */
export interface Packed {
	/** The component's file. */
	file: string;
	/** SHA-256 of its bytes, as hexadecimal digits. */
	sha256: string;
	/** Where the programs are. */
	binaries: string;
}

export function sharedHost(): SharedHost {
	const place = globalThis as { [SHARED]?: SharedHost };
	place[SHARED] ??= new OneHost();
	return place[SHARED];
}

class OneHost implements SharedHost {
	private running: Promise<Host> | undefined;
	private loaded = new Map<string, Promise<Component>>();

	async component(packed: Packed): Promise<Component> {
		this.running ??= this.start(packed.binaries);
		const host = await this.running;
		const { sha256 } = packed;
		const component = this.loaded.get(sha256) ?? load(host, packed);
		this.loaded.set(sha256, component);
		return await component.catch((error: unknown) => {
			this.loaded.delete(sha256);
			throw error;
		});
	}

	private start(binaries: string): Promise<Host> {
		const forget = (): void => {
			this.running = undefined;
			this.loaded = new Map();
		};
		const cache = cacheFolder();
		const started = (async () =>
			await Host.start({
				binaries,
				...(cache ? { cache } : {}),
				settings: settingsOf(process.env, read),
				onLog: (line) => process.stderr.write(`nodule: ${line}\n`),
			}))();
		started.then(async ({ ended }) => await ended).then(forget, forget);
		return started;
	}
}

async function load(host: Host, { file, sha256 }: Packed): Promise<Component> {
	const bytes = readFileSync(file);
	const found = createHash('sha256').update(bytes).digest('hex');
	if (found !== sha256) {
		throw new NoduleError({ kind: 'digest', message: `${file}: expected what was packed, sha256 ${sha256}, found ${found}`, hint: 'install the package again' });
	}
	return await host.load(bytes, { digest: `sha256:${sha256}` });
}

/** A file that a variable names. */
export function read(path: string): string {
	try {
		return readFileSync(path, 'utf8');
	} catch (cause) {
		const message = `${path}: ${(cause as Error).message}`;
		throw new StartError({ kind: 'file', message, hint: 'correct the variable of n8n that names it' }, { cause });
	}
}

/** Compiled components, which n8n's next start finds: in n8n's own folder, for its user alone. */
function cacheFolder(): string | undefined {
	if (process.env.NODULE_CACHE_DIR) return process.env.NODULE_CACHE_DIR;
	const folder = join(process.env.N8N_USER_FOLDER ?? homedir(), '.n8n', 'nodule-cache');
	try {
		mkdirSync(folder, { recursive: true, mode: 0o700 });
		return folder;
	} catch {
		// Where nothing can be written, each start of n8n compiles again.
		return undefined;
	}
}
