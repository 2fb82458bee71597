/** The contract's `failure`: why an item has no output, split by who has to act. */
import type { Variant } from '../messages.js';

export interface Answer {
	status: number;
	code?: string;
	message: string;
	requestId?: string;
}

/** As `nodule run` prints it: what the kind has of these. */
export interface Failure {
	kind: string;
	message: string;
	status?: number;
	code?: string;
	requestId?: string;
	retryAfterMs?: number;
	certainty?: 'not-done' | 'unknown';
	problems?: Array<{ pointer: string; label: string; message: string }>;
}

/** Cut texts of a node before they reach a log, an execution's data or a screen. */
const MESSAGE_CHARS = 4000;
const cut = (text: string): string => (text.length > MESSAGE_CHARS ? `${text.slice(0, MESSAGE_CHARS)}…` : text);

const said = (answer: Answer): Partial<Failure> => ({
	status: answer.status,
	...(answer.code === undefined ? {} : { code: cut(answer.code) }),
	...(answer.requestId === undefined ? {} : { requestId: cut(answer.requestId) }),
});

const wait = (ms: number | undefined): Partial<Failure> => (ms === undefined ? {} : { retryAfterMs: ms });

export function failure({ tag: kind, val }: Variant): Failure {
	switch (kind) {
		case 'invalid-parameters': {
			const problems = (val as NonNullable<Failure['problems']>).map(({ pointer, label, message }) => ({
				pointer: cut(pointer),
				label: cut(label),
				message: cut(message),
			}));
			const lines = problems.map(({ label, message }) => `${label}: ${message}`);
			return { kind, message: cut(lines.join('; ')), problems };
		}
		case 'unauthenticated':
		case 'rejected':
		case 'unintelligible': {
			const answer = val as Answer;
			return { kind, message: cut(answer.message), ...said(answer) };
		}
		case 'throttled': {
			const { answer, retryAfterMs } = val as { answer: Answer; retryAfterMs?: number };
			return { kind, message: cut(answer.message), ...said(answer), ...wait(retryAfterMs) };
		}
		case 'unavailable': {
			const outage = val as {
				certainty: 'not-done' | 'unknown';
				message: string;
				answer?: Answer;
				retryAfterMs?: number;
			};
			return {
				kind,
				message: cut(outage.message),
				...(outage.answer ? said(outage.answer) : {}),
				certainty: outage.certainty,
				...wait(outage.retryAfterMs),
			};
		}
		case 'not-run':
			return { kind, message: 'not run, since an item before it failed' };
		case 'other': {
			const other = val as { kind: string; message: string };
			return { kind: cut(other.kind), message: cut(other.message) };
		}
		default:
			return { kind, message: cut(String(val)) };
	}
}

/** A code is short and plain; a secret in a code's place is not passed on. */
const isCode = (text: string): boolean => /^[A-Za-z0-9._-]{1,15}$/.test(text);

/** Of a failed `authenticate` only kind, status and code go on: the node was shown the secret, so its words may hold it. */
export function bare(found: Failure): Failure {
	const { status, code, retryAfterMs, problems } = found;
	const kept = {
		...(status === undefined ? {} : { status }),
		...(code !== undefined && isCode(code) ? { code } : {}),
		...wait(retryAfterMs),
	};
	switch (found.kind) {
		case 'unauthenticated':
		case 'rejected':
			return { kind: 'unauthenticated', message: 'the service did not accept the credential', ...kept };
		case 'throttled':
			return { kind: found.kind, message: 'the service asks to wait before authenticating again', ...kept };
		case 'unavailable': {
			const why = status === undefined ? 'the service could not be reached' : `the service answered ${status}`;
			// What the item asks for has not been sent yet.
			return { kind: found.kind, message: `authentication failed: ${why}`, ...kept, certainty: 'not-done' };
		}
		case 'unintelligible':
			return {
				kind: found.kind,
				message: "the service's answer to the authentication could not be understood",
				...kept,
			};
		case 'invalid-parameters': {
			const cannot = 'the credential\'s field cannot be used';
			const named = (problems ?? []).map((problem) => ({ ...problem, message: cannot }));
			return {
				kind: found.kind,
				message: named.map(({ label }) => `${label}: ${cannot}`).join('; '),
				problems: named,
			};
		}
		// These are the host's own words.
		case 'denied':
		case 'limit':
		case 'trap':
			return found;
		default:
			return { kind: 'authentication', message: 'authentication failed' };
	}
}
