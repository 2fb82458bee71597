//! Products and stores.

use nodule_sdk::prelude::*;

use crate::envelope::ANSWER;

const PRODUCT_TYPES: &[Choice] = &[int_choice(0, "Single"), int_choice(1, "Package")];

/// Texts here, unlike the gender of a customer.
const PRODUCT_GENDERS: &[Choice] = &[
    text_choice("Unknown", "Unknown"),
    text_choice("Male", "Male"),
    text_choice("Female", "Female"),
];

const STORE_TYPES: &[Choice] = &[int_choice(1, "Headquarters"), int_choice(99, "Store")];

const STORE_STATUSES: &[Choice] = &[int_choice(10, "Normal"), int_choice(20, "Closed")];

pub const BATCH_SYNC_PRODUCT: Operation = Operation {
    group: "masterdata",
    name: "batchSyncProduct",
    title: "Batch Add Products",
    about: "Add products, or change those whose code is known already",
    action: "Add products",
    effect: Effect::Idempotent,
    evidence: "assumed: an upsert by code sets the same values again",
    request: post("/v1/masterdata/product/batchSync"),
    parameters: &[rows(
        "batchReq",
        "Product Data Collection",
        &Rows {
            name: "product",
            label: "Product",
            columns: &[
                choice("type", "Product Type", PRODUCT_TYPES).required().or_int(0),
                text("code", "Product Code")
                    .required()
                    .about("What tells this product from every other"),
                text("name", "Product Name").required(),
                text("brand", "Brand"),
                text("category", "Category"),
                text("subCategory", "Sub Category"),
                number("price", "Price"),
                text("color", "Color"),
                text("size", "Size"),
                text("season", "Season"),
                choice("gender", "Gender", PRODUCT_GENDERS).or_text("Unknown"),
                text("description", "Description"),
                text("status", "Status"),
                text("tags", "Tags"),
            ],
        },
    )
    .required()
    .whole_body()
    .about("The products, at least one")],
    output: ANSWER,
};

pub const SAVE_STORE: Operation = Operation {
    group: "masterdata",
    name: "saveStore",
    title: "Add Store",
    about: "Add a store or a headquarters",
    action: "Add a store",
    effect: Effect::Write,
    evidence: "nothing public says what adding the same store twice does",
    request: post("/v1/masterdata/store"),
    parameters: &[
        text("id", "Store ID"),
        text("organizationCode", "Organization Code").required(),
        text("organizationName", "Organization Name").required(),
        text("parentOrganizationCode", "Parent Organization Code").about("The organisation above"),
        text("sourceCode", "Source"),
        text("sourceName", "Source Name"),
        text("nickName", "Store Nickname"),
        text("cnName", "Store Chinese Name"),
        text("enName", "Store English Name"),
        number("storeCategoryId", "Store Category").or_int(0),
        choice("type", "Store Type", STORE_TYPES).or_int(1),
        choice("storeStatus", "Store Status", STORE_STATUSES).or_int(10),
    ],
    output: ANSWER,
};
