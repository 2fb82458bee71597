/** What the vendor's node does for each item, one after the other: one awaited request with the credential's token. */
class StandIn {
	description = {
		displayName: 'Stand-in', name: 'standIn', group: ['transform'], version: 1, description: 'One awaited request per item',
		defaults: { name: 'Stand-in' }, inputs: ['main'], outputs: ['main'],
		credentials: [{ name: 'standInApi', required: true }],
		properties: [{ displayName: 'Card Number', name: 'cardNo', type: 'string', default: '' }],
	};
	async execute() {
		const items = this.getInputData();
		const { baseUrl } = await this.getCredentials('standInApi');
		const output = [];
		for (let index = 0; index < items.length; index += 1) {
			const cardNo = this.getNodeParameter('cardNo', index);
			const json = await this.helpers.httpRequestWithAuthentication.call(this, 'standInApi', {
				method: 'GET', url: `${baseUrl}/v1/member/${cardNo}`, json: true,
			});
			output.push({ json, pairedItem: { item: index } });
		}
		return [output];
	}
}
module.exports = { StandIn };
