/**
 * n8n's rules for community nodes read classes in TypeScript, with what they say of themselves as literals. A packed node has both in
 * JavaScript and JSON, so this unpacks packages and writes the sources that they would be made of: `node sources.mjs TO FILE.tgz…`.
 */
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';

import { unpack } from './pack.mjs';

function sources(file, directory) {
	unpack(file, directory);
	const { n8n } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
	for (const path of [...n8n.nodes, ...n8n.credentials]) {
		const name = basename(path).split('.')[0];
		const isNode = path.endsWith('.node.js');
		const facts = isNode ? join(dirname(path), 'component.json') : path.replace(/\.js$/, '.json');
		const described = JSON.parse(readFileSync(join(directory, facts), 'utf8'));
		const source = isNode ? nodeSource(name, described.node) : credentialSource(name, described);
		const written = join(directory, path.replace(/^dist\//, '').replace(/\.js$/, '.ts'));
		mkdirSync(dirname(written), { recursive: true });
		writeFileSync(written, source);
		const icon = (isNode ? described.node : described).icon.replace('file:', '');
		copyFileSync(join(directory, dirname(path), icon), join(dirname(written), icon));
	}
}

const literal = (value) => JSON.stringify(value, null, '\t').replace(/\n/g, '\n\t');

function nodeSource(name, node) {
	const description = literal(node)
		// The rules want n8n's own names for the kinds of connections.
		.replace(/"(inputs|outputs)": \[\s*"main"\s*\]/g, '"$1": [NodeConnectionTypes.Main]')
		.replace(/^(\t+)"([A-Za-z_]\w*)":/gm, '$1$2:');
	return `import { type INodeType, type INodeTypeDescription, NodeConnectionTypes } from 'n8n-workflow';

import component from '../../component.json';
import { nodeType } from '../../runtime.js';

const made = nodeType({ ...component, directory: __dirname });

export class ${name} implements INodeType {
	description: INodeTypeDescription = ${description};

	methods = made.methods;

	execute = made.execute;
}
`;
}

function credentialSource(name, described) {
	const members = Object.entries(described).map(([key, value]) => {
		const type = { icon: ' as const', properties: ' as INodeProperties[]' }[key] ?? '';
		return `\t${key} = ${literal(value)}${type};\n`;
	});
	return `import type { ICredentialType, INodeProperties } from 'n8n-workflow';

export class ${name} implements ICredentialType {
${members.join('\n')}}
`;
}

const [to, ...packages] = process.argv.slice(2);
for (const file of packages) sources(resolve(file), resolve(to, basename(file, '.tgz')));
