/** What the package knows of its component: `nodule describe`, in the parts that running it needs. */
import type { Operation } from '../host/run.js';

export type Kind =
	| { type: 'rows'; name: string; columns: string[] }
	| { type: 'group'; fields: string[] }
	| { type: string };

export interface Parameter {
	id: string;
	name: string;
	kind: Kind;
}

/** `nodule describe --format json`. */
export interface Description {
	credential?: { name: string; fields: string[]; baseUrl: string };
	operations: Array<{
		group: string;
		name: string;
		parameters: string[];
		effect: { type: Operation['effect'] };
		hints?: { request?: { path?: string } };
	}>;
	parameters: Parameter[];
}

export function parametersOf(description: Description, ids: string[]): Parameter[] {
	return ids.flatMap((id) => description.parameters.find((parameter) => parameter.id === id) ?? []);
}

export function operationOf(description: Description, group: string, name: string): Operation & { ids: string[] } {
	const found = description.operations.find((operation) => operation.group === group && operation.name === name);
	// The component refuses it by name, with the nearest known one.
	if (!found) return { group, name, effect: 'write', path: [], ids: [] };
	const path = found.hints?.request?.path ?? '';
	return {
		group,
		name,
		effect: found.effect.type,
		path: [...path.matchAll(/\{([^}]+)\}/g)].map(([, parameter = '']) => parameter),
		ids: found.parameters,
	};
}
