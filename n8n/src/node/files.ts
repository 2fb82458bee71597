/** Binary data of n8n as files of items, and files that come out as binary data: both as streams where n8n keeps them on a disk. */
import type { IBinaryKeyData, IExecuteFunctions } from 'n8n-workflow';
import type { Component, OutputFile } from 'nodule-client';

import type { Parameter } from './description.js';

/** So many items may have their files with the host at once: as many as are under way, and as many again. */
const MOST_ITEMS = 32;

export class FilesOfItems {
	/** The names of the parameters that name a file. */
	private readonly names: string[];
	/** What the host keeps for an item that has no result yet. */
	private readonly given = new Map<number, string[]>();
	private wake: (() => void) | undefined;

	constructor(
		private readonly self: IExecuteFunctions,
		private readonly component: Component,
		parameters: Parameter[],
	) {
		this.names = parameters.filter(({ kind }) => kind.type === 'file').map(({ name }) => name);
	}

	/** Whether items have files. */
	get areTaken(): boolean {
		return this.names.length > 0;
	}

	/** An item's parameters with the files that they name. One that the item does not have, the host refuses by the parameter's name. */
	async with(index: number, parameters: string): Promise<string> {
		const values = JSON.parse(parameters) as Record<string, unknown>;
		const keys = this.names.map((name) => values[name]).filter((key) => typeof key === 'string');
		const binary = this.self.getInputData()[index]?.binary ?? {};
		const found = [...new Set(keys.map((key) => key.trim()))].filter((key) => Object.hasOwn(binary, key));
		if (found.length === 0) return parameters;
		while (this.given.size >= MOST_ITEMS) await new Promise<void>((resolve) => (this.wake = resolve));
		const ids: string[] = [];
		this.given.set(index, ids);
		const files: Record<string, { id: string; fileName?: string; mediaType: string }> = {};
		for (const key of found) {
			const { id: stored, fileName, mimeType } = this.self.helpers.assertBinaryData(index, key);
			// In the mode `filesystem`, n8n has an ID for it, and its bytes need never be in memory.
			const content = stored ? await this.self.helpers.getBinaryStream(stored) : await this.self.helpers.getBinaryDataBuffer(index, key);
			const { id } = await this.component.files.give(content);
			ids.push(id);
			files[key] = { id, mediaType: mimeType, ...(fileName ? { fileName: lastOf(fileName) } : {}) };
		}
		return `${parameters.slice(0, -1)},"$files":${JSON.stringify(files)}}`;
	}

	/** An item has its result, and the host need not keep what was given for it. */
	async done(index: number): Promise<void> {
		const ids = this.given.get(index) ?? [];
		this.given.delete(index);
		this.wake?.();
		for (const id of ids) await this.forget(id);
	}

	/** What came out, as n8n keeps it. */
	async taken(files: Record<string, OutputFile>): Promise<IBinaryKeyData> {
		const binary: IBinaryKeyData = {};
		for (const [key, { id, fileName, mediaType }] of Object.entries(files)) {
			const content = await this.component.files.open(id);
			binary[key] = await this.self.helpers.prepareBinaryData(content, fileName, mediaType);
			await this.forget(id);
		}
		return binary;
	}

	/** Whatever was not let go, the host does when it needs the room. */
	private async forget(id: string): Promise<void> {
		await this.component.files.forget(id).catch(() => {});
	}
}

/** A name without a path, which n8n's may have. */
const lastOf = (name: string): string => name.split(/[\\/]/).pop() ?? name;
