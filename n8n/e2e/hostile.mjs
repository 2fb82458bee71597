/**
 * Hostile guests as packages for n8n. All of them describe the same node with one field; here each gets a credential of its own, so that
 * they can be installed beside each other, and the fields that it really reads, so that a workflow can set them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pack } from '../scripts/pack.mjs';
import { programs } from './guests.mjs';
import { nodule, target } from './n8n.mjs';

const FIELDS = ['hostile', 'requests'];

/** Packs a guest into a folder below that one; gives the folder, and the types of node and credential. */
export async function hostile(guest, home) {
	const directory = join(home, `hostile-${guest}`);
	const names = await pack(nodule, join(target, 'hostile', `${guest}.wasm`), directory, { name: `hostile-${guest}`, binaries: programs(home) });
	const credential = `hostile${guest.replace(/(?:^|_)([a-z])/g, (_, first) => first.toUpperCase())}Api`;
	const edit = (file, change) => {
		const path = join(directory, 'dist', file);
		const facts = JSON.parse(readFileSync(path, 'utf8').replaceAll('hostileApi', credential));
		change(facts);
		writeFileSync(path, JSON.stringify(facts));
	};
	edit('credentials/HostileApi.credentials.json', () => {});
	edit('nodes/Hostile/component.json', ({ node, description }) => {
		// No workflow here sets the guests' ID, which names what an item changes.
		for (const field of node.properties) if (field.name === 'id') field.required = false;
		node.properties.push(...FIELDS.map((name) => ({ displayName: name, name, type: 'json', default: '' })));
		description.parameters.push(...FIELDS.map((name) => ({ id: name, name, kind: { type: 'anyJson' } })));
		for (const operation of description.operations) operation.parameters.push(...FIELDS);
	});
	return { directory, type: `${names.package}.hostile`, credential };
}
