//! AWS Signature Version 4, in the header `authorization`.
//!
//! The source is AWS's documentation, "Create a signed AWS API request", and for S3 "Authenticating Requests: Using the
//! Authorization Header". Two things differ from service to service: S3 takes the path as it is sent and always wants
//! the header `x-amz-content-sha256`; all others take the path percent-encoded a second time.

use percent_encoding::{percent_decode_str, percent_encode};
use time::OffsetDateTime;

use super::{Field, SignError, hex, hmac_sha256, set_header, sha256};
use crate::percent::ENCODED;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
/// Headers that are not signed: a client or a proxy on the way may set them.
const UNSIGNED: [&str; 4] = ["authorization", "traceparent", "user-agent", "x-amzn-trace-id"];

/// What is signed with. `Debug` shows nothing of it.
#[derive(Clone, Copy)]
pub struct Keys<'a> {
    /// The ID of the access key.
    pub access_key_id: &'a str,
    /// The secret of the access key.
    pub secret_access_key: &'a str,
    /// The session token, for keys that are valid for a while.
    pub session_token: Option<&'a str>,
}

impl std::fmt::Debug for Keys<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").finish_non_exhaustive()
    }
}

/// A request's body, as far as it is known.
#[derive(Debug, Clone, Copy)]
pub enum Payload<'a> {
    /// All of it.
    Bytes(&'a [u8]),
    /// Its SHA-256 in lower-case hexadecimal: the contract's `digest`.
    Sha256(&'a str),
    /// It is not signed. S3 takes that over TLS, and no other service does.
    Unsigned,
}

/// Signs requests to one service in one region, at one time.
#[derive(Debug, Clone, Copy)]
pub struct SigV4<'a> {
    /// The keys.
    pub keys: Keys<'a>,
    /// `eu-central-1`.
    pub region: &'a str,
    /// `s3`, `dynamodb`, as the service's documentation names it.
    pub service: &'a str,
    /// Seconds since 1970-01-01T00:00:00Z. Services refuse signatures that are some minutes off.
    pub seconds: u64,
}

impl SigV4<'_> {
    /// Signs a request. Returns all its headers: those given, then those of the signature, the last of which is
    /// `authorization`. Its URL is sent as it is given here, without a fragment and without `.` and `..` segments.
    ///
    /// # Errors
    ///
    /// The URL is not absolute, or the time is beyond the year 9999.
    pub fn sign(
        &self,
        method: &str,
        url: &str,
        headers: &[Field],
        payload: Payload<'_>,
    ) -> Result<Vec<Field>, SignError> {
        let url = Url::split(url)?;
        let time = self.time()?;
        let payload = match payload {
            Payload::Bytes(bytes) => hex(&sha256(bytes)),
            Payload::Sha256(digest) => digest.to_owned(),
            Payload::Unsigned => "UNSIGNED-PAYLOAD".to_owned(),
        };
        let mut headers = headers.to_vec();
        set_header(&mut headers, "x-amz-date", time.as_str());
        if let Some(token) = self.keys.session_token {
            set_header(&mut headers, "x-amz-security-token", token);
        }
        if self.is_s3() {
            set_header(&mut headers, "x-amz-content-sha256", payload.as_str());
        }
        let (canonical, signed) = self.canonical(method, &url, &headers, &payload);
        let date = time.get(..8).unwrap_or_default();
        let scope = format!("{date}/{}/{}/aws4_request", self.region, self.service);
        let to_sign = format!(
            "{ALGORITHM}\n{time}\n{scope}\n{}",
            hex(&sha256(canonical.as_bytes()))
        );
        let signature = hex(&hmac_sha256(&self.key(date), to_sign.as_bytes()));
        let authorization = format!(
            "{ALGORITHM} Credential={}/{scope}, SignedHeaders={signed}, Signature={signature}",
            self.keys.access_key_id
        );
        set_header(&mut headers, "authorization", authorization);
        Ok(headers)
    }

    fn is_s3(&self) -> bool {
        self.service == "s3" || self.service.starts_with("s3-") || self.service == "s3express"
    }

    /// `20150830T123600Z`.
    fn time(&self) -> Result<String, SignError> {
        let seconds = i64::try_from(self.seconds).map_err(|_| SignError::Time)?;
        let time = OffsetDateTime::from_unix_timestamp(seconds).map_err(|_| SignError::Time)?;
        let (hour, minute, second) = time.to_hms();
        let (year, month, day) = (time.year(), u8::from(time.month()), time.day());
        Ok(format!(
            "{year:04}{month:02}{day:02}T{hour:02}{minute:02}{second:02}Z"
        ))
    }

    /// The signing key: the secret, bound to date, region and service.
    fn key(&self, date: &str) -> [u8; 32] {
        let secret = format!("AWS4{}", self.keys.secret_access_key);
        let parts = [self.region, self.service, "aws4_request"];
        parts
            .iter()
            .fold(hmac_sha256(secret.as_bytes(), date.as_bytes()), |key, part| {
                hmac_sha256(&key, part.as_bytes())
            })
    }

    /// The canonical request, and the names of its signed headers.
    fn canonical(&self, method: &str, url: &Url<'_>, headers: &[Field], payload: &str) -> (String, String) {
        let mut signed: Vec<(String, Vec<String>)> =
            vec![("host".to_owned(), vec![url.authority.to_owned()])];
        for (name, value) in headers {
            let name = name.to_ascii_lowercase();
            if UNSIGNED.contains(&name.as_str()) || name == "host" {
                continue;
            }
            let value = value.split_ascii_whitespace().collect::<Vec<_>>().join(" ");
            match signed.iter_mut().find(|(known, _)| *known == name) {
                Some((_, values)) => values.push(value),
                None => signed.push((name, vec![value])),
            }
        }
        signed.sort_unstable();
        let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
        let names = names.join(";");
        let mut canonical = format!("{method}\n{}\n{}\n", self.path(url.path), query(url.query));
        for (name, values) in &signed {
            canonical.extend([name.as_str(), ":", &values.join(","), "\n"]);
        }
        canonical.extend(["\n", &names, "\n", payload]);
        (canonical, names)
    }

    fn path(&self, path: &str) -> String {
        let encode = |segment: &[u8]| percent_encode(segment, ENCODED).to_string();
        let segments = path.split('/').map(|segment| {
            if self.is_s3() {
                encode(&percent_decode_str(segment).collect::<Vec<u8>>())
            } else {
                encode(segment.as_bytes())
            }
        });
        segments.collect::<Vec<_>>().join("/")
    }
}

/// The parameters by name and value, each percent-encoded in one way.
fn query(query: &str) -> String {
    let encode = |text: &str| {
        let decoded: Vec<u8> = percent_decode_str(text).collect();
        percent_encode(&decoded, ENCODED).to_string()
    };
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    let mut parameters: Vec<(String, String)> = parameters
        .map(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            (encode(name), encode(value))
        })
        .collect();
    parameters.sort_unstable();
    let parameters: Vec<String> = parameters
        .into_iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    parameters.join("&")
}

/// The parts of a URL.
struct Url<'a> {
    authority: &'a str,
    path: &'a str,
    query: &'a str,
}

impl<'a> Url<'a> {
    fn split(url: &'a str) -> Result<Self, SignError> {
        let rest = url
            .strip_prefix("https://")
            .or_else(|| url.strip_prefix("http://"))
            .ok_or(SignError::Url)?;
        let (before, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = before.find('/').map_or((before, "/"), |at| before.split_at(at));
        if authority.is_empty() {
            return Err(SignError::Url);
        }
        Ok(Self {
            authority,
            path,
            query,
        })
    }
}

#[cfg(test)]
mod tests;
