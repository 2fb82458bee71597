//! Descriptions of hostile nodes: rows 71, 75 and 83.

use std::collections::HashSet;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nodule::{Engine, EngineConfig};

use crate::bench::{Bench, command, file, finished};
use crate::guests::{CALLS, DESC_BOMBS, DESC_FLIP, DESC_ICON, DESC_PROBLEMS};
use crate::many::ALONE;

/// The most memory that describing a component may take.
const PEAK_BYTES: u64 = 512 << 20;
/// It takes less than ten seconds on an idle machine.
const TIME: Duration = Duration::from_secs(40);

/// The outcome of a command.
struct Ended {
    status: ExitStatus,
    peak_bytes: u64,
    took: Duration,
    stderr: String,
}

/// Runs `nodule describe FILE --format FORMAT` in its own process, whose peak memory the system reports.
async fn described(file: &Path, format: &'static str, cache: &Path) -> Ended {
    let errors = tempfile::NamedTempFile::new().unwrap();
    let mut describe = Command::new(command());
    describe
        .env("NODULE_CACHE_DIR", cache)
        .arg("describe")
        .arg(file)
        .args(["--format", format])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(errors.reopen().unwrap());
    let begun = Instant::now();
    let (status, peak_bytes) = tokio::task::spawn_blocking(move || waited(describe))
        .await
        .unwrap();
    Ended {
        status,
        peak_bytes,
        took: begun.elapsed(),
        stderr: std::fs::read_to_string(errors.path()).unwrap(),
    }
}

/// Waits for a command, as the standard library does, and gets its peak memory at the same time.
#[expect(
    unsafe_code,
    reason = "the standard library waits without asking what the child used"
)]
fn waited(mut command: Command) -> (ExitStatus, u64) {
    let child = command.spawn().unwrap().id().cast_signed();
    let mut status = 0;
    // SAFETY: `rusage` consists of numbers, so all zeros is a valid value.
    let mut usage: libc::rusage = unsafe { std::mem::zeroed() };
    // SAFETY: both pointers are valid during the call, and nothing else waits for this child.
    let found = unsafe { libc::wait4(child, &raw mut status, 0, &raw mut usage) };
    assert_eq!(found, child, "{}", std::io::Error::last_os_error());
    let kilobytes = u64::try_from(usage.ru_maxrss).unwrap();
    (ExitStatus::from_raw(status), kilobytes * 1024)
}

/// The guest with `text` instead of `place`, which occurs in it once, followed by blanks.
fn written(guest: &str, place: &str, text: &str) -> Vec<u8> {
    let mut bytes = std::fs::read(file(guest)).unwrap();
    let found: Vec<usize> = (0..bytes.len())
        .filter(|at| bytes[*at..].starts_with(place.as_bytes()))
        .collect();
    assert_eq!(found.len(), 1, "`{place}` in {guest}");
    let room = bytes[found[0] + place.len()..]
        .iter()
        .take_while(|byte| **byte == b' ')
        .count();
    let room = &mut bytes[found[0]..][..place.len() + room];
    assert!(
        text.len() <= room.len(),
        "{} bytes, {} of room",
        text.len(),
        room.len()
    );
    room.fill(b' ');
    room[..text.len()].copy_from_slice(text.as_bytes());
    bytes
}

/// Whether a text is short and has no characters that control a terminal.
fn is_harmless(text: &str) -> bool {
    let acts = |character: char| character != '\n' && nodule::description::is_deceptive(character);
    !text.chars().any(acts) && text.len() < 64 * 1024
}

/// Runs in its own process, because the system counts a parent's memory at start as its child's.
pub async fn bombs(bench: &Bench) {
    if std::env::var_os(ALONE).is_some() {
        return measured(bench).await;
    }
    let mut alone = Command::new(std::env::current_exe().unwrap());
    alone.arg("71").env(ALONE, "1");
    let done = finished(alone).await;
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
}

async fn measured(bench: &Bench) {
    let folder = tempfile::tempdir().unwrap();
    // In its own folder, because the cache removes files that it does not know.
    let cache = folder.path().join("cache");
    // The reason for which each description is refused; empty if it has the largest permitted size.
    let ways = [
        ("ids", "at most 4194304 bytes"),
        ("hints", "too much at once"),
        ("numbers", "at most 250000 values in all JSON documents"),
        ("objects", "at most 250000 values in all JSON documents"),
        ("texts", "too much at once"),
        ("empty", "too much at once"),
        ("choices", "at most 250000 values in all JSON documents"),
        ("broken", "expected JSON, found `{`"),
        ("operations", "at most 250000 values in all JSON documents"),
        ("conditions", "bytes of parameters in all forms"),
        ("shared", "bytes of parameters in all forms"),
        ("headers", "too much at once"),
        ("header", "expected names of headers"),
        ("rows", ""),
        ("heaviest", ""),
    ];
    for (way, refusal) in ways {
        let bomb = folder.path().join(format!("{way}.wasm"));
        std::fs::write(&bomb, written(DESC_BOMBS, "way: none", &format!("way: {way}"))).unwrap();
        for format in ["json", "text", "markdown", "n8n"] {
            let ended = described(&bomb, format, &cache).await;
            let Ended {
                status,
                peak_bytes,
                took,
                stderr,
            } = &ended;
            let is_slow = stderr.contains("longer than 5 seconds");
            let expected = if refusal.is_empty() && !is_slow { 0 } else { 3 };
            assert_eq!(status.code(), Some(expected), "{way} {format}: {status} {stderr}");
            // On a busy machine, its time is up before its size is known.
            assert!(is_slow || stderr.contains(refusal), "{way} {format}: {stderr}");
            assert!(is_harmless(stderr), "{way} {format}: {stderr:?}");
            assert!(*peak_bytes < PEAK_BYTES, "{way} {format}: {peak_bytes} bytes");
            assert!(*took < TIME, "{way} {format}: {took:?}");
            if !refusal.is_empty() {
                // A refused description is refused before any format is printed.
                break;
            }
        }
    }
    // The error about a refused description is harmless for an embedder that prints it, and in a terminal.
    let refused = bench.engine.load_file(file(DESC_PROBLEMS)).await;
    let words = refused.unwrap_err().to_string();
    assert!(words.contains("pwned") && is_harmless(&words), "{words:?}");
    let Ended { status, stderr, .. } = described(&file(DESC_PROBLEMS), "text", &cache).await;
    assert_eq!(status.code(), Some(3), "{stderr}");
    assert!(stderr.contains("pwned") && is_harmless(&stderr), "{stderr:?}");
}

pub async fn flips(bench: &Bench) {
    let bytes = std::fs::read(file(DESC_FLIP)).unwrap();
    let mut said = HashSet::new();
    for _ in 0..3 {
        // A new engine each time, which shares nothing with the others.
        let config = EngineConfig::default()
            .network(bench.network.clone())
            .turns(bench.turns);
        let engine = Engine::new(&config).unwrap();
        let node = engine.load(&bytes).await.unwrap().node().clone();
        said.insert(serde_json::to_string(&node).unwrap());
    }
    assert_eq!(said.len(), 1, "{said:?}");
    let summary = &said.iter().next().unwrap();
    assert!(summary.contains("RequestDenied"), "it sends nothing: {summary}");

    // The command prints the same, in separate processes and whatever the policy limits.
    let json = async || {
        let mut describe = Command::new(command());
        describe
            .env_remove("NODULE_CACHE_DIR")
            .env("XDG_CACHE_HOME", "/nonexistent")
            .arg("describe")
            .arg(file(DESC_FLIP))
            .args(["--format", "json"]);
        let done = finished(describe).await;
        serde_json::from_slice::<nodule::description::Node>(&done.stdout).unwrap()
    };
    let first = json().await;
    assert_eq!(json().await, first);
    assert!(said.contains(&serde_json::to_string(&first).unwrap()));

    // Within an engine, equal bytes share one node and its code, even if they are loaded at the same time.
    let (one, other) = tokio::join!(bench.engine.load(&bytes), bench.engine.load(&bytes));
    let (one, other) = (one.unwrap(), other.unwrap());
    assert!(std::ptr::eq(one.node(), other.node()));
    let pinned = bench.engine.load_pinned(&bytes, one.digest()).await.unwrap();
    assert!(std::ptr::eq(one.node(), pinned.node()));
    let another = std::fs::read(file(CALLS)).unwrap();
    let refused = bench.engine.load_pinned(&another, one.digest()).await;
    assert!(
        refused.is_err(),
        "a pinned digest is compared before what is known"
    );
}

/// An icon with definitions in ten levels, each of which is drawn once per reference from the next level.
fn levels(one: impl Fn(usize) -> String, last: &str) -> String {
    let definitions: String = (1..10).map(one).collect();
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 9 9\"><defs><g id=\"a0\"><path d=\"M0 0L9 9\"/></g>\
         {definitions}</defs>{last}</svg>"
    )
}

pub async fn icons(bench: &Bench) {
    let loaded = async |icon: &str| {
        let bytes = written(DESC_ICON, "the icon goes here", icon);
        bench.engine.load(&bytes).await
    };
    let uses = |level: usize| format!("<use href=\"#a{}\"/>", level - 1).repeat(10);
    let painted = |attribute: &'static str| {
        move |level: usize| {
            let each = format!("<path {attribute}=\"url(#a{})\" d=\"M0 0\"/>", level - 1).repeat(8);
            let element = if attribute == "mask" { "mask" } else { "clipPath" };
            format!("<{element} id=\"a{level}\">{each}</{element}>")
        }
    };
    let drawn = "elements to draw";
    let refused = [
        (
            levels(
                |level| format!("<g id=\"a{level}\">{}</g>", uses(level)),
                "<use href=\"#a9\"/>",
            ),
            drawn,
        ),
        // Only references, none of them to an element that is drawn anyway.
        (
            levels(
                |level| format!("<symbol id=\"a{level}\">{}</symbol>", uses(level)),
                "",
            ),
            drawn,
        ),
        (levels(painted("mask"), ""), drawn),
        (levels(painted("clip-path"), ""), drawn),
        (
            levels(|_| String::new(), "<g id=\"b\"><use href=\"#b\"/></g>"),
            "refers to itself",
        ),
        (
            levels(
                |_| String::new(),
                "<pattern id=\"p\" width=\".001\" height=\".001\"/>",
            ),
            "`pattern` is not allowed",
        ),
        (
            levels(|_| String::new(), "<path filter=\"blur(9999px)\" d=\"M0 0\"/>"),
            "`filter` of `path` is not allowed",
        ),
        (
            levels(|_| String::new(), "<use href=\"#%61\"/>"),
            "`href` of `use` is not allowed",
        ),
    ];
    for (icon, expected) in refused {
        let words = loaded(&icon)
            .await
            .map(|_| icon)
            .expect_err("an icon without end")
            .to_string();
        assert!(words.contains(expected), "{words}");
    }
    // An honest icon also uses its parts more than once.
    let honest = levels(
        |level| format!("<linearGradient id=\"a{level}\"><stop/></linearGradient>"),
        "<clipPath id=\"c\"><use href=\"#a0\"/></clipPath><g clip-path=\"url(#c)\" fill=\"url(#a1)\">\
         <use href=\"#a0\" transform=\"rotate(90)\"/><use href=\"#a0\" fill=\"rgb(1, 2, 3)\"/></g>",
    );
    let component = loaded(&honest).await.unwrap();
    assert_eq!(
        component.node().icon_svg.as_deref(),
        Some(honest.as_str().trim_end())
    );
}
