//! What a node says about itself: asked once, in an instance of its own, and checked.
//!
//! Whoever pins a digest has looked at what the component describes: its operations, their effects, what may be tried
//! again. So a description is a function of the component's bytes. The instance that gives it has a clock that stands still,
//! random numbers that are always the same, waits that are over at once, and limits that no policy changes; it sends
//! nothing. A growth of memory that the system refuses, which would tell machines apart, ends the call.
//!
//! The description is foreign input of the size that its author likes. It is bounded as it is copied out of the instance,
//! before anything is parsed; what is parsed is bounded by what all documents may come to together; and all of it has one
//! deadline. Parsing and checking run on a thread that may block.

use std::sync::Arc;
use std::time::Duration;

use http::HeaderName;
use tokio::time::{Instant, timeout_at};

use super::TURNS;
use crate::error::Error;
use crate::gate::pipeline::header::is_of_connection;
use crate::runtime::bindings::{self, NodePre};
use crate::runtime::clock_and_rng::{ClockAndRng, ReplaySeed};
use crate::runtime::engine::Engine;
use crate::runtime::instance::{InstanceStore, Stop};
use nodule_core::description::{MAX_DESCRIPTION_BYTES, Node, quoted};
use nodule_core::limits::Limits;

/// A description is made of constants; whoever needs longer for it is in a loop, and somebody waits for the node to load.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that the host takes out of the instance: the largest description that passes the check, and the records that hold
/// its texts here, which are up to four times as large where the texts are short.
const LIFTED_BYTES: usize = 6 * MAX_DESCRIPTION_BYTES;

/// The time and the randomness of every description: any would do, as long as they never change.
const MOMENT: ReplaySeed = ReplaySeed {
    // 2025-01-01T00:00:00Z: libraries that read the clock when they start take it for a plausible time.
    clock_ms: 1_735_689_600_000,
    seed: 0,
};

/// Each is looked for in every answer.
const MOST_HEADERS: usize = 64;

/// Bytes of one header's name; the longest registered one has 60.
const HEADER_NAME_BYTES: usize = 256;

/// Ask the node to describe itself, and check what it says.
///
/// # Errors
///
/// It traps, takes longer than five seconds with the check, hands over more than a description may have, or says what
/// [`Node::check`] refuses.
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

/// The headers of answers that the node is handed when it is run by turns: of those that it looks at, the ones that are a
/// node's to see.
///
/// # Errors
///
/// As for [`describe`], or what it says are no names of headers.
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

/// An instance that only says what it is.
fn instance(engine: &Engine) -> InstanceStore {
    let mut limits = Limits::default();
    limits.run_timeout = TIMEOUT;
    limits.output_bytes = LIFTED_BYTES;
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
