/** A certified provider of OpenID Connect on loopback, and a service beside it that takes its access tokens. */
import { createServer } from 'node:http';
import { once } from 'node:events';

import { Provider } from 'oidc-provider';

export const SECRET = 's3cr3t-of-the-client-0123456789';
/** How long access tokens last, in seconds. They are renewed after half of that. */
export const LASTS_S = 4;

/** Listens until it is stopped. A log-in comes back to this path, at any port of this machine. */
export async function start({ callback = 'http://127.0.0.1/callback', lasts = LASTS_S } = {}) {
	const server = createServer();
	server.listen(0, '127.0.0.1');
	await once(server, 'listening');
	const { port } = server.address();
	const provider = new Provider(`http://127.0.0.1:${port}`, {
		clients: [
			{
				client_id: 'c1',
				client_secret: SECRET,
				// A native client may come back to any port of this machine (RFC 8252).
				application_type: 'native',
				redirect_uris: [callback],
				grant_types: ['authorization_code', 'refresh_token'],
				response_types: ['code'],
				token_endpoint_auth_method: 'client_secret_basic',
			},
			{
				client_id: 'm1',
				client_secret: SECRET,
				redirect_uris: [],
				grant_types: ['client_credentials'],
				response_types: [],
				token_endpoint_auth_method: 'client_secret_post',
			},
		],
		routes: { authorization: '/authorize', token: '/token' },
		// The guest joins its scopes with a comma.
		scopes: ['read,write'],
		cookies: { keys: ['a key of the test'] },
		features: { clientCredentials: { enabled: true }, devInteractions: { enabled: true } },
		issueRefreshToken: () => true,
		rotateRefreshToken: true,
		ttl: { AccessToken: lasts, ClientCredentials: lasts },
	});
	const granted = [];
	const issued = [];
	provider.on('grant.success', ({ oidc }) => granted.push(oidc.params.grant_type));
	provider.on('access_token.saved', (token) => issued.push(token));
	const answers = provider.callback();
	/** The statuses of the service's answers, in order. */
	const statuses = [];
	server.on('request', async (request, answer) => {
		if (!request.url.startsWith('/api/')) return answers(request, answer);
		const [, token] = /^Bearer (.+)$/.exec(request.headers.authorization ?? '') ?? [];
		const found = token && ((await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token)));
		statuses.push(found ? 200 : 401);
		answer.writeHead(statuses.at(-1), { 'content-type': 'application/json' });
		answer.end(JSON.stringify({ client: found?.clientId, user: found?.accountId }));
	});
	return {
		port,
		/** The grants that were given, in order. */
		granted,
		statuses,
		/** The service refuses the access tokens of until now. */
		async refuse() {
			for (const token of issued.splice(0)) await token.destroy();
		},
		/** The user takes the consent back. */
		async revoke(refreshToken) {
			const { grantId } = await provider.RefreshToken.find(refreshToken);
			await provider.AccessToken.revokeByGrantId(grantId);
			await provider.RefreshToken.revokeByGrantId(grantId);
			await (await provider.Grant.find(grantId)).destroy();
		},
		/** Whether a refresh token may still be used. */
		async isGood(refreshToken) {
			const found = await provider.RefreshToken.find(refreshToken);
			return found !== undefined && !found.consumed;
		},
		async stop() {
			server.closeAllConnections();
			server.close();
			await once(server, 'close');
		},
	};
}
