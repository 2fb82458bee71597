//! Which certificates the command trusts, and which proxy it uses.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Output;
use std::sync::Arc;
use std::thread;

use rcgen::{BasicConstraints, CertificateParams, IsCa};
use tokio_rustls::rustls;

use crate::certified::made_with;
use crate::hostile;
use crate::support::{component, credential_for, expect, nodule, stderr, stdout};

/// An HTTPS service with a self-signed certificate that is marked as an authority's, as `openssl req -x509` does.
struct Service {
    base: String,
    folder: tempfile::TempDir,
}

impl Service {
    fn start(name: &str, until: i32, is_ca: IsCa) -> Self {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.not_before = rcgen::date_time_ymd(2019, 1, 1);
        params.not_after = rcgen::date_time_ymd(until, 1, 1);
        params.is_ca = is_ca;
        let made = made_with(&params);
        let folder = tempfile::TempDir::new().unwrap();
        std::fs::write(folder.path().join("service.pem"), &made.certificate).unwrap();
        let provider = rustls::crypto::ring::default_provider();
        let config = rustls::ServerConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![made.der.clone()], made.private_key())
            .unwrap();
        let config = Arc::new(config);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = format!("https://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let connection = rustls::ServerConnection::new(Arc::clone(&config)).unwrap();
                let mut stream = rustls::StreamOwned::new(connection, stream.unwrap());
                let mut head = Vec::new();
                let mut piece = [0; 4096];
                while !head.windows(4).any(|bytes| bytes == b"\r\n\r\n") {
                    match stream.read(&mut piece) {
                        Ok(0) | Err(_) => break,
                        Ok(count) => head.extend_from_slice(&piece[..count]),
                    }
                }
                let body = r#"{"code":"200","data":{"accessToken":"tok-abcdefghijklmnop","expiresIn":7200}}"#;
                let length = body.len();
                let answer =
                    format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}");
                let _ = stream.write_all(answer.as_bytes());
                stream.conn.send_close_notify();
                let _ = stream.flush();
            }
        });
        Self { base, folder }
    }

    fn pem(&self) -> PathBuf {
        self.folder.path().join("service.pem")
    }

    /// `nodule check-credential`
    fn check(&self, arguments: &[&str], variables: &[(&str, &str)], code: i32) -> Output {
        let mut command = nodule();
        command.env_remove("SSL_CERT_FILE").env_remove("NODULE_PROXY");
        command
            .arg("check-credential")
            .arg(component())
            .args(arguments)
            .envs(variables.iter().copied())
            .env("NODULE_CREDENTIAL", credential_for(&self.base));
        expect(&mut command, code)
    }
}

fn authority() -> IsCa {
    IsCa::Ca(BasicConstraints::Unconstrained)
}

#[test]
fn a_self_signed_certificate_is_refused_and_it_is_said_how_to_trust_it() {
    for is_ca in [IsCa::NoCa, authority()] {
        let service = Service::start("127.0.0.1", 2100, is_ca);
        let told = stderr(&service.check(&[], &[], 1));
        for words in ["signed by itself", "--ca FILE", "SSL_CERT_FILE"] {
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}

#[test]
fn a_certificate_is_trusted_that_an_option_or_the_variable_gives() {
    for is_ca in [IsCa::NoCa, IsCa::ExplicitNoCa, authority()] {
        let service = Service::start("127.0.0.1", 2100, is_ca);
        let pem = service.pem();
        let pem = pem.to_str().unwrap();
        service.check(&["--ca", pem], &[], 0);
        service.check(&[], &[("SSL_CERT_FILE", pem)], 0);
        let other = Service::start("127.0.0.1", 2100, authority());
        let told = stderr(&service.check(&["--ca", other.pem().to_str().unwrap()], &[], 1));
        assert!(told.contains("signed by itself"), "{told}");
        service.check(&["--ca", other.pem().to_str().unwrap(), "--ca", pem], &[], 0);
    }
}

#[test]
fn a_certificate_that_is_trusted_has_its_name_and_its_time_all_the_same() {
    for (name, until, words) in [
        ("other.example", 2100, "another name"),
        ("127.0.0.1", 2020, "expired"),
    ] {
        for is_ca in [IsCa::NoCa, authority()] {
            let service = Service::start(name, until, is_ca);
            let pem = service.pem();
            let told = stderr(&service.check(&["--ca", pem.to_str().unwrap()], &[], 1));
            assert!(told.contains(words), "{words}: {told}");
        }
    }
}

#[test]
fn a_file_that_holds_no_certificate_is_named() {
    let service = Service::start("127.0.0.1", 2100, authority());
    let empty = service.folder.path().join("empty.pem");
    std::fs::write(&empty, "# nothing\n").unwrap();
    for (file, words) in [
        ("missing.pem", "No such file"),
        (empty.to_str().unwrap(), "BEGIN CERTIFICATE"),
    ] {
        let told = stderr(&service.check(&["--ca", file], &[], 2));
        assert!(
            told.contains(&format!("--ca: {file}")) && told.contains(words),
            "{told}"
        );
        let told = stderr(&service.check(&[], &[("SSL_CERT_FILE", file)], 2));
        assert!(told.contains("SSL_CERT_FILE: ") && told.contains(words), "{told}");
    }
    service.check(
        &["--ca", service.pem().to_str().unwrap()],
        &[("SSL_CERT_FILE", "")],
        0,
    );
}

#[test]
fn requests_go_through_the_proxy_that_is_given_and_its_password_is_no_argument() {
    let service = Service::start("127.0.0.1", 2100, authority());
    // A port on which nothing listens any more.
    let port = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port();
    let proxy = format!("http://127.0.0.1:{port}");
    let told = stderr(&service.check(&["--proxy", &proxy], &[], 1));
    assert!(
        told.contains("the proxy") && told.contains("cannot be reached"),
        "{told}"
    );
    let with_password = format!("http://me:hunter2@127.0.0.1:{port}");
    let told = stderr(&service.check(&[], &[("NODULE_PROXY", &with_password)], 1));
    assert!(
        told.contains("cannot be reached") && !told.contains("hunter2"),
        "{told}"
    );
    let told = stderr(&service.check(&["--proxy", &with_password], &[], 2));
    assert!(
        told.contains("NODULE_PROXY") && !told.contains("hunter2"),
        "{told}"
    );
    // Hosts that bypass the proxy are contacted directly.
    let pem = service.pem();
    let pem = pem.to_str().unwrap();
    service.check(
        &["--proxy", &proxy, "--no-proxy", "127.0.0.1", "--ca", pem],
        &[],
        0,
    );
}

/// A log-in asks the provider with the TLS that runs use, so it reads the same flags and the same table of the policy.
#[test]
fn a_log_in_reads_the_certificates_that_it_is_given() {
    let folder = tempfile::tempdir().unwrap();
    let credential = folder.path().join("credential.json");
    let fields = r#"{"$credential":"userApi","baseUrl":"https://127.0.0.1:9","mode":"9","clientId":"c1"}"#;
    std::fs::write(&credential, fields).unwrap();
    let policy = folder.path().join("policy.toml");
    std::fs::write(&policy, "[tls]\nca = [\"gone.pem\"]\n").unwrap();
    let command = || {
        let mut command = nodule();
        command.arg("login").arg(hostile("grants")).arg("--no-browser");
        command.arg("--credential").arg(&credential);
        command
    };
    let mut flags = command();
    flags.args(["--client-cert", "gone.pem", "--client-key", "gone.key"]);
    let mut table = command();
    table.arg("--policy").arg(&policy);
    for (mut command, file) in [(flags, "gone.key"), (table, "gone.pem")] {
        let output = expect(&mut command, 2);
        assert!(stderr(&output).contains(file), "{}", stderr(&output));
        assert_eq!(stdout(&output), "");
    }
}
