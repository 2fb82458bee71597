//! `nodule choices` and `nodule fields`: what a form asks the service, as JSON lines.

use nodule::description::Choice;
use nodule::json::{Json, Object};
use nodule::question::{ChoicesPage, Question, Wanted};
use nodule::recording::Recording;
use nodule::{Component, OnFailure, Runner, text};

use crate::args::{Asked, Choices};
use crate::exit::{Exit, Failed, hint, line, warning};
use crate::items;
use crate::output::{Lost, Output};
use crate::places::Places;
use crate::setup;

/// How many pages `--all` follows. A service whose last page never comes has to end somewhere.
const MOST_PAGES: usize = 1_000;

/// Prints the values that a parameter may have.
pub async fn choices(args: Choices) -> Result<Exit, Failed> {
    let asking = Asking::new(&args.asked, Wanted::Choices, args.search).await?;
    let mut question = asking.question;
    let mut lines = asking.lines;
    let most = if args.all { MOST_PAGES } else { 1 };
    let mut next = None;
    for _ in 0..most {
        question.cursor = next;
        let page = match asking.runner.choices(&question).await? {
            Ok(page) => page,
            Err(failure) => {
                let failed = Failed::item(&failure);
                return finish(&asking.runner, lines, asking.record).and(Err(failed));
            }
        };
        let ChoicesPage {
            choices,
            next: behind,
        } = page;
        for choice in choices {
            lines.json(&shown(choice))?;
        }
        lines.flush()?;
        next = behind;
        if next.is_none() {
            break;
        }
    }
    if next.is_some() && args.all {
        warning(&format!("there are more: {MOST_PAGES} pages were followed"));
    } else if next.is_some() {
        line("there are more");
        hint("`--all` follows every page; `--search` narrows the list, where the parameter can be searched");
    }
    finish(&asking.runner, lines, asking.record)?;
    Ok(Exit::Done)
}

/// Prints the columns of a parameter.
pub async fn fields(args: Asked) -> Result<Exit, Failed> {
    let asking = Asking::new(&args, Wanted::Columns, None).await?;
    let mut lines = asking.lines;
    let columns = match asking.runner.fields(&asking.question).await? {
        Ok(columns) => columns,
        Err(failure) => {
            let failed = Failed::item(&failure);
            return finish(&asking.runner, lines, asking.record).and(Err(failed));
        }
    };
    for column in &columns {
        lines.json(&json(column)?)?;
    }
    finish(&asking.runner, lines, asking.record)?;
    Ok(Exit::Done)
}

/// A question, and where its answer goes.
struct Asking<'a> {
    runner: Runner,
    question: Question,
    lines: Output,
    record: Option<(Output, &'a std::path::Path)>,
}

impl<'a> Asking<'a> {
    async fn new(args: &'a Asked, wanted: Wanted, search: Option<String>) -> Result<Self, Failed> {
        let named = [
            ("--credential", args.credential.as_ref()),
            ("--replay", args.replay.as_ref()),
        ];
        let mut places = setup::inputs(&args.component, &named, &args.grants, &args.outbound)?;
        let policy = setup::policy(&args.grants)?;
        let outbound = args.replay.is_none().then_some(&args.outbound);
        let component =
            setup::component(&args.component, args.digest.as_deref(), Some(&policy), outbound).await?;
        let filled_in = Json::parse(&items::one(&args.params)?).unwrap_or_default();
        let mut question = Question::new(&args.group, &args.operation, &args.parameter).filled_in(filled_in);
        question.search = search;
        // Checked here, so that a wrong name is reported before the credential is looked for.
        question
            .check(component.node(), wanted)
            .map_err(nodule::Error::from)?;
        let runner = runner(args, &component, policy, &mut places)?;
        let lines = Output::open(&mut places, "standard output", std::path::Path::new("-"))?;
        let record = args.record.as_deref();
        let record = record.map(|path| Output::open(&mut places, "--record", path).map(|file| (file, path)));
        Ok(Self {
            runner,
            question,
            lines,
            record: record.transpose()?,
        })
    }
}

/// Binds the component to what the flags give.
fn runner(
    args: &Asked,
    component: &Component,
    policy: nodule::policy::Policy,
    places: &mut Places,
) -> Result<Runner, Failed> {
    if let Some(path) = &args.replay {
        let recording = Recording::load(path).map_err(nodule::Error::from)?;
        for trouble in recording.warnings() {
            warning(&trouble);
        }
        // This command's own recordings contain the base URL.
        let is_own = recording.case().is_some();
        let credential = if is_own {
            None
        } else {
            setup::credential(component.node(), args.credential.as_deref())?
        };
        let builder = component.runner().policy(policy);
        let builder = match credential {
            Some(credential) => builder.credential(credential),
            None => builder,
        };
        return Ok(builder.replay(recording).build()?);
    }
    let tls = setup::tls(&policy, &args.grants, &args.outbound, places)?;
    let builder = component.runner().policy(policy).tls(tls);
    let mut builder = setup::with_tokens(builder, args.credential.as_deref());
    let credential = setup::credential(component.node(), args.credential.as_deref())?;
    if args.record.is_some() {
        builder = builder.record(crate::run::meta(
            component,
            credential.as_ref(),
            (&args.group, &args.operation),
            OnFailure::Stop,
            args.recorded_against.clone(),
        )?);
    }
    if let Some(credential) = credential {
        // Tell the user which server gets the secret before it does.
        line(&format!("credential: bound to {}", credential.base_url()));
        builder = builder.credential(credential);
    }
    Ok(builder.build()?)
}

/// Ends the lines and writes the recording, also of a question that failed.
fn finish(
    runner: &Runner,
    lines: Output,
    record: Option<(Output, &std::path::Path)>,
) -> Result<Exit, Failed> {
    lines.finish()?;
    if let Some((mut file, path)) = record {
        let recorded = runner.recording(&text::path(path));
        let recorded = recorded.map_err(|error| Failed::from(error).ended(Exit::Unwritten))?;
        file.begin()?;
        file.text(&recorded.unwrap_or_default())?;
        file.finish()?;
    }
    Ok(Exit::Done)
}

/// `{"label":…,"value":…}`, with `summary` where there is one.
fn shown(choice: Choice) -> String {
    let mut shown = Object::new();
    shown.insert("label", choice.label);
    shown.insert("value", choice.value);
    if !choice.summary.is_empty() {
        shown.insert("summary", choice.summary);
    }
    Json::Object(shown).to_string()
}

fn json(value: &impl serde::Serialize) -> Result<String, Lost> {
    serde_json::to_string(value).map_err(|error| Lost::Broken(Failed::unwritten(error.to_string())))
}
