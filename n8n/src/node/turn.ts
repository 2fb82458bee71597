/**
 * Turns on n8n's own thread, which everything else of n8n runs on too. What this package does there comes in pieces (an
 * item's expressions, a result), and after each piece it asks whether its turn of the event loop is over. Whoever waits for the
 * next one gets it in the order of asking.
 */

/** So long may all that this package does keep others waiting; a piece that has begun is finished. */
export const SLICE_MS = 8;

const waiting: Array<() => void> = [];
let since = 0;
let counting = false;

/** Whether others have to have their turn before the next piece. */
export function isOver(): boolean {
	if (!counting) begin();
	return waiting.length > 0 || performance.now() - since >= SLICE_MS;
}

/** A turn in which there is time left. */
export async function turn(): Promise<void> {
	if (isOver()) await new Promise<void>((resolve) => waiting.push(resolve));
}

function begin(): void {
	counting = true;
	since = performance.now();
	setImmediate(next);
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
