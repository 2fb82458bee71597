/** A body as lines, those of one piece together. */

const LINE_FEED = 10;

export async function* linesOf(body: AsyncIterable<Buffer>): AsyncGenerator<string[], void, undefined> {
	// A line may be longer than a piece; the pieces of one are put together once.
	let rest: Buffer[] = [];
	for await (const piece of body) {
		const end = piece.lastIndexOf(LINE_FEED);
		if (end < 0) {
			rest.push(piece);
			continue;
		}
		const whole = piece.subarray(0, end);
		const text = (rest.length > 0 ? Buffer.concat([...rest, whole]) : whole).toString();
		rest = end + 1 < piece.length ? [piece.subarray(end + 1)] : [];
		yield text.split('\n');
	}
	if (rest.length > 0) yield [Buffer.concat(rest).toString()];
}
