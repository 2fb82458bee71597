/**
 * Bundles what a packed node runs in n8n into the one file that `nodule pack n8n` puts into each package: `node runtime.mjs` writes it.
 * It is not made smaller, so that a reader and a difference can be read.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { build } from 'esbuild';

const root = join(dirname(fileURLToPath(import.meta.url)), '../..');
export const RUNTIME = join(root, 'cli/src/author/pack/runtime.js');

export async function runtime() {
	const { outputFiles } = await build({
		absWorkingDir: root,
		entryPoints: ['n8n/src/node/node.ts'],
		alias: { 'nodule-client': join(root, 'clients/node/src/index.ts') },
		tsconfig: join(root, 'n8n/tsconfig.json'),
		bundle: true,
		write: false,
		platform: 'node',
		target: 'node20',
		format: 'cjs',
		charset: 'utf8',
		external: ['n8n-workflow'],
		// Where the program is, the package says itself.
		define: { 'import.meta.url': '"file:///"' },
		// It goes into packages of other people.
		banner: { js: `/*\n${readFileSync(join(root, 'LICENSE-MIT'), 'utf8')}*/` },
		logLevel: 'error',
	});
	return outputFiles[0].text;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(RUNTIME, await runtime());
