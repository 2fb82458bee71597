// Issues of a repository and assets of its releases, as GitHub has them. `execute` is an async function: what it awaits together
// goes out together, as many requests at once as the call allows. Files pass through in pieces: see `transfer`.

import { handle } from 'wasi:http/outgoing-handler@0.2.12';
import { Fields, OutgoingBody, OutgoingRequest } from 'wasi:http/types@0.2.12';

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

const operation = (group, name, displayName, summary, parameters, effect, more = {}) => ({
	group,
	name,
	displayName,
	summary,
	action: summary,
	documentationUrl: undefined,
	parameters: parameters.map((name_) => `${group}.${name_}`),
	effect: { tag: effect },
	writeRequests: effect === 'read' ? 0 : 1,
	emits: false,
	givesFiles: false,
	request: undefined,
	outputSchema: '{"type": "object"}',
	hints: undefined,
	...more,
});

export const types = {};

export const description = {
	describe: () => ({
		name: 'issues',
		displayName: 'Issues',
		version: 1,
		summary: 'Issues of a repository, and assets of its releases',
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
		resources: [
			{ name: 'issue', displayName: 'Issue', summary: '' },
			{ name: 'asset', displayName: 'Asset', summary: 'A file of a release' },
		],
		operations: [
			operation('issue', 'get', 'Get', 'Fetch an issue', ['repository', 'number'], 'read'),
			operation('issue', 'list', 'List', 'List the open issues', ['repository'], 'read'),
			operation('issue', 'create', 'Create', 'Create an issue', ['repository', 'title', 'body'], 'write'),
			operation('asset', 'upload', 'Upload', 'Add a file to a release', ['repository', 'release', 'file'], 'write'),
			operation('asset', 'download', 'Download', 'Fetch a file of a release', ['repository', 'asset'], 'read', { givesFiles: true }),
		],
		parameters: [
			parameter('baseUrl', 'Base URL', 'text', { default: '"https://api.github.com"' }),
			parameter('token', 'Token', 'secret'),
			parameter('issue.repository', 'Repository', 'text', { placeholder: 'octocat/hello' }),
			parameter('issue.number', 'Number', 'integer', { kind: { tag: 'integer', val: { min: 1, max: undefined } } }),
			parameter('issue.title', 'Title', 'text'),
			parameter('issue.body', 'Body', 'multiline', { required: false }),
			parameter('asset.repository', 'Repository', 'text', { placeholder: 'octocat/hello' }),
			parameter('asset.release', 'Release', 'integer', { kind: { tag: 'integer', val: { min: 1, max: undefined } } }),
			parameter('asset.asset', 'Asset', 'integer', { kind: { tag: 'integer', val: { min: 1, max: undefined } } }),
			parameter('asset.file', 'File', 'file', { default: '"data"' }),
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

// Files are moved by WASI's streams, one item per call. `fetch` would have them in memory: it takes no `input-stream`, and does not
// let go of an answer's body.
export const filesByStreams = {
	transfer(call) {
		const parameters = JSON.parse(call.parameters);
		try {
			return call.operation === 'upload' ? upload(call, parameters) : download(call, parameters);
		} catch (error) {
			// What an import throws has a payload, such as of a header that cannot be sent.
			if (error.payload) throw unavailable(`the request was not sent: ${error.payload.tag}`);
			throw error instanceof Error ? exception(error) : error;
		}
	},
};

function upload(call, { repository, release, file: key = 'data' }) {
	const file = call.files.find((one) => one.key === key);
	const name = encodeURIComponent(file.fileName ?? file.key);
	const headers = { 'content-type': file.mediaType ?? 'application/octet-stream' };
	if (file.size !== undefined) headers['content-length'] = String(file.size);
	const { status, body } = exchange(call, 'post', `/repos/${repository}/releases/${release}/assets?name=${name}`, headers, file.content);
	const text = new TextDecoder().decode(whole(body));
	if (status !== 201) throw failure({ status, code: undefined, message: message(text), requestId: undefined });
	const asset = JSON.parse(text);
	return [{ json: JSON.stringify({ id: asset.id, name: asset.name, size: asset.size }), files: [] }];
}

function download(call, { repository, asset }) {
	const { status, headers, body } = exchange(call, 'get', `/repos/${repository}/releases/assets/${asset}`, { accept: 'application/octet-stream' });
	if (status !== 200) {
		const text = new TextDecoder().decode(whole(body));
		throw failure({ status, code: undefined, message: message(text), requestId: undefined });
	}
	const fileName = /filename="?([^";]+)/.exec(headers['content-disposition'] ?? '')?.[1];
	// The host reads the body, after this call.
	const file = { key: 'data', fileName, mediaType: headers['content-type'], content: { tag: 'body', val: body } };
	return [{ json: JSON.stringify({ name: fileName }), files: [file] }];
}

// Sends a request, its body in pieces as they are read. The body of the answer is not read.
function exchange({ service }, method, path, headers, content) {
	const url = new URL(at(service.baseUrl, path));
	const bytes = new TextEncoder();
	const fields = Object.entries({ ...fixed, ...headers }).map(([name, value]) => [name, bytes.encode(value)]);
	const request = new OutgoingRequest(Fields.fromList(fields));
	request.setMethod({ tag: method });
	request.setScheme({ tag: url.protocol === 'https:' ? 'HTTPS' : 'HTTP' });
	request.setAuthority(url.host);
	request.setPathWithQuery(url.pathname + url.search);
	const body = content && request.body();
	const answered = handle(request, undefined);
	if (body) {
		const stream = body.write();
		const isWhole = send(stream, content);
		// Before its body. One that is not finished breaks its request, so that no service takes it for the whole.
		stream[Symbol.dispose]();
		if (isWhole) finish(body);
		else body[Symbol.dispose]();
	}
	wait(answered);
	const { val: result } = answered.get();
	if (result.tag === 'err') throw unavailable(result.val.tag);
	const response = result.val;
	const named = response.headers().entries().map(([name, value]) => [name, new TextDecoder().decode(value)]);
	return { status: response.status(), headers: Object.fromEntries(named), body: response.consume() };
}

const PIECE = 65536n;

// What `step` gives until its stream is at its end.
function* untilClosed(step) {
	for (;;) {
		try {
			yield step();
		} catch (error) {
			if (error.payload?.tag === 'closed') return;
			throw error;
		}
	}
}

// Writes a file into a body. False: the file broke off. A service that has answered and wants no more is as good as the file's end: what it
// answers says why.
function send(stream, { tag, val: file }) {
	try {
		if (tag === 'bytes') write(stream, file);
		// From one stream to the other within the host: what is written from this memory stays there until the call ends.
		else for (const _ of untilClosed(() => stream.blockingSplice(file, PIECE)));
		return true;
	} catch (error) {
		return error.payload?.tag === 'closed';
	}
}

function finish(body) {
	try {
		OutgoingBody.finish(body, undefined);
	} catch {
		// It is shorter than it said, since the service wanted no more.
	}
}

function write(stream, bytes) {
	for (let at = 0; at < bytes.length; ) {
		const permitted = Number(stream.checkWrite());
		if (permitted === 0) wait(stream);
		stream.write(bytes.subarray(at, at + permitted));
		at += permitted;
	}
}

// Until a stream takes more, or an answer is there. What waits is let go of before that which it waits for.
function wait(resource) {
	const ready = resource.subscribe();
	ready.block();
	ready[Symbol.dispose]();
}

// All of an answer.
function whole(body) {
	const stream = body.stream();
	const found = [];
	try {
		found.push(...untilClosed(() => stream.blockingRead(PIECE)));
	} catch {
		throw unavailable('the answer broke off');
	}
	const all = new Uint8Array(found.reduce((sum, piece) => sum + piece.length, 0));
	found.reduce((at, piece) => (all.set(piece, at), at + piece.length), 0);
	return all;
}

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
		throw unavailable(String(error));
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
	return { status: response.status, code: undefined, message: message(await response.text()), requestId: response.headers.get('x-github-request-id') ?? undefined };
}

function message(text) {
	try {
		return JSON.parse(text).message ?? text;
	} catch {
		// It is no JSON, and its text is all that there is.
		return text;
	}
}

function failure(answer_) {
	const { status, message } = answer_;
	if (status === 401) return { tag: 'unauthenticated', val: answer_ };
	if (status === 429) return { tag: 'throttled', val: { answer: answer_, retryAfterMs: undefined } };
	if (status >= 500) return unavailable(message, answer_);
	return { tag: 'rejected', val: answer_ };
}

const unavailable = (message, answer_) => ({ tag: 'unavailable', val: { certainty: 'unknown', message, answer: answer_, retryAfterMs: undefined } });
