/** What can go wrong, by who has to act. An item's own failure is no error here: it is the item's result. */

/** What the host says of a problem. */
export interface Problem {
	kind: string;
	message: string;
	hint?: string;
}

export class NoduleError extends Error {
	/** A name for it, in kebab-case. */
	readonly kind: string;
	/** What to do about it. */
	readonly hint: string | undefined;

	constructor({ kind, message, hint }: Problem, options?: ErrorOptions) {
		super(message, options);
		this.name = new.target.name;
		this.kind = kind;
		this.hint = hint;
	}
}

/** The host process could not be started. */
export class StartError extends NoduleError {}

/** The host refused a request, or a run before it began: nothing was done. */
export class RequestError extends NoduleError {
	constructor(
		readonly status: number,
		problem: Problem,
	) {
		super(problem);
	}
}

/** A run broke: its items have results up to here, and no more. */
export class RunError extends NoduleError {}

/** How the host process ended. */
export interface Ended {
	code: number | null;
	signal: NodeJS.Signals | null;
}

/** The connection to the host broke in the middle: nobody knows what became of the items without a result. */
export class Interrupted extends NoduleError {
	constructor(
		message: string,
		/** Whether something may have been done of which there is no result. */
		readonly certainty: 'not-done' | 'unknown',
		/** Where the host process itself ended. */
		readonly ended: Ended | undefined,
		options?: ErrorOptions,
	) {
		super({ kind: 'interrupted', message }, options);
	}
}

export const howEnded = ({ code, signal }: Ended): string =>
	signal ? `the host process was ended by ${signal}` : `the host process ended with code ${code}`;
