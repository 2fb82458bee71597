/** What n8n itself takes: the parameters of each item are resolved, and nothing is sent. */
class BareLoop {
	description = {
		displayName: 'Bare loop', name: 'bareLoop', group: ['transform'], version: 1, description: 'Parameters, and no request',
		defaults: { name: 'Bare loop' }, inputs: ['main'], outputs: ['main'],
		properties: [{ displayName: 'Card Number', name: 'cardNo', type: 'string', default: '' }],
	};
	async execute() {
		const items = this.getInputData();
		return [items.map((_, item) => ({ json: { cardNo: this.getNodeParameter('cardNo', item) }, pairedItem: { item } }))];
	}
}
module.exports = { BareLoop };
