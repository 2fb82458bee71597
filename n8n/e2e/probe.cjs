/**
 * Loaded into n8n by `measure.mjs`. For each execution of a measured node it writes a line to the file that NODULE_PROBE names:
 * how long the node took, and how long a turn of the event loop took meanwhile, by the clock and by the time that n8n's thread
 * really had a processor; at its end the most memory that the process had, threads included, and the host process beside it.
 */
const { appendFileSync, readdirSync, readFileSync } = require('node:fs');
const Module = require('node:module');
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { isMainThread } = require('node:worker_threads');

const file = process.env.NODULE_PROBE;
const write = (line) => appendFileSync(file, `${JSON.stringify(line)}\n`);

if (isMainThread && file) {
	const load = Module._extensions['.js'];
	Module._extensions['.js'] = function (module, path) {
		load(module, path);
		if (!/[/\\](?:SocialHub|StandIn|BareLoop)\.node\.js$/.test(path)) return;
		for (const [name, Class] of Object.entries(module.exports)) module.exports = { ...module.exports, [name]: probed(Class) };
	};
	process.on('exit', () => write({ rssKb: process.resourceUsage().maxRSS + hostKb() }));
}

/** The most memory of the host process, which this one has started. */
function hostKb() {
	const children = readdirSync('/proc/self/task').flatMap((thread) => readFileSync(`/proc/self/task/${thread}/children`, 'utf8').trim().split(' '));
	const of = (pid, file) => readFileSync(`/proc/${pid}/${file}`, 'utf8');
	return children
		.filter((pid) => pid && of(pid, 'cmdline').includes('\0serve\0'))
		.reduce((sum, pid) => sum + Number(/^VmHWM:\s+(\d+)/m.exec(of(pid, 'status'))?.[1] ?? 0), 0);
}

function probed(Class) {
	const Probed = class extends Class {
		constructor() {
			super();
			const { execute } = this;
			this.execute = async function (...args) {
				const histogram = monitorEventLoopDelay({ resolution: 1 });
				// What n8n did until now in this turn is its own.
				await new Promise((resolve) => setImmediate(resolve));
				histogram.enable();
				const cpu = () => {
					const { user, system } = process.threadCpuUsage();
					return (user + system) / 1000;
				};
				const turns = [];
				let last = cpu();
				const timer = setInterval(() => {
					const now = cpu();
					turns.push(now - last);
					last = now;
				}, 1);
				const began = performance.now();
				try {
					return await execute.apply(this, args);
				} finally {
					const ms = performance.now() - began;
					// A last turn, in which the delay until now is seen.
					await new Promise((resolve) => setTimeout(resolve, 5));
					histogram.disable();
					clearInterval(timer);
					turns.sort((a, b) => b - a);
					const [longest] = turns;
					write({ ms, clock: histogram.max / 1e6, cpu: longest, cpuP99: turns[Math.floor(turns.length / 100)] });
				}
			};
		}
	};
	Object.defineProperty(Probed, 'name', { value: Class.name });
	return Probed;
}
