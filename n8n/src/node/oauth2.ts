/**
 * Credentials of which n8n keeps the tokens. n8n's own OAuth2 credential logs the user in and refreshes; the host gets the access token
 * alone. Where it needs another, n8n's own helper refreshes and stores it: no request is sent for that but the one to the token
 * endpoint.
 */
import { type IDataObject, type IExecuteFunctions, type ILoadOptionsFunctions, NodeOperationError } from 'n8n-workflow';

import type { Credential } from './description.js';

export interface AccessToken {
	accessToken: string;
	expiresAt?: string;
}

type Self = IExecuteFunctions | ILoadOptionsFunctions;

/** The token of a credential as n8n decrypted it; none where n8n keeps none. */
export function tokenOf(credential: Credential | undefined, given: IDataObject): { token?: AccessToken } {
	const token = credential?.oauth2 ? stored(given.oauthTokenData as IDataObject | undefined) : undefined;
	return token ? { token } : {};
}

/** An access token as n8n stores it. n8n adds when it ends, in milliseconds; `expires_in` counts from a time that nobody knows. */
function stored(data: IDataObject | undefined): AccessToken | undefined {
	const accessToken = data?.access_token;
	if (typeof accessToken !== 'string' || accessToken === '') return undefined;
	const ends = Number(data?.n8n_expires_at);
	return { accessToken, ...(ends > 0 ? { expiresAt: new Date(ends).toISOString() } : {}) };
}

/** Throws where the user has not logged in yet. */
export function assertConnected(self: Self, credential: Credential | undefined, given: IDataObject): void {
	if (!credential?.oauth2 || tokenOf(credential, given).token) return;
	throw new NodeOperationError(self.getNode(), 'the credential is not connected yet', {
		description: 'open the credential, and press its button to log in',
	});
}

/** Another access token than the one that the host has. */
export async function renewed(self: Self, { name }: Credential, { accessToken: old }: AccessToken): Promise<AccessToken> {
	// Another execution may have refreshed meanwhile. A refresh token that rotates must not be used twice.
	const { oauthTokenData } = await self.getCredentials(name);
	const kept = stored(oauthTokenData as IDataObject | undefined);
	if (kept && kept.accessToken !== old) return kept;
	const token = stored((await self.helpers.refreshOAuth2Token.call(self, name)) as IDataObject);
	if (!token) throw new NodeOperationError(self.getNode(), 'n8n got no access token for the credential', { description: 'connect it again' });
	return token;
}
