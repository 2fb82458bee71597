/** Packs the SocialHub component and starts the simulator, once for all tests. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import type { TestProject } from 'vitest/node';

// @ts-expect-error -- a script without types
import { pack } from '../scripts/pack.mjs';

declare module 'vitest' {
	interface ProvidedContext {
		simulator: string;
		pkg: string;
		/** What the component says of itself. */
		described: { resources: { name: string }[]; operations: { group: string; name: string; summary: string }[] };
	}
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
	const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');
	const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-'));
	const pkg = join(home, 'package');
	const nodule = join(target, 'release/nodule');
	const component = process.env.COMPONENT ?? join(target, 'socialhub.wasm');
	await pack(nodule, component, pkg, { dir: resolve(import.meta.dirname, '../../node') });
	provide('described', JSON.parse(execFileSync(nodule, ['describe', component, '--format', 'json'], { encoding: 'utf8' })));
	// Compiled components go where n8n's folder is.
	process.env.N8N_USER_FOLDER = home;
	const simulator = spawn(join(target, 'release/simulator'), ['--log-requests', '--token-lifetime', '7200'], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const [line] = (await once(createInterface(simulator.stdout), 'line')) as [string];
	provide('simulator', line.trim());
	provide('pkg', pkg);
	return async () => {
		simulator.kill();
		await once(simulator, 'exit');
		rmSync(home, { recursive: true });
	};
}
