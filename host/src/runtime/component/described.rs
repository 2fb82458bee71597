//! A node's description: requested once, from an instance of its own, and checked.
//!
//! An operator who pins a digest has read the component's description: its operations, their effects, and what may be
//! retried. So the description has to be a function of the component's bytes. The instance that gives it has a fixed
//! clock, fixed random numbers, waits that finish at once, and limits that no policy changes; it sends nothing. If the
//! system refuses to grow a memory, which would reveal the machine, the call stops.
//!
//! The description is foreign input of any size. It is bounded while it is copied out of the instance, before anything
//! is parsed; parsing is bounded for all documents together; and everything has one deadline. Parsing and checking run
//! on a blocking thread.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tokio::time::{Instant, timeout_at};

use super::{TURNS, cost};
use crate::error::Error;
use crate::gate::pipeline::header::is_of_connection;
use crate::runtime::bindings::{self, AUTHENTICATION, CHOICES, FILES, NodePre, SIGNING, STREAMS};
use crate::runtime::clock_and_rng::{ClockAndRng, ReplaySeed};
use crate::runtime::engine::Engine;
use crate::runtime::instance::{InstanceStore, Stop};
use nodule_core::description::{
    MAX_DESCRIPTION_BYTES, Node, Problems, Scheme, place_of_operation, place_of_parameter, quoted,
};
use nodule_core::limits::Limits;

/// A description consists of constants. A node that takes longer is in a loop, and somebody waits for it to load.
const TIMEOUT: Duration = Duration::from_secs(5);

/// How many bytes the host copies out of the instance: the largest description that passes the check, plus the records
/// around its texts, which take up to four times as much if the texts are short.
const LIFTED_BYTES: usize = 6 * MAX_DESCRIPTION_BYTES;

/// The time and seed for every description; they only have to stay the same.
const MOMENT: ReplaySeed = ReplaySeed {
    // 2025-01-01T00:00:00Z, a plausible time for libraries that read the clock when they start.
    clock_ms: 1_735_689_600_000,
    seed: 0,
};

/// The maximum number of names; each is looked up in every response.
const MOST_HEADERS: usize = 64;

/// The maximum size of a header's name; the longest registered name has 60 bytes.
const HEADER_NAME_BYTES: usize = 256;

/// Asks the node for its description, and checks it.
///
/// # Errors
///
/// The node traps, takes longer than five seconds including the check, or returns too much, or [`Node::check`] refuses
/// its description.
pub(super) async fn describe(engine: &Engine, pre: &NodePre) -> Result<Node, Error> {
    let deadline = Instant::now() + TIMEOUT;
    let raw = instance(engine)
        .describe(pre)
        .await
        .map_err(|stop| not_described(&stop))?;
    let check = tokio::task::spawn_blocking(move || bindings::describe(raw).and_then(Node::check));
    let broken = |message: String| Error::Describe { message };
    match timeout_at(deadline, check).await {
        Ok(Ok(Ok(node))) => Ok(node),
        Ok(Ok(Err(problems))) => Err(Error::Description { problems }),
        Ok(Err(_)) => Err(broken("checking its description broke off".to_owned())),
        Err(_) => Err(broken(format!(
            "its description and the check of it took longer than {} seconds",
            TIMEOUT.as_secs()
        ))),
    }
}

/// Refuses a description whose forms ask the service, of a component that cannot be asked.
///
/// # Errors
///
/// [`Error::Description`], with each such parameter.
pub(super) fn refuse_mute(node: &Node, is_asked: bool) -> Result<(), Error> {
    let mut problems = Problems::default();
    let asking = node
        .parameters
        .iter()
        .filter(|it| !is_asked && it.kind.dynamic().is_some());
    for parameter in asking {
        let message = format!(
            "expected a component that exports `{CHOICES}`, since the service is asked for its values"
        );
        problems.add(place_of_parameter(&parameter.id), message);
    }
    problems
        .or(())
        .map_err(|problems| Error::Description { problems })
}

/// Refuses a description with operations that move files, of a component that cannot.
///
/// # Errors
///
/// [`Error::Description`], with each such operation.
pub(super) fn refuse_fileless(node: &Node, moves_files: bool) -> Result<(), Error> {
    let mut problems = Problems::default();
    let moving = node
        .operations
        .iter()
        .filter(|it| !moves_files && node.moves_files(it));
    for operation in moving {
        let message = format!(
            "expected a component that exports `{FILES}` beside `turns`, or `{STREAMS}`, since files go with its items or come out"
        );
        problems.add(place_of_operation(&operation.group, &operation.name), message);
    }
    problems
        .or(())
        .map_err(|problems| Error::Description { problems })
}

/// Refuses a description with credentials that the node itself makes sessions of or signs with, of a component that
/// cannot.
///
/// # Errors
///
/// [`Error::Description`], with each such credential.
pub(super) fn refuse_sessionless(node: &Node, authenticates: bool, signs: bool) -> Result<(), Error> {
    let mut problems = Problems::default();
    for credential in &node.credentials {
        let (interface, what) = match credential.scheme {
            Scheme::Session if !authenticates => (AUTHENTICATION, "makes sessions of this credential"),
            Scheme::Signed(_) if !signs => (SIGNING, "signs requests with this credential"),
            _ => continue,
        };
        let message = format!("expected a component that exports `{interface}`, which {what}");
        problems.add(format!("credential {}", quoted(&credential.name)), message);
    }
    problems
        .or(())
        .map_err(|problems| Error::Description { problems })
}

/// The response headers that the node gets when it runs by turns: those that it reads and may see.
///
/// # Errors
///
/// As for [`describe`], or the names are not header names.
pub(super) async fn looked_at(engine: &Engine, pre: &NodePre) -> Result<Arc<[HeaderName]>, Error> {
    let names = instance(engine)
        .looked_at(pre)
        .await
        .map_err(|stop| not_described(&stop))?;
    headers(&names).map_err(|found| Error::Describe {
        message: format!("`headers` of `{TURNS}`: {found}"),
    })
}

fn headers(names: &[String]) -> Result<Arc<[HeaderName]>, String> {
    if names.len() > MOST_HEADERS {
        return Err(format!(
            "expected at most {MOST_HEADERS} names, found {}",
            names.len()
        ));
    }
    let header = |name: &String| {
        let known = HeaderName::from_bytes(name.as_bytes()).ok();
        known.filter(|_| name.len() <= HEADER_NAME_BYTES).ok_or_else(|| {
            format!(
                "expected names of headers of at most {HEADER_NAME_BYTES} bytes, found {}",
                quoted(name)
            )
        })
    };
    let headers = names.iter().map(header);
    headers
        .filter(|header| !header.as_ref().is_ok_and(is_of_connection))
        .collect()
}

/// An instance that only describes itself.
fn instance(engine: &Engine) -> InstanceStore {
    let mut limits = Limits::default();
    limits.run_timeout = TIMEOUT;
    limits.output_bytes = LIFTED_BYTES;
    // As many as a component may have: a policy's limits concern runs.
    limits.instances = usize::try_from(cost::INSTANCES).unwrap_or(usize::MAX);
    InstanceStore::offline(engine, &limits, ClockAndRng::Virtual(MOMENT))
}

fn not_described(stop: &Stop) -> Error {
    Error::Describe {
        message: stop.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_that_asks_the_service_needs_a_component_that_can_be_asked() {
        let node: Node = serde_json::from_str(nodule_core::description::EXAMPLE).unwrap();
        assert!(refuse_mute(&node, true).is_ok());
        let error = refuse_mute(&node, false).unwrap_err().to_string();
        assert!(
            error.contains("`book.search.near`") && error.contains(CHOICES),
            "{error}"
        );
    }

    #[test]
    fn a_session_needs_a_component_that_makes_it_and_a_signature_one_that_signs() {
        let node: Node = serde_json::from_str(nodule_core::description::EXAMPLE).unwrap();
        assert!(refuse_sessionless(&node, true, true).is_ok());
        let error = refuse_sessionless(&node, true, false).unwrap_err().to_string();
        assert_eq!(
            error,
            "the node's description is refused: credential `cityLibrarySignedApi`: expected a component that exports \
             `workflow:node/signing@0.2.0`, which signs requests with this credential"
        );
        let error = refuse_sessionless(&node, false, true).unwrap_err().to_string();
        assert_eq!(
            error,
            "the node's description is refused: credential `cityLibraryApi`: expected a component that exports \
             `workflow:node/authentication@0.2.0`, which makes sessions of this credential"
        );
        let mut without = node;
        without
            .credentials
            .retain(|known| known.scheme != Scheme::Session);
        assert!(refuse_sessionless(&without, false, true).is_ok());
        without.credentials.clear();
        assert!(refuse_sessionless(&without, false, false).is_ok());
    }

    #[test]
    fn headers_are_few_short_names_and_a_wrong_one_is_quoted_and_cut() {
        let names =
            |names: &[&str]| headers(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert_eq!(names(&["location", "x-echo"]).unwrap().len(), 2);
        assert_eq!(
            names(&["a"; 65]).unwrap_err(),
            "expected at most 64 names, found 65"
        );
        let wrong = names(&["\u{1b}]0;title\u{7}\u{202e}"]).unwrap_err();
        assert!(
            wrong.ends_with("found `\\u{1b}]0;title\\u{7}\\u{202e}`"),
            "{wrong}"
        );
        let long = names(&[&"a".repeat(1 << 20)]).unwrap_err();
        assert!(long.len() < 200, "{long}");
        assert!(names(&[&"a".repeat(HEADER_NAME_BYTES)]).is_ok());
    }
}
