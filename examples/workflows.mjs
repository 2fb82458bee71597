/**
 * Runs the stored workflows of n8n's own node with that node, and with ours in its place: only the type is changed. Both send to a
 * server that records, and what they sent is compared.
 *
 *   NODE examples/workflows.mjs NAME      NODE is the Node.js that n8n/scripts/install-n8n installs beside n8n
 *
 * `examples/NAME/workflows` has a workflow per file, and `compare.mjs`, which says what n8n's node is, what the server answers, and which
 * differences are known. `README.md` beside it is written here with UPDATE=1, and else compared.
 *
 * n8n's part is real: its class of the node, its workflow with its expressions and defaults, its execution context with the helpers that
 * send. Only its server and database are not there.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { homedir, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { isDeepStrictEqual } from 'node:util';

const root = resolve(import.meta.dirname, '..');
const cache = join(process.env.XDG_CACHE_HOME ?? join(homedir(), '.cache'), 'nodule/n8n/n8n/node_modules');
const nodule = join(root, 'target/release/nodule');
const name = process.argv[2];
const folder = join(root, 'examples', name, 'workflows');
const home = mkdtempSync(join(tmpdir(), 'nodule-workflows-'));
process.env.N8N_USER_FOLDER = home;
process.env.NODULE_BINARY = nodule;
// n8n brings this one for the nodes of packages.
process.env.NODE_PATH = cache;
const require = createRequire(join(cache, 'n8n-core/package.json'));
require('node:module')._initPaths();
const { ExecuteContext } = require('n8n-core');
const { Workflow, createRunExecutionData } = require('n8n-workflow');

/** What was sent since the last time. */
const sent = [];
const compare = await import(join(folder, 'compare.mjs'));
const server = createServer(async (request, response) => {
	const parts = [];
	for await (const part of request) parts.push(part);
	const { authorization, accept, 'content-type': contentType } = request.headers;
	const asked = { method: request.method, target: request.url, authorization, accept, contentType, body: Buffer.concat(parts).toString() };
	// What else of a request is compared, and what of it is another one each time.
	compare.seen?.(asked, request.headers);
	sent.push(asked);
	const { status = 200, headers = { 'content-type': 'application/json' }, body } = compare.answer(asked);
	response.writeHead(status, headers).end(typeof body === 'string' ? body : JSON.stringify(body));
});
await new Promise((done) => server.listen(0, '127.0.0.1', done));
const url = `http://127.0.0.1:${server.address().port}`;

/** The classes of both nodes. */
function classes() {
	const theirs = require(join(cache, 'n8n-nodes-base/dist', compare.theirs.file))[compare.theirs.class];
	const tarball = join(home, 'package.tgz');
	execFileSync(nodule, ['pack', 'n8n', join(root, 'examples', name), '--component', join(root, 'target', `${name}.wasm`), '--output', tarball], { stdio: 'pipe' });
	execFileSync('tar', ['-xzf', tarball, '-C', home]);
	const { n8n } = JSON.parse(readFileSync(join(home, 'package/package.json'), 'utf8'));
	const file = join(home, 'package', n8n.nodes[0]);
	return { theirs: new theirs(), ours: new (Object.values(require(file))[0])() };
}

/** Runs the workflow's one node of n8n's type, with what its pinned data gives it; the requests and the items that came of it. */
async function run(stored, node, type) {
	const nodes = stored.nodes.map((one) => ({ ...one, type: one.type === compare.theirs.type ? type : one.type }));
	const isOurs = ({ type: of }) => of === type;
	const nodeTypes = { getByName: () => node, getByNameAndVersion: (of) => (of === type ? node : { description: { properties: [], inputs: [], outputs: [] } }), getKnownTypes: () => ({}) };
	const workflow = new Workflow({ ...stored, nodes, nodeTypes, id: 'w1', active: false });
	const [target] = nodes.filter(isOurs).map(({ name: of }) => workflow.getNode(of));
	const [before] = workflow.getParentNodes(target.name, 'main', 1);
	const items = (stored.pinData?.[before] ?? [{ json: {} }]).map((item, index) => ({ json: {}, pairedItem: { item: index }, ...item }));
	const additionalData = {
		credentialsHelper: {
			getDecrypted: async (_, { name: of }) => compare.credentials(url)[of],
			isCredentialUsableByNode: () => true,
			getParentTypes: () => [],
			// As the credential's type says, where requests are sent with it by n8n.
			authenticate: async (given, _, options) => compare.authenticate?.(given, options) ?? options,
			preAuthentication: async () => undefined,
			updateCredentials: async () => {},
			getCredentialsProperties: () => [],
		},
		hooks: { runHook: async () => {} },
		executionId: 'e1',
		webhookWaitingBaseUrl: 'http://n8n/webhook-waiting',
		formWaitingBaseUrl: 'http://n8n/form-waiting',
		variables: {},
		setExecutionStatus() {},
		sendDataToUI() {},
	};
	const inputData = { main: [items] };
	const executeData = { node: target, data: inputData, source: { main: [{ previousNode: before }] } };
	const runData = createRunExecutionData({ resultData: { runData: { [before]: [{ data: inputData, startTime: 0, executionTime: 0, source: [], executionIndex: 0 }] } } });
	const context = new ExecuteContext(workflow, target, additionalData, 'manual', runData, 0, items, inputData, executeData, []);
	// With the defaults that a stored workflow leaves out.
	const operation = `${target.parameters.resource}.${target.parameters.operation}`;
	sent.length = 0;
	try {
		const [output] = await node.execute.call(context);
		return { operation, requests: [...sent], output: output.map(({ json, binary }) => ({ json, ...(binary && { binary: Object.keys(binary) }) })) };
	} catch (error) {
		return { operation, requests: [...sent], error: error.message, detail: error };
	}
}

const show = ({ method, target }) => `${method} ${target}`;

/** As JSON has it: without members that have no value. */
const plain = (value) => JSON.parse(JSON.stringify(value));

/** Applies the known differences to what n8n's node did, and says which of them there were. */
function expected(theirs, ours) {
	const found = new Set();
	let result = plain({ requests: theirs.requests, output: theirs.output });
	for (const difference of compare.differences) {
		const changed = plain(result);
		difference.apply(changed, ours);
		if (!isDeepStrictEqual(changed, result)) found.add(difference);
		result = changed;
	}
	return { result, found };
}

const { theirs, ours } = classes();
const rows = [];
const failures = [];
const used = new Map(compare.differences.map((difference) => [difference, []]));
const operations = new Set();
for (const file of readdirSync(folder).filter((file) => file.endsWith('.json')).sort()) {
	const stored = JSON.parse(readFileSync(join(folder, file), 'utf8'));
	const one = await run(stored, theirs, compare.theirs.type);
	operations.add(one.operation);
	const other = await run(stored, ours, 'n8n-nodes-ours.ours');
	const { result, found } = expected(one, other);
	const got = plain({ requests: other.requests, output: other.output });
	if (one.error ?? other.error) failures.push(`${file}: n8n's node ended with ${one.error ?? 'success'}, ours with ${other.error ?? 'success'} ${other.detail?.description ?? ''}`);
	else if (!isDeepStrictEqual(result, got)) failures.push(`${file}: expected ${JSON.stringify(result, null, 1)}\nfound ${JSON.stringify(got, null, 1)}`);
	for (const difference of found) used.get(difference).push(file);
	rows.push({ file, stored, requests: other.requests, found });
}
for (const [difference, files] of used) if (files.length === 0) failures.push(`no workflow has the difference: ${difference.what}`);
for (const operation of compare.theirs.operations) if (!operations.has(operation)) failures.push(`no workflow has the operation ${operation}`);

const known = [...used.keys()];
const steady = (text) => (compare.steady ? compare.steady(text) : text).replaceAll('|', '\\|');
const page = `# Workflows of n8n's own node

<!-- UPDATE=1 NODE examples/workflows.mjs ${name} writes this page. -->

Each workflow was made for \`${compare.theirs.type}\`, from the description of that node. It runs with that node and with ours, of which only the
type is changed; the requests that both send, and the items that come out, are compared.

| workflow | requests of ours | differences |
| --- | --- | --- |
${rows.map(({ file, stored, requests, found }) => `| [${stored.name}](${file}) | ${requests.map((request) => `\`${steady(show(request))}\``).join('<br>')} | ${[...found].map((difference) => known.indexOf(difference) + 1).join(', ') || 'none'} |`).join('\n')}

## Differences

${known.map(({ what, why }, index) => `${index + 1}. **${what}** ${why}`).join('\n')}
`;
const file = join(folder, 'README.md');
if (process.env.UPDATE) writeFileSync(file, page);
else if (readFileSync(file, 'utf8') !== page) failures.push(`${file} is not up to date: UPDATE=1 writes it`);

server.close();
rmSync(home, { recursive: true });
console.log(`${rows.length} workflows, ${known.length} differences, ${failures.length} failures`);
for (const failure of failures) console.error(failure);
process.exit(failures.length === 0 ? 0 : 1);
