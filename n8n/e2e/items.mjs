/** Items of every operation, as a form stores them: the form's defaults, and what the operation's recorded case did. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { describe } from './n8n.mjs';

const folder = join(import.meta.dirname, '../../host-test');
const read = (file) => JSON.parse(readFileSync(join(folder, file), 'utf8'));
const listed = read('cases.json');
const { properties } = describe('n8n').node;

/** The form stores every instant with its offset. */
const OFFSET = /(Z|[+-]\d\d:\d\d)$/;
const instant = (text) => (text === '' || OFFSET.test(text) ? text : `${text.includes('T') ? text : `${text}T00:00:00`}Z`);

/** What the form shows for these values: a later parameter may be shown by an earlier one. */
function stored(resource, operation, given) {
	const item = {};
	for (const { name, type, default: value, displayOptions } of properties) {
		const values = { resource, operation, ...item };
		if (name in values || !displayOptions?.show?.operation) continue;
		const isShown = Object.entries(displayOptions.show).every(([other, oneOf]) => oneOf.includes(values[other]));
		if (!isShown) continue;
		item[name] = name in given ? given[name] : value;
		if (type === 'dateTime' && typeof item[name] === 'string') item[name] = instant(item[name]);
	}
	return item;
}

/** Each operation's items, and what the service answers where the simulator does not say it. */
export const CASES = describe('json').operations.map(({ group, name }) => {
	const { answer } = listed.find((one) => one.case === `${group}/${name}`);
	const { items, results } = read(`cases/${group}/${name}.har`).log._case;
	const all = items.filter((_, index) => results[index].output).map((item) => stored(group, name, item));
	// A parameter that is an object or a list is no expression, and so the same for all items.
	const isOne = all.some((item) => Object.values(item).some((value) => typeof value === 'object'));
	return { resource: group, operation: name, items: isOne ? all.slice(0, 1) : all, answer };
});

export const itemOf = (operation) => CASES.find((one) => one.operation === operation).items[0];
