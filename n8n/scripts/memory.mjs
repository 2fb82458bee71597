/** A core module whose memory can grow to a maximum and no further, whatever it was built with. */

/** @param {Uint8Array} wasm @param {number} pages of 64 KiB @returns {Uint8Array} */
export function capMemory(wasm, pages) {
	const out = [wasm.subarray(0, 8)];
	for (let at = 8; at < wasm.length; ) {
		const id = wasm[at];
		const [size, start] = number(wasm, at + 1);
		const end = start + size;
		out.push(id === 5 ? section(capped(wasm.subarray(start, end), pages)) : wasm.subarray(at, end));
		at = end;
	}
	return Buffer.concat(out);
}

const section = (content) => Buffer.from([5, ...bytes(content.length), ...content]);

function capped(memories, pages) {
	let [count, at] = number(memories, 0);
	const out = [...bytes(count)];
	for (; count > 0; count -= 1) {
		const flags = memories[at];
		if (flags > 1) throw new Error('expected a memory that is neither shared nor of 64 bits');
		const [least, next] = number(memories, at + 1);
		const [most, after] = flags === 1 ? number(memories, next) : [pages, next];
		if (least > pages) throw new Error(`expected a memory of at most ${pages} pages, found one that starts with ${least}`);
		out.push(1, ...bytes(least), ...bytes(Math.min(most, pages)));
		at = after;
	}
	return out;
}

/** LEB128. */
function number(wasm, at) {
	let value = 0;
	for (let shift = 0; ; shift += 7, at += 1) {
		value += (wasm[at] & 0x7f) * 2 ** shift;
		if (wasm[at] < 0x80) return [value, at + 1];
	}
}

function bytes(value) {
	const out = [];
	for (; value >= 0x80; value = Math.floor(value / 0x80)) out.push((value % 0x80) | 0x80);
	return [...out, value];
}
