//! What of this library reads foreign input, as a crate of its own: the fuzz targets need none of Wasmtime, which takes
//! minutes to build and is fuzzed by others. `fuzz/host/Cargo.toml` names this file as its root; the library does not.

#![allow(
    dead_code,
    unused_imports,
    reason = "the rest of the library uses what the fuzz targets do not"
)]

pub mod address;
pub mod canonical;
pub mod description;
mod json_size;
pub mod limits;
mod own_file;
pub mod policy;
pub mod recording;
pub mod redact;
pub mod secret;
pub mod text;

use canonical::{CanonicalUrl, UrlError};

/// How the host reads a node's URL: by a short cut where it is beside the base URL. It has to lead to the same place.
///
/// # Errors
///
/// As [`CanonicalUrl::from_parts`].
pub fn url_beside(
    base: &CanonicalUrl,
    scheme: &str,
    authority: &str,
    path_and_query: &str,
) -> Result<CanonicalUrl, UrlError> {
    CanonicalUrl::from_parts_beside(base, scheme, authority, path_and_query)
}
