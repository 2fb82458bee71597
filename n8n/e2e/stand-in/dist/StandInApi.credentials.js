class StandInApi {
	name = 'standInApi';
	displayName = 'Stand-in API';
	properties = [
		{ displayName: 'Base URL', name: 'baseUrl', type: 'string', default: '' },
		{ displayName: 'Token', name: 'token', type: 'string', typeOptions: { password: true }, default: '' },
	];
	authenticate = { type: 'generic', properties: { headers: { Authorization: '={{$credentials.token}}' } } };
}
module.exports = { StandInApi };
