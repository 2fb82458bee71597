//! The limits on what one run of a node may use.
//!
//! Every limit is a field of [`Limits`], with a named constant that states its default and the reason, and a key in the
//! policy file's `[limits]` table. [`LIMIT_SPECS`] ties the three together; parsing, range checks and documentation all
//! use it. Values outside a limit's range are refused: a limit of zero stops every run, and a limit beyond the
//! machine's capacity limits nothing.
//!
//! Sizes are in bytes and times in milliseconds; the suffix of the key names the unit.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const GIB: usize = 1024 * MIB;

/// A node of a quarter megabyte needs memory for a chunk of items, one response and their JSON. A response at its own
/// limit fits, both as text and parsed.
pub const DEFAULT_MEMORY_BYTES: usize = 128 * MIB;
/// A large Rust component has a few thousand functions in its table; nothing grows a table at run time.
pub const DEFAULT_TABLE_ELEMENTS: usize = 20_000;
/// A component made by `wit-component` has up to five core instances (module, shim, fix-up, adapter, its own).
pub const DEFAULT_INSTANCES: usize = 16;
/// Wasmtime's own default. A Rust guest's stack in linear memory is used up before it.
pub const DEFAULT_STACK_BYTES: usize = 512 * KIB;
/// Long enough for a hundred items at one second each; short enough that an endless loop stops while somebody still
/// waits for it.
pub const DEFAULT_RUN_TIMEOUT: Duration = Duration::from_mins(5);
/// Larger responses are downloads, which a node should page through. Counted after decompression, so that the limit
/// also stops a small archive of a large text.
pub const DEFAULT_RESPONSE_BYTES: usize = 16 * MIB;
/// An item of five hundred event rows is a few hundred kilobytes.
pub const DEFAULT_REQUEST_BODY_BYTES: usize = 8 * MIB;
/// As much as the node's own memory: bodies in transfer, and responses that the node has not released.
pub const DEFAULT_BUFFERED_BYTES: usize = 128 * MIB;
/// Files never enter the node's memory, nor the host's as a whole. A disk has room for this much, mostly.
pub const DEFAULT_FILE_BYTES: u64 = 8 * GIB as u64;
/// As many as a disk of today takes.
pub const DEFAULT_RUN_FILE_BYTES: u64 = 1024 * GIB as u64;
/// A mail has as many attachments.
pub const DEFAULT_FILES: usize = 32;
/// The default of hyper and most servers.
pub const DEFAULT_HEADER_COUNT: usize = 100;
/// What large servers accept for all headers together, with room for long cookies.
pub const DEFAULT_HEADER_BYTES: usize = 64 * KIB;
/// Enough to hide 200 ms of latency behind work, few enough for a small service.
pub const DEFAULT_REQUESTS_IN_FLIGHT: usize = 64;
/// A look-up and TCP and TLS handshakes across the world take one second; a retransmitted packet adds three.
pub const DEFAULT_CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The usual timeout of gateways in front of a slow report.
pub const DEFAULT_FIRST_BYTE_TIMEOUT: Duration = Duration::from_mins(1);
/// A live connection is never silent this long in the middle of a response.
pub const DEFAULT_BETWEEN_BYTES_TIMEOUT: Duration = Duration::from_secs(15);
/// Stops a response that sends one byte a second and never finishes.
pub const DEFAULT_REQUEST_TIMEOUT: Duration = Duration::from_mins(2);
/// A request in flight uses about twelve resources, and 64 may be in flight; this is five times that.
pub const DEFAULT_HOST_RESOURCES: usize = 4096;
/// The results of one call, which the host copies out of the guest at once.
pub const DEFAULT_OUTPUT_BYTES: usize = 64 * MIB;

/// The limits of one run; see the [module](self).
///
/// ```
/// use nodule_core::limits::Limits;
///
/// let mut limits = Limits::default();
/// limits.memory_bytes = 32 * 1024 * 1024;
/// limits.check()?;
/// # Ok::<(), nodule_core::limits::LimitError>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// Bytes of linear memory, over all memories of a run.
    pub memory_bytes: usize,
    /// Elements, over all tables of a run.
    pub table_elements: usize,
    /// Core instances of a run; also the limit on memories and on tables.
    pub instances: usize,
    /// Bytes of stack for the guest's calls. The fibre that a call runs on has to be larger.
    pub stack_bytes: usize,
    /// Wall-clock time of one call, including the time that it waits for the host.
    pub run_timeout: Duration,
    /// Bytes of one response's body, after decompression.
    pub response_bytes: usize,
    /// Bytes of one request's body.
    pub request_body_bytes: usize,
    /// Bytes of all request and response bodies together that the host buffers for one call.
    pub buffered_bytes: usize,
    /// Bytes of one file that goes with an item or comes out of it.
    pub file_bytes: u64,
    /// Bytes of all files together that come out of a run.
    pub run_file_bytes: u64,
    /// Files that go with one item; also, those that come out of it.
    pub files: usize,
    /// Headers of one request or of one response.
    pub header_count: usize,
    /// Bytes of all header names and values of one request or of one response.
    pub header_bytes: usize,
    /// Requests in flight of one run. Further requests wait, and the wait counts towards the connect timeout.
    pub requests_in_flight: usize,
    /// From the request to an established connection: waiting for a free request slot, look-up, TCP and TLS.
    pub connect_timeout: Duration,
    /// From the connection to the last response header.
    pub first_byte_timeout: Duration,
    /// Between two pieces of a response body.
    pub between_bytes_timeout: Duration,
    /// From the request to the last byte of the response body.
    pub request_timeout: Duration,
    /// Entries of the resource table that the host keeps for the guest.
    pub host_resources: usize,
    /// Bytes of all results of one call.
    pub output_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: DEFAULT_MEMORY_BYTES,
            table_elements: DEFAULT_TABLE_ELEMENTS,
            instances: DEFAULT_INSTANCES,
            stack_bytes: DEFAULT_STACK_BYTES,
            run_timeout: DEFAULT_RUN_TIMEOUT,
            response_bytes: DEFAULT_RESPONSE_BYTES,
            request_body_bytes: DEFAULT_REQUEST_BODY_BYTES,
            buffered_bytes: DEFAULT_BUFFERED_BYTES,
            file_bytes: DEFAULT_FILE_BYTES,
            run_file_bytes: DEFAULT_RUN_FILE_BYTES,
            files: DEFAULT_FILES,
            header_count: DEFAULT_HEADER_COUNT,
            header_bytes: DEFAULT_HEADER_BYTES,
            requests_in_flight: DEFAULT_REQUESTS_IN_FLIGHT,
            connect_timeout: DEFAULT_CONNECT_TIMEOUT,
            first_byte_timeout: DEFAULT_FIRST_BYTE_TIMEOUT,
            between_bytes_timeout: DEFAULT_BETWEEN_BYTES_TIMEOUT,
            request_timeout: DEFAULT_REQUEST_TIMEOUT,
            host_resources: DEFAULT_HOST_RESOURCES,
            output_bytes: DEFAULT_OUTPUT_BYTES,
        }
    }
}

impl Limits {
    /// Sets the limit with this policy key, in the key's unit.
    ///
    /// # Errors
    ///
    /// No limit has that key, or the value is outside its range.
    pub fn set(&mut self, key: &str, value: u64) -> Result<(), LimitError> {
        let knob = LimitSpec::named(key)?;
        knob.write(self, knob.checked(value)?);
        Ok(())
    }

    /// Checks the ranges of all fields, for embedders that set them directly.
    ///
    /// # Errors
    ///
    /// The first field that is out of range.
    pub fn check(&self) -> Result<(), LimitError> {
        LIMIT_SPECS
            .iter()
            .try_for_each(|knob| knob.checked(knob.read(self)).map(|_| ()))
    }
}

/// Limits that a policy file sets, which override an embedder's.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitOverrides(BTreeMap<&'static str, u64>);

impl LimitOverrides {
    /// Stores one value; a later value for the same key replaces it.
    ///
    /// # Errors
    ///
    /// No limit has that key, or the value is outside its range.
    pub fn set(&mut self, key: &str, value: u64) -> Result<(), LimitError> {
        let knob = LimitSpec::named(key)?;
        self.0.insert(knob.key, knob.checked(value)?);
        Ok(())
    }

    /// Returns the limits with these values applied.
    #[must_use]
    pub fn over(&self, mut limits: Limits) -> Limits {
        for (key, value) in &self.0 {
            if let Ok(knob) = LimitSpec::named(key) {
                knob.write(&mut limits, *value);
            }
        }
        limits
    }
}

/// In the form of a policy file: by key, in the key's unit.
impl Serialize for Limits {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(LIMIT_SPECS.iter().map(|knob| (knob.key, knob.read(self))))
    }
}

/// Absent keys have their defaults.
impl<'de> Deserialize<'de> for Limits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(LimitOverrides::deserialize(deserializer)?.over(Self::default()))
    }
}

impl Serialize for LimitOverrides {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for LimitOverrides {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut overrides = Self::default();
        for (key, value) in BTreeMap::<String, u64>::deserialize(deserializer)? {
            overrides.set(&key, value).map_err(de::Error::custom)?;
        }
        Ok(overrides)
    }
}

/// One limit, as the policy file sees it.
#[derive(Debug)]
pub struct LimitSpec {
    /// The key in `[limits]`; its suffix is the unit.
    pub key: &'static str,
    /// The smallest value with which a node can still run.
    pub least: u64,
    /// The largest value that is still a limit.
    pub most: u64,
    field: Field,
}

#[derive(Debug)]
enum Field {
    Size(fn(&mut Limits) -> &mut usize),
    /// More than fits into memory.
    Large(fn(&mut Limits) -> &mut u64),
    Millis(fn(&mut Limits) -> &mut Duration),
}

impl LimitSpec {
    fn named(key: &str) -> Result<&'static Self, LimitError> {
        let knob = LIMIT_SPECS.iter().find(|knob| knob.key == key);
        knob.ok_or_else(|| LimitError::Unknown { key: key.to_owned() })
    }

    fn checked(&self, value: u64) -> Result<u64, LimitError> {
        if (self.least..=self.most).contains(&value) {
            Ok(value)
        } else {
            Err(LimitError::OutOfRange {
                key: self.key,
                least: self.least,
                most: self.most,
                found: value,
            })
        }
    }

    fn write(&self, limits: &mut Limits, value: u64) {
        match self.field {
            Field::Size(field) => *field(limits) = usize::try_from(value).unwrap_or(usize::MAX),
            Field::Large(field) => *field(limits) = value,
            Field::Millis(field) => *field(limits) = Duration::from_millis(value),
        }
    }

    /// The value of the field, in the key's unit.
    #[must_use]
    pub fn read(&self, limits: &Limits) -> u64 {
        let mut limits = limits.clone();
        match self.field {
            Field::Size(field) => u64::try_from(*field(&mut limits)).unwrap_or(u64::MAX),
            Field::Large(field) => *field(&mut limits),
            Field::Millis(field) => u64::try_from(field(&mut limits).as_millis()).unwrap_or(u64::MAX),
        }
    }
}

const fn size(
    key: &'static str,
    least: usize,
    most: usize,
    field: fn(&mut Limits) -> &mut usize,
) -> LimitSpec {
    LimitSpec {
        key,
        least: least as u64,
        most: most as u64,
        field: Field::Size(field),
    }
}

/// Bytes on a disk.
const fn large(key: &'static str, field: fn(&mut Limits) -> &mut u64) -> LimitSpec {
    LimitSpec {
        key,
        least: 1,
        most: 1 << 50,
        field: Field::Large(field),
    }
}

/// Times range from one millisecond to one day.
const fn millis(key: &'static str, field: fn(&mut Limits) -> &mut Duration) -> LimitSpec {
    LimitSpec {
        key,
        least: 1,
        most: 24 * 60 * 60 * 1000,
        field: Field::Millis(field),
    }
}

/// Every limit, in the order of [`Limits`].
pub const LIMIT_SPECS: &[LimitSpec] = &[
    // WebAssembly's memory has 32-bit addresses and pages of 64 KiB; a Rust guest starts with seventeen.
    size("memory-bytes", MIB, 4 * GIB, |limits| &mut limits.memory_bytes),
    size("table-elements", 1, 10_000_000, |limits| {
        &mut limits.table_elements
    }),
    size("instances", 1, 1000, |limits| &mut limits.instances),
    // The host's fibre has to be larger than this, and each run in progress has one.
    size("stack-bytes", 64 * KIB, 16 * MIB, |limits| {
        &mut limits.stack_bytes
    }),
    millis("run-timeout-ms", |limits| &mut limits.run_timeout),
    size("response-bytes", 1, 2 * GIB, |limits| &mut limits.response_bytes),
    size("request-body-bytes", 1, 2 * GIB, |limits| {
        &mut limits.request_body_bytes
    }),
    size("buffered-bytes", KIB, 16 * GIB, |limits| {
        &mut limits.buffered_bytes
    }),
    large("file-bytes", |limits| &mut limits.file_bytes),
    large("run-file-bytes", |limits| &mut limits.run_file_bytes),
    size("files", 1, 10_000, |limits| &mut limits.files),
    // The `http` crate's map holds at most 32,768 headers and panics beyond.
    size("header-count", 1, 10_000, |limits| &mut limits.header_count),
    size("header-bytes", 256, 16 * MIB, |limits| &mut limits.header_bytes),
    size("requests-in-flight", 1, 10_000, |limits| {
        &mut limits.requests_in_flight
    }),
    millis("connect-timeout-ms", |limits| &mut limits.connect_timeout),
    millis("first-byte-timeout-ms", |limits| &mut limits.first_byte_timeout),
    millis("between-bytes-timeout-ms", |limits| {
        &mut limits.between_bytes_timeout
    }),
    millis("request-timeout-ms", |limits| &mut limits.request_timeout),
    // One request needs about twelve.
    size("host-resources", 32, 1_000_000, |limits| {
        &mut limits.host_resources
    }),
    size("output-bytes", KIB, 2 * GIB, |limits| &mut limits.output_bytes),
];

/// A limit cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum LimitError {
    /// No limit has that key.
    #[error("unknown limit `{}`: expected {}", crate::canonical::shown(key), Keys)]
    Unknown {
        /// What was found.
        key: String,
    },
    /// The value is outside the limit's range.
    #[error("`{key}`: expected {least} to {most}, found {found}")]
    OutOfRange {
        /// The limit's key.
        key: &'static str,
        /// The smallest value.
        least: u64,
        /// The largest value.
        most: u64,
        /// What was found.
        found: u64,
    },
}

struct Keys;

impl fmt::Display for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("one of ")?;
        for (index, knob) in LIMIT_SPECS.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}`{}`", knob.key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Fails if a key is not tied to a field, or two keys to the same field.
    #[test]
    fn every_key_sets_its_own_field_and_no_other() {
        for knob in LIMIT_SPECS {
            let mut limits = Limits::default();
            let value = knob.read(&limits) + 1;
            limits.set(knob.key, value).unwrap();
            for other in LIMIT_SPECS {
                let expected = if other.key == knob.key {
                    value
                } else {
                    other.read(&Limits::default())
                };
                assert_eq!(
                    other.read(&limits),
                    expected,
                    "{} after setting {}",
                    other.key,
                    knob.key
                );
            }
        }
    }

    /// Every new field needs a key; `Debug` shows the number of fields.
    #[test]
    fn every_field_has_a_key_that_is_its_name_with_the_unit() {
        let shown = format!("{:#?}", Limits::default());
        let fields: Vec<&str> = shown
            .lines()
            .filter_map(|line| line.strip_prefix("    ")?.split_once(": ").map(|(name, _)| name))
            .collect();
        let keys: Vec<String> = LIMIT_SPECS
            .iter()
            .map(|knob| knob.key.trim_end_matches("-ms").replace('-', "_"))
            .collect();
        assert_eq!(keys, fields);
    }

    #[test]
    fn the_defaults_are_within_their_ranges() {
        assert_eq!(Limits::default().check(), Ok(()));
    }

    #[test]
    fn both_ends_of_a_range_are_in_it_and_what_lies_beyond_is_refused() {
        for knob in LIMIT_SPECS {
            let mut limits = Limits::default();
            for value in [knob.least, knob.most] {
                assert_eq!(limits.set(knob.key, value), Ok(()), "{}", knob.key);
                assert_eq!(knob.read(&limits), value);
            }
            for found in [knob.least - 1, knob.most + 1] {
                let LimitSpec { key, least, most, .. } = *knob;
                assert_eq!(
                    limits.set(key, found),
                    Err(LimitError::OutOfRange {
                        key,
                        least,
                        most,
                        found
                    })
                );
            }
        }
    }

    #[test]
    fn an_embedder_who_sets_a_field_out_of_range_hears_of_it() {
        let limits = Limits {
            connect_timeout: Duration::ZERO,
            ..Limits::default()
        };
        assert_eq!(
            limits.check().unwrap_err().to_string(),
            "`connect-timeout-ms`: expected 1 to 86400000, found 0"
        );
    }

    #[test]
    fn an_unknown_key_is_answered_with_the_accepted_ones() {
        let message = LimitOverrides::default()
            .set("memory", 1)
            .unwrap_err()
            .to_string();
        assert!(
            message.starts_with("unknown limit `memory`: expected one of `memory-bytes`, `table-elements`"),
            "{message}"
        );
    }

    #[test]
    fn overrides_replace_what_they_name_and_keep_the_rest() {
        let mut overrides = LimitOverrides::default();
        overrides.set("instances", 3).unwrap();
        let base = Limits {
            memory_bytes: 2 * MIB,
            ..Limits::default()
        };
        let limits = overrides.over(base);
        assert_eq!((limits.instances, limits.memory_bytes), (3, 2 * MIB));
        assert_eq!(limits.table_elements, DEFAULT_TABLE_ELEMENTS);
    }

    #[test]
    fn limits_are_written_and_read_by_the_keys_of_a_policy_file() {
        let mut limits = Limits::default();
        limits.set("memory-bytes", 64 * 1024 * 1024).unwrap();
        limits.set("run-timeout-ms", 1_500).unwrap();
        let text = serde_json::to_string(&limits).unwrap();
        assert!(text.starts_with(r#"{"memory-bytes":67108864,"#), "{text}");
        assert_eq!(serde_json::from_str::<Limits>(&text).unwrap(), limits);
        assert_eq!(serde_json::from_str::<Limits>("{}").unwrap(), Limits::default());
        for (text, expected) in [
            (r#"{"memory-bytes":1}"#, "`memory-bytes`: expected"),
            (r#"{"memory":1}"#, "unknown limit `memory`"),
        ] {
            let error = serde_json::from_str::<Limits>(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        }
    }
}
