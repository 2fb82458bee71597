//! A file of one gigabyte through `nodule run`, up and down, beside curl; and the memory of the command meanwhile.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result, ensure};
use serde_json::json;

use crate::bench::{Bench, says};
use crate::figure::{Figure, Of, Target, Unit};
use crate::kernel;
use crate::meter::float;

/// Target: at least this share of curl's throughput.
const SHARE: f64 = 0.6;
/// Target: at most this many megabytes.
const MOST: f64 = 80.0;
/// What is written or read at once by the service.
const PIECE: usize = 256 * 1024;

/// Throughput beside curl's, and peak memory.
pub fn measure(bench: &Bench) -> Result<Vec<Figure>> {
    let bytes = bench.choose(1_000_000_000, 100_000_000);
    let rounds = bench.choose(5, 1);
    let base = service()?;
    let folder = bench.folder.path();
    let file = folder.join("large.bin");
    std::io::copy(
        &mut std::io::repeat(b'x').take(u64::try_from(bytes)?),
        &mut std::fs::File::create(&file)?,
    )?;
    let mut figures = Vec::new();
    for (what, is_upload) in [("up", true), ("down", false)] {
        let (mut ours, mut curls, mut peaks) = (Vec::new(), Vec::new(), Vec::new());
        // The first round warms both up.
        for round in 0..=rounds {
            says("files", &format!("one file {what}, round {round} of {rounds}"));
            let (rate, peak) = timed(nodule(bench, &base, is_upload, bytes, &file)?, bytes)?;
            let (of_curl, _) = timed(curl(&base, is_upload, bytes, &file, folder), bytes)?;
            if round > 0 {
                ours.push(rate);
                curls.push(of_curl);
                peaks.push(peak);
            }
            for left in ["out", "curl.bin"] {
                let left = folder.join(left);
                let _ = std::fs::remove_dir_all(&left).or_else(|_| std::fs::remove_file(&left));
            }
        }
        let size = bytes / 1_000_000;
        figures.push(
            Figure::new(
                "files",
                format!("one file of {size} MB {what}"),
                Unit::MegabytesPerSecond,
                ours,
            )
            .beside("curl", &curls)
            .target(Target::at_least(Of::Ratio, SHARE)),
        );
        figures.push(
            Figure::new(
                "files",
                format!("peak of `nodule run` with one file of {size} MB {what}"),
                Unit::Megabytes,
                peaks,
            )
            .target(Target::at_most(Of::Value, MOST)),
        );
    }
    Ok(figures)
}

fn nodule(bench: &Bench, base: &str, is_upload: bool, bytes: usize, file: &Path) -> Result<Command> {
    let node = bench.target.join("hostile/moves.wasm");
    ensure!(
        node.exists(),
        "{} is missing: `make hostile-guests` leaves it",
        node.display()
    );
    let task = if is_upload {
        json!({"requests": [{"method": "PUT", "url": format!("{base}/up"), "body": [{"file": 0}]}]})
    } else {
        json!({"requests": [{"url": format!("{base}/{bytes}"), "keep": true}], "give": [{"key": "data", "kept": 0}]})
    };
    let mut run = Command::new(bench.program("nodule"));
    run.arg("run")
        .arg(node)
        .args(["things", "read", "--progress", "off", "--param"])
        .arg(format!("task:={task}"))
        .arg("--output-files")
        .arg(bench.folder.path().join("out"))
        .env(
            "NODULE_CREDENTIAL",
            json!({"baseUrl": base, "secret": "0123456789abcdef"}).to_string(),
        )
        .env("NODULE_CACHE_DIR", bench.folder.path().join("cache"));
    if is_upload {
        run.args(["--param", "file=data", "--file"])
            .arg(format!("data={}", file.display()));
    }
    Ok(run)
}

fn curl(base: &str, is_upload: bool, bytes: usize, file: &Path, folder: &Path) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--noproxy", "*"]);
    if is_upload {
        curl.arg("--upload-file").arg(file).arg(format!("{base}/up"));
    } else {
        curl.arg("--output")
            .arg(folder.join("curl.bin"))
            .arg(format!("{base}/{bytes}"));
    }
    curl
}

/// Megabytes per second of a command, and its peak memory in megabytes.
fn timed(mut command: Command, bytes: usize) -> Result<(f64, f64)> {
    let clock = Instant::now();
    let mut child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .with_context(|| format!("start {}", command.get_program().display()))?;
    let mut peak = 0;
    let status = loop {
        peak = kernel::peak(child.id()).unwrap_or_default().max(peak);
        if let Some(status) = child.try_wait()? {
            break status;
        }
        std::thread::sleep(std::time::Duration::from_millis(2));
    };
    ensure!(status.success(), "{}: {status}", command.get_program().display());
    let seconds = clock.elapsed().as_secs_f64();
    Ok((float(bytes) / 1e6 / seconds, float(usize::try_from(peak)?) / 1e6))
}

/// A service that reads whatever is sent, and gives as many bytes as a path says.
fn service() -> Result<String> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let base = format!("http://{}", listener.local_addr()?);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A client that goes away is served no further.
                let _ = serve(&stream);
            });
        }
    });
    Ok(base)
}

fn serve(stream: &TcpStream) -> std::io::Result<()> {
    let mut reader = BufReader::with_capacity(PIECE, stream);
    let mut writer = stream;
    loop {
        let (mut first, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            if first.is_empty() {
                first.clone_from(&line);
            }
            let (name, value) = line.split_once(':').unwrap_or_default();
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().unwrap_or_default();
            } else if name.eq_ignore_ascii_case("expect") {
                writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
            }
            if line == "\r\n" {
                break;
            }
        }
        std::io::copy(&mut (&mut reader).take(length), &mut std::io::sink())?;
        let target = first.split(' ').nth(1).unwrap_or_default();
        match target.trim_start_matches('/').parse::<usize>() {
            Err(_) => writer.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}")?,
            Ok(mut left) => {
                write!(writer, "HTTP/1.1 200 OK\r\ncontent-length: {left}\r\n\r\n")?;
                let piece = vec![b'x'; PIECE];
                while left > 0 {
                    let now = left.min(PIECE);
                    writer.write_all(piece.get(..now).unwrap_or_default())?;
                    left -= now;
                }
            }
        }
    }
}
