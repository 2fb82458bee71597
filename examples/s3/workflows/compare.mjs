/** n8n's own S3 node, beside ours. */

export const theirs = {
	file: 'nodes/S3/S3.node.js',
	class: 'S3',
	type: 'n8n-nodes-base.s3',
	operations: [
		'bucket.create', 'bucket.delete', 'bucket.getAll', 'bucket.search', 'file.copy', 'file.delete', 'file.download', 'file.getAll', 'file.upload',
		'folder.create', 'folder.delete', 'folder.getAll',
	],
};

export const credentials = (url) => ({
	S3: { endpoint: url, region: 'us-east-1', accessKeyId: 'AKIAIOSFODNN7EXAMPLE', secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY', forcePathStyle: true, ignoreSSLIssues: false },
});

/**
 * Headers are compared beside the usual ones. Of a signature its keys, region and service are: time and signed headers are others, and
 * `test.py` has s3s-fs verify it.
 */
export function seen(asked, headers) {
	asked.authorization = asked.authorization?.replace(/\/\d{8}\//, '/').split(', ')[0];
	const isCompared = ([name]) => /^(x-amz-(?!date|content-sha256)|content-md5|range)/.test(name);
	asked.headers = Object.fromEntries(Object.entries(headers).filter(isCompared).sort());
}

const xml = (body) => ({ headers: { 'content-type': 'application/xml', etag: '"e"' }, body: `<?xml version="1.0" encoding="UTF-8"?>\n${body}` });
const object = (key, size) => `<Contents><Key>${key}</Key><Size>${size}</Size></Contents>`;
const keys = (body) => [...body.matchAll(/<Key>([^<]*)</g)].map(([, key]) => key);
const page = (prefix, objects, next) =>
	xml(`<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Prefix>${prefix}</Prefix><IsTruncated>${!!next}</IsTruncated>${objects.join('')}${next ? `<NextContinuationToken>${next}</NextContinuationToken>` : ''}</ListBucketResult>`);

/** As an S3 service: a listing of two pages. */
export function answer({ method, target, body }) {
	const { pathname, searchParams } = new URL(target, 'http://s3');
	const prefix = searchParams.get('prefix') ?? '';
	if (searchParams.has('location')) return xml('<LocationConstraint xmlns="http://s3.amazonaws.com/doc/2006-03-01/"/>');
	if (searchParams.has('delete')) return xml(`<DeleteResult>${keys(body).map((key) => `<Deleted><Key>${key}</Key></Deleted>`).join('')}</DeleteResult>`);
	if (prefix === 'empty/') return page(prefix, []);
	if (searchParams.has('continuation-token')) return page(prefix, [object(`${prefix}z.txt`, 3), object(`${prefix}empty.txt`, 0), object(`${prefix}z/`, 0)]);
	if (searchParams.has('list-type')) return page(prefix, [object(prefix || 'a/', 0), object(`${prefix}b.txt`, 5), object(`${prefix}c/`, 0)], 'next token=1');
	if (method === 'GET' && pathname === '/') return xml('<ListAllMyBucketsResult><Buckets><Bucket><Name>kites</Name></Bucket><Bucket><Name>lines</Name></Bucket></Buckets></ListAllMyBucketsResult>');
	if (method === 'GET') return { headers: { 'content-type': 'application/pdf' }, body: 'bytes' };
	if (method === 'PUT' && pathname.split('/').length > 2) return xml('<CopyObjectResult><ETag>"e"</ETag></CopyObjectResult>');
	return { status: method === 'DELETE' ? 204 : 200, headers: {}, body: '' };
}

const each = (change) => ({ requests }, ours) => requests.forEach((request, index) => change(request, ours.requests[index] ?? {}));
const query = (target) => target.split('?')[1]?.split('&').map(decodeURIComponent).sort().join('&');

/** Each changes what n8n's node did into what ours has to do; `ours` is what it did. */
export const differences = [
	{
		what: "It is not asked before each request in which region a bucket is.",
		why: "Requests are signed for the credential's region. A service that wants another one says so.",
		apply: (theirs) => (theirs.requests = theirs.requests.filter(({ target }) => !target.endsWith('?location='))),
	},
	{
		what: 'A folder is deleted page by page.',
		why: "A request deletes 1,000 objects at most, as many as a page has. n8n's node lists all first, and fails where there are more. The objects are the same.",
		apply: (theirs, ours) => {
			const deleted = ({ requests }) => requests.filter(({ body }) => body.includes('<Delete ')).flatMap(({ body }) => keys(body)).join();
			if (!deleted(theirs) || deleted(theirs) !== deleted(ours)) return;
			theirs.requests = ours.requests;
		},
	},
	{
		what: 'There is no header `accept`.',
		why: 'S3 answers in XML, and a download is of any type.',
		apply: each((request) => delete request.accept),
	},
	{
		what: 'A request without a body has no content type, and XML has its own.',
		why: "n8n's node lets its HTTP client say that it is a form.",
		apply: each((request) => {
			if (request.body === '') delete request.contentType;
			else if (request.body.startsWith('<?xml')) request.contentType = 'application/xml';
		}),
	},
	{
		what: 'XML has no declaration and no indent.',
		why: 'It is the same document.',
		apply: each((request) => {
			if (request.body.startsWith('<?xml')) request.body = request.body.replace(/^<\?xml.*?>\s*/, '').replace(/>\s+</g, '><');
		}),
	},
	{
		what: 'There is no MD5 of the body.',
		why: 'The signature has its SHA-256, which S3 compares.',
		apply: each((request) => delete request.headers['content-md5']),
	},
	{
		what: 'No `limit` is sent.',
		why: 'S3 does not know it. As many pages are read as the rows need, as n8n\'s node does.',
		apply: each((request) => (request.target = request.target.replace(/[?&]limit=\d+/, (text) => (text.startsWith('?') ? '?' : '')).replace(/\?$/, '').replace('?&', '?'))),
	},
	{
		what: 'The delimiter of a search is sent.',
		why: "n8n's node looks for it under a name with a typing error.",
		apply: each((request, ours) => {
			const [own] = /&delimiter=[^&]*/.exec(ours.target) ?? [];
			if (own && request.target.includes('max-keys=')) request.target += own;
		}),
	},
	{
		what: 'Who pays is said in a header.',
		why: "n8n's node says it in the query of a search, and in a header elsewhere.",
		apply: each((request) => {
			if (!request.target.includes('&x-amz-request-payer=requester')) return;
			request.target = request.target.replace('&x-amz-request-payer=requester', '');
			request.headers['x-amz-request-payer'] = 'requester';
		}),
	},
	{
		what: 'Tags are percent-encoded.',
		why: 'S3 reads them as a query, in which a `&` of a value would end it.',
		apply: each(({ headers }) => {
			if (headers['x-amz-tagging']) headers['x-amz-tagging'] = encodeURI(headers['x-amz-tagging']);
		}),
	},
	{
		what: 'The class of reduced redundancy is `REDUCED_REDUNDANCY`.',
		why: "n8n's node stores it with a typing error, and sends that.",
		apply: each(({ headers }) => {
			if (headers['x-amz-storage-class'] === 'RECUDED_REDUNDANCY') headers['x-amz-storage-class'] = 'REDUCED_REDUNDANCY';
		}),
	},
	{
		what: "The query is in the form's order, and no slash stands before it.",
		why: 'It means the same.',
		apply: each((request, ours) => {
			const path = ([before]) => before.replace(/(?<=.)\/$/, '');
			const isSame = query(request.target) === query(ours.target ?? '') && path(request.target.split('?')) === path((ours.target ?? '').split('?'));
			if (isSame && request.target.includes('?')) request.target = ours.target;
		}),
	},
	{
		what: 'An empty file is a file.',
		why: "n8n's node leaves it out of *Get Many*, to leave out folders.",
		apply: (theirs, ours) => {
			const isEmpty = ({ json }) => json.Key?.endsWith('empty.txt');
			ours.output?.forEach((row, index) => isEmpty(row) && !theirs.output.some(isEmpty) && theirs.output.splice(index, 0, row));
		},
	},
	{
		what: 'A download says what is known of its file, in the place of what came in.',
		why: 'A node does not see what its item has beside its parameters.',
		apply: ({ output }, ours) => output.forEach((row, index) => {
			if (row.binary && ours.output?.[index]?.json.fileName) row.json = ours.output[index].json;
		}),
	},
];
