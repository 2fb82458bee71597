//! Items over the socket of `nodule serve`, compared with the same run in the library, both on all processors.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http::{Request, header};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::UnixStream;

use crate::bench::{Bench, on_all_threads, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::kernel;
use crate::meter::{Cost, Meter};
use crate::plain::Operation;
use crate::program::Program;
use crate::service::{Service, credential_json};
use crate::work;

const CONCURRENCY: usize = 16;
/// Upper bound on a response's line.
const LINE_BYTES: usize = 4096;
/// Target: at most this many microseconds more.
const MORE: f64 = 10.0;

/// CPU time of the process that runs the items, and items per second.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let count = bench.choose(60_000, 3_000);
    let operation = Operation::GetMember;
    let service = bench.service(0)?;
    let server = Server::start(bench)?;
    on_all_threads(async {
        let runner = bench.runner(&service).await?;
        let digest = server.load(&bench.node()).await?;
        let warm_up = CONCURRENCY * 100;
        server.run(&service, &digest, operation, warm_up).await?;
        work::node(&runner, operation, operation.items(warm_up), CONCURRENCY).await?;
        says("serve", &format!("getMember, {CONCURRENCY} under way"));
        let socket = async || server.run(&service, &digest, operation, count).await;
        let library = async || work::node(&runner, operation, operation.items(count), CONCURRENCY).await;
        let (socket, library) = bench.in_turn(socket, library).await?;
        let figure = |what: &str, unit, of: fn(&Cost, usize) -> f64| {
            let name = format!("getMember over a socket, {CONCURRENCY} under way: {what}");
            let all = |costs: &[Cost]| Cost::all(costs, of, count);
            Figure::new("serve", name, unit, all(&socket)).beside("the library", &all(&library))
        };
        Ok(vec![
            figure("items", Unit::PerSecond, Cost::rate),
            figure("CPU per item", Unit::Micros, Cost::cpu_per).target(Target::at_most(Of::Difference, MORE)),
        ])
    })
}

/// A server that stops when this is dropped.
struct Server {
    process: Program,
    socket: PathBuf,
    token: String,
}

impl Server {
    fn start(bench: &Bench) -> Result<Self> {
        let socket = bench.folder.path().join("serve/nodule.sock");
        let (process, _) = Program::start(
            Command::new(bench.program("nodule"))
                .args(["serve", "--stdio-lifetime", "--socket"])
                .arg(&socket)
                .arg("--cache")
                .arg(bench.folder.path().join("cache"))
                .arg("--read")
                .arg(std::path::absolute(&bench.target)?)
                .stdin(Stdio::piped()),
        )?;
        let token = socket.with_added_extension("token");
        let token = std::fs::read_to_string(&token).with_context(|| token.display().to_string())?;
        Ok(Self {
            process,
            socket,
            token: token.trim().to_owned(),
        })
    }

    /// Loads the component and returns its digest.
    async fn load(&self, component: &Path) -> Result<String> {
        let body = json!({ "path": std::path::absolute(component)? }).to_string();
        let mut answer = self.post("/v1/components", "application/json", body).await?;
        let answer = answer.body_mut().collect().await?.to_bytes();
        let answer: Value = serde_json::from_slice(&answer)?;
        let digest = answer.get("digest").and_then(Value::as_str);
        Ok(digest.with_context(|| answer.to_string())?.to_owned())
    }

    /// Runs items, all of which must succeed. The items are built before, and the results are not parsed: that is the
    /// client's work.
    async fn run(&self, service: &Service, digest: &str, operation: Operation, count: usize) -> Result<Cost> {
        let (group, name) = operation.names();
        let credential: Value = serde_json::from_str(&credential_json(service.base()))?;
        let run = json!({
            "component": digest, "group": group, "operation": name,
            "credential": credential, "concurrency": CONCURRENCY,
        });
        let mut body = format!("{run}\n").into_bytes();
        for (id, parameters) in operation.items(count).iter().enumerate() {
            writeln!(body, r#"{{"id":{id},"parameters":{parameters}}}"#)?;
        }
        let (meter, cpu) = (Meter::start(), kernel::cpu(self.process.id())?);
        let mut answer = self.post("/v1/runs", "application/x-ndjson", body).await?;
        let (mut lines, mut last) = (0, Vec::new());
        while let Some(frame) = answer.body_mut().frame().await {
            if let Ok(data) = frame?.into_data() {
                lines += data.split(|byte| *byte == b'\n').count() - 1;
                // However the body is split, this keeps the last line.
                last.drain(..last.len().saturating_sub(LINE_BYTES));
                last.extend_from_slice(&data);
            }
        }
        let wall = meter.stop().wall;
        let cpu = kernel::cpu(self.process.id())?.saturating_sub(cpu);
        let end = last.trim_ascii_end().rsplit(|byte| *byte == b'\n').next();
        let end: Value = serde_json::from_slice(end.unwrap_or_default())?;
        let done = end.pointer("/end/done").and_then(Value::as_u64);
        // One line for each item, plus the first and the last.
        ensure!(
            lines == count + 2 && done == u64::try_from(count).ok(),
            "{group}.{name} over the socket, {lines} lines for {count} items: {end}"
        );
        Ok(Cost { wall, cpu })
    }

    async fn post(
        &self,
        path: &str,
        content: &str,
        body: impl Into<Bytes>,
    ) -> Result<http::Response<hyper::body::Incoming>> {
        let stream = TokioIo::new(UnixStream::connect(&self.socket).await?);
        let (mut sender, connection) = http1::handshake(stream).await?;
        // If the connection breaks, the request returns the error.
        tokio::spawn(connection);
        let request = Request::post(path)
            .header(header::HOST, "nodule")
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, content)
            .body(Full::new(body.into()))?;
        Ok(sender.send_request(request).await?)
    }
}
