/**
 * What one run of a node may use up: the limits of the Rust host, in its words, and those that a worker thread adds. Each
 * is a constant that says why; tests pass their own.
 */
export interface Limits {
	/** From the start of a call to its end; waiting for the service counts. */
	runTimeoutMs: number;
	/** From the request to the headers of its answer, connecting included: n8n's helper shows no earlier moment. */
	firstByteTimeoutMs: number;
	/** Between two pieces of an answer's body. */
	betweenBytesTimeoutMs: number;
	/** From the request to the end of the answer's body. */
	requestTimeoutMs: number;
	/** Of one answer's body, after decompression. */
	responseBytes: number;
	requestBodyBytes: number;
	headerCount: number;
	headerBytes: number;
	/** Requests that one call may have open; further ones wait. */
	requestsInFlight: number;
	/** Of all results of one call together. */
	outputBytes: number;
	/** JavaScript's own memory of one worker: what the glue between node and host copies. */
	workerHeapMb: number;
}

const MIB = 1024 * 1024;

export const LIMITS: Limits = {
	// A chunk of items at a second each has room, a forgotten loop ends while somebody still waits for it.
	runTimeoutMs: 5 * 60_000,
	// The usual patience of gateways in front of a slow report, and ten seconds to connect.
	firstByteTimeoutMs: 70_000,
	// A live connection is never silent this long in the middle of an answer.
	betweenBytesTimeoutMs: 15_000,
	// Ends the answer that drips a byte a second and never stops.
	requestTimeoutMs: 2 * 60_000,
	// Larger answers are downloads, which a node should page through.
	responseBytes: 16 * MIB,
	// An item of five hundred event rows is a few hundred kilobytes.
	requestBodyBytes: 8 * MIB,
	// What most servers take by default.
	headerCount: 100,
	headerBytes: 64 * 1024,
	// Enough to hide 200 ms of latency behind work, few enough for a small service.
	requestsInFlight: 64,
	outputBytes: 64 * MIB,
	// A chunk's results, twice, and what the collector has not looked at yet.
	workerHeapMb: 256,
};

/** How many items are under way at once: enough to hide a service's latency, few enough for one that is small. */
export const CONCURRENCY = 16;

/** Items in one call for each place in flight: a call has a cost of its own, and its end is a time when fewer are under way. */
export const ITEMS_PER_PLACE = 4;

/** Instances of an operation that may be split over several: one thread is n8n's own, and a second keeps it busy. */
export const INSTANCES = 2;

/** Instances of a `write` operation, which holds one item per call: each is a thread of its own. */
export const WRITE_INSTANCES = 4;

/** How often an item is sent to a service that asks to be asked again later: a moment of overload is over by then. */
export const TRIES = 4;

/** So long an item waits for such a service, all waits together; what asks for more fails at once and says so. */
export const PATIENCE_MS = 60_000;

/** An idle worker ends after this; until then the next execution needs not start one. */
export const IDLE_MS = 10_000;

/** Workers of one package at once, however many executions want: a thread has some 10 MB, and further calls wait. */
export const WORKERS = 8;
