/** An item's parameters, from the values of n8n's form to the JSON object that the component reads. */
import type { Description, Parameter } from './description.js';
import { parametersOf } from './description.js';

/** A date-time that says neither `Z` nor an offset; n8n's picker stores it so. */
const LOCAL = /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?)?$/;

/** Makes an item of what its parameters are. */
export function itemsOf(
	description: Description,
	parameters: Parameter[],
	timeZone: string,
): (value: (name: string) => unknown) => string {
	return (value) =>
		JSON.stringify(members(description, parameters, value, timeZone), (_, member: unknown) => {
			// JSON has neither; as a text it is refused by the field's name, as null it would clear the field.
			if (typeof member === 'number' && !Number.isFinite(member)) return String(member);
			return typeof member === 'bigint' ? member.toString() : member;
		});
}

/** Whether there is no expression in it: then it is the same for all items. */
export function isStatic(value: unknown): boolean {
	if (typeof value === 'string') return !value.startsWith('=');
	return typeof value !== 'object' || value === null || Object.values(value).every(isStatic);
}

function members(
	description: Description,
	parameters: Parameter[],
	value: (name: string) => unknown,
	timeZone: string,
): Record<string, unknown> {
	const fields: Record<string, unknown> = {};
	for (const parameter of parameters) {
		const found = value(parameter.name);
		if (found !== undefined) fields[parameter.name] = member(description, parameter, found, timeZone);
	}
	return fields;
}

function member(description: Description, { kind }: Parameter, found: unknown, timeZone: string): unknown {
	const within = (ids: string[]) => (row: unknown): unknown => {
		if (!isObject(row)) return row;
		const own = members(description, parametersOf(description, ids), (name) => row[name], timeZone);
		// What the description does not name stays, so that the component can refuse it by name.
		return { ...row, ...own };
	};
	if ('columns' in kind && isObject(found)) {
		const rows = found[kind.name];
		if (rows === undefined) return found;
		const row = within(kind.columns);
		return { ...found, [kind.name]: Array.isArray(rows) ? rows.map(row) : row(rows) };
	}
	if ('fields' in kind) return within(kind.fields)(found);
	if (kind.type === 'dateTime') return withOffset(asText(found), timeZone);
	if (kind.type === 'date' && isDate(found)) return String(asText(found)).slice(0, 10);
	return found;
}

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
