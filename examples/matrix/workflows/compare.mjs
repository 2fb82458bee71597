/** n8n's own Matrix node, beside ours. */

export const theirs = {
	file: 'nodes/Matrix/Matrix.node.js',
	class: 'Matrix',
	type: 'n8n-nodes-base.matrix',
	operations: [
		'account.me', 'event.get', 'media.upload', 'message.create', 'message.getAll',
		'room.create', 'room.invite', 'room.join', 'room.kick', 'room.leave', 'roomMember.getAll',
	],
};

export const credentials = (url) => ({ Matrix: { accessToken: 'syt_0123456789abcdefghij', homeserverUrl: url } });

const event = (number) => ({ type: 'm.room.message', event_id: `$${number}`, content: { msgtype: 'm.text', body: `message ${number}` } });

/** As a homeserver: a history of three pages, and short answers. */
export function answer({ target }) {
	const { pathname, searchParams } = new URL(target, 'http://homeserver');
	if (pathname.endsWith('/messages')) {
		const page = Number(searchParams.get('from') ?? 0);
		return { body: page < 2 ? { chunk: [event(page)], start: `${page}`, end: `${page + 1}` } : { chunk: [], start: `${page}` } };
	}
	if (pathname.endsWith('/members')) return { body: { chunk: [{ type: 'm.room.member', state_key: '@ada:matrix.test', content: { membership: 'join' } }] } };
	if (pathname.endsWith('/upload')) return { body: { content_uri: 'mxc://matrix.test/abc' } };
	return { body: { event_id: '$1', room_id: '!kites:matrix.test', user_id: '@ada:matrix.test' } };
}

/** What of a request is another one each time. */
export const steady = (text) => text.replace(/\/m\.room\.message\/[-0-9a-f]{32,36}/, '/m.room.message/…');

const each = (change) => ({ requests }, ours) => requests.forEach((request, index) => change(request, ours.requests[index]));
const eachTarget = (change) => each((request, ours) => (request.target = change(request.target, ours?.target ?? '')));
const encoded = (segment) => encodeURIComponent(decodeURIComponent(segment)).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);
const TRANSACTION = /(?<=\/m\.room\.message\/)[^/?]+$/;

/** Each changes what n8n's node did into what ours has to do; `ours` is what it did. */
export const differences = [
	{
		what: 'The path has `v3`, not `r0`.',
		why: 'The specification has had it since version 1.1 of 2021; homeservers keep `r0` for old clients.',
		apply: eachTarget((target) => target.replace(/^\/_matrix\/(client|media)\/r0\//, '/_matrix/$1/v3/')),
	},
	{
		what: 'IDs in the path are percent-encoded.',
		why: "It is the same path. n8n's node puts them in as they are, so that a `#`, `?` or `/` in one leads elsewhere: it cannot join a room by its alias.",
		apply: eachTarget((target) => {
			const [path, ...query] = target.split('?');
			return [path.split('/').map(encoded).join('/'), ...query].join('?');
		}),
	},
	{
		what: 'A transaction ID is 32 hexadecimal digits, not a UUID.',
		why: 'It is as random. Homeservers take any text.',
		apply: eachTarget((target, ours) => {
			const [own] = TRANSACTION.exec(ours) ?? [];
			return own && /^[0-9a-f]{32}$/.test(own) ? target.replace(TRANSACTION, own) : target;
		}),
	},
	{
		what: 'There is no header `accept`.',
		why: 'Homeservers answer in JSON, and a download is of any type.',
		apply: each((request) => delete request.accept),
	},
	{
		what: 'A request without a body has no content type, and JSON has no `charset`.',
		why: 'JSON is in UTF-8 (RFC 8259).',
		apply: each((request) => {
			if (request.body === '') delete request.contentType;
			else if (request.contentType === 'application/json; charset=utf-8') request.contentType = 'application/json';
		}),
	},
	{
		what: 'A room is joined at `/join/…`, not at `/rooms/…/join`.',
		why: 'The former takes aliases, too, as the parameter *Room ID or Alias* promises.',
		apply: eachTarget((target) => target.replace(/\/rooms\/([^/]+)\/join$/, '/join/$1')),
	},
	{
		what: 'Who is kicked without a reason is kicked without one.',
		why: "n8n's node sends an empty text.",
		apply: each((request) => (request.body = request.body.replace(',"reason":""', ''))),
	},
	{
		what: 'Filters of members that are not set are not sent.',
		why: "n8n's node sends them empty.",
		apply: eachTarget((target) => target.replace(/\?membership=&not_membership=$/, '')),
	},
	{
		what: 'All messages come in pages of 500.',
		why: "n8n's node names no number, which makes ten a page.",
		apply: eachTarget((target) => target.replace(/\?dir=b(?=$|&from=)/, '?dir=b&limit=500')),
	},
	{
		what: "The order in the query is the form's.",
		why: 'It means the same.',
		apply: eachTarget((target, ours) => {
			const [path, query] = target.split('?');
			const [, own] = ours.split('?');
			const sorted = (text) => text?.split('&').sort().join('&');
			return query && sorted(query) === sorted(own) ? `${path}?${own}` : target;
		}),
	},
];
