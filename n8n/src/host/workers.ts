/**
 * Threads that run a node. A loop on n8n's own thread could not be stopped; a worker is ended at its deadline, and the next
 * call gets another. A worker has no environment, no arguments and no standard streams; its node's memory has a maximum,
 * set when the package was made.
 */
import { MessageChannel, Worker, type MessagePort } from 'node:worker_threads';

import type { Done, Task, Wanted, WorkerData } from '../messages.js';
import { IDLE_MS, type Limits, WORKERS } from './limits.js';
import type { Pipeline } from './pipeline.js';

export interface Binary {
	/** The worker's script. */
	script: string;
	/** The component's core modules, compiled once for all workers. */
	modules: Promise<Record<string, WebAssembly.Module>>;
	memoryBytes: number;
}

/** A call that the host ended. */
export interface Stopped {
	kind: 'limit' | 'cancelled';
	message: string;
}

export class Workers {
	private readonly idle: Slot[] = [];
	/** Workers under way or idle; for tests. */
	alive = 0;
	private busy = 0;
	private readonly queue: Array<() => void> = [];

	constructor(private readonly binary: Binary) {}

	/** Throws where the component cannot be run at all. */
	async ready(): Promise<void> {
		await this.binary.modules;
	}

	async run(task: Task, pipeline: Pipeline, limits: Limits, cancel?: AbortSignal): Promise<Done | Stopped> {
		if (this.busy >= WORKERS) await new Promise<void>((resolve) => this.queue.push(resolve));
		this.busy += 1;
		try {
			return await this.place(task, pipeline, limits, cancel);
		} finally {
			this.busy -= 1;
			this.queue.shift()?.();
		}
	}

	private async place(task: Task, pipeline: Pipeline, limits: Limits, cancel?: AbortSignal): Promise<Done | Stopped> {
		const slot = this.idle.pop() ?? (await this.start(limits));
		const end = await slot.run(task, pipeline, limits, cancel);
		pipeline.end();
		// A worker that was shown a secret is not used again, nor is one whose node broke.
		const reusable = task.kind === 'execute' && (end.kind === 'results' || end.kind === 'failure');
		if (reusable) slot.rest(this.idle);
		else await slot.end();
		return end;
	}

	/** End the idle ones at once. */
	async close(): Promise<void> {
		await Promise.all(this.idle.splice(0).map(async (slot) => await slot.end()));
	}

	private async start(limits: Limits): Promise<Slot> {
		const modules = await this.binary.modules;
		this.alive += 1;
		return new Slot(this.binary, modules, limits, () => (this.alive -= 1));
	}
}

class Slot {
	private readonly worker: Worker;
	private readonly port: MessagePort;
	private readonly signal = new Int32Array(new SharedArrayBuffer(4));
	private pipeline: Pipeline | undefined;
	private timer: NodeJS.Timeout | undefined;
	/** Of the call that is under way; further calls of it do nothing. */
	private finish: (end: Done | Stopped) => void = () => {};

	constructor(
		{ script, memoryBytes }: Binary,
		modules: Record<string, WebAssembly.Module>,
		limits: Limits,
		private readonly ended: () => void,
	) {
		const { port1, port2 } = new MessageChannel();
		this.port = port1;
		const workerData: WorkerData = {
			modules,
			http: port2,
			signal: this.signal.buffer as SharedArrayBuffer,
			memoryBytes,
		};
		this.worker = new Worker(script, {
			workerData,
			transferList: [port2],
			env: {},
			argv: [],
			execArgv: [],
			stdout: true,
			stderr: true,
			// The node's own memory is not part of this; it has a maximum of its own.
			resourceLimits: { maxOldGenerationSizeMb: limits.workerHeapMb, maxYoungGenerationSizeMb: 16, stackSizeMb: 4 },
		});
		port1.on('message', (wanted: Wanted) => void this.serve(wanted));
		port1.unref();
		this.worker.on('error', (thrown: Error & { code?: string }) => {
			const full = thrown.code === 'ERR_WORKER_OUT_OF_MEMORY';
			this.finish(
				full
					? { kind: 'limit', message: `more than ${limits.workerHeapMb} MiB of JavaScript memory` }
					: { kind: 'trap', message: thrown.message, memoryFull: false },
			);
		});
		this.worker.on('message', (done: Done) => this.finish(done));
		this.worker.on('exit', () => this.finish({ kind: 'trap', message: 'its worker ended', memoryFull: false }));
		this.worker.unref();
	}

	async run(task: Task, pipeline: Pipeline, limits: Limits, cancel?: AbortSignal): Promise<Done | Stopped> {
		clearTimeout(this.timer);
		this.pipeline = pipeline;
		this.worker.ref();
		const end = new Promise<Done | Stopped>((resolve) => (this.finish = resolve));
		const late = (): void =>
			this.finish({ kind: 'limit', message: `a call of more than ${limits.runTimeoutMs} ms (\`run-timeout-ms\`)` });
		const cancelled = (): void => this.finish({ kind: 'cancelled', message: 'the execution was cancelled' });
		cancel?.addEventListener('abort', cancelled, { once: true });
		const deadline = setTimeout(late, limits.runTimeoutMs);
		if (cancel?.aborted) cancelled();
		else this.worker.postMessage(task);
		try {
			return await end;
		} finally {
			clearTimeout(deadline);
			cancel?.removeEventListener('abort', cancelled);
			this.pipeline = undefined;
		}
	}

	/** Wait among the idle ones, but not for ever. */
	rest(idle: Slot[]): void {
		this.worker.unref();
		idle.push(this);
		this.timer = setTimeout(() => {
			const index = idle.indexOf(this);
			if (index >= 0) idle.splice(index, 1);
			void this.end();
		}, IDLE_MS);
		this.timer.unref();
	}

	async end(): Promise<void> {
		clearTimeout(this.timer);
		this.port.close();
		await this.worker.terminate();
		this.ended();
	}

	private async serve(wanted: Wanted): Promise<void> {
		const { pipeline } = this;
		if (!pipeline) return;
		const answer = await pipeline.serve(wanted);
		if (this.pipeline !== pipeline) return;
		this.port.postMessage(answer);
		Atomics.add(this.signal, 0, 1);
		Atomics.notify(this.signal, 0);
	}
}
