/**
 * Hostile guests as packages for n8n. All of them describe the same node with one field; here each gets a name of its own, so that
 * they can be installed beside each other, and the fields that it really reads, so that a workflow can set them.
 */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pack } from '../scripts/pack.mjs';
import { programs } from './guests.mjs';
import { nodule, target } from './n8n.mjs';

const FIELDS = ['hostile', 'requests'];

const WRAPPER = (name) => `#!${process.execPath}
const { execFileSync } = require('node:child_process');
const args = process.argv.slice(2);
const text = execFileSync(${JSON.stringify(nodule)}, args, { encoding: 'utf8' })
	.replaceAll('hostileApi', '${name}Api')
	.replaceAll('"hostile"', '"${name}"');
const fields = ${JSON.stringify(FIELDS)};
const described = () => {
	const node = JSON.parse(text);
	// No workflow here sets the guests' ID, which names what an item changes.
	for (const field of node.parameters ?? node.node.properties) if (field.name === 'id') field.required = false;
	if (args.at(-1) === 'n8n') {
		node.node.properties.push(...fields.map((name) => ({ displayName: name, name, type: 'json', default: '' })));
	} else {
		node.parameters.push(...fields.map((name) => ({ id: name, name, kind: { type: 'anyJson' } })));
		for (const operation of node.operations) operation.parameters.push(...fields);
	}
	return JSON.stringify(node);
};
process.stdout.write(args.at(-1) === 'markdown' ? text : described());
`;

/** Packs a guest into a folder below that one; gives the folder, and the types of node and credential. */
export async function hostile(guest, home) {
	const name = `hostile${guest.replace(/(?:^|_)([a-z])/g, (_, first) => first.toUpperCase())}`;
	const wrapper = join(home, `${name}.cjs`);
	writeFileSync(wrapper, WRAPPER(name), { mode: 0o755 });
	const directory = join(home, name);
	const names = await pack(wrapper, join(target, 'hostile', `${guest}.wasm`), directory, { binaries: programs(home) });
	return { directory, type: `${names.package}.${name}`, credential: `${name}Api` };
}
