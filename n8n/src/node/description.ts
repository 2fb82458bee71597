/** What the package knows of its component: `nodule describe`, in the parts that running it needs. */

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
		effect: { type: 'read' | 'idempotent' | 'keyed' | 'write' };
	}>;
	parameters: Parameter[];
}

export function parametersOf(description: Description, ids: string[]): Parameter[] {
	return ids.flatMap((id) => description.parameters.find((parameter) => parameter.id === id) ?? []);
}

/** Of an operation that is not there, the host says so by name, with the nearest known one. */
export function operationOf(description: Description, group: string, name: string): Description['operations'][number] {
	const found = description.operations.find((operation) => operation.group === group && operation.name === name);
	return found ?? { group, name, effect: { type: 'write' }, parameters: [] };
}
