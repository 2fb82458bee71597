/** What a worker and the main thread say to each other. Nothing else crosses. */

export interface Field {
	name: string;
	value: string;
}

export interface Access {
	headers: Field[];
	query: Field[];
}

export interface Session {
	access: Access;
	expiresInS?: number;
	renewal?: string;
}

/** `call` of the contract, in JavaScript's spelling. */
export interface Call {
	group: string;
	operation: string;
	items: string[];
	onFailure: 'stop' | 'continue';
	inFlight: number;
	baseUrl: string;
}

/** A variant of the contract: jco's shape. */
export type Variant = { tag: string; val?: unknown };

export type Result<T> = { tag: 'ok'; val: T } | { tag: 'err'; val: Variant };

export type Task =
	| { kind: 'execute'; call: Call }
	| { kind: 'authenticate'; credential: string; renew?: Session };

export type Done =
	| { kind: 'results'; results: Array<Result<string[]>> }
	| { kind: 'session'; session: Session }
	/** The call as a whole was answered with a failure. */
	| { kind: 'failure'; failure: Variant }
	/** The node did what WebAssembly does not allow, or gave up. */
	| { kind: 'trap'; message: string; memoryFull: boolean; tooMany?: boolean };

/** A request that an instance wants sent, and which it waits for. */
export interface Wanted {
	id: number;
	method: string;
	scheme: string;
	authority: string;
	target: string;
	headers: Field[];
	body: Uint8Array;
}

export type Served =
	| { id: number; status: number; headers: Field[]; body: Uint8Array }
	/** `error-code` of wasi:http. */
	| { id: number; error: Variant };

export interface WorkerData {
	modules: Record<string, WebAssembly.Module>;
	/** Requests go out here, answers come in. */
	http: import('node:worker_threads').MessagePort;
	/** One number, raised whenever an answer has been put into the port. */
	signal: SharedArrayBuffer;
	/** The most that the node's memory may be, in bytes. */
	memoryBytes: number;
}
