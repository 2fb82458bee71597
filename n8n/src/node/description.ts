/** What the package knows of its component: `nodule describe`, in the parts that running it needs. */

export interface Kind {
	type: string;
	/** Of rows and of a group: the member that holds them. */
	key?: string;
	/** A group's parameters, by ID. */
	fields?: string[];
	/** Those of a row. */
	columns?: string[];
	/** The one that describes each of the values. */
	parameter?: string;
	/** The service lists what there is to choose from. */
	dynamic?: unknown;
}

export interface Condition {
	parameter: string;
	oneOf?: unknown[];
	noneOf?: unknown[];
	set?: true;
}

export interface Parameter {
	id: string;
	name: string;
	kind: Kind;
	default?: unknown;
	visibleWhen?: Condition[];
}

export interface Credential {
	name: string;
	fields: string[];
	baseUrl: string;
	/** Where the user logs in: the fields that n8n's own type calls `clientId` and `clientSecret`. */
	oauth2?: { clientId: string; clientSecret?: string };
}

/** `nodule describe --format json`, and from `--format n8n` what selects a credential. */
export interface Description {
	credentials: Credential[];
	/** The parameter of n8n's form that selects one of several credentials. */
	authentication?: string | null;
	operations: Array<{
		group: string;
		name: string;
		parameters: string[];
		effect: { type: 'read' | 'idempotent' | 'keyed' | 'write' };
	}>;
	parameters: Parameter[];
}

const byId = new WeakMap<Description, Map<string, Parameter>>();

export function parameterOf(description: Description, id: string): Parameter | undefined {
	let known = byId.get(description);
	if (!known) {
		known = new Map(description.parameters.map((parameter) => [parameter.id, parameter]));
		byId.set(description, known);
	}
	return known.get(id);
}

export function parametersOf(description: Description, ids: string[]): Parameter[] {
	return ids.flatMap((id) => parameterOf(description, id) ?? []);
}

/** Of an operation that is not there, the host says so by name, with the nearest known one. */
export function operationOf(description: Description, group: string, name: string): Description['operations'][number] {
	const found = description.operations.find((operation) => operation.group === group && operation.name === name);
	return found ?? { group, name, effect: { type: 'write' }, parameters: [] };
}
