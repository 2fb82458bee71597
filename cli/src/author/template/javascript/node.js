// {{title}} as a workflow node. It says what it is in `description`, and runs its operations in `execution`.

const parameter = (id, name, displayName, kind, more = {}) => ({
	id,
	name,
	displayName,
	summary: '',
	placeholder: undefined,
	kind: { tag: kind, val: undefined },
	required: true,
	default: undefined,
	visibleWhen: [],
	hints: undefined,
	...more,
});

export const types = {};

export const description = {
	describe: () => ({
		name: '{{camel}}',
		displayName: '{{title}}',
		version: 1,
		summary: 'Things of {{title}}',
		iconSvg: undefined,
		documentationUrl: undefined,
		aliases: [],
		credentials: [{
			name: '{{camel}}Api',
			displayName: '{{title}} API',
			documentationUrl: undefined,
			fields: ['baseUrl', 'token'],
			baseUrl: 'baseUrl',
			// The host adds the header to each request: this code never sees the token.
			scheme: { tag: 'fixed', val: { headers: [{ name: 'authorization', template: 'Bearer {token}' }], query: [] } },
			test: '/me',
		}],
		origins: [],
		resources: [{ name: 'thing', displayName: 'Thing', summary: 'Things' }],
		operations: [{
			group: 'thing',
			name: 'get',
			displayName: 'Get Thing',
			summary: 'Fetch one thing',
			action: 'Get a thing',
			documentationUrl: undefined,
			parameters: ['thing.get.thingId'],
			// What doing it twice does; `writeRequests` is how many requests other than GET and HEAD an item needs.
			effect: { tag: 'read' },
			writeRequests: 0,
			emits: false,
			givesFiles: false,
			request: 'GET /things/{thingId}',
			outputSchema: '{"type": "object"}',
			hints: undefined,
		}],
		parameters: [
			parameter('baseUrl', 'baseUrl', 'Base URL', 'text', { default: '"https://api.example.com"' }),
			parameter('token', 'token', 'Token', 'secret'),
			parameter('thing.get.thingId', 'thingId', 'Thing ID', 'text', { placeholder: 'T17' }),
		],
		hints: undefined,
	}),
};

export const execution = {
	// The requests of a call's items go out together.
	execute: (call) => {
		const run = operations[`${call.group}.${call.operation}`];
		const one = async (item) => {
			try {
				return { tag: 'ok', val: await run(call.service.baseUrl, JSON.parse(item.parameters)) };
			} catch (error) {
				return { tag: 'err', val: error instanceof Error ? exception(error) : error };
			}
		};
		return Promise.all(call.items.map(one));
	},
};

const operations = {
	async 'thing.get'(baseUrl, { thingId }) {
		const thing = await json(baseUrl, `/things/${encodeURIComponent(thingId)}`);
		return [{ json: JSON.stringify(thing) }];
	},
};

const headers = { accept: 'application/json', 'user-agent': '{{name}}/0.1.0' };

/** Sends a request, and returns the JSON of the answer. Throws a failure in the contract's words. */
async function json(baseUrl, path, options = {}) {
	let response;
	try {
		response = await fetch(baseUrl.replace(/\/$/, '') + path, { headers, ...options });
	} catch (error) {
		throw { tag: 'unavailable', val: { certainty: 'unknown', message: String(error), answer: undefined, retryAfterMs: undefined } };
	}
	if (response.ok) return response.json();
	const text = await response.text();
	let message = text;
	try {
		message = JSON.parse(text).message ?? text;
	} catch {
		// It is no JSON, and its text is all that there is.
	}
	const answer = { status: response.status, code: undefined, message, requestId: undefined };
	if (response.status === 401) throw { tag: 'unauthenticated', val: answer };
	if (response.status === 429) throw { tag: 'throttled', val: { answer, retryAfterMs: undefined } };
	if (response.status >= 500) throw { tag: 'unavailable', val: { certainty: 'unknown', message, answer, retryAfterMs: undefined } };
	throw { tag: 'rejected', val: answer };
}

/** An exception is a fault of this file. The engine of componentize-js would end the call without saying where it came from. */
function exception(error) {
	console.error(`${error}\n${error.stack}`);
	const [place] = error.stack.split('\n');
	return { tag: 'other', val: { kind: 'exception', message: `${error} (${place})`, detail: undefined } };
}
