/** Packs a component by `nodule pack n8n` and unpacks it, as npm would: for tests. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';

/**
 * Leaves the package in a folder, and returns its name and that of the node's class. A component without a folder of its own, such as a
 * guest, gets one for the while: `name` is what its `nodule.toml` says, and `declared` its line about origins.
 */
export async function pack(nodule, component, to, { dir, name, declared = '', binaries } = {}) {
	const work = mkdtempSync(join(tmpdir(), 'nodule-pack-'));
	try {
		const file = join(work, 'package.tgz');
		const folder = dir ?? folderFor(work, name ?? basename(component, '.wasm'), declared);
		const flags = ['--component', component, '--output', file, ...(binaries ? ['--binaries', binaries] : [])];
		execFileSync(nodule, ['pack', 'n8n', folder, ...flags], { stdio: ['ignore', 'ignore', 'pipe'] });
		return unpack(file, to);
	} finally {
		rmSync(work, { recursive: true });
	}
}

/** A folder with a program that is quickly packed, for packages that run by `NODULE_BINARY` or not at all. */
export function emptyProgram(folder) {
	mkdirSync(folder, { recursive: true });
	writeFileSync(join(folder, 'nodule-linux-x64'), '');
	return folder;
}

/** What npm leaves of a package's file. */
export function unpack(file, to) {
	rmSync(to, { recursive: true, force: true });
	mkdirSync(to, { recursive: true });
	execFileSync('tar', ['-xzpf', file, '-C', to, '--strip-components=1']);
	const manifest = JSON.parse(readFileSync(join(to, 'package.json'), 'utf8'));
	return { package: manifest.name, node: basename(manifest.n8n.nodes[0], '.node.js') };
}

function folderFor(work, name, declared) {
	const folder = join(work, 'node');
	mkdirSync(folder);
	writeFileSync(join(folder, 'LICENSE'), 'MIT License\n');
	const about = { name: name.replaceAll('_', '-'), version: '0.1.0', author: 'Somebody', license: 'MIT', repository: 'https://git.example.com/node' };
	const lines = Object.entries(about).map(([key, value]) => `${key} = ${JSON.stringify(value)}`);
	writeFileSync(join(folder, 'nodule.toml'), [declared, '[package]', ...lines, ''].join('\n'));
	return folder;
}
