// Issues of a repository, as GitHub has them. `execute` is an async function: what it awaits together goes out together,
// as many requests at once as the call allows.

const parameter = (id, displayName, tag, more = {}) => ({
	id,
	name: id.split('.').pop(),
	displayName,
	summary: '',
	placeholder: undefined,
	kind: { tag, val: undefined },
	required: true,
	default: undefined,
	visibleWhen: [],
	hints: undefined,
	...more,
});

const operation = (name, displayName, summary, parameters, effect, request) => ({
	group: 'issue',
	name,
	displayName,
	summary,
	action: summary,
	documentationUrl: undefined,
	parameters: parameters.map((name_) => `issue.${name_}`),
	effect: { tag: effect },
	writeRequests: effect === 'read' ? 0 : 1,
	emits: false,
	givesFiles: false,
	request,
	outputSchema: '{"type": "object"}',
	hints: undefined,
});

export const types = {};

export const description = {
	describe: () => ({
		name: 'issues',
		displayName: 'Issues',
		version: 1,
		summary: 'Issues of a repository',
		iconSvg: undefined,
		documentationUrl: undefined,
		aliases: ['GitHub'],
		credentials: [{
			name: 'issuesApi',
			displayName: 'Issues API',
			documentationUrl: undefined,
			fields: ['baseUrl', 'token'],
			baseUrl: 'baseUrl',
			scheme: { tag: 'session' },
			test: undefined,
		}],
		origins: [],
		resources: [{ name: 'issue', displayName: 'Issue', summary: '' }],
		operations: [
			operation('get', 'Get', 'Fetch an issue', ['repository', 'number'], 'read'),
			operation('list', 'List', 'List the open issues', ['repository'], 'read'),
			operation('create', 'Create', 'Create an issue', ['repository', 'title', 'body'], 'write'),
		],
		parameters: [
			parameter('baseUrl', 'Base URL', 'text', { default: '"https://api.github.com"' }),
			parameter('token', 'Token', 'secret'),
			parameter('issue.repository', 'Repository', 'text', { placeholder: 'octocat/hello' }),
			parameter('issue.number', 'Number', 'integer', { kind: { tag: 'integer', val: { min: 1, max: undefined } } }),
			parameter('issue.title', 'Title', 'text'),
			parameter('issue.body', 'Body', 'multiline', { required: false }),
		],
		hints: undefined,
	}),
};

// The only function that sees the token, in an instance of its own. The host adds the header to every request.
export const authentication = {
	async authenticate(credential) {
		const { baseUrl, token } = JSON.parse(credential.fields);
		const headers = { authorization: `Bearer ${token}`, ...fixed };
		const response = await fetch(at(baseUrl, '/user'), { headers });
		if (!response.ok) throw failure(await answer(response));
		return {
			access: { headers: [{ name: 'authorization', value: `Bearer ${token}` }], query: [] },
			expiresInS: undefined,
			renewal: undefined,
		};
	},
};

export const execution = {
	execute: (call) => {
		const run = operations[call.operation];
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
	async get(baseUrl, { repository, number }) {
		return [output(await json(baseUrl, `/repos/${repository}/issues/${number}`))];
	},

	async list(baseUrl, { repository }) {
		const outputs = [];
		for (let page = 1; ; page++) {
			const rows = await json(baseUrl, `/repos/${repository}/issues?per_page=100&page=${page}`);
			outputs.push(...rows.map(output));
			if (rows.length < 100) return outputs;
			console.log(`${repository}: ${outputs.length} issues so far`);
		}
	},

	async create(baseUrl, { repository, title, body }) {
		return [output(await json(baseUrl, `/repos/${repository}/issues`, { method: 'POST', body: JSON.stringify({ title, body }) }))];
	},
};

const output = (issue) => ({ json: JSON.stringify({ number: issue.number, title: issue.title, state: issue.state }) });

const fixed = { accept: 'application/vnd.github+json', 'user-agent': 'nodule', 'x-github-api-version': '2022-11-28' };

const at = (baseUrl, path) => baseUrl.replace(/\/$/, '') + path;

async function json(baseUrl, path, options = {}) {
	let response;
	try {
		response = await fetch(at(baseUrl, path), { headers: fixed, ...options });
	} catch (error) {
		throw { tag: 'unavailable', val: { certainty: 'unknown', message: String(error), answer: undefined, retryAfterMs: undefined } };
	}
	if (!response.ok) throw failure(await answer(response));
	return response.json();
}

// An exception is a fault of this file. The engine of componentize-js would end the call without saying where it came from.
function exception(error) {
	console.error(`${error}\n${error.stack}`);
	const [place] = error.stack.split('\n');
	return { tag: 'other', val: { kind: 'exception', message: `${error} (${place})`, detail: undefined } };
}

async function answer(response) {
	const text = await response.text();
	let message = text;
	try {
		message = JSON.parse(text).message ?? text;
	} catch {
		// It is no JSON, and its text is all that there is.
	}
	return { status: response.status, code: undefined, message, requestId: response.headers.get('x-github-request-id') ?? undefined };
}

function failure(answer_) {
	const { status, message } = answer_;
	if (status === 401) return { tag: 'unauthenticated', val: answer_ };
	if (status === 429) return { tag: 'throttled', val: { answer: answer_, retryAfterMs: undefined } };
	if (status >= 500) return { tag: 'unavailable', val: { certainty: 'unknown', message, answer: answer_, retryAfterMs: undefined } };
	return { tag: 'rejected', val: answer_ };
}
