/** Items of all 18 operations, as a form stores them. */
const bulk = (name, row) => ({ [name]: [row] });
const at = '2030-01-31T13:45:00+01:00';

export const OPERATIONS = {
	member: {
		getLoyaltyPrograms: [{}],
		getMemberList: [{ consumerCode: 'C1' }, { consumerCode: 'C2', pageSize: 5 }].map((item) => ({ pageNo: 1, pageSize: 10, loyaltyCode: '', ...item })),
		getMember: [{ cardNo: 'M1' }, { cardNo: 'M2' }, { cardNo: 'M3' }],
		memberAdmission: [1, 2].map((n) => ({ loyaltyCode: 'L1', phonePrefCode: '+86', mobilePhone: `1380000000${n}`, email: '', memberName: `Member ${n}`, storeCode: 'S1', sourceCode: '10140001' })),
	},
	consumer: {
		createConsumer: [1, 2].map((n) => ({ name: `Consumer ${n}`, gender: n, mobilePhone: `1390000000${n}`, phonePrefCode: '+86', email: '', sourceCode: '10140001', birthday: '1990-01-31', identityType: 1, organizationCode: 'O1' })),
		importConsumerEventData: [{ data: bulk('event', { eventKey: 'viewed', eventType: 'track', eventTime: 1735689600000, customerCode: 'C1', eventId: 'E1', tenantId: 'T1', properties: '{"page":"home"}' }) }],
		queryConsumer: [{ type: 1, query: '13900000001', phonePrefCode: '+86' }],
		updateConsumer: [{ consumerCode: 'C1', email: 'a@example.com', receiveSmsFlag: 1 }, { consumerCode: 'C2', email: 'b@example.com', receiveSmsFlag: 0 }],
		bindConsumerThirdAccount: [{ consumerCode: 'C1', accountType: 100014, unionId: 'U1', nickName: 'nick' }],
		queryThirdAccountsByUnionId: [{ unionId: 'U1' }],
	},
	order: {
		getTransactionList: [{ consumerCode: 'C1', pageNo: 1, pageSize: 10, beginDate: '', endDate: '' }],
		getTransactionDetail: [{ orderCode: 'T1' }],
		syncTransaction: [{ type: 1, params: '13900000001', phonePrefCode: '+86', loyaltyCode: '', source: '10140001', transactionCode: 'T1', storeCode: 'S1', orderDate: '2025-01-31 13:45:00', direction: 0, orderStatus: 0, scorePointStatus: 0, totalPrice: 1000, totalAmount: 1000, couponAmount: 0, discountAmount: 0, totalDisAmount: 0, costAmount: 1000, grossAmount: 1000, freight: 0, originalCode: '', details: bulk('detail', { direction: 0, detailCode: 'D1', productCode: 'P1', title: 'Tea', qty: 1, price: 1000, totalAmount: 1000, couponAmount: 0, discountAmount: 0, totalDisAmount: 0, costAmount: 1000, grossAmount: 1000 }) }],
	},
	points: {
		getPointsAccount: [{ cardNo: 'M1', pageNo: 1, pageSize: 10, pointsGroupCode: '' }],
		getPointsRecords: [{ accountCode: 'M1', pageNo: 1, pageSize: 10, status: '', beginDate: '2025-01-01T00:00:00+01:00', endDate: '' }],
		adjustPoints: [1, 2, 3].map((n) => ({ accountType: 2, accountCode: `M${n}`, pointsGroupCode: '', operationId: `e2e-${n}`, operationType: 6, pointValue: n * 10, pointDesc: '', effectiveEndTime: at, upgradeTierFlag: 0 })),
	},
	masterdata: {
		batchSyncProduct: [{ batchReq: bulk('product', { type: 0, code: 'P1', name: 'Tea', brand: '', price: 10, gender: 'Unknown' }) }],
		saveStore: [{ id: '', organizationCode: 'O1', organizationName: 'Store', storeCategoryId: 0, type: 1, storeStatus: 10 }],
	},
};
