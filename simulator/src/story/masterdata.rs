//! Products, which requests overwrite, and stores, which they add.

use std::collections::{BTreeMap, HashMap};

use nodule_core::json::{Json, Object};
use serde::Serialize;

use super::{Call, Story, text};
use crate::check::{self, Field, Kind, may, must};
use crate::envelope::{Outcome, data};

#[derive(Default)]
pub(super) struct Masterdata {
    products: HashMap<String, Product>,
    stores: HashMap<String, u32>,
    added: u64,
}

struct Product {
    written: u32,
    row: Object,
}

impl Masterdata {
    pub(super) fn store_ledger(&self) -> BTreeMap<String, u32> {
        self.stores
            .iter()
            .map(|(code, count)| (code.clone(), *count))
            .collect()
    }

    pub(super) fn product_ledger(&self) -> BTreeMap<String, u32> {
        self.products
            .iter()
            .map(|(code, product)| (code.clone(), product.written))
            .collect()
    }
}

/// Stores each product by its code; the response says which were new, changed or unchanged.
pub(super) fn sync_products(call: &Call<'_>, story: &Story) -> Outcome {
    #[derive(Default, Serialize)]
    struct Synced {
        created: u32,
        changed: u32,
        unchanged: u32,
    }
    const ROW: &[Field] = &[
        must("type", Kind::Code(&[0, 1])),
        must("code", Kind::Text),
        must("name", Kind::Text),
        may("brand", Kind::Text),
        may("category", Kind::Text),
        may("subCategory", Kind::Text),
        may("price", Kind::Number),
        may("color", Kind::Text),
        may("size", Kind::Text),
        may("season", Kind::Text),
        may("gender", Kind::Word(&["Unknown", "Male", "Female"])),
        may("description", Kind::Text),
        may("status", Kind::Text),
        may("tags", Kind::Text),
    ];
    let body = call.json()?;
    check::rows(&body, ROW, "body")?;
    let Json::Array(rows) = body else {
        return data(&Synced::default());
    };
    let mut synced = Synced::default();
    let mut state = story.lock();
    for row in rows {
        let Json::Object(row) = row else { continue };
        let code = text(&row, "code").unwrap_or_default().to_owned();
        let product = state.master.products.entry(code).or_insert(Product {
            written: 0,
            row: Object::new(),
        });
        let count = match (product.written, product.row == row) {
            (0, _) => &mut synced.created,
            (_, true) => &mut synced.unchanged,
            (_, false) => &mut synced.changed,
        };
        *count += 1;
        product.written += 1;
        product.row = row;
    }
    data(&synced)
}

/// A plain write: each request adds a store, so that a request sent twice can be counted.
pub(super) fn save_store(call: &Call<'_>, story: &Story) -> Outcome {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Saved<'a> {
        id: String,
        organization_code: &'a str,
    }
    const FIELDS: &[Field] = &[
        may("id", Kind::Text),
        must("organizationCode", Kind::Text),
        must("organizationName", Kind::Text),
        may("parentOrganizationCode", Kind::Text),
        may("sourceCode", Kind::Text),
        may("sourceName", Kind::Text),
        may("nickName", Kind::Text),
        may("cnName", Kind::Text),
        may("enName", Kind::Text),
        may("storeCategoryId", Kind::Number),
        may("type", Kind::Code(&[1, 99])),
        may("storeStatus", Kind::Code(&[10, 20])),
    ];
    let body = call.object(FIELDS)?;
    let code = text(&body, "organizationCode").unwrap_or_default();
    let mut state = story.lock();
    *state.master.stores.entry(code.to_owned()).or_default() += 1;
    state.master.added += 1;
    let id = text(&body, "id").map_or_else(|| format!("S{}", state.master.added), str::to_owned);
    data(&Saved {
        id,
        organization_code: code,
    })
}
