/** What the editor shows of a failure, and what is known of items without a result. */
import { type IExecuteFunctions, type JsonObject, NodeApiError, NodeOperationError } from 'n8n-workflow';
import type { Failure, NoduleError } from 'nodule-client';

/** The host's line for a declared origin, and where n8n's operator writes it. */
const GRANT = '\ndeclared = [';
const WHERE = 'in the file that NODULE_POLICY of n8n names, or in nodule.toml when the package is made';

export function nodeError(self: IExecuteFunctions, failure: Failure, itemIndex: number): Error {
	const { kind, message, status, code, requestId, certainty, retryAfterMs, problems, hint } = failure;
	const facts = [
		...(code === undefined ? [] : [`code ${code}`]),
		...(requestId === undefined ? [] : [`request ${requestId}`]),
		...(certainty === undefined ? [] : [certainty === 'not-done' ? 'nothing was done' : 'it may have been done']),
		...(retryAfterMs === undefined ? [] : [`try again after ${Math.ceil(retryAfterMs / 1000)} s`]),
		...(problems ?? []).map(({ pointer, message: what }) => `${pointer}: ${what}`),
		...(hint === undefined ? [] : [hint.includes(GRANT) ? `${hint}\n${WHERE}` : hint]),
	];
	const description = [kind, ...facts].join(' · ');
	if (status === undefined && kind !== 'unavailable') {
		return new NodeOperationError(self.getNode(), message, { itemIndex, description });
	}
	return new NodeApiError(self.getNode(), { ...failure } as unknown as JsonObject, {
		itemIndex,
		message,
		description,
		...(status === undefined ? {} : { httpCode: String(status) }),
	});
}

/** Of an item without a result: of one that the host was not given, nothing was done. */
export function withoutResult(error: NoduleError, wasGiven: boolean): Failure {
	const { kind, message, hint, certainty: known } = error as NoduleError & Pick<Failure, 'certainty'>;
	const certainty = wasGiven ? (known ?? 'unknown') : 'not-done';
	return { kind, message, certainty, ...(hint === undefined ? {} : { hint }) };
}
