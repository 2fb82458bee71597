/** Results: JSON text as the data of n8n, which keeps numbers as JavaScript does. */
import type { IDataObject } from 'n8n-workflow';
import type { Failure, OutputFile } from 'nodule-client';

/** Only what has so many digits, or such an exponent, can be more than a number of JavaScript holds. */
const SUSPECT = /[\d.]{16}|[eE][+-]?\d{3}/;
const TOKEN = /"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g;

type Value = IDataObject | IDataObject[] | string | number | boolean | null;

/** A line of a run's results; the item is named by its index. */
export type Result = { item: number; output: IDataObject[]; files?: Array<Record<string, OutputFile>>; goesOn: boolean } | { item: number; error: Failure };

/** Numbers that JavaScript cannot hold exactly come out as text, digits and all. */
export function parse(text: string): Value {
	const safe = SUSPECT.test(text)
		? text.replace(TOKEN, (token) => (token.startsWith('"') || isExact(token) ? token : `"${token}"`))
		: text;
	return JSON.parse(safe) as Value;
}

export function resultOf(line: string): Result {
	const found = parse(line) as unknown as { item: number; output?: Value[]; rows?: Value[]; files?: Array<Record<string, OutputFile>>; error?: Failure };
	const { item, output, rows, files, error } = found;
	if (error) return { item, error };
	return { item, output: (rows ?? output ?? []).map(asObject), ...(files ? { files } : {}), goesOn: rows !== undefined };
}

/** n8n's items hold objects. */
function asObject(value: Value): IDataObject {
	return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : { value };
}

function isExact(token: string): boolean {
	const number = Number(token);
	if (!Number.isFinite(number)) return false;
	return normal(token) === normal(String(number));
}

/** Digits without zeros at either end, and where the point is. */
function normal(token: string): string {
	const [, sign = '', whole = '', fraction = '', exponent = '0'] =
		/^(-?)(\d+)(?:\.(\d+))?(?:[eE]([+-]?\d+))?$/.exec(token) ?? [];
	const digits = (whole + fraction).replace(/^0+/, '');
	const bare = digits.replace(/0+$/, '');
	if (bare === '') return '0';
	return `${sign}${bare}e${Number(exponent) - fraction.length + digits.length - bare.length}`;
}
