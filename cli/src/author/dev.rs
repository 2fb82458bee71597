//! `nodule dev`: builds a node again whenever its folder changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use nodule::text;
use notify::{Event, RecursiveMode, Watcher as _};
use similar::TextDiff;
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::build;
use super::project::Project;
use crate::args;
use crate::check;
use crate::describe::{self, Format};
use crate::exit::{Exit, Failed, line};
use crate::output;

/// An editor writes a file in several steps.
const QUIET: Duration = Duration::from_millis(100);
/// Folders that builds write to.
const MADE: [&str; 3] = ["target", "node_modules", "__pycache__"];

pub async fn dev(args: &args::Dev) -> Result<Exit, Failed> {
    let broken = |error: &dyn std::fmt::Display| {
        Failed::usage(format!(
            "{}: it cannot be watched: {error}",
            text::path(&args.dir)
        ))
    };
    let project = Project::open(&args.dir)?;
    let output = project.component()?;
    let component = std::path::absolute(&output);
    let component = component.map_err(|error| broken(&error))?;
    let (changed, mut awaited) = mpsc::channel(1);
    let watching = notify::recommended_watcher(move |event: notify::Result<Event>| {
        if event.is_ok_and(|event| is_change(&event, &component)) {
            // One that waits is enough.
            let _ = changed.try_send(());
        }
    });
    let mut watching = watching.map_err(|error| broken(&error))?;
    watch(&mut watching, &args.dir).map_err(|error| broken(&error))?;
    let mut described = None;
    loop {
        match build::component(&project, "release", &output).await {
            Ok(report) => {
                output::print(&report.text(&output))?;
                let now = describe::render(
                    report.component.node(),
                    Format::Json,
                    None,
                    None,
                    describe::width(),
                )
                .map_err(|refused| Failed::usage(refused.to_string()))?;
                if let Some(before) = described.replace(now.clone()) {
                    output::print(&difference(&before, &now))?;
                }
                let cases = args.dir.join(&args.cases);
                if cases.is_dir() {
                    check::cases(&report.component, &cases, false).await?;
                }
            }
            Err(failed) => failed.print(),
        }
        line(&format!("watching {}; Ctrl-C ends it", text::path(&args.dir)));
        if awaited.recv().await.is_none() {
            return Ok(Exit::Done);
        }
        while let Ok(Some(())) = timeout(QUIET, awaited.recv()).await {}
    }
}

/// Watches the folder and those below it that hold sources. Events have absolute paths.
fn watch(watcher: &mut notify::RecommendedWatcher, dir: &Path) -> notify::Result<()> {
    let dir = &std::path::absolute(dir)?;
    watcher.watch(dir, RecursiveMode::NonRecursive)?;
    for entry in std::fs::read_dir(dir)?.flatten() {
        let is_source = is_source(&entry.file_name().to_string_lossy());
        if is_source && entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            watcher.watch(&entry.path(), RecursiveMode::Recursive)?;
        }
    }
    Ok(())
}

fn is_source(name: &str) -> bool {
    !name.starts_with('.') && !MADE.contains(&name)
}

/// Whether an event is about a source; the component that a build leaves, and files beside it, are none.
fn is_change(event: &Event, component: &Path) -> bool {
    let is_source = |path: &PathBuf| {
        let name = path.file_name();
        path != component && name.is_some_and(|name| is_source(&name.to_string_lossy()))
    };
    !event.kind.is_access() && event.paths.iter().any(is_source)
}

/// What changed in the description.
fn difference(before: &str, now: &str) -> String {
    if before == now {
        return "the description is the same\n".to_owned();
    }
    TextDiff::from_lines(before, now)
        .unified_diff()
        .header("description before", "description now")
        .to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::EventKind;
    use notify::event::{AccessKind, CreateKind};

    #[test]
    fn what_a_build_leaves_starts_no_build() {
        let event = |kind, path: &str| Event::new(kind).add_path(path.into());
        let is_change = |event| is_change(&event, Path::new("/acme/acme.wasm"));
        let made = EventKind::Create(CreateKind::File);
        assert!(is_change(event(made, "/acme/src/lib.rs")));
        assert!(is_change(event(made, "/acme/cases/customer/create.har")));
        assert!(is_change(event(made, "/acme/src/acme.wasm")));
        for path in ["/acme/acme.wasm", "/acme/.tmp8Hx", "/acme/target"] {
            assert!(!is_change(event(made, path)), "{path}");
        }
        assert!(!is_change(event(
            EventKind::Access(AccessKind::Any),
            "/acme/src/lib.rs"
        )));
    }

    #[test]
    fn what_changed_is_shown_with_its_place() {
        let shown = difference("a\nb\nc\n", "a\nB\nc\n");
        assert!(shown.contains("-b\n+B\n"), "{shown}");
        assert_eq!(difference("a", "a"), "the description is the same\n");
    }
}
