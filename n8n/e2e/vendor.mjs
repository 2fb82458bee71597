/** The form of the vendor's own node beside one of n8n: what a workflow that was stored for it would come to. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const read = (file) => JSON.parse(readFileSync(join(import.meta.dirname, '../../node/tests', file), 'utf8'));
const form = read('vendor-form.json');

/** Where ours differs on purpose. */
export const LISTED = read('vendor-differences.json').flatMap(({ differences }) => differences.map((pair) => pair.join(': ')));

/** How n8n stores values of a type. */
const STORED = { string: 'text', dateTime: 'text', number: 'number', boolean: 'boolean', options: 'choice', fixedCollection: 'rows' };

const same = (one, other) => JSON.stringify(one) === JSON.stringify(other);
/** A workflow stores no default: a blank is none, and so is an empty collection. */
const set = (value) => (value === '' || value === null || same(value, {}) || same(value, []) ? undefined : value);

/** The conditions besides the operation's own. */
function shownWhen({ displayOptions: { show = {}, hide } = {} }) {
	const { resource, operation, ...others } = show;
	return hide ? { ...others, hide } : Object.keys(others).length > 0 ? others : undefined;
}

/** Values and labels. An entry for no value counts where the vendor has one. */
const choicesOf = (options, vendors = []) => {
	const hasBlank = vendors.some(({ value }) => value === '');
	return options.filter(({ value }) => value !== '' || hasBlank).map(({ name, value }) => ({ value, label: name }));
};

function compare(ours, vendors, at, found) {
	for (const one of ours) if (!vendors.some(({ name }) => name === one.name)) found.push(`${at}.${one.name}: added`);
	for (const vendor of vendors) {
		const here = `${at}.${vendor.name}`;
		const [one, ...more] = ours.filter(({ name }) => name === vendor.name);
		if (!one || more.length > 0) {
			found.push(`${here}: ${one ? 'twice' : 'missing'}`);
			continue;
		}
		const rows = one.type === 'fixedCollection' ? one.options[0] : undefined;
		const facts = [
			['label', one.displayName, vendor.label],
			['type', STORED[one.type], STORED[vendor.type]],
			['required', one.required ?? false, vendor.required],
			['default', set(one.default), set(vendor.default)],
			['condition', shownWhen(one), vendor.shownWhen],
			['choices', one.type === 'options' ? choicesOf(one.options, vendor.choices) : undefined, vendor.choices],
			['rows', rows && [rows.name, rows.displayName], vendor.rows && [vendor.rows.name, vendor.rows.label]],
		];
		found.push(...facts.filter(([, mine, theirs]) => !same(mine, theirs)).map(([what]) => `${here}: ${what}`));
		if (rows && vendor.rows) compare(rows.values, vendor.rows.columns, here, found);
	}
}

/** Where a node's properties differ from the vendor's form: `operation.parameter: what`. */
export function differences(properties) {
	const found = [];
	const resources = properties.find(({ name }) => name === 'resource').options;
	if (!same(choicesOf(resources), form.resources)) found.push('resource: choices');
	for (const { resource, value, label, parameters } of form.operations) {
		const isOf = ({ displayOptions }) => displayOptions?.show?.resource?.includes(resource);
		const operation = properties.filter(isOf).find(({ name }) => name === 'operation');
		if (!operation.options.some((one) => one.value === value && one.name === label)) found.push(`${value}: missing`);
		const ours = properties.filter((one) => isOf(one) && one.displayOptions.show.operation?.includes(value));
		compare(ours, parameters, value, found);
	}
	return found;
}
