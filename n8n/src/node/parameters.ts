/** An item's parameters, from the values of n8n's form to the JSON object that the component reads. */
import { isReference, isShown, type Lookup } from './conditions.js';
import type { Description, Parameter } from './description.js';
import { parameterOf, parametersOf } from './description.js';

/** A date-time that says neither `Z` nor an offset; n8n's picker stores it so. */
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?$/;

/** The member that holds the rows of a list without a key: n8n's collections always have one. */
const ROWS_KEY = 'rows';

/** What all values of a form are read with. */
interface Form {
	description: Description;
	timeZone: string;
	/** The values of the operation's own parameters. */
	top: Lookup;
}

/** Makes an item of what its parameters are. */
export function itemsOf(description: Description, parameters: Parameter[], timeZone: string): (value: Lookup) => string {
	return (value) => {
		const form = { description, timeZone, top: value };
		return JSON.stringify(Object.fromEntries(members(form, parameters, value, false)), (_, member: unknown) => {
			// JSON has neither; as a text it is refused by the field's name, as null it would clear the field.
			if (typeof member === 'number' && !Number.isFinite(member)) return String(member);
			return typeof member === 'bigint' ? member.toString() : member;
		});
	};
}

/** Whether there is no expression in it: then it is the same for all items. */
export function isStatic(value: unknown): boolean {
	if (typeof value === 'string') return !value.startsWith('=');
	return typeof value !== 'object' || value === null || Object.values(value).every(isStatic);
}

/**
 * The members of an object of parameters. In a group the user adds each field, so that an empty list there is meant; elsewhere it is
 * what n8n shows of a list that nobody has touched.
 */
function members(form: Form, parameters: Parameter[], value: Lookup, isAdded: boolean): Map<string, unknown> {
	const fields = new Map<string, unknown>();
	const scope = { siblings: parameters, value, top: form.top };
	for (const parameter of parameters) {
		// Of two with one name, only one is shown.
		if (fields.has(parameter.name) || !isShown(form.description, parameter, scope)) continue;
		const found = value(parameter.name);
		const read = found === undefined ? undefined : member(form, parameter, found, isAdded);
		if (read !== undefined) fields.set(parameter.name, read);
	}
	return fields;
}

/** A row or group. What the description does not name stays, so that the component can refuse it by name. */
function within(form: Form, ids: string[], row: unknown, isAdded: boolean): unknown {
	if (!isObject(row)) return row;
	const parameters = parametersOf(form.description, ids);
	const own = members(form, parameters, (name) => (Object.hasOwn(row, name) ? row[name] : undefined), isAdded);
	const names = new Set(parameters.map(({ name }) => name));
	const kept = Object.entries(row).filter(([name]) => !names.has(name) || own.has(name));
	return Object.fromEntries(kept.map(([name, value]) => [name, own.has(name) ? own.get(name) : value]));
}

/** A value as the contract has it; `undefined` where it is n8n's way to say that there is none. */
function member(form: Form, parameter: Parameter, found: unknown, isAdded: boolean): unknown {
	const { kind } = parameter;
	const isUntouched = !isAdded && parameter.default === undefined;
	switch (kind.type) {
		case 'notice':
			return undefined;
		case 'rows':
			return rows(form, parameter, found);
		case 'group':
			return group(form, parameter, found);
		case 'values':
			return values(form, parameter, found, isAdded);
		case 'chooseMany':
			return found === '' || (isUntouched && isEmptyList(found)) ? undefined : found;
		case 'reference':
			return reference(found);
		case 'columns':
			return columns(found);
		case 'dateTime':
			return withOffset(asText(found), form.timeZone);
		case 'date':
			return isDate(found) ? String(asText(found)).slice(0, 10) : found;
		default:
			return found;
	}
}

/** A list of single values. One that the user added and left alone is an empty list, in a list outside of rows and groups. */
function values(form: Form, parameter: Parameter, found: unknown, isAdded: boolean): unknown {
	if (!Array.isArray(found)) return found === '' ? undefined : found;
	const each = parameterOf(form.description, parameter.kind.parameter ?? '');
	const filledIn = found.filter((one) => !isEmptyList(one));
	// Only a list to choose from shows its default, so that it may have been emptied.
	const showsDefault = parameter.default !== undefined && each?.kind.dynamic !== undefined;
	if (filledIn.length === 0 && !isAdded && !showsDefault) return undefined;
	return each ? filledIn.map((one) => member(form, each, only(each, one), true)) : filledIn;
}

/** n8n's own nodes store a list of single values as collections of one field, whose name it is: `[{ label: 'bug' }]`. */
function only({ kind, name }: Parameter, one: unknown): unknown {
	if (kind.type === 'anyJson' || !isObject(one)) return one;
	const [first, ...others] = Object.keys(one);
	return first === name && others.length === 0 ? one[name] : one;
}

function rows(form: Form, { kind }: Parameter, found: unknown): unknown {
	const row = (one: unknown): unknown => within(form, kind.columns ?? [], one, false);
	const list = (all: unknown): unknown => (Array.isArray(all) ? all.map(row) : row(all));
	if (kind.key !== undefined) {
		if (!isObject(found) || found[kind.key] === undefined) return found;
		return { ...found, [kind.key]: list(found[kind.key]) };
	}
	// An expression may give the list itself.
	if (!isObject(found)) return list(found);
	return found[ROWS_KEY] === undefined ? undefined : list(found[ROWS_KEY]);
}

function group(form: Form, { kind }: Parameter, found: unknown): unknown {
	const fields = kind.fields ?? [];
	if (kind.key === undefined) return within(form, fields, found, true);
	if (!isObject(found)) return found;
	if (Object.keys(found).length === 0) return undefined;
	return { ...found, [kind.key]: within(form, fields, found[kind.key], false) };
}

/** The ID, or the URL as such: the host takes the ID out of it. */
function reference(found: unknown): unknown {
	if (!isReference(found)) return found;
	const { mode, value: referred } = found;
	if (referred === '' || referred === null || referred === undefined) return undefined;
	return mode === 'url' ? { mode, value: referred } : referred;
}

/** What the user mapped. n8n stores it with the columns that it showed, and null for each that is empty. */
function columns(found: unknown): unknown {
	if (!isObject(found) || !('mappingMode' in found)) return found;
	if (!isObject(found.value)) return undefined;
	return Object.fromEntries(Object.entries(found.value).filter(([, mapped]) => mapped !== null));
}

const isEmptyList = (found: unknown): boolean => Array.isArray(found) && found.length === 0;

const isObject = (value: unknown): value is Record<string, unknown> =>
	typeof value === 'object' && value !== null && !Array.isArray(value);

interface Luxon {
	toISO(): string;
}
const isLuxon = (value: unknown): value is Luxon => isObject(value) && typeof value.toISO === 'function';
const isDate = (value: unknown): boolean => value instanceof Date || isLuxon(value);

/** `{{ $now }}` and `{{ new Date() }}` as the instants that they are. */
function asText(value: unknown): unknown {
	if (value instanceof Date) return Number.isNaN(value.getTime()) ? 'Invalid Date' : value.toISOString();
	return isLuxon(value) ? value.toISO() : value;
}

/** A time without an offset is one of the workflow's time zone. What is no time is left to the component to refuse. */
function withOffset(value: unknown, timeZone: string): unknown {
	if (typeof value !== 'string') return value;
	const [, year, month, day, hour = '00', minute = '00', second = '00', fraction = ''] = LOCAL.exec(value.trim()) ?? [];
	if (year === undefined) return value;
	const wall = Date.UTC(Number(year), Number(month) - 1, Number(day), Number(hour), Number(minute), Number(second));
	// Twice, since the offset at the guessed instant may be that of the other side of a clock change.
	const offset = offsetAt(wall - offsetAt(wall, timeZone), timeZone);
	const minutes = Math.abs(offset) / 60_000;
	const two = (number: number): string => String(Math.floor(number)).padStart(2, '0');
	const zone = offset === 0 ? 'Z' : `${offset < 0 ? '-' : '+'}${two(minutes / 60)}:${two(minutes % 60)}`;
	return `${year}-${month}-${day}T${hour}:${minute}:${second}${fraction}${zone}`;
}

const formats = new Map<string, Intl.DateTimeFormat>();

/** How far a zone's clocks are ahead of UTC at an instant, in milliseconds. */
function offsetAt(instant: number, timeZone: string): number {
	let format = formats.get(timeZone);
	if (!format) {
		const numeric = 'numeric' as const;
		format = new Intl.DateTimeFormat('en-US', {
			timeZone,
			hourCycle: 'h23',
			year: numeric,
			month: numeric,
			day: numeric,
			hour: numeric,
			minute: numeric,
			second: numeric,
		});
		formats.set(timeZone, format);
	}
	const parts = new Map(format.formatToParts(instant).map(({ type, value }) => [type, Number(value)]));
	const part = (type: Intl.DateTimeFormatPartTypes): number => parts.get(type) ?? 0;
	const wall = Date.UTC(part('year'), part('month') - 1, part('day'), part('hour'), part('minute'), part('second'));
	return wall - Math.floor(instant / 1000) * 1000;
}
