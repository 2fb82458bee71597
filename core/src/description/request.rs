//! The request that an operation declares: which things its items change, and what a request is called in events.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use super::bounds::MAX_URL_BYTES;
use super::text::quoted;
use crate::path_template::{PathTemplate, PathTemplateError};

/// The request that an operation makes for each item, as `METHOD /path`: `PUT /v1/books/{isbn}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct DeclaredRequest {
    method: String,
    path: PathTemplate,
}

/// Why a text is no declared request.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum DeclaredRequestError {
    /// It is not two words.
    #[error("expected a method, a space and a path, such as `GET /books/{{isbn}}`, found {}", quoted(.0))]
    Form(String),
    /// Its method.
    #[error("expected a method in upper case, such as `GET`, found {}", quoted(.0))]
    Method(String),
    /// It is longer than a URL may be.
    #[error("expected at most {MAX_URL_BYTES} bytes, found {0}")]
    TooLong(usize),
    /// Its path.
    #[error(transparent)]
    Path(#[from] PathTemplateError),
}

impl DeclaredRequest {
    /// The request of this method and path.
    ///
    /// # Errors
    ///
    /// The method is not in upper case, both are longer than a URL may be, or the path is no template.
    pub fn new(method: &str, path: &str) -> Result<Self, DeclaredRequestError> {
        let bytes = method.len() + 1 + path.len();
        if bytes > MAX_URL_BYTES {
            return Err(DeclaredRequestError::TooLong(bytes));
        }
        let is_upper_case = method
            .bytes()
            .all(|byte| byte.is_ascii_uppercase() || byte == b'-');
        if method.is_empty() || !is_upper_case {
            return Err(DeclaredRequestError::Method(method.to_owned()));
        }
        Ok(Self {
            method: method.to_owned(),
            path: PathTemplate::parse(path)?,
        })
    }

    /// `PUT`
    #[must_use]
    pub fn method(&self) -> &str {
        &self.method
    }

    /// `/v1/books/{isbn}`
    #[must_use]
    pub fn path(&self) -> &PathTemplate {
        &self.path
    }
}

impl FromStr for DeclaredRequest {
    type Err = DeclaredRequestError;

    fn from_str(text: &str) -> Result<Self, DeclaredRequestError> {
        match text.split_once(' ') {
            Some((method, path)) => Self::new(method, path),
            None => Err(DeclaredRequestError::Form(text.to_owned())),
        }
    }
}

impl fmt::Display for DeclaredRequest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.path)
    }
}

impl TryFrom<String> for DeclaredRequest {
    type Error = DeclaredRequestError;

    fn try_from(text: String) -> Result<Self, DeclaredRequestError> {
        text.parse()
    }
}

impl From<DeclaredRequest> for String {
    fn from(request: DeclaredRequest) -> Self {
        request.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_a_method_and_a_path() {
        for (text, expected) in [
            ("", "expected a method, a space and a path"),
            ("GET", "expected a method, a space and a path"),
            (
                "get /a",
                "expected a method in upper case, such as `GET`, found `get`",
            ),
            (" /a", "expected a method in upper case, such as `GET`, found ``"),
            ("GET a", "expected a path that begins with `/`, found `a`"),
            ("GET  /a", "expected a path that begins with `/`, found ` /a`"),
            ("GET /a?b={c}", "expected a path as it is sent"),
            ("GET https://a.example/b", "expected a path that begins with `/`"),
        ] {
            let error = text.parse::<DeclaredRequest>().unwrap_err().to_string();
            assert!(error.starts_with(expected), "{text}: {error}");
        }
        let long = format!("GET /{}", "a".repeat(MAX_URL_BYTES - 5));
        assert!(long.parse::<DeclaredRequest>().is_ok());
        let error = format!("{long}a")
            .parse::<DeclaredRequest>()
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with("expected at most 2000 bytes, found 2001"),
            "{error}"
        );
    }
}
