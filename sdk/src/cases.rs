//! Recorded cases as tests of a node, without a host or a component: the feature `cases`.
//!
//! A file `tests/cases.rs` makes a test of each recording below a folder, and one that fails of each operation that has none:
//!
//! ```no_run
//! # mod library {
//! #     pub static SERVICE: nodule_sdk::Service = nodule_sdk::Service::NEW;
//! # }
//! nodule_sdk::recorded_cases!(library::SERVICE, "cases");
//! ```
//!
//! The tests bring their own `main`, which `Cargo.toml` has to say:
//!
//! ```toml
//! [dev-dependencies]
//! nodule-sdk = { version = "0.1", features = ["cases"] }
//!
//! [[test]]
//! name = "cases"
//! harness = false
//! ```
//!
//! Items are checked against the description, and requests and results are compared, as `nodule check` does it. What only a host does is not tried: the log-in, a signature, its
//! policy and its limits.

use std::borrow::Cow;
use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::rc::Rc;

use libtest_mimic::{Arguments, Failed, Trial};
use nodule_core::description::{DeclaredRequest, ItemCheck, Node};
use nodule_core::failure::{Answer, Certainty, Failure, ParameterProblem};
use nodule_core::file::{FileContent, FileRef, is_media_type, safe_name, take_files};
use nodule_core::json::Json;
use nodule_core::outcome::{Changing, ItemResult, Output, OutputFile, of_write};
use nodule_core::recording::check::{Check, calls, files, load, succeeds, unused};
use nodule_core::recording::random::{Rng as _, SECURE, generator};
use nodule_core::recording::{self, Call, Outcome, Player, Recording, Role};
use serde_json::value::RawValue;
use url::Url;

use crate::bindings::exports::workflow::node::types;
use crate::http::{Broken, Method, Request, name};
use crate::script::{GivenFile, NOW_MS, Reply, Script, World};
use crate::sign::{hex, sha256};
use crate::table::{self, Effect, Operation, Service};
use crate::transport::broken::recorded;

mod described {
    nodule_core::description_of_contract!(crate::bindings::exports::workflow::node::description);
}

pub use nodule_core::recording::check::Fault;

/// Makes one test of each recorded case of a folder, which is named below that of `Cargo.toml`: see [`cases`](crate::cases).
#[macro_export]
macro_rules! recorded_cases {
    ($service:path, $folder:literal) => {
        fn main() -> ::std::process::ExitCode {
            $crate::cases::main(&$service, concat!(env!("CARGO_MANIFEST_DIR"), "/", $folder))
        }
    };
}

/// The media type of a file of which none is known.
const ANY_TYPE: &str = "application/octet-stream";
/// The extension of a recorded case.
const RECORDING: &str = "har";

/// The program of [`recorded_cases!`](crate::recorded_cases).
#[doc(hidden)]
#[expect(clippy::print_stderr, reason = "it is the program of a test")]
pub fn main(service: &'static Service, folder: &str) -> ExitCode {
    let arguments = Arguments::from_args();
    match trials(service, Path::new(folder)) {
        Ok(trials) => libtest_mimic::run(&arguments, trials).exit_code(),
        Err((path, error)) => {
            eprintln!("error: {}: {error}", path.display());
            ExitCode::FAILURE
        }
    }
}

fn trials(service: &'static Service, folder: &Path) -> Result<Vec<Trial>, (PathBuf, std::io::Error)> {
    let mut trials = Vec::new();
    let mut succeeding = Vec::new();
    for file in files(folder, RECORDING)? {
        let case = load(&file).ok().and_then(|recording| recording.case().cloned());
        succeeding.extend(case.filter(succeeds).map(|case| (case.group, case.operation)));
        let below = file.strip_prefix(folder).unwrap_or(&file).with_extension("");
        let folder = folder.to_owned();
        trials.push(Trial::test(below.to_string_lossy(), move || {
            outcome(&faults(service, &folder, &file))
        }));
    }
    for operation in service.operations {
        let is_of = |(group, name): &(String, String)| group == operation.group && name == operation.name;
        if !succeeding.iter().any(is_of) {
            let file = folder
                .join(operation.group)
                .join(operation.name)
                .with_extension(RECORDING);
            let fault = format!("no case that succeeds: expected {}", file.display());
            let name = format!("{}/{}", operation.group, operation.name);
            trials.push(Trial::test(name, move || Err(fault.into())));
        }
    }
    Ok(trials)
}

fn outcome(faults: &[Fault]) -> Result<(), Failed> {
    if faults.is_empty() {
        return Ok(());
    }
    let lines: Vec<String> = faults.iter().map(ToString::to_string).collect();
    Err(lines.join("\n").into())
}

/// Replays one recording that stands below the folder, and says what is wrong with it.
#[must_use]
pub fn faults(service: &'static Service, folder: &Path, file: &Path) -> Vec<Fault> {
    match load(file) {
        Ok(recording) => {
            let below = file.strip_prefix(folder).unwrap_or(file);
            replayed(service, recording, &below.to_string_lossy())
        }
        Err(fault) => vec![fault],
    }
}

fn replayed(service: &'static Service, recording: Recording, file: &str) -> Vec<Fault> {
    let (check, mut faults) = Check::new(&recording, file);
    let Some(case) = recording.case() else {
        return faults;
    };
    let operation = match service.operation(&case.group, &case.operation) {
        Ok(operation) => operation,
        Err(failure) => {
            faults.push(Fault::Setup(plain(failure).to_string()));
            return faults;
        }
    };
    let request = &operation.request;
    if request.is_declared {
        match DeclaredRequest::new(name(request.method), request.path) {
            Ok(described) => faults.extend(calls(&recording, &described)),
            Err(error) => faults.push(Fault::Setup(error.to_string())),
        }
    }
    let form = match form_of(service, &case.group, &case.operation) {
        Ok(form) => form,
        Err(why) => {
            faults.push(Fault::Setup(why));
            return faults;
        }
    };
    let Some(check) = check else {
        return faults;
    };
    let base = check.case.base_url.clone();
    let replay = Replay {
        service,
        operation,
        form,
        player: Rc::new(Player::new(recording, &base)),
        check: &check,
    };
    let results = replay.results();
    faults.extend(check.differences(&results));
    let mut left = replay.player.unused();
    // Nobody logs in here.
    left.authentication.clear();
    faults.extend(unused(&left));
    faults
}

/// What a host checks the items of an operation against, if the node's description is one that a host accepts.
fn form_of(service: &'static Service, group: &str, operation: &str) -> Result<ItemCheck, String> {
    let node = described::describe(table::describe::describe(service)).and_then(Node::check);
    let node = node.map_err(|problems| {
        let problems: Vec<String> = problems.iter().map(ToString::to_string).collect();
        format!("the description is refused: {}", problems.join("; "))
    })?;
    let operation = node
        .operation(group, operation)
        .map_err(|unknown| unknown.to_string())?;
    Ok(ItemCheck::new(&node, operation))
}

/// A case while it is replayed.
struct Replay<'a> {
    service: &'static Service,
    operation: &'static Operation,
    form: ItemCheck,
    player: Rc<Player>,
    check: &'a Check,
}

impl Replay<'_> {
    fn results(&self) -> Vec<ItemResult> {
        let case = &self.check.case;
        let stops = case.on_failure == nodule_core::outcome::OnFailure::Stop;
        let mut results: Vec<ItemResult> = Vec::new();
        for (index, item) in case.items.iter().enumerate() {
            let is_stopped = stops && results.iter().any(Result::is_err);
            results.push(if is_stopped {
                Err(Failure::NotRun)
            } else {
                self.result(index, item)
            });
        }
        results
    }

    fn result(&self, index: usize, item: &recording::Item) -> ItemResult {
        let result = self.once(index, item);
        let logs_in = |name: &String| {
            let mut credentials = self.service.credentials.iter();
            credentials.any(|credential| credential.name == *name && credential.scheme.login.is_some())
        };
        // A host logs in again then, and runs the item once more.
        let has_session = self.check.case.credential.as_ref().is_none_or(logs_in);
        if has_session && matches!(result, Err(Failure::Unauthenticated(_))) {
            return self.once(index, item);
        }
        result
    }

    fn once(&self, index: usize, item: &recording::Item) -> ItemResult {
        let case = &self.check.case;
        let text = item.text();
        let (parameters, files) = take_files(&text).map_err(Failure::InvalidInput)?;
        let keys: Vec<&str> = files.iter().map(|file| file.key.as_str()).collect();
        let item_of_node = self.form.resolve_with(&parameters, &keys);
        let item_of_node = item_of_node.map_err(Failure::InvalidParameters)?.into_owned();
        let seen = Rc::new(RefCell::new(Changing::default()));
        let call = item.call;
        // Without a credential, a recording has a base URL that nothing is below of.
        let origin = self.service.origins.first();
        let base = match origin.filter(|_| self.service.credentials.is_empty()) {
            Some(origin) => origin.url,
            None => case.base_url.as_str(),
        };
        let script = crate::test(self.service)
            .base(base)
            .world(move || world(call))
            .answering({
                let (player, seen) = (Rc::clone(&self.player), Rc::clone(&seen));
                move |request| answer(&player, index, request, &mut seen.borrow_mut())
            });
        let result = if self.operation.moves_files() {
            transfer(script, case, &item_of_node, files)
        } else {
            run(&script, case, &item_of_node)
        };
        let seen = *seen.borrow();
        match self.operation.effect {
            Effect::Write => of_write(result, seen),
            _ => result,
        }
    }
}

fn run(script: &Script, case: &recording::Case, item: &str) -> ItemResult {
    let operation = format!("{}.{}", case.group, case.operation);
    let mut call = script.new_call(&operation, &[item]);
    if let Some(credential) = &case.credential {
        call.service.credential = Some(credential.clone());
    }
    let mut results = script.execute(call).map_err(plain)?;
    let outputs = results.remove(0).map_err(plain)?;
    outputs
        .into_iter()
        .map(|output| Ok(document(output.json)?.into()))
        .collect()
}

fn document(json: String) -> Result<Box<RawValue>, Failure> {
    RawValue::from_string(json).map_err(|error| Failure::Other {
        kind: "bad-output".into(),
        message: error.to_string(),
        detail: None,
    })
}

/// Runs an item of an operation that moves files.
fn transfer(mut script: Script, case: &recording::Case, item: &str, files: Vec<FileRef>) -> ItemResult {
    for file in files {
        let FileContent::Inline(bytes) = file.content else {
            let why = format!("the file `{}` is not in the recording itself", file.key);
            return Err(Failure::InvalidInput(why));
        };
        let name = file.file_name.as_deref().unwrap_or(&file.key);
        let media_type = file.media_type.as_deref().unwrap_or(ANY_TYPE);
        script = script.file(&file.key, name, media_type, bytes);
    }
    let operation = format!("{}.{}", case.group, case.operation);
    let outputs = script.transfer(&operation, item).map_err(plain)?;
    let given = script.given();
    let files_of = |index| {
        let given = given.iter().filter(move |given| given.output == index);
        given.map(output_file).collect()
    };
    let outputs = outputs.into_iter().enumerate();
    outputs
        .map(|(index, json)| Ok(Output::with_files(document(json)?, files_of(index))))
        .collect()
}

/// What a host says of a file that came out.
fn output_file(given: &GivenFile) -> OutputFile {
    let size = u64::try_from(given.bytes.len()).unwrap_or(u64::MAX);
    let sha256 = hex(&sha256(&given.bytes));
    let mut file = OutputFile::new(given.key.as_str(), "", size, sha256);
    file.file_name = given.name.as_deref().and_then(safe_name);
    file.media_type = given
        .media_type
        .clone()
        .filter(|media_type| is_media_type(media_type));
    file
}

/// The clock and the random numbers that a call had.
fn world(call: Option<Call>) -> World {
    let Some(call) = call else {
        return World::default();
    };
    let mut random = generator(call.seed, SECURE);
    let now_ms = u64::try_from(call.clock.as_millisecond()).unwrap_or(NOW_MS);
    let random = move || u128::from(random.next_u64()) << 64 | u128::from(random.next_u64());
    World::new(now_ms, Box::new(random))
}

/// What the recording has for a request.
fn answer(player: &Player, item: usize, request: &Request, seen: &mut Changing) -> Reply {
    let changing = u32::from(!matches!(request.method, Method::Get | Method::Head));
    seen.sent += changing;
    let url = [request.base.as_str(), &request.target].concat();
    let (Ok(url), Ok(method)) = (Url::parse(&url), name(request.method).parse()) else {
        return Reply::broken(Broken::Unsendable(format!("`{url}` is no URL")));
    };
    let own = request
        .headers
        .iter()
        .map(|field| (field.name.clone(), field.value.clone()));
    let usual = request
        .usual_headers()
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
    let request = recording::Request {
        method,
        url,
        headers: usual.chain(own).collect(),
        body: request.body.clone().unwrap_or_default().into(),
    };
    match player.serve(Role::Operation, Some(item), &request) {
        Ok(Outcome::Answer(answer)) => match &answer.broken {
            None => {
                seen.answered += changing;
                let header =
                    |(name, value): &(String, String)| (Cow::Owned(name.to_ascii_lowercase()), value.clone());
                let headers = answer.headers.iter().map(header).collect();
                Reply::with_headers(answer.status.as_u16(), headers, answer.body.to_vec())
            }
            Some(error) => Reply::broken(recorded(error)),
        },
        Ok(Outcome::Failed { error }) => Reply::broken(recorded(error)),
        Err(miss) => Reply::broken(Broken::Denied(miss.to_string())),
    }
}

/// A node's failure as a host keeps it.
fn plain(failure: types::Failure) -> Failure {
    let certainty = |certainty| match certainty {
        types::Certainty::NotDone => Certainty::NotDone,
        types::Certainty::Unknown => Certainty::Unknown,
    };
    match failure {
        types::Failure::InvalidParameters(problems) => {
            let problem = |problem: types::Problem| ParameterProblem {
                pointer: problem.pointer,
                label: problem.label,
                message: problem.message,
            };
            Failure::InvalidParameters(problems.into_iter().map(problem).collect())
        }
        types::Failure::InvalidInput(message) => Failure::InvalidInput(message),
        types::Failure::Unauthenticated(answer) => Failure::Unauthenticated(said(answer)),
        types::Failure::Rejected(answer) => Failure::Rejected(said(answer)),
        types::Failure::Throttled(throttle) => Failure::Throttled {
            answer: said(throttle.answer),
            retry_after_ms: throttle.retry_after_ms,
        },
        types::Failure::Unavailable(outage) => Failure::Unavailable {
            certainty: certainty(outage.certainty),
            message: outage.message,
            answer: outage.answer.map(said),
            retry_after_ms: outage.retry_after_ms,
        },
        types::Failure::Denied(message) => Failure::Denied { message, hint: None },
        types::Failure::Unintelligible(answer) => Failure::Unintelligible(said(answer)),
        types::Failure::Limit(message) => Failure::Limit(message),
        types::Failure::NotRun => Failure::NotRun,
        types::Failure::Other(other) => Failure::Other {
            kind: other.kind,
            message: other.message,
            detail: other
                .detail
                .map(|detail| Json::parse(&detail).unwrap_or(Json::String(detail))),
        },
    }
}

fn said(answer: types::Answer) -> Answer {
    Answer {
        status: answer.status,
        code: answer.code,
        message: answer.message,
        request_id: answer.request_id,
    }
}
