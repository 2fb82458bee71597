/**
 * Turns on n8n's own thread, which everything else of n8n runs on too. What this package does there comes in pieces (an
 * item's expressions, a request, an answer, an output item), and before each piece it waits for its turn: at once while
 * there is time left of this turn of the event loop, else in a later one, in the order of asking.
 */

/** So long may all that this package does keep others waiting; a piece that has begun is finished. */
export const SLICE_MS = 8;

const waiting: Array<() => void> = [];
let since = 0;
let counting = false;

export async function turn(): Promise<void> {
	if (!counting) {
		counting = true;
		since = performance.now();
		setImmediate(next);
	}
	if (waiting.length === 0 && performance.now() - since < SLICE_MS) return;
	await new Promise<void>((resolve) => waiting.push(resolve));
}

/** The event loop has turned. */
function next(): void {
	since = performance.now();
	const go = waiting.shift();
	counting = go !== undefined;
	if (!go) return;
	setImmediate(next);
	go();
}
