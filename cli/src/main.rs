//! The command `nodule`: describe, run and check workflow nodes that are WebAssembly components.
//!
//! Data goes to standard output, everything else to standard error.

mod args;
mod ask;
mod author;
mod check;
mod compile;
mod describe;
mod ending;
mod exit;
mod files;
mod folder;
mod items;
mod login;
mod output;
mod places;
mod process;
mod progress;
mod run;
mod serve;
mod setup;
mod signals;
mod stderr;
mod stream;
mod tally;

use clap::Parser as _;

use crate::args::{Args, Command};
use crate::exit::{Exit, Failed};
use crate::places::Places;

/// A run allocates and frees small texts by the thousand; the system's allocator would cost a tenth of its time.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    process::close();
    std::panic::set_hook(Box::new(exit::fault));
    let args = match Args::try_parse() {
        Ok(args) => args,
        Err(error) => return exit::usage(&error),
    };
    setup::log(&args.log);
    let outcome = match args.command {
        Command::Describe(args) => setup::single_threaded(describe_command(&args)),
        Command::Run(args) => setup::multi_threaded(run::run(*args)),
        Command::Choices(args) => setup::single_threaded(ask::choices(*args)),
        Command::Fields(args) => setup::single_threaded(ask::fields(*args)),
        Command::Check(args) => setup::single_threaded(check::check(&args)),
        Command::CheckCredential(args) => setup::single_threaded(check_credential(&args)),
        Command::Login(args) => setup::multi_threaded(login::login(&args)),
        Command::New(args) => author::new::new(&args),
        Command::Build(args) => setup::single_threaded(author::build::build(&args)),
        Command::Dev(args) => setup::single_threaded(author::dev::dev(&args)),
        Command::Record(args) => setup::single_threaded(author::record::record(&args)),
        Command::Pack(args::Pack::N8n(args)) => setup::single_threaded(author::pack::n8n(&args)),
        Command::Serve(args) => serve::serve(&args),
        Command::CompileComponent(args) => return compile::compile(&args),
    };
    let exit = outcome.unwrap_or_else(|failed| {
        failed.print();
        failed.exit
    });
    stderr::finish();
    exit.into()
}

async fn describe_command(args: &args::Describe) -> Result<Exit, Failed> {
    let (group, operation) = (args.group.as_deref(), args.operation.as_deref());
    let component = setup::component(&args.component, args.digest.as_deref(), None, None).await?;
    let text = describe::render(component.node(), args.format, group, operation, describe::width())
        .map_err(|refused| Failed::usage(refused.to_string()).hint(refused.hint()))?;
    output::print(&text)?;
    Ok(Exit::Done)
}

async fn check_credential(args: &args::CheckCredential) -> Result<Exit, Failed> {
    let policy = setup::policy(&args.grants)?;
    let (digest, outbound) = (args.digest.as_deref(), Some(&args.outbound));
    let component = setup::component(&args.component, digest, Some(&policy), outbound).await?;
    let credential = setup::needed_credential(component.node(), args.credential.as_deref())?;
    let base = credential.base_url().to_string();
    let tls = setup::tls(&policy, &args.grants, &args.outbound, &mut Places::default())?;
    let builder = component.runner().policy(policy).credential(credential).tls(tls);
    let runner = setup::with_tokens(builder, args.credential.as_deref()).build()?;
    match runner.check_credential().await {
        Ok(()) => {
            output::print(&format!("the credential works: {base}\n"))?;
            Ok(Exit::Done)
        }
        Err(failure) => Err(Failed::item(&failure)),
    }
}
