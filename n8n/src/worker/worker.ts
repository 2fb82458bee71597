/**
 * The thread that a node runs in. Each call has an instance of its own, which is dropped with the call: nothing of one
 * execution is left for the next. An executing worker is never told a secret; an authenticating one is ended afterwards.
 */
import { instantiate } from 'component';
import { parentPort, workerData } from 'node:worker_threads';

import type { Call, Done, Result, Session, Task, Variant, WorkerData } from '../messages.js';
import { TooMany, Wasi } from './wasi.js';

interface Node {
	execution: { execute(call: Call): Array<Result<string[]>> };
	authentication: { authenticate(credential: string, renew?: Session): Session };
}

const { modules, http, signal, memoryBytes } = workerData as WorkerData;
const wasi = new Wasi(http, signal);
const imports = wasi.imports();

function run(task: Task): Done {
	const memories: WebAssembly.Memory[] = [];
	wasi.reset();
	try {
		const node = instantiate(
			(name: string) => modules[name],
			imports,
			(module: WebAssembly.Module, given: WebAssembly.Imports) => {
				const instance = new WebAssembly.Instance(module, given);
				for (const value of Object.values(instance.exports)) {
					if (value instanceof WebAssembly.Memory) memories.push(value);
				}
				return instance;
			},
		) as Node;
		if (task.kind === 'authenticate') {
			return { kind: 'session', session: node.authentication.authenticate(task.credential, task.renew) };
		}
		return { kind: 'results', results: node.execution.execute(task.call) };
	} catch (thrown) {
		const failed = failureIn(thrown);
		if (failed) return { kind: 'failure', failure: failed };
		const used = memories.reduce((sum, memory) => sum + memory.buffer.byteLength, 0);
		const message = thrown instanceof Error ? thrown.message : String(thrown);
		// A node that asks for more than its last page does not get it, and gives up with some of it left.
		const tooMany = thrown instanceof TooMany;
		return { kind: 'trap', message, memoryFull: used > memoryBytes * 0.75, tooMany };
	}
}

/** The `err` of a call: jco throws it as it is, or as the payload of an error. */
function failureIn(thrown: unknown): Variant | undefined {
	if (typeof thrown !== 'object' || thrown === null) return undefined;
	if ('payload' in thrown) return failureIn(thrown.payload);
	return 'tag' in thrown && !(thrown instanceof Error) ? (thrown as Variant) : undefined;
}

parentPort?.on('message', (task: Task) => parentPort?.postMessage(run(task)));
