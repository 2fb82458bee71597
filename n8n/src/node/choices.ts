/**
 * What the form asks the service while it is filled in, as methods of the node. Labels and values come from a service that nobody
 * here knows: a value is never an expression, and a description is text.
 */
import type { ILoadOptionsFunctions, INodeListSearchItems, INodePropertyOptions, INodeType, ResourceMapperField, ResourceMapperFields } from 'n8n-workflow';
import type { ChoicePage, Field } from 'nodule-client';

/** From `nodule describe --format n8n`. */
export interface Method {
	method: string;
	kind: 'loadOptions' | 'listSearch' | 'resourceMapping';
	group: string;
	operation: string;
	parameter: string;
	/** What is listed before the service's own values. */
	known?: INodePropertyOptions[];
	search?: boolean;
}

export interface Page {
	search?: string;
	cursor?: string;
}

/** The answer: values, or columns. */
export type Asked = ChoicePage & { fields: Field[] };
type Ask = (self: ILoadOptionsFunctions, method: Method, page: Page) => Promise<Asked>;

/** A list of n8n without pages is drawn at once: what is beyond it is given by expression. */
const MAX_OPTIONS = 1_000;
/** Pages for one list, which may be empty. */
const MAX_PAGES = 20;
/** n8n asks for the next page when the user scrolls, so that a list without a scroll bar would end there. */
const FILLS_LIST = 20;

export function formMethods(methods: Method[], ask: Ask): NonNullable<INodeType['methods']> {
	const of = <T>(kind: Method['kind'], made: (method: Method) => T): Record<string, T> =>
		Object.fromEntries(methods.filter((method) => method.kind === kind).map((method) => [method.method, made(method)]));
	return {
		loadOptions: of('loadOptions', (method) => async function (this: ILoadOptionsFunctions) {
			return await allOptions(this, method, ask);
		}),
		listSearch: of('listSearch', (method) => async function (this: ILoadOptionsFunctions, filter?: string, cursor?: string) {
			const search = filter && method.search ? { search: filter } : {};
			const { choices, next } = await pages(async (page) => await ask(this, method, { ...search, ...page }), cursor, FILLS_LIST);
			return { results: choices.map(asOption), ...(next ? { paginationToken: next } : {}) };
		}),
		resourceMapping: of('resourceMapping', (method) => async function (this: ILoadOptionsFunctions): Promise<ResourceMapperFields> {
			return await allColumns(this, method, ask);
		}),
	};
}

async function allOptions(self: ILoadOptionsFunctions, method: Method, ask: Ask): Promise<INodePropertyOptions[]> {
	const options = [...(method.known ?? [])];
	const listed = new Set(options.map(({ value }) => value));
	const { choices } = await pages(async (page) => await ask(self, method, page), undefined, MAX_OPTIONS);
	for (const option of choices.map(asOption)) {
		if (listed.has(option.value) || options.length >= MAX_OPTIONS) continue;
		listed.add(option.value);
		options.push(option);
	}
	return options;
}

/**
 * The editor shows no error of a mapper whose columns are always mapped one by one; a notice it shows. It also forgets the values of all
 * columns that it is not given, so that a failure is a notice only where nothing is mapped yet.
 */
async function allColumns(self: ILoadOptionsFunctions, method: Method, ask: Ask): Promise<ResourceMapperFields> {
	const asked = ask(self, method, {}).then((answer): ResourceMapperFields => {
		const fields = answer.fields.flatMap(asColumn);
		return { fields, ...(fields.length > 0 ? {} : { emptyFieldsNotice: 'The service has no columns for what is filled in' }) };
	});
	if (hasColumns(self.getCurrentNodeParameters())) return await asked;
	return await asked.catch(({ message }: Error) => ({ fields: [], emptyFieldsNotice: html(message) }));
}

/** Whether a mapper of the form has columns already. */
function hasColumns(value: unknown): boolean {
	if (typeof value !== 'object' || value === null) return false;
	const { schema } = value as { schema?: unknown };
	return Array.isArray(schema) ? schema.length > 0 : Object.values(value).some(hasColumns);
}

/** The service's pages from one on, until there are enough values. */
async function pages(ask: (page: Page) => Promise<Asked>, from: string | undefined, enough: number): Promise<ChoicePage> {
	const choices: ChoicePage['choices'] = [];
	let next = from;
	for (let page = 0; page < MAX_PAGES && choices.length < enough; page += 1) {
		const answer = await ask(next ? { cursor: next } : {});
		choices.push(...answer.choices);
		({ next } = answer);
		if (next === undefined) break;
	}
	return { choices, ...(next === undefined ? {} : { next }) };
}

function asOption({ label, value, summary }: ChoicePage['choices'][number]): INodeListSearchItems {
	return { name: plain(label), value: literal(value), ...(summary ? { description: plain(html(summary)) } : {}) };
}

const TYPES: Record<string, ResourceMapperField['type']> = {
	integer: 'number',
	number: 'number',
	boolean: 'boolean',
	dateTime: 'dateTime',
	choice: 'options',
	chooseMany: 'array',
	rows: 'array',
	values: 'array',
	group: 'object',
	columns: 'object',
	anyJson: 'object',
};

function asColumn({ name, displayName, required, kind }: Field): ResourceMapperField[] {
	if (kind.type === 'notice') return [];
	const type = TYPES[kind.type] ?? 'string';
	const options = type === 'options' ? { options: (kind.known ?? []).map(asOption) } : {};
	return [{ id: name, displayName: plain(displayName), required, defaultMatch: false, display: true, type, ...options }];
}

/** n8n would evaluate a text that starts with `=`: it becomes an expression that evaluates to it. */
function literal<T>(value: T): T | string {
	if (typeof value !== 'string' || !value.startsWith('=')) return value;
	// Two braces would close the expression.
	return `={{ ${JSON.stringify(value).replaceAll('{', '\\u007b').replaceAll('}', '\\u007d')} }}`;
}

/**
 * n8n stores a label beside the value that was chosen, and with a mapping its columns, their labels and what they say of their values. It
 * evaluates whatever it stores that begins with `=`; behind a word joiner, which nobody sees, it is text.
 */
const plain = (label: string): string => (label.startsWith('=') ? `\u2060${label}` : label);

const html = (text: string): string => text.replace(/[&<>"\n]/g, (character) => ESCAPES[character] ?? character);
const ESCAPES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', '\n': '<br>' };
