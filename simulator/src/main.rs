//! Runs the simulator as a program: prints its base URL and serves until it is interrupted.

use std::io::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::Parser;
use simulator::{Config, Expiry, ExpiryName, Refusal, Simulator, Spelling, TokenName};
use tokio::signal::unix::{SignalKind, signal};

/// A stand-in for the SocialHub API, inferred from its public clients.
///
/// Prints its base URL as the first line and serves on 127.0.0.1 until it is interrupted. It accepts the app ID `demo` with
/// the secret `demo-secret-0123456789` and knows the members M0 to M999999.
#[derive(Debug, Parser)]
#[command(version)]
struct Flags {
    /// Port to listen on; 0 takes a free one
    #[arg(long, default_value_t = 0)]
    port: u16,
    /// Delay before each API request is carried out
    #[arg(long, value_name = "N", default_value_t = 0)]
    latency_ms: u64,
    /// Keep requests for GET /_simulator/requests
    #[arg(long)]
    log_requests: bool,
    /// Fix the clock of generated times, in Unix seconds
    #[arg(long, value_name = "SECONDS")]
    epoch: Option<i64>,
    /// Seed of tokens, request IDs and chance
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Threads that serve
    #[arg(long, value_name = "N", default_value_t = 1)]
    workers: usize,
    /// Lifetime of an access token
    #[arg(long, value_name = "SECONDS", default_value_t = 7200)]
    token_lifetime: u64,
    /// Field that states the end of a token
    #[arg(long, value_enum, default_value = "expiresTime")]
    expiry: ExpiryName,
    /// Write the end of a token as text
    #[arg(long)]
    expiry_as_text: bool,
    /// Write the end of a token in milliseconds, where the field is an instant other than expiresTime
    #[arg(long)]
    expiry_millis: bool,
    /// Field of the access token
    #[arg(long, value_enum, default_value = "accessToken")]
    token_name: TokenName,
    /// Spelling of the envelope, by the name of its code
    #[arg(long, value_enum, default_value = "code")]
    envelope: Spelling,
    /// How a request without a valid token is refused: by HTTP status 401, or by an envelope at HTTP 200
    #[arg(long, value_enum, default_value = "status")]
    refusal: Refusal,
    /// Most rows of a page
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    page_cap: u8,
}

impl From<Flags> for Config {
    fn from(flags: Flags) -> Self {
        Self {
            port: flags.port,
            workers: flags.workers,
            token_lifetime: Duration::from_secs(flags.token_lifetime),
            expiry: Expiry {
                name: flags.expiry,
                as_text: flags.expiry_as_text,
                millis: flags.expiry_millis,
            },
            token_name: flags.token_name,
            envelope: flags.envelope,
            refusal: flags.refusal,
            latency: Duration::from_millis(flags.latency_ms),
            page_cap: flags.page_cap.into(),
            log_requests: flags.log_requests,
            epoch: flags.epoch,
            seed: flags.seed,
            ..Self::default()
        }
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let flags = Flags::parse();
    // Done before the address is printed, because its reader may send the signal at once.
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let simulator = Simulator::start(flags.into())?;
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "{}", simulator.base_url()).context("cannot print the address")?;
    stdout.flush().context("cannot print the address")?;
    drop(stdout);
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    simulator.stop();
    Ok(())
}
