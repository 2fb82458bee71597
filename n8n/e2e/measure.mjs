/**
 * What the node costs in a real n8n, beside a stand-in for the vendor's node, which awaits one request per item, and beside a node
 * that resolves its parameters and sends nothing. `make measure-n8n`, or `node measure.mjs [ROUNDS] [ITEMS]`. The machine's speed
 * drifts, so the nodes take turns, and what counts are medians and the ratios within a round:
 *
 * - items per second, with a service that answers at once and one that takes 50 ms, with an expression and without
 * - the most memory of n8n and the host process together
 * - how long a turn of n8n's event loop took while the node ran: in time that its thread had a processor, since on a machine
 *   that others use too the clock says how busy those are
 * - how long n8n's own `/healthz` takes while the node waits for a slow service
 */
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { SECRET, simulator, userFolder, workflow } from './n8n.mjs';
import { server } from './server.mjs';

const [rounds = 3, items = 10_000] = process.argv.slice(2).map(Number);
const SERVICES = [
	{ name: 'at once', latency: 0, count: items },
	{ name: 'after 50 ms', latency: 50, count: items / 10 },
];
const OURS = { resource: 'member', operation: 'getMember' };
const NODES = [
	{ id: 'stand-in', of: { resource: '', operation: '', type: 'n8n-nodes-stand-in.standIn' } },
	{ id: 'bare', of: { resource: '', operation: '', type: 'n8n-nodes-stand-in.bareLoop' }, atOnce: true },
	{ id: 'ours', of: OURS },
	{ id: 'ours-continue', of: { ...OURS, onError: 'continueRegularOutput' } },
	{ id: 'bare-static', of: { resource: '', operation: '', type: 'n8n-nodes-stand-in.bareLoop' }, isStatic: true, atOnce: true },
	{ id: 'ours-static', of: OURS, isStatic: true },
];
/** One item each, the number of which comes with the request or is known before. */
const given = (count, isStatic) => ({
	items: [{}],
	count,
	more: { code: '{cardNo: `M${i}`}', parameters: { cardNo: isStatic ? 'M1' : '={{ $json.cardNo }}' } },
});

const print = (...cells) => process.stdout.write(`${cells.join('\t')}\n`);
const median = (numbers) => numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) / 2)];
const round = (number) => (number < 10 ? number.toFixed(1) : String(Math.round(number)));

const folder = await userFolder({ extra: [join(import.meta.dirname, 'stand-in')] });
const probe = join(folder.home, 'probe.jsonl');
Object.assign(folder.env, { NODULE_PROBE: probe, NODE_OPTIONS: `--require ${join(import.meta.dirname, 'probe.cjs')}` });

/** What the probe wrote, which is forgotten then. */
function probed() {
	const lines = readFileSync(probe, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
	rmSync(probe);
	return Object.assign({}, ...lines);
}

/** Both nodes' credentials: ours has the secret, the stand-in a token. */
async function credentials({ url }) {
	await folder.credential(url);
	const answer = await fetch(`${url}/v1/auth/token`, {
		method: 'POST',
		headers: { 'content-type': 'application/json' },
		body: JSON.stringify({ appId: 'demo', appSecret: SECRET }),
	});
	const { data } = await answer.json();
	const file = join(folder.home, 'stand-in.json');
	writeFileSync(file, JSON.stringify([{ id: 'c2', name: 'Stand-in', type: 'standInApi', data: { baseUrl: url, token: data.accessToken } }]));
	await folder.n8n('import:credentials', `--input=${file}`);
}

function made(id, node, count) {
	const workflowOf = workflow(id, { ...node.of, ...given(count, node.isStatic) });
	if (node.id === 'stand-in') workflowOf.nodes[2].credentials = { standInApi: { id: 'c2', name: 'Stand-in' } };
	if (node.id.startsWith('bare')) delete workflowOf.nodes[2].credentials;
	return workflowOf;
}

async function speed({ name, latency, count }) {
	const service = await simulator('--latency-ms', String(latency));
	// What sends nothing is the same whatever the service does.
	const nodes = NODES.filter(({ atOnce }) => !atOnce || latency === 0);
	const seen = new Map(nodes.map(({ id }) => [id, []]));
	try {
		await credentials(service);
		await folder.workflows(nodes.map((node) => made(node.id, node, count)));
		for (let done = 0; done < rounds; done += 1) {
			for (const { id } of nodes) {
				rmSync(probe, { force: true });
				const { data } = await folder.execute(id);
				const found = data.resultData.runData.Node?.[0].data?.main[0]?.length ?? 0;
				if (found !== count) throw new Error(`${id}: ${found} items of ${count}: ${JSON.stringify(data.resultData.error)}`);
				const { ms, rssKb, ...turns } = probed();
				seen.get(id).push({ rate: (count * 1000) / ms, mb: rssKb / 1024, ...turns });
			}
		}
	} finally {
		await service.stop();
	}
	const base = seen.get('stand-in');
	const bare = { ours: 'bare', 'ours-continue': 'bare', 'ours-static': 'bare-static' };
	for (const [id, runs] of seen) {
		const of = (key) => round(median(runs.map((run) => run[key])));
		const beside = (others, key) => (others ? median(runs.map((run, index) => run[key] / others[index][key])).toFixed(2) : '');
		print(name, id, count, of('rate'), beside(base, 'rate'), beside(seen.get(bare[id]), 'rate'), of('mb'), beside(base, 'mb'), of('cpuP99'), of('cpu'), of('clock'));
	}
}

async function health() {
	const slow = await simulator('--latency-ms', '1000');
	const running = [];
	try {
		await credentials(slow);
		const ours = NODES.find(({ id }) => id === 'ours');
		const hook = (id, count) => {
			const of = made(id, ours, count);
			of.nodes[0] = { id: 'w', name: 'Start', type: 'n8n-nodes-base.webhook', typeVersion: 2, position: [0, 0], webhookId: id, parameters: { path: id, httpMethod: 'POST', responseMode: 'lastNode', responseData: 'noData' } };
			return of;
		};
		await folder.workflows([hook('slow', 64)]);
		await folder.n8n('publish:workflow', '--id=slow');
		const n8n = await server(folder);
		running.push(n8n);
		const ask = async () => {
			const began = performance.now();
			const answer = await fetch(`${n8n.origin}/healthz`);
			if (!answer.ok) throw new Error(`/healthz: ${answer.status}`);
			await answer.arrayBuffer();
			return performance.now() - began;
		};
		/** As often as it answers, until that is done. */
		const during = async (work) => {
			let over = false;
			const end = work().finally(() => (over = true));
			const times = [];
			while (!over) times.push(await ask());
			await end;
			return times;
		};
		const call = (id) => async () => {
			const answer = await fetch(`${n8n.origin}/webhook/${id}`, { method: 'POST' });
			if (!answer.ok) throw new Error(`${id}: ${answer.status} ${await answer.text()}`);
		};
		// The first execution loads what n8n loads once; just after its start n8n does not know the webhook yet.
		for (let tries = 0; ; tries += 1) {
			const { status } = await fetch(`${n8n.origin}/webhook/slow`, { method: 'POST' });
			if (status === 200) break;
			if (status !== 404 || tries === 1000) throw new Error(`slow: ${status}`);
		}
		for (const [what, work] of [
			['idle', async () => await new Promise((resolve) => setTimeout(resolve, 3000))],
			['64 items, a service of 1 s', call('slow')],
		]) {
			const times = (await during(work)).toSorted((a, b) => a - b);
			const at = (part) => round(times[Math.floor((times.length - 1) * part)]);
			print('/healthz', what, `${times.length} answers`, at(0.5), at(0.99), at(1));
		}
	} finally {
		for (const one of running) await one.stop();
		await slow.stop();
	}
}

try {
	print('service', 'node', 'items', 'items/s', 'of stand-in', 'of bare loop', 'MB', 'of stand-in', 'turn p99 ms', 'longest ms', 'by the clock');
	for (const service of SERVICES) await speed(service);
	print('endpoint', 'while', 'asked', 'p50 ms', 'p99 ms', 'max ms');
	await health();
} finally {
	folder.remove();
}
