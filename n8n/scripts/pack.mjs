/**
 * Makes an npm package for n8n of a node component: `node pack.mjs NODULE COMPONENT OUTPUT_DIRECTORY`. Everything that is
 * about the node comes from the component's own description.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

import { transpileBytes } from '@bytecodealliance/jco-transpile';
import { build } from 'esbuild';

import { capMemory } from './memory.mjs';
import { readme } from './readme.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../src');
const PAGE = 64 * 1024;
/** As in the Rust host: an answer at its own limit, its text and its parsed form fit. */
const MEMORY_BYTES = 128 * 1024 * 1024;

/** What `worker/wasi.ts` has. A component that imports more is refused here, before anybody installs it. */
const IMPORTS = [
	'wasi:clocks/monotonic-clock',
	'wasi:clocks/wall-clock',
	'wasi:http/outgoing-handler',
	'wasi:http/types',
	'wasi:io/error',
	'wasi:io/poll',
	'wasi:io/streams',
	'wasi:random/random',
];

/** What a description comes to in its longest form, and room. */
const DESCRIPTION_BYTES = 256 * 1024 * 1024;

/** The files that a component becomes, named after what `transpiled` calls it. */
const TRANSPILED = /^component(\.js|\.core\d*\.wasm)$/;

export async function pack(nodule, component, to) {
	const directory = resolve(to);
	const file = resolve(component);
	const bytes = readFileSync(file);
	const digest = createHash('sha256').update(bytes).digest('hex');
	// The bytes that are packed are those that are checked: of a file that has changed meanwhile, the digest is another.
	const describe = (format) =>
		execFileSync(nodule, ['describe', file, '--digest', `sha256:${digest}`, '--format', format], {
			encoding: 'utf8',
			maxBuffer: DESCRIPTION_BYTES,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
	// It refuses a component that may not run, by its names too, before anything here reads it or makes code from it.
	const description = JSON.parse(describe('json'));
	const n8n = JSON.parse(describe('n8n'));
	const names = namesOf(description);
	const home = join(directory, 'dist/nodes', names.node);
	rmSync(directory, { recursive: true, force: true });
	mkdirSync(home, { recursive: true });
	mkdirSync(join(directory, 'dist/credentials'), { recursive: true });

	const modules = await transpiled(bytes, directory, home);
	const facts = {
		modules,
		memoryBytes: MEMORY_BYTES,
		digest,
		description: slim(description),
	};
	// Beside `dist`, where n8n's rules look for the sources of what is in it.
	const generated = directory;
	write(join(generated, 'component.json'), json(facts));
	write(join(generated, 'nodes', names.node, `${names.node}.node.ts`), nodeSource(names, n8n));
	if (n8n.credential) {
		write(join(generated, 'credentials', `${names.credential}.credentials.ts`), credentialSource(names, n8n.credential));
	}
	await bundle(join(generated, 'nodes', names.node, `${names.node}.node.ts`), join(home, `${names.node}.node.js`));
	if (n8n.credential) {
		const file = `${names.credential}.credentials`;
		await bundle(join(generated, 'credentials', `${file}.ts`), join(directory, 'dist/credentials', `${file}.js`));
	}
	const icon = `${description.name}.svg`;
	for (const place of [home, join(directory, 'dist/credentials'), join(generated, 'nodes', names.node), join(generated, 'credentials')]) {
		write(join(place, icon), description.iconSvg ?? PLAIN_ICON);
	}
	write(join(home, `${names.node}.node.json`), json(codex(names, description)));
	write(join(directory, 'package.json'), json(manifest(names, description, Boolean(n8n.credential))));
	write(join(directory, 'README.md'), readme(description, names, describe('markdown')));
	return names;
}

/** A square, for a node that brings no icon. */
const PLAIN_ICON =
	'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60" fill="none" stroke="#666" stroke-width="4"><rect x="8" y="8" width="44" height="44" rx="8"/></svg>';

const json = (value) => `${JSON.stringify(value, null, '\t')}\n`;

function write(path, text) {
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, text);
}

/** n8n finds a class by its file's name, and a package by its prefix. */
export function namesOf({ name, credential }) {
	const pascal = (text) => text.charAt(0).toUpperCase() + text.slice(1);
	return {
		node: pascal(name),
		credential: credential && pascal(credential.name),
		icon: `file:${name}.svg`,
		package: `n8n-nodes-${name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase().replace(/[^a-z0-9-]/g, '')}`,
	};
}

/** Core modules beside the worker that instantiates them. */
async function transpiled(bytes, directory, home) {
	const { files, imports } = await transpileBytes(bytes, {
		name: 'component',
		instantiation: 'sync',
		wasiShim: false,
		nodejsCompat: false,
		emitTypescriptDeclarations: false,
	});
	// The component's own words are not shown, nor do they name a file.
	const unknown = imports.filter((name) => !IMPORTS.includes(name)).length;
	if (unknown > 0) {
		throw new Error(`the component imports ${unknown} more than this host has, which is ${IMPORTS.join(', ')} and nothing else`);
	}
	const modules = [];
	for (const [name, content] of Object.entries(files)) {
		if (!TRANSPILED.test(name)) {
			throw new Error('the component became a file that nothing here asks for');
		}
		if (name.endsWith('.wasm')) {
			const capped = capMemory(content, MEMORY_BYTES / PAGE);
			modules.push({ name, sha256: createHash('sha256').update(capped).digest('hex') });
			writeFileSync(join(home, name), capped);
		}
	}
	const glue = join(directory, 'transpiled.js');
	write(glue, Buffer.from(files['component.js']).toString());
	await bundle(join(source, 'worker/worker.ts'), join(home, 'worker.js'), { component: glue });
	return modules;
}

async function bundle(from, to, alias = {}) {
	await build({
		entryPoints: [from],
		outfile: to,
		alias,
		bundle: true,
		platform: 'node',
		target: 'node20',
		format: 'cjs',
		minify: true,
		// n8n finds a class by its name.
		keepNames: true,
		external: ['n8n-workflow'],
		logLevel: 'error',
	});
}

/** Of the description only what running needs: the rest is in n8n's own form of it. */
function slim({ credential, operations, parameters }) {
	const kind = ({ type, name, columns, fields }) => ({ type, name, columns, fields });
	return {
		credential: credential && { name: credential.name, fields: credential.fields, baseUrl: credential.baseUrl },
		operations: operations.map(({ group, name, parameters: ids, effect, hints }) => ({
			group,
			name,
			parameters: ids,
			effect: { type: effect.type },
			hints: { request: { path: hints?.request?.path } },
		})),
		parameters: parameters.map((parameter) => ({ id: parameter.id, name: parameter.name, kind: kind(parameter.kind) })),
	};
}

const up = (depth) => '../'.repeat(depth);

function nodeSource(names, { node, credential }) {
	const testedBy = `${credential?.name ?? 'no'}Test`;
	const credentials = credential ? { credentials: [{ name: credential.name, required: true, testedBy }] } : {};
	// n8n's rules want its own names for the kinds of connections.
	const description = JSON.stringify({ ...node, ...credentials }, null, '\t')
		.replace(/\n/g, '\n\t')
		.replace(/"(inputs|outputs)": \[\s*"main"\s*\]/g, '"$1": [NodeConnectionTypes.Main]')
		.replace(/^(\t+)"([A-Za-z_]\w*)":/gm, '$1$2:');
	return `// Made from the component's description.
import { type INodeType, type INodeTypeDescription, NodeConnectionTypes } from 'n8n-workflow';

import component from '${up(2)}component.json';
import { type Component, nodeType } from ${JSON.stringify(pathToFileURL(join(source, 'node/node.ts')).pathname)};

const made = nodeType({ ...(component as unknown as Component), directory: __dirname });

export class ${names.node} implements INodeType {
	description: INodeTypeDescription = ${description};

	methods = made.methods;

	execute = made.execute;
}
`;
}

function credentialSource(names, { name, displayName, documentationUrl, properties }) {
	return `// Made from the component's description. Tested by the node: what a test needs, the component knows.
import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class ${names.credential} implements ICredentialType {
	name = ${JSON.stringify(name)};

	displayName = ${JSON.stringify(displayName)};

	icon = ${JSON.stringify(names.icon)} as const;

${documentationUrl ? `	documentationUrl = ${JSON.stringify(documentationUrl)};\n\n` : ''}	properties = ${JSON.stringify(properties, null, '\t').replace(/\n/g, '\n\t')} as INodeProperties[];
}
`;
}

/** n8n's words for what a node is about; a description has none, so who packs a node says so here. */
const CATEGORIES = { 'n8n-nodes-social-hub': ['Sales', 'Marketing'] };

/** Where the editor lists the node. */
function codex(names, description) {
	return {
		node: `${names.package}.${description.name}`,
		nodeVersion: `${description.version}.0`,
		codexVersion: '1.0',
		categories: CATEGORIES[names.package] ?? ['Miscellaneous'],
		resources: {},
	};
}

function manifest(names, description, hasCredential) {
	const { version, license } = JSON.parse(readFileSync(join(here, '../package.json'), 'utf8'));
	return {
		name: names.package,
		version,
		description: `${description.displayName} in n8n: ${description.summary}`,
		license,
		keywords: ['n8n-community-node-package', description.displayName.toLowerCase()],
		author: { name: 'The Nodule authors' },
		files: ['dist', 'README.md', 'LICENSE'],
		engines: { node: '>=20.19' },
		n8n: {
			n8nNodesApiVersion: 1,
			credentials: hasCredential ? [`dist/credentials/${names.credential}.credentials.js`] : [],
			nodes: [`dist/nodes/${names.node}/${names.node}.node.js`],
		},
		peerDependencies: { 'n8n-workflow': '*' },
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const [nodule, component, directory] = process.argv.slice(2);
	if (!directory) {
		process.stderr.write('usage: pack.mjs NODULE COMPONENT OUTPUT_DIRECTORY\n');
		process.exit(2);
	}
	const names = await pack(nodule, component, directory);
	process.stdout.write(`${names.package}\n`);
}
