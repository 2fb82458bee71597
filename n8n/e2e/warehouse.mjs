/** The service of the node with a form of every kind: what it lists depends on what is filled in. */
import { once } from 'node:events';
import { createServer } from 'node:http';

export const TOKEN = 'the-token-of-the-warehouse-42';
const PAGE = 25;

const OWNERS = Array.from({ length: 60 }, (_, index) => [`Owner ${String(index + 1).padStart(2, '0')}`, String(index + 1)]);

/** The values of each parameter, which may depend on the form. */
const LISTS = {
	shelf: () => [['Top', 'top'], ['Low', 'low']],
	dock: ({ owner, shelf }) => [1, 2].map((number) => [`Dock ${number} of ${owner ?? 'nobody'}, ${shelf || 'no shelf'}`, `${owner ?? ''}-${number}`]),
	owner: () => OWNERS,
	'owners.each': () => OWNERS,
	'parts.kind': ({ shelf }) => [['Screw', 'screw'], [`Whatever is on ${shelf || 'no shelf'}`, 'other']],
};

const column = (name, kind, more) => ({ id: name.replace('_', ''), name, displayName: name.toUpperCase(), summary: '', kind, required: false, visibleWhen: [], ...more });
const COLUMNS = ({ owner }) => [
	column('name', { type: 'text' }, { required: true }),
	column('count', { type: 'integer' }),
	column('state', { type: 'choice', known: [{ label: 'New', value: 'new', summary: '' }], open: false }),
	column(`of_${owner ?? 'nobody'}`, { type: 'text' }),
];

/** A page of what is looked for. */
function listed(all, search, cursor) {
	const found = search ? all.filter(([label]) => label.toLowerCase().includes(search.toLowerCase())) : all;
	const from = Number(cursor ?? 0);
	return { choices: found.slice(from, from + PAGE), ...(from + PAGE < found.length && { next: String(from + PAGE) }) };
}

/** Listens until it is stopped; `seen` has each request. */
export async function warehouse() {
	const seen = [];
	const answer = ({ pathname, searchParams }, body) => {
		const [, what, parameter] = pathname.split('/');
		const filledIn = JSON.parse(searchParams.get('with') ?? '{}');
		if (what === 'lists') return listed(LISTS[parameter](filledIn), searchParams.get('search'), searchParams.get('cursor'));
		if (what === 'columns') return COLUMNS(filledIn);
		return what === 'items' ? { stored: body ? JSON.parse(body) : parameter } : {};
	};
	const service = createServer(async (request, response) => {
		const body = (await request.toArray()).join('');
		const url = new URL(request.url, 'http://service');
		seen.push({ method: request.method, path: url.pathname, query: Object.fromEntries(url.searchParams), headers: request.headers, body });
		response.setHeader('content-type', 'application/json');
		const { authorization, 'x-signature': signature } = request.headers;
		const isKnown = signature === TOKEN || (authorization === `Bearer ${TOKEN}` && url.searchParams.get('key') === TOKEN);
		response.statusCode = isKnown ? 200 : 401;
		response.end(JSON.stringify(isKnown ? answer(url, body) : {}));
	});
	service.listen(0, '127.0.0.1');
	await once(service, 'listening');
	return {
		url: `http://127.0.0.1:${service.address().port}`,
		seen,
		/** What it was asked for that parameter, since the last time. */
		asked: (parameter) => seen.splice(0).filter(({ path }) => path.endsWith(`/${parameter}`)).map(({ query }) => query),
		stop() {
			service.closeAllConnections();
			service.close();
		},
	};
}
