/** Items as lines, many in one piece of the request's body, and never more than the socket takes. */
import type { Writable } from 'node:stream';

export interface Item {
	/** Given back with the result; without it, the item's position from 0. */
	id?: number | string;
	/** An object, or one as JSON text. */
	parameters: object | string;
}

/** Items one by one or in lists, as they are at hand. */
export type Items = Iterable<Item | Item[]> | AsyncIterable<Item | Item[]>;

/** Large enough that a write costs little beside the lines in it. */
const PIECE_CHARS = 64 * 1024;

export function lineOf({ id, parameters }: Item): string {
	const text = typeof parameters === 'string' ? parameters : JSON.stringify(parameters);
	// In JSON a line's end is white space.
	const line = text.includes('\n') || text.includes('\r') ? text.replace(/[\r\n]/g, ' ') : text;
	if (id === undefined) return `{"parameters":${line}}\n`;
	return `{"id":${typeof id === 'number' ? id : JSON.stringify(id)},"parameters":${line}}\n`;
}

export class ItemWriter {
	private text = '';
	private flushing = false;
	private full = false;
	private over = false;

	constructor(private readonly body: Writable) {
		body.on('drain', () => {
			this.full = false;
		});
		body.once('close', () => {
			this.over = true;
		});
	}

	/** Ends with the items, or when nobody takes them any more. Those of a run that is refused are not asked for. */
	async all(first: string, begun: Promise<boolean>, items: Items): Promise<void> {
		this.text = first;
		this.flush();
		// A host that refuses a run closes the connection, and whoever writes to it then does not read why.
		if (!(await begun)) return;
		if (Symbol.asyncIterator in items) {
			for await (const some of items) {
				if (this.add(some)) await this.drained();
				if (this.over) return;
			}
		} else {
			for (const some of items) {
				if (this.add(some)) await this.drained();
				if (this.over) return;
			}
		}
		this.flush();
		if (!this.over) this.body.end();
	}

	/** Nothing more is sent, nor that there is no more: a write to a connection that its other end closes loses what it said last. */
	stop(): void {
		this.over = true;
	}

	/** Whether there is to be waited before more is added. */
	private add(some: Item | Item[]): boolean {
		if (Array.isArray(some)) for (const item of some) this.text += lineOf(item);
		else this.text += lineOf(some);
		if (this.text.length >= PIECE_CHARS) {
			this.flush();
		} else if (!this.flushing) {
			// What comes slowly is sent in this turn of the event loop.
			this.flushing = true;
			setImmediate(() => {
				this.flushing = false;
				if (!this.full) this.flush();
			});
		}
		return this.full;
	}

	private flush(): void {
		if (this.text === '' || this.over) return;
		this.full = !this.body.write(this.text);
		this.text = '';
	}

	private async drained(): Promise<void> {
		if (!this.full || this.over) return;
		await new Promise<void>((resolve) => {
			const done = (): void => {
				this.body.off('drain', done).off('close', done);
				resolve();
			};
			this.body.on('drain', done).on('close', done);
		});
	}
}
