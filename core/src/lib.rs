//! Rules for hosts of workflow nodes: plain data and pure functions, without WebAssembly and without sockets.
//!
//! | question | modules |
//! | --- | --- |
//! | What may a node describe? How do JSON values keep their digits? | [`description`], [`json`](mod@json) |
//! | What does a form ask the service, and what may come back? | [`question`] |
//! | Where may a request go, and with which headers? | [`policy`], [`canonical`], [`address`], [`header`] |
//! | How much may a node use? | [`limits`], [`rate`] |
//! | What does a failure mean, and what is retried? | [`failure`], [`outcome`], [`retry`] |
//! | What is kept secret? | [`credential`], [`oauth2`], [`secret`], [`redact`], [`text`] |
//! | How are requests and responses recorded and matched? | [`recording`] |
//! | How does a module become a component? | `encode`, with the feature of that name |
//!
//! The crate `nodule` runs nodes and re-exports what its embedders need. Tools that run no node, such as a policy
//! checker or a recording editor, need only this crate:
//!
//! ```
//! use http::Method;
//! use nodule_core::canonical::CanonicalUrl;
//! use nodule_core::policy::{Policy, Rule};
//! use nodule_core::recording::Recording;
//!
//! // May every request of a browser's recording be sent under this policy?
//! let har = br#"{"log": {"entries": [
//!     {"request": {"method": "GET", "url": "https://api.example.com/v1/items?page=1"}, "response": {"status": 200}},
//!     {"request": {"method": "DELETE", "url": "https://api.example.com/v1/items/7"}, "response": {"status": 204}}
//! ]}}"#;
//! let recording = Recording::from_json(har, "browser.har")?;
//! let mut policy = Policy::default();
//! policy.allow(Rule::parse("https://api.example.com/v1")?.with_methods(vec![Method::GET])?);
//!
//! let mut denied = Vec::new();
//! for exchange in recording.exchanges() {
//!     let url = CanonicalUrl::parse(exchange.request.url.as_str())?;
//!     denied.extend(policy.decide(&exchange.request.method, &url).err());
//! }
//! assert_eq!(denied.len(), 1);
//! assert_eq!(denied[0].method, Method::DELETE);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod address;
pub mod canonical;
pub mod credential;
pub mod description;
#[cfg(feature = "encode")]
pub mod encode;
pub mod failure;
pub mod file;
pub mod header;
pub mod json;
// For the host alone, like `own_file`.
#[doc(hidden)]
pub mod json_size;
pub mod limits;
#[doc(hidden)]
pub mod millis;
pub mod oauth2;
pub mod outcome;
#[doc(hidden)]
pub mod own_file;
pub mod path_template;
pub mod policy;
pub mod question;
pub mod rate;
pub mod recording;
pub mod redact;
pub mod retry;
pub mod secret;
pub mod text;
