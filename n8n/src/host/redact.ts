/**
 * Taking known secrets out of what a service answers, before the node, a log or an execution's data sees it. The forms that
 * are found are those of the Rust host: as it is, base64 in each position and both alphabets, percent-encoded and
 * JSON-escaped in any way; what is shorter than 16 characters only as a whole header or JSON string. Best effort, and the
 * last of several protections: a service that encrypts or encodes a secret twice gets past it.
 */
import { turn } from './turn.js';

export const REDACTED = '[redacted]';
const SHORTEST_ANYWHERE = 16;
const SCHEME = /^(?:basic|bearer|digest|token|apikey)\s+(.+)$/is;

/** Of a text with many escapes, so many are read before others get their turn: some milliseconds. */
const ESCAPES_AT_ONCE = 10_000;

type Span = [start: number, end: number];

/** A way to read: what an escape looks like, and what it means. Texts are bytes, one a character. */
interface View {
	escapes: RegExp;
	decode(escape: string): string;
}

const utf8 = (text: string): string => Buffer.from(text).toString('latin1');
const VIEWS: Array<View & { sign: string }> = [
	{
		sign: '\\',
		escapes: /\\(?:u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|u[0-9a-fA-F]{4}|["\\/bfnrt])/g,
		decode: (escape) => utf8(JSON.parse(`"${escape}"`) as string),
	},
	{
		sign: '%',
		escapes: /%[0-9a-fA-F]{2}/g,
		decode: (escape) => String.fromCharCode(Number.parseInt(escape.slice(1), 16)),
	},
];

export class Redactor {
	private readonly anywhere: string[] = [];
	private readonly whole: string[] = [];

	constructor(secrets: string[]) {
		const all = secrets.flatMap((secret) => [secret, SCHEME.exec(secret)?.[1] ?? '']);
		for (const secret of new Set(all)) {
			if (secret === '') continue;
			if ([...secret].length < SHORTEST_ANYWHERE) this.whole.push(utf8(secret));
			else this.anywhere.push(...forms(secret));
		}
	}

	/** An answer's body: it may be large, so this waits for its turn every now and then. */
	async body(body: Buffer): Promise<Buffer> {
		const text = body.toString('latin1');
		const steps = this.spans(text);
		let step = steps.next();
		for (; !step.done; step = steps.next()) await turn();
		return step.value.length === 0 ? body : Buffer.from(without(text, step.value), 'latin1');
	}

	/** A text of people, as of an error. */
	text(text: string): string {
		const bytes = utf8(text);
		const redacted = this.bytes(bytes);
		return redacted === bytes ? text : Buffer.from(redacted, 'latin1').toString();
	}

	/** A header's value, which may be a short secret as a whole. */
	value(value: string): string {
		return this.whole.includes(value) ? REDACTED : this.bytes(value);
	}

	private bytes(text: string): string {
		const steps = this.spans(text);
		let step = steps.next();
		while (!step.done) step = steps.next();
		return without(text, step.value);
	}

	/** Where secrets are, in steps that are short however long the text is. */
	private *spans(text: string): Generator<undefined, Span[]> {
		const quoted = this.whole.map((secret) => `"${secret}"`);
		const spans = yield* this.find(text, quoted);
		for (const view of VIEWS) {
			if (text.includes(view.sign)) spans.push(...(yield* this.findIn(view, text, quoted)));
		}
		return spans;
	}

	private *find(text: string, quoted: string[]): Generator<undefined, Span[]> {
		const spans: Span[] = [];
		for (const [needles, edge] of [[this.anywhere, 0], [quoted, 1]] as const) {
			for (const needle of needles) {
				yield;
				for (let at = text.indexOf(needle); at >= 0; at = text.indexOf(needle, at + 1)) {
					spans.push([at + edge, at + needle.length - edge]);
				}
			}
		}
		return spans;
	}

	/** Look in what the text means, and say where in the text that stands. */
	private *findIn(view: View, text: string, quoted: string[]): Generator<undefined, Span[]> {
		const places = new Places();
		const decoded: string[] = [];
		let pieces: string[] = [];
		let length = 0;
		let at = 0;
		const add = (meant: string, from: number): void => {
			places.add(length, from);
			pieces.push(meant);
			length += meant.length;
		};
		for (const match of text.matchAll(view.escapes)) {
			if (match.index > at) add(text.slice(at, match.index), at);
			add(view.decode(match[0]), match.index);
			at = match.index + match[0].length;
			places.add(length, at);
			if (pieces.length > ESCAPES_AT_ONCE) {
				decoded.push(pieces.join(''));
				pieces = [];
				yield;
			}
		}
		add(text.slice(at), at);
		decoded.push(pieces.join(''));
		const found = yield* this.find(decoded.join(''), quoted);
		return found.map(([start, end]): Span => [places.of(start), places.of(end)]);
	}
}

/** From offsets in a decoded text to those in the text as it is: where a run of plain text or an escape begins. */
class Places {
	private readonly decoded: number[] = [];
	private readonly source: number[] = [];

	add(decoded: number, source: number): void {
		if (this.decoded.at(-1) === decoded) {
			this.decoded.pop();
			this.source.pop();
		}
		this.decoded.push(decoded);
		this.source.push(source);
	}

	of(offset: number): number {
		let low = 0;
		for (let high = this.decoded.length - 1; low < high; ) {
			const middle = Math.ceil((low + high) / 2);
			if ((this.decoded[middle] ?? 0) <= offset) low = middle;
			else high = middle - 1;
		}
		const [decoded = 0, source = 0, next = Infinity] = [this.decoded[low], this.source[low], this.source[low + 1]];
		// Within an escape, which means fewer characters than it has, this is at most where it ends.
		return Math.min(source + offset - decoded, next);
	}
}

function without(text: string, spans: Span[]): string {
	if (spans.length === 0) return text;
	spans.sort(([a], [b]) => a - b);
	let out = '';
	let at = 0;
	for (const [start, end] of spans) {
		if (start >= at) out += text.slice(at, start) + REDACTED;
		at = Math.max(at, end);
	}
	return out + text.slice(at);
}

/** The byte strings to look for. */
function forms(secret: string): string[] {
	const bytes = Buffer.from(secret);
	const found = new Set([bytes.toString('latin1'), utf8(secret.replaceAll(' ', '+'))]);
	for (const alphabet of ['base64', 'base64url'] as const) {
		found.add(bytes.toString(alphabet).replace(/=+$/, ''));
		for (const offset of [0, 1, 2]) {
			// The characters that say nothing but the secret, with so many bytes before it in its first group of three.
			const group = Buffer.concat([Buffer.alloc(offset), bytes]);
			const shared = Math.ceil((offset * 8) / 6);
			found.add(group.toString(alphabet).slice(shared, Math.floor((group.length * 8) / 6)));
		}
	}
	return [...found];
}
