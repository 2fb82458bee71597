/** The nodes of `guests/`, each packed into a folder of its own. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pack } from '../scripts/pack.mjs';
import { nodule, target } from './n8n.mjs';

/** Packs a guest into a folder below that one; gives the folder, and the type of its node. */
export async function guest(name, home) {
	const directory = join(home, name);
	const names = await pack(nodule, join(target, 'hostile', `${name}.wasm`), directory, { binaries: programs(home) });
	return { directory, type: `${names.package}.${name}` };
}

/** No program of its own: NODULE_BINARY names one for all. */
export function programs(home) {
	writeFileSync(join(home, 'nodule-linux-x64'), '');
	return home;
}
