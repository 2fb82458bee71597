/**
 * What whoever packs a component grants of the origins that its description declares: `nodule.toml` beside the component.
 *
 *     declared = ["https://uploads.example.com"]   # or true, for all of them
 *
 * The line is the one of a policy file. A grant of what the description does not declare is refused: it would do nothing today, and
 * something else with the component's next version.
 */
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

import { parse } from 'smol-toml';

export const CONFIG = 'nodule.toml';

/** The granted origins, as the description writes them. */
export function grantsOf(component, config, { origins }) {
	const file = config ?? join(dirname(component), CONFIG);
	if (config === undefined && !existsSync(file)) return [];
	const { declared = [], ...others } = read(file);
	const [unknown] = Object.keys(others);
	if (unknown !== undefined) throw new Error(`${file}: unknown key ${JSON.stringify(unknown)}: expected \`declared\``);
	const urls = origins.map(({ url }) => url);
	if (typeof declared === 'boolean') return declared ? urls : [];
	if (!Array.isArray(declared) || declared.some((url) => typeof url !== 'string')) {
		throw new Error(`${file}: \`declared\`: expected true, false or a list such as ["https://uploads.example.com"]`);
	}
	const undeclared = declared.find((url) => !urls.includes(url));
	if (undeclared !== undefined) {
		const known = urls.length > 0 ? urls.map((url) => JSON.stringify(url)).join(', ') : 'none';
		throw new Error(`${file}: \`declared\`: ${JSON.stringify(undeclared)} is not an origin that the description declares: ${known}`);
	}
	return declared;
}

function read(file) {
	try {
		return parse(readFileSync(file, 'utf8'));
	} catch (error) {
		// The parser's message goes on with a drawing of the place.
		throw new Error(`${file}: ${error.message.split('\n')[0]}`);
	}
}
