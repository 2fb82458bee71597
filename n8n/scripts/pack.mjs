/**
 * Makes an npm package for n8n of a node component: `node pack.mjs NODULE COMPONENT OUTPUT_DIRECTORY [--binaries DIR] [--config FILE]`.
 * Everything that is about the node comes from the component's own description, but for what it may reach beside its base URL: that is
 * granted in `nodule.toml`. The host's programs go into the package: those
 * for other platforms from the folder, or without one NODULE for this platform.
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { chmodSync, copyFileSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';

import { build } from 'esbuild';

import { grantsOf } from './grants.mjs';
import { readme } from './readme.mjs';

const here = dirname(fileURLToPath(import.meta.url));
const source = join(here, '../src');
const client = join(here, '../../clients/node/src/index.ts');

/** What a description comes to in its longest form, and room. */
const DESCRIPTION_BYTES = 256 * 1024 * 1024;

/** The host's programs, as `make binaries` calls them. */
const BINARY = /^nodule-(linux|macos|windows)-(x64|arm64)(\.exe)?$/;

export async function pack(nodule, component, to, { binaries, config } = {}) {
	const directory = resolve(to);
	const file = resolve(component);
	const bytes = readFileSync(file);
	const sha256 = createHash('sha256').update(bytes).digest('hex');
	// The bytes that are packed are those that are checked: of a file that has changed meanwhile, the digest is another.
	const describe = (format) =>
		execFileSync(nodule, ['describe', file, '--digest', `sha256:${sha256}`, '--format', format], {
			encoding: 'utf8',
			maxBuffer: DESCRIPTION_BYTES,
			stdio: ['ignore', 'pipe', 'pipe'],
		});
	// It refuses a component that may not run, by its names too, before anything here makes code of its description.
	const description = JSON.parse(describe('json'));
	const n8n = JSON.parse(describe('n8n'));
	const names = namesOf(description);
	const granted = grantsOf(file, config, description);
	const home = join(directory, 'dist/nodes', names.node);
	rmSync(directory, { recursive: true, force: true });
	mkdirSync(home, { recursive: true });
	mkdirSync(join(directory, 'dist/credentials'), { recursive: true });

	copyBinaries(nodule, binaries, join(directory, 'dist/bin'));
	writeFileSync(join(home, COMPONENT_FILE), bytes);
	const facts = { file: COMPONENT_FILE, sha256, description: slim(description, n8n), methods: n8n.methods, granted };
	// Beside `dist`, where n8n's rules look for the sources of what is in it.
	const generated = directory;
	write(join(generated, 'component.json'), json(facts));
	write(join(generated, 'nodes', names.node, `${names.node}.node.ts`), nodeSource(names, n8n));
	await bundle(join(generated, 'nodes', names.node, `${names.node}.node.ts`), join(home, `${names.node}.node.js`));
	for (const credential of n8n.credentials) {
		const file = `${pascal(credential.name)}.credentials`;
		write(join(generated, 'credentials', `${file}.ts`), credentialSource(names, credential));
		await bundle(join(generated, 'credentials', `${file}.ts`), join(directory, 'dist/credentials', `${file}.js`));
	}
	const icon = `${description.name}.svg`;
	for (const place of [home, join(directory, 'dist/credentials'), join(generated, 'nodes', names.node), join(generated, 'credentials')]) {
		write(join(place, icon), description.iconSvg ?? PLAIN_ICON);
	}
	write(join(home, `${names.node}.node.json`), json(codex(names, description, n8n.codex)));
	write(join(directory, 'package.json'), json(manifest(names, description)));
	write(join(directory, 'README.md'), readme(description, names, describe('markdown'), granted));
	return names;
}

const COMPONENT_FILE = 'component.wasm';

function copyBinaries(nodule, from, to) {
	const system = { darwin: 'macos', win32: 'windows' }[process.platform] ?? process.platform;
	const own = `nodule-${system}-${process.arch}${system === 'windows' ? '.exe' : ''}`;
	const found = from
		? readdirSync(from).filter((name) => BINARY.test(name)).map((name) => [join(from, name), name])
		: [[nodule, own]];
	if (found.length === 0) {
		throw new Error(`${from}: expected programs such as nodule-linux-x64, found none; \`make binaries\` builds them, or leave --binaries out`);
	}
	mkdirSync(to, { recursive: true });
	for (const [path, name] of found) {
		copyFileSync(path, join(to, name));
		chmodSync(join(to, name), 0o755);
	}
}

/** A square, for a node that brings no icon. */
const PLAIN_ICON =
	'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60" fill="none" stroke="#666" stroke-width="4"><rect x="8" y="8" width="44" height="44" rx="8"/></svg>';

const json = (value) => `${JSON.stringify(value, null, '\t')}\n`;

function write(path, text) {
	mkdirSync(dirname(path), { recursive: true });
	writeFileSync(path, text);
}

const pascal = (text) => text.charAt(0).toUpperCase() + text.slice(1);

/** n8n finds a class by its file's name, and a package by its prefix. */
export function namesOf({ name, credentials }) {
	return {
		node: pascal(name),
		credentials: credentials.map((credential) => pascal(credential.name)),
		icon: `file:${name}.svg`,
		package: `n8n-nodes-${name.replace(/([a-z0-9])([A-Z])/g, '$1-$2').toLowerCase().replace(/[^a-z0-9-]/g, '')}`,
	};
}

async function bundle(from, to) {
	await build({
		entryPoints: [from],
		outfile: to,
		alias: { 'nodule-client': client },
		bundle: true,
		platform: 'node',
		target: 'node20',
		format: 'cjs',
		minify: true,
		// n8n finds a class by its name.
		keepNames: true,
		external: ['n8n-workflow'],
		// Where the program is, the package says itself.
		define: { 'import.meta.url': '"file:///"' },
		logLevel: 'error',
	});
}

/** Of the description only what running needs: the rest is in n8n's own form of it. */
export function slim({ credentials, operations, parameters }, { authentication }) {
	const kind = ({ type, key, columns, fields, parameter }) => ({ type, key, columns, fields, parameter });
	return {
		credentials: credentials.map((credential) => credentialFacts(credential, parameters)),
		authentication,
		operations: operations.map(({ group, name, parameters: ids, effect }) => ({
			group,
			name,
			parameters: ids,
			effect: { type: effect.type },
		})),
		parameters: parameters.map((parameter) => ({
			id: parameter.id,
			name: parameter.name,
			kind: kind(parameter.kind),
			default: parameter.default,
			visibleWhen: parameter.visibleWhen.length > 0 ? parameter.visibleWhen : undefined,
		})),
	};
}

/** Of n8n's own OAuth2 type, which the user's log-in extends, in the names of its fields. */
const N8N_OAUTH2 = ['grantType', 'authUrl', 'accessTokenUrl', 'scope', 'authQueryParameters', 'authentication', 'oauthTokenData'];

/** What running needs of a credential; of one where the user logs in, which fields n8n's type has under names of its own. */
function credentialFacts({ name, fields, baseUrl, scheme }, parameters) {
	const facts = { name, fields, baseUrl };
	if (scheme?.type !== 'oauth2' || scheme.grant !== 'authorizationCode') return facts;
	const nameOf = (id) => parameters.find((parameter) => parameter.id === id)?.name;
	const [clientId, clientSecret] = [scheme.clientId, scheme.clientSecret].map(nameOf);
	const taken = fields.map(nameOf).find((field) => N8N_OAUTH2.includes(field) || (['clientId', 'clientSecret'].includes(field) && field !== clientId && field !== clientSecret));
	if (taken) throw new Error(`credential ${name}: its field \`${taken}\` has a name that n8n's own OAuth2 credential uses`);
	const [added] = scheme.tokenBody;
	if (added) throw new Error(`credential ${name}: n8n's own OAuth2 credential cannot add \`${added.name}\` to token requests`);
	return { ...facts, oauth2: { clientId, ...(clientSecret ? { clientSecret } : {}) } };
}

const up = (depth) => '../'.repeat(depth);

function nodeSource(names, { node }) {
	const tested = node.credentials?.map((credential) => ({ ...credential, testedBy: `${credential.name}Test` }));
	const credentials = tested ? { credentials: tested } : {};
	// n8n's rules want its own names for the kinds of connections.
	const description = JSON.stringify({ ...node, ...credentials }, null, '\t')
		.replace(/\n/g, '\n\t')
		.replace(/"(inputs|outputs)": \[\s*"main"\s*\]/g, '"$1": [NodeConnectionTypes.Main]')
		.replace(/^(\t+)"([A-Za-z_]\w*)":/gm, '$1$2:');
	return `// Made from the component's description.
import { type INodeType, type INodeTypeDescription, NodeConnectionTypes } from 'n8n-workflow';

import component from '${up(2)}component.json';
import { type Component, nodeType } from ${JSON.stringify(pathToFileURL(join(source, 'node/node.ts')).pathname)};

const made = nodeType({ ...(component as Omit<Component, 'directory'>), directory: __dirname });

export class ${names.node} implements INodeType {
	description: INodeTypeDescription = ${description};

	methods = made.methods;

	execute = made.execute;
}
`;
}

function credentialSource(names, { name, displayName, documentationUrl, properties, extends: parents }) {
	return `// Made from the component's description. Tested by the node: what a test needs, the component knows.
import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class ${pascal(name)} implements ICredentialType {
	name = ${JSON.stringify(name)};

	displayName = ${JSON.stringify(displayName)};

	icon = ${JSON.stringify(names.icon)} as const;

${parents ? `	extends = ${JSON.stringify(parents)};\n\n` : ''}${documentationUrl ? `	documentationUrl = ${JSON.stringify(documentationUrl)};\n\n` : ''}	properties = ${JSON.stringify(properties, null, '\t').replace(/\n/g, '\n\t')} as INodeProperties[];
}
`;
}

/** n8n's words for what a node is about; a description has none, so who packs a node says so here. */
const CATEGORIES = { 'n8n-nodes-social-hub': ['Sales', 'Marketing'] };

/** Where the editor lists the node. */
function codex(names, description, { alias }) {
	return {
		node: `${names.package}.${description.name}`,
		nodeVersion: `${description.version}.0`,
		codexVersion: '1.0',
		categories: CATEGORIES[names.package] ?? ['Miscellaneous'],
		resources: {},
		...(alias.length > 0 ? { alias } : {}),
	};
}

function manifest(names, description) {
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
			credentials: names.credentials.map((name) => `dist/credentials/${name}.credentials.js`),
			nodes: [`dist/nodes/${names.node}/${names.node}.node.js`],
		},
		peerDependencies: { 'n8n-workflow': '*' },
	};
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
	const { positionals, values } = parseArgs({ allowPositionals: true, options: { binaries: { type: 'string' }, config: { type: 'string' } } });
	const [nodule, component, directory] = positionals;
	if (!directory) {
		process.stderr.write('usage: pack.mjs NODULE COMPONENT OUTPUT_DIRECTORY [--binaries DIR] [--config FILE]\n');
		process.exit(2);
	}
	const names = await pack(nodule, component, directory, values);
	process.stdout.write(`${names.package}\n`);
}
