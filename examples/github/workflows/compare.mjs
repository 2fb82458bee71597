/** n8n's own GitHub node, beside ours. */

export const theirs = {
	file: 'nodes/Github/Github.node.js',
	class: 'Github',
	type: 'n8n-nodes-base.github',
	operations: [
		'file.create', 'file.delete', 'file.edit', 'file.get', 'file.list',
		'issue.create', 'issue.createComment', 'issue.edit', 'issue.get', 'issue.lock',
		'organization.getMembers', 'organization.getRepositories',
		'release.create', 'release.delete', 'release.get', 'release.getAll', 'release.update',
		'repository.get', 'repository.getIssues', 'repository.getLicense', 'repository.getProfile', 'repository.getPullRequests',
		'repository.listPopularPaths', 'repository.listReferrers',
		'review.create', 'review.get', 'review.getAll', 'review.update',
		'user.getRepositories', 'user.getUserIssues', 'user.invite',
		'workflow.disable', 'workflow.dispatch', 'workflow.enable', 'workflow.get', 'workflow.getUsage', 'workflow.list',
	],
};

let server = '';
export const credentials = (url) => {
	server = url;
	return { GitHub: { server: url, user: 'octocat', accessToken: 'ghp_0123456789abcdefghijABCDEFGHIJ012345' } };
};

/** As n8n's credential `githubApi` says. */
export const authenticate = ({ accessToken }, options) => {
	const headers = { ...options.headers, Authorization: `token ${accessToken}` };
	return { ...options, headers };
};

const LISTS = /\/(issues|pulls|releases|repos|reviews|members|paths|referrers)$/;
const RAW = 'application/vnd.github.raw+json';
const JSON_OF_GITHUB = { 'content-type': 'application/json; charset=utf-8' };

/** As GitHub: lists of two pages, folders, a file raw or as an entry, and nothing for what is deleted or locked. */
export function answer({ method, target, accept }) {
	const { pathname, searchParams } = new URL(target, 'http://github');
	if (pathname.endsWith('/lock') || (method === 'DELETE' && pathname.includes('/releases/'))) return { status: 204, headers: {}, body: '' };
	if (method === 'GET' && pathname.includes('/contents/')) {
		if (/\/contents\/(docs)?$/.test(pathname)) return { body: [{ name: 'a.txt' }, { name: 'b.txt' }] };
		if (accept === RAW) return { headers: { 'content-type': RAW }, body: 'It flies\n' };
		return { body: { type: 'file', path: 'docs/kite.txt', sha: '95b966ae1c166bd92f8ae7d1c313e738c731dfc3', encoding: 'base64', content: 'SXQgZmxpZXMK' } };
	}
	if (method !== 'GET' || !LISTS.test(pathname)) return { body: { id: 1, name: 'hello' } };
	const page = Number(searchParams.get('page') ?? 1);
	const next = new URL(target, server);
	next.searchParams.set('page', '2');
	return { headers: { ...JSON_OF_GITHUB, ...(page === 1 && { link: `<${next.href}>; rel="next"` }) }, body: [{ id: page }] };
}

const each = (change) => ({ requests }, ours) => requests.forEach((request, index) => change(request, ours.requests[index] ?? {}));
const eachTarget = (change) => each((request, ours) => (request.target = change(request.target, ours.target ?? '')));
/** JSON with its members in one order. */
const inOneOrder = (_, value) => (Object(value) === value && !Array.isArray(value) ? Object.fromEntries(Object.entries(value).sort()) : value);
const sorted = (json) => JSON.stringify(json, inOneOrder);
const eachBody = (change) => each((request) => {
	if (!request.body) return;
	const body = JSON.parse(request.body);
	change(body, request);
	request.body = JSON.stringify(body);
});

/** Each changes what n8n's node did into what ours has to do; `ours` is what it did. */
export const differences = [
	{
		what: 'The token is `Bearer`, not `token`.',
		why: "GitHub's documentation has it so; both are accepted.",
		apply: each((request) => (request.authorization = request.authorization.replace('token ', 'Bearer '))),
	},
	{
		what: "The header `accept` has GitHub's own type of JSON.",
		why: "GitHub's documentation recommends it.",
		apply: each((request) => (request.accept = request.accept.replace('application/json', 'application/vnd.github+json'))),
	},
	{
		what: 'A file comes raw, and not in Base64 within JSON.',
		why: 'GitHub has no Base64 of files of more than 1 MB. It stays with the host. The output says its name, where that of n8n repeats the input.',
		apply: ({ requests, output }, ours) => {
			if (ours.requests[0]?.accept !== RAW) return;
			requests[0].accept = RAW;
			output[0].json = { fileName: decodeURIComponent(requests[0].target.split('/contents/')[1]) };
		},
	},
	{
		what: 'The path of a file is one segment of the URL wherever it stands.',
		why: "n8n's node encodes it so, too, but not where it asks for the digest of a file.",
		apply: eachTarget((target) => target.replace(/(?<=\/contents\/)[^?]+/, (path) => encodeURIComponent(decodeURIComponent(path)))),
	},
	{
		what: 'A text is committed as it is.',
		why: "n8n's node takes a text that could be Base64 for that, so that `test` becomes three other bytes.",
		apply: eachBody((body) => {
			if (body.content === 'test') body.content = btoa('test');
		}),
	},
	{
		what: 'Empty lists and an empty text of a new issue are not sent.',
		why: 'It has none without them.',
		apply: eachBody((body, { target }) => {
			if (target.endsWith('/issues')) for (const name of ['body', 'labels', 'assignees']) if (body[name]?.length === 0) delete body[name];
		}),
	},
	{
		what: 'The reason of a lock is in the body, not in the query.',
		why: 'GitHub reads it there. In the query it has no effect.',
		apply: each((request) => {
			const [path, reason] = request.target.split('?lock_reason=');
			if (reason) Object.assign(request, { target: path, body: JSON.stringify({ lock_reason: decodeURIComponent(reason) }) });
		}),
	},
	{
		what: 'A release is deleted by a request without a body, and the output is empty.',
		why: "GitHub answers with nothing, of which n8n's node makes `success: true`.",
		apply: ({ requests, output }) => {
			if (requests[0].method !== 'DELETE' || !requests[0].target.includes('/releases/')) return;
			requests[0].body = '';
			delete requests[0].contentType;
			output[0].json = {};
		},
	},
	{
		what: 'A workflow is enabled and disabled by a request without a body.',
		why: 'GitHub reads none.',
		apply: each((request) => {
			if (!/\/(en|dis)able$/.test(request.target)) return;
			request.body = '';
			delete request.contentType;
		}),
	},
	{
		what: 'The commit of a review is `commit_id`, and a pending review has no event.',
		why: "GitHub knows no `commitId`, and no event `PENDING`: n8n's node gets the latest commit, or is refused.",
		apply: eachBody((body, { target }) => {
			if (!target.endsWith('/reviews')) return;
			if (body.commitId) body.commit_id = body.commitId;
			delete body.commitId;
			if (body.event === 'PENDING') delete body.event;
		}),
	},
	{
		what: "The profile is GitHub's community profile of the repository.",
		why: "n8n's node asks for the root of the API: the operation is in its list and not in its code.",
		apply: eachTarget((target) => (target === '/' ? '/repos/octocat/hello/community/profile' : target)),
	},
	{
		what: 'The first of all pages has no number, and others are asked for by the URL of the header `Link`.',
		why: "GitHub's documentation advises against putting such URLs together.",
		apply: eachTarget((target) => target.replace(/&page=1$/, '')),
	},
	{
		what: "The order in queries and bodies is the form's.",
		why: 'It means the same.',
		apply: each((request, ours) => {
			const [path, query] = request.target.split('?');
			const [, own] = (ours.target ?? '').split('?');
			const inOrder = (text) => text?.split('&').sort().join('&');
			if (query && inOrder(query) === inOrder(own)) request.target = `${path}?${own}`;
			const parsed = (text) => text && sorted(JSON.parse(text));
			if (parsed(request.body) === parsed(ours.body)) request.body = ours.body;
		}),
	},
];
