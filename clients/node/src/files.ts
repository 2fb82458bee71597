/** Files of items, which the host keeps until they are let go. */
import { Readable } from 'node:stream';

import type { Connection } from './http.js';

export class Files {
	constructor(private readonly connection: Connection) {}

	/**
	 * Gives a file for items, from its bytes or a stream of any length. An item names it by its ID:
	 * `{ parameters: { …, $files: { data: { id, fileName, mediaType } } } }`.
	 */
	async give(content: Uint8Array | Readable): Promise<{ id: string; size: number }> {
		const body = content instanceof Uint8Array ? Readable.from([content]) : content;
		return JSON.parse(await this.connection.send('/v1/files', body)) as { id: string; size: number };
	}

	/** One that was given, or that came out of an item, as a stream. */
	async open(id: string): Promise<Readable> {
		return await this.connection.stream(path(id));
	}

	async forget(id: string): Promise<void> {
		await this.connection.call('DELETE', path(id));
	}
}

const path = (id: string): string => `/v1/files/${encodeURIComponent(id)}`;
