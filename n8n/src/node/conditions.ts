/**
 * Whether a parameter is shown. n8n removes what its form hides, but not while a condition looks at an expression, whose value
 * only the item decides.
 */
import type { Condition, Description, Parameter } from './description.js';
import { parameterOf } from './description.js';

/** A value by its parameter's name; `undefined` where nothing is known of it. */
export type Lookup = (name: string) => unknown;

/** The values beside a parameter, and those of the operation itself. */
export interface Scope {
	/** The parameters beside it. */
	siblings: Parameter[];
	value: Lookup;
	top: Lookup;
}

export function isShown(description: Description, { visibleWhen = [] }: Parameter, scope: Scope): boolean {
	return visibleWhen.every((condition) => holds(condition, subject(description, condition, scope)));
}

function subject(description: Description, { parameter: id }: Condition, { siblings, value, top }: Scope): unknown {
	const parameter = parameterOf(description, id);
	if (!parameter) return undefined;
	const found = (siblings.includes(parameter) ? value : top)(parameter.name);
	return found === undefined ? parameter.default : found;
}

/** Of what nothing is known, the host decides. */
function holds({ oneOf, noneOf }: Condition, value: unknown): boolean {
	if (value === undefined) return true;
	const has = valuesOf(value);
	if (oneOf) return has.some((one) => isIn(oneOf, one));
	if (noneOf) return !has.some((one) => isIn(noneOf, one));
	return has.length > 0;
}

/** What counts as a value: nothing, an empty text, list or object do not, and a reference is what it refers to. */
function valuesOf(value: unknown): unknown[] {
	if (Array.isArray(value)) return value;
	if (isReference(value)) return valuesOf(value.value);
	const isEmpty = typeof value === 'object' && value !== null && Object.keys(value).length === 0;
	return value === null || value === undefined || value === '' || isEmpty ? [] : [value];
}

/** An expression may give `"1"` for the choice 1; which of both it is, the component reads as it does without a condition. */
const isIn = (values: unknown[], value: unknown): boolean => values.some((one) => String(one) === String(value));

/** What n8n stores of a reference. */
export const isReference = (value: unknown): value is { mode: unknown; value?: unknown } =>
	typeof value === 'object' && value !== null && '__rl' in value && 'mode' in value;
