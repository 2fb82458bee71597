//! What commands share: the runtime, the log, the component, the policy, the credential.

use std::ffi::OsString;
use std::future::Future;
use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use nodule::description::Node;
use nodule::limits::Limits;
use nodule::network::Proxy;
use nodule::oauth2::FileTokenStore;
use nodule::policy::{InsecureOrigin, Policy, Rule};
use nodule::secret::Secret;
use nodule::{Component, Credential, Engine, EngineConfig, RunnerBuilder, Tls, text};
use tempfile::TempDir;
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::args::{Grants, Level, Log, LogFormat, Outbound};
use crate::compile::Apart;
use crate::exit::{Events, Exit, Failed, hint, warning};
use crate::files::{self, Care, read};
use crate::places::Places;
use crate::signals::survive_file_size;
use crate::stderr;

/// The variable that contains a credential, where no file may.
const CREDENTIAL: &str = "NODULE_CREDENTIAL";
/// The variable that names a file of certificates, as in OpenSSL.
const CERTIFICATES: &str = "SSL_CERT_FILE";
/// The variable that contains a proxy's URL, so that its password is not an argument. Other programs' proxy variables
/// are ignored.
const PROXY: &str = "NODULE_PROXY";
pub const CREDENTIAL_HINT: &str = "give it by `--credential FILE`, a JSON object, or in the variable NODULE_CREDENTIAL; never as an argument";

/// Runs a command that does one thing at a time: a runtime without threads starts faster.
pub fn single_threaded(command: impl Future<Output = Result<Exit, Failed>>) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    block_on(&runtime.map_err(|error| no_runtime(&error))?, command)
}

/// Runs a command that runs several instances in parallel.
pub fn multi_threaded(command: impl Future<Output = Result<Exit, Failed>>) -> Result<Exit, Failed> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(|error| no_runtime(&error))?;
    let outcome = block_on(&runtime, command);
    // Dropping the runtime would wait, possibly forever, for a thread that blocks on standard input.
    runtime.shutdown_background();
    outcome
}

fn block_on(
    runtime: &tokio::runtime::Runtime,
    command: impl Future<Output = Result<Exit, Failed>>,
) -> Result<Exit, Failed> {
    runtime.block_on(async {
        survive_file_size();
        command.await
    })
}

fn no_runtime(error: &std::io::Error) -> Failed {
    Failed::usage(format!("no threads to run on: {error}"))
}

/// Starts the log, if it was asked for.
pub fn log(log: &Log) {
    let Some(format) = log.log else { return };
    let level = match log.log_level {
        Level::Error => LevelFilter::ERROR,
        Level::Warn => LevelFilter::WARN,
        Level::Info => LevelFilter::INFO,
        Level::Debug => LevelFilter::DEBUG,
    };
    // Events of the libraries below may contain foreign data; only our own are safe to show.
    let filter = tracing_subscriber::filter::Targets::new().with_target("nodule", level);
    if format == LogFormat::Json {
        stderr::write_json();
    }
    let is_styled = format == LogFormat::Text && std::io::stderr().is_terminal();
    let builder = tracing_subscriber::fmt()
        .with_writer(Events {
            is_json: format == LogFormat::Json,
            is_styled,
        })
        .with_ansi(is_styled);
    // Fails only if it was set before.
    let _ = match format {
        LogFormat::Text => builder.with_max_level(level).finish().with(filter).try_init(),
        LogFormat::Json => builder
            .json()
            .with_max_level(level)
            .finish()
            .with(filter)
            .try_init(),
    };
}

/// Where compiled components are kept between runs; `None` if no variable names a folder.
///
/// # Errors
///
/// A variable is empty or relative: a relative path would depend on the current folder, which may be anybody's. By the
/// XDG rules, an empty `XDG_CACHE_HOME` counts as unset.
pub fn cache_dir(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<PathBuf>, String> {
    let absolute = |name: &str, dir: OsString| {
        let dir = PathBuf::from(dir);
        if dir.is_absolute() {
            Ok(dir)
        } else {
            Err(format!(
                "{name}: expected an absolute path, found `{}`",
                text::path(&dir)
            ))
        }
    };
    if let Some(dir) = variable("NODULE_CACHE_DIR") {
        return absolute("NODULE_CACHE_DIR", dir).map(Some);
    }
    if let Some(dir) = variable("XDG_CACHE_HOME").filter(|dir| !dir.is_empty()) {
        return Ok(Some(absolute("XDG_CACHE_HOME", dir)?.join("nodule/components")));
    }
    match variable("HOME") {
        Some(dir) => Ok(Some(absolute("HOME", dir)?.join(".cache/nodule/components"))),
        None => Ok(None),
    }
}

/// An engine with a compilation cache, if there is a folder that only its user can write to. Otherwise it uses a
/// temporary folder, made in `temporary` if given and returned: compiled code comes from another process through a
/// folder, which must exist until the code is loaded.
pub fn engine(
    config: &EngineConfig,
    cache: Option<&Path>,
    temporary: Option<&Path>,
) -> Result<(Engine, Option<TempDir>), Failed> {
    let not_kept = |why: &str, remedy: Option<String>| {
        warning(&format!("compiled components are not kept: {why}"));
        if let Some(remedy) = remedy {
            hint(&remedy);
        }
    };
    let apart = |config: EngineConfig| -> Result<EngineConfig, Failed> {
        let precompiler = Apart::new(&config)?;
        Ok(config.precompiler(precompiler))
    };
    let cache = match cache {
        Some(cache) => Ok(Some(cache.to_owned())),
        None => cache_dir(|name| std::env::var_os(name)),
    };
    match cache {
        Ok(None) => {}
        Ok(Some(dir)) => match Engine::new(&apart(config.clone().cache_dir(dir))?) {
            Ok(engine) => return Ok((engine, None)),
            // The cache only saves time.
            Err(error) => not_kept(&error.to_string(), error.hint()),
        },
        Err(why) => not_kept(&why, None),
    }
    let temporary = match temporary {
        Some(folder) => tempfile::tempdir_in(folder).ok(),
        None => tempfile::tempdir().ok(),
    };
    let config = match &temporary {
        Some(dir) => config.clone().cache_dir(dir.path()),
        None => config.clone(),
    };
    Ok((Engine::new(&apart(config)?)?, temporary))
}

/// Loads the component and checks its digest, if one is given.
pub async fn component(
    path: &Path,
    digest: Option<&str>,
    policy: Option<&Policy>,
    outbound: Option<&Outbound>,
) -> Result<Component, Failed> {
    let stack = policy
        .map_or_else(Limits::default, |policy| policy.limits_over(Limits::default()))
        .stack_bytes;
    let mut config = EngineConfig::default().stack_bytes(stack);
    if let Some(outbound) = outbound {
        config = configure(config, outbound)?;
    }
    let (engine, _temporary) = engine(&config, None, None)?;
    // A component with another digest is refused before any of its code runs.
    Ok(match digest {
        Some(digest) => engine.load_file_pinned(path, digest).await?,
        None => engine.load_file(path).await?,
    })
}

/// Registers a command's inputs, which no output may overwrite.
pub fn inputs(
    component: &Path,
    named: &[(&str, Option<&PathBuf>)],
    grants: &Grants,
    outbound: &Outbound,
) -> Result<Places, Failed> {
    let mut places = Places::new();
    places.read("COMPONENT", component)?;
    let flags = [
        ("--policy", grants.policy.as_ref()),
        ("--client-cert", outbound.client_cert.as_ref()),
        ("--client-key", outbound.client_key.as_ref()),
    ];
    for (name, path) in named.iter().chain(&flags) {
        if let Some(path) = path {
            places.read(name, path)?;
            if *name == "--credential" {
                places.read("the tokens of --credential", &tokens(path))?;
            }
        }
    }
    for path in &outbound.ca {
        places.read("--ca", path)?;
    }
    Ok(places)
}

/// The runner's TLS, by the policy and the flags. Warns of every origin whose certificate is not checked.
pub fn tls(
    policy: &Policy,
    grants: &Grants,
    outbound: &Outbound,
    places: &mut Places,
) -> Result<Tls, Failed> {
    let rules = policy.tls();
    let folder = grants.policy.as_deref().and_then(Path::parent);
    let in_policy = |file: &String| folder.unwrap_or(Path::new("")).join(file);
    let mut open = |from: &str, path: &Path, care: &Care| {
        places.read(from, path)?;
        read(path, care)
    };
    let wrong = |from: &str, error: &dyn std::fmt::Display| Failed::usage(format!("{from}: {error}"));
    let mut tls = Tls::default();
    for path in rules.ca.iter().map(in_policy) {
        let pem = open("`ca` of the policy", &path, &files::CERTIFICATES)?;
        tls = tls
            .extra_roots_pem(&pem)
            .map_err(|error| wrong(&text::path(&path), &error))?;
    }
    let flags = outbound.client_cert.clone().zip(outbound.client_key.clone());
    let of_policy = rules.client_cert.as_ref().zip(rules.client_key.as_ref());
    let client = match (flags, of_policy) {
        (Some((certificate, key)), _) => Some((["--client-cert", "--client-key"], certificate, key)),
        (None, Some((certificate, key))) => Some((
            ["`client-cert` of the policy", "`client-key` of the policy"],
            in_policy(certificate),
            in_policy(key),
        )),
        (None, None) => None,
    };
    if let Some(([from, from_key], certificate, key)) = client {
        let key = Secret::new(open(from_key, &key, &files::CLIENT_KEY)?);
        let pem = open(from, &certificate, &files::CERTIFICATES)?;
        tls = tls
            .client_certificate(&pem, &key)
            .map_err(|error| wrong(from, &error).hint(error.hint()))?;
    }
    for origin in &outbound.insecure_origin {
        let origin = InsecureOrigin::parse(origin).map_err(|error| wrong("--insecure-origin", &error))?;
        tls = tls.insecure_origin(origin);
    }
    for origin in tls.insecure_origins().iter().chain(&rules.insecure_origins) {
        warning(&format!(
            "the certificate of {origin} is not checked: everybody on the way there can read and change what is sent, secrets included"
        ));
    }
    Ok(tls)
}

/// Adds the certificates and the proxy from flags and variables.
fn configure(mut config: EngineConfig, outbound: &Outbound) -> Result<EngineConfig, Failed> {
    let named = outbound.ca.iter().map(|file| ("--ca", file.clone()));
    let variable = std::env::var_os(CERTIFICATES).filter(|file| !file.is_empty());
    let files = named.chain(variable.map(|file| (CERTIFICATES, PathBuf::from(file))));
    for (from, file) in files {
        let wrong =
            |error: &dyn std::fmt::Display| Failed::usage(format!("{from}: {}: {error}", text::path(&file)));
        let pem = std::fs::metadata(&file)
            .map_err(|error| wrong(&error))
            .and_then(|_| read(&file, &files::CERTIFICATES))?;
        config = config.extra_roots_pem(&pem).map_err(|error| wrong(&error))?;
    }
    let (from, url) = match (&outbound.proxy, std::env::var(PROXY)) {
        (Some(url), _) => ("--proxy", url.clone()),
        (None, Ok(url)) => (PROXY, url),
        (None, Err(_)) => return Ok(config),
    };
    if from == "--proxy" && url.contains('@') {
        let why = "--proxy: a user and a password do not belong into an argument, which others on this machine may read";
        let hint = format!("give the whole URL in the variable {PROXY}");
        return Err(Failed::usage(why.to_owned()).hint(hint));
    }
    let proxy = Proxy::new(Some(&url), Some(&url), &outbound.no_proxy);
    let proxy = proxy.map_err(|error| Failed::usage(format!("{from}: {error}")))?;
    Ok(config.proxy(proxy))
}

/// The policy that the flags and the policy file give.
pub fn policy(grants: &Grants) -> Result<Policy, Failed> {
    let mut policy = match &grants.policy {
        Some(path) => {
            let text = read(path, &files::POLICY)?;
            Policy::from_toml(&text, &path.to_string_lossy())
                .map_err(|error| Failed::usage(error.to_string()).hint(error.hint()))?
        }
        None => Policy::default(),
    };
    for entry in &grants.allow {
        let rule = Rule::parse(entry)
            .map_err(|error| Failed::usage(format!("--allow: {error}")).hint(error.hint()))?;
        policy.allow(rule);
    }
    if grants.allow_declared {
        policy.allow_declared();
    }
    Ok(policy)
}

/// The credential from the file or the environment; `None` if there is neither or the node takes none.
pub fn credential(node: &Node, file: Option<&Path>) -> Result<Option<Credential>, Failed> {
    let Some(text) = credential_text(node, file)? else {
        return Ok(None);
    };
    let credential = Credential::from_json(node, &text).map_err(nodule::Error::from)?;
    Ok(Some(credential))
}

/// The text of the credential, as [`credential`] finds it.
pub fn credential_text(node: &Node, file: Option<&Path>) -> Result<Option<String>, Failed> {
    match (file, std::env::var(CREDENTIAL)) {
        (Some(file), _) => read(file, &files::CREDENTIAL).map(Some),
        // The environment's credential may be meant for another node.
        (None, Ok(_)) if node.credentials.is_empty() => Ok(None),
        // Scripts set a variable to nothing to leave it out.
        (None, Ok(text)) if text.trim().is_empty() => Ok(None),
        (None, Ok(text)) => Ok(Some(text)),
        (None, Err(_)) => Ok(None),
    }
}

/// The credential, for a command that is about one.
pub fn needed_credential(node: &Node, file: Option<&Path>) -> Result<Credential, Failed> {
    if node.credentials.is_empty() {
        let hint = "`nodule run` runs it without a credential".to_owned();
        return Err(Failed::usage(format!("`{}` takes no credential", node.name)).hint(hint));
    }
    credential(node, file)?
        .ok_or_else(|| Failed::usage("no credential was given".to_owned()).hint(CREDENTIAL_HINT.to_owned()))
}

/// Lets a runner use and renew the tokens that `nodule login` stored beside the credential's file.
pub fn with_tokens(builder: RunnerBuilder, credential: Option<&Path>) -> RunnerBuilder {
    match credential {
        Some(file) => builder.token_store(FileTokenStore::new(tokens(file))),
        None => builder,
    }
}

/// Where the tokens of a credential's file are.
pub fn tokens(credential: &Path) -> PathBuf {
    let mut name = credential.as_os_str().to_owned();
    name.push(".tokens");
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dir(set: &[(&str, &str)]) -> Result<Option<PathBuf>, String> {
        cache_dir(|name| {
            set.iter()
                .find(|(candidate, _)| *candidate == name)
                .map(|(_, value)| OsString::from(value))
        })
    }

    #[test]
    fn the_cache_is_where_the_first_variable_says() {
        let all = [
            ("NODULE_CACHE_DIR", "/n"),
            ("XDG_CACHE_HOME", "/x"),
            ("HOME", "/h"),
        ];
        let expected = ["/n", "/x/nodule/components", "/h/.cache/nodule/components"];
        for (from, expected) in expected.into_iter().enumerate() {
            assert_eq!(dir(&all[from..]).unwrap(), Some(expected.into()));
        }
        assert_eq!(dir(&[]).unwrap(), None);
        assert_eq!(
            dir(&[("XDG_CACHE_HOME", ""), ("HOME", "/h")]).unwrap(),
            Some("/h/.cache/nodule/components".into())
        );
    }

    #[test]
    fn a_variable_that_is_relative_or_empty_is_refused_and_not_passed_over() {
        for (name, value) in [
            ("NODULE_CACHE_DIR", ""),
            ("NODULE_CACHE_DIR", "cache"),
            ("XDG_CACHE_HOME", "./x"),
            ("HOME", ""),
            ("HOME", "h"),
        ] {
            let mut set = vec![(name, value)];
            if name != "HOME" {
                set.push(("HOME", "/h"));
            }
            let error = dir(&set).unwrap_err();
            assert!(error.contains(name) && error.contains("absolute"), "{error}");
        }
    }
}
