/** Packs the SocialHub component, bundles the hostile one, and starts the simulator, once for all tests. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';

import { build } from 'esbuild';
import type { TestProject } from 'vitest/node';

// @ts-expect-error -- a script without types
import { pack } from '../scripts/pack.mjs';

declare module 'vitest' {
	interface ProvidedContext {
		simulator: string;
		pkg: string;
		hostile: string;
	}
}

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
	const target = process.env.CARGO_TARGET_DIR ?? resolve(import.meta.dirname, '../../target');

	const home = mkdtempSync(join(tmpdir(), 'nodule-n8n-'));
	const pkg = join(home, 'package');
	await pack(join(target, 'release/nodule'), process.env.COMPONENT ?? join(target, 'socialhub.wasm'), pkg);
	const hostile = join(home, 'hostile');
	mkdirSync(hostile);
	await build({
		entryPoints: [resolve(import.meta.dirname, '../src/worker/worker.ts')],
		outfile: join(hostile, 'worker.js'),
		alias: { component: resolve(import.meta.dirname, 'hostile.js') },
		bundle: true,
		platform: 'node',
		format: 'cjs',
	});
	const simulator = spawn(join(target, 'release/simulator'), ['--log-requests', '--token-lifetime', '7200'], {
		stdio: ['ignore', 'pipe', 'inherit'],
	});
	const [line] = (await once(createInterface(simulator.stdout), 'line')) as [string];
	provide('simulator', line.trim());
	provide('pkg', pkg);
	provide('hostile', hostile);
	return async () => {
		simulator.kill();
		await once(simulator, 'exit');
		rmSync(home, { recursive: true });
	};
}
