//! Credentials of the scheme `oauth2`: rows 110 to 118. The provider answers as each row needs it.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use nodule::oauth2::{FileTokenStore, StoredTokens, TokenStore};
use nodule::policy::Policy;
use nodule::recording::Meta;
use nodule::secret::Secret;
use nodule::url::Url;
use nodule::{Credential, Failure, LOGIN_REQUIRED, Login, RunOptions, Runner, RunnerBuilder, TOKEN_STORE};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::bench::{Bench, SECRET, command, file, finished, kinds, output};
use crate::guests::{GRANTS, STRAYS};
use crate::server::{Request, Server, Step, answer, ok, within};

/// Where the browser comes back to. Nothing listens there.
const REDIRECT: &str = "http://127.0.0.1:9/callback";
/// Tokens begin so.
const ACCESS: &str = "acc3ss-0123456789-";
const REFRESH: &str = "r3fresh-0123456789-";
const CODE: &str = "c0de-0123456789";

/// A provider that gives a new pair of tokens each time, and takes each code and each refresh token once. The service beside it
/// takes the newest access token.
struct Provider {
    server: Server,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    /// The tokens last for this many seconds.
    async fn start(lasts: u64) -> Self {
        let asked = Arc::new(AtomicUsize::new(0));
        let (count, used) = (Arc::clone(&asked), Mutex::new(Vec::new()));
        let server = Server::start(move |request| {
            if request.target() != "/token" {
                let newest = format!("Bearer {ACCESS}{}", count.load(Ordering::SeqCst));
                return match request.header("authorization").as_slice() {
                    [given] if **given == newest => ok(format!("it is {newest}")),
                    _ => answer("401 Unauthorized", &[], "{}"),
                };
            }
            let form = form(request);
            let once = form.get("code").or(form.get("refresh_token")).cloned();
            let mut used = used.lock().unwrap();
            if once.as_ref().is_some_and(|once| used.contains(once)) {
                return answer(
                    "400 Bad Request",
                    &[],
                    r#"{"error":"invalid_grant","error_description":"it was used"}"#,
                );
            }
            used.extend(once);
            let number = count.fetch_add(1, Ordering::SeqCst) + 1;
            // Time for a second one to ask meanwhile.
            [vec![Step::Wait(200)], granted(number, lasts)].concat()
        })
        .await;
        Self { server, asked }
    }

    fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

fn granted(number: usize, lasts: u64) -> Vec<Step> {
    let tokens = json!({
        "access_token": format!("{ACCESS}{number}"), "token_type": "BeArEr", "expires_in": lasts,
        "refresh_token": format!("{REFRESH}{number}"),
    });
    ok(tokens.to_string())
}

fn form(request: &Request) -> HashMap<String, String> {
    let body = format!("http://x/?{}", String::from_utf8_lossy(&request.body));
    let pairs = Url::parse(&body).unwrap();
    pairs.query_pairs().into_owned().collect()
}

/// A runner of a guest, whose tokens are in a folder, and whose provider is at this server.
struct User {
    folder: TempDir,
    base: String,
    port: u16,
    policy: String,
}

impl User {
    fn new(provider: &Server) -> Self {
        let port = provider.address().port();
        Self {
            folder: tempfile::tempdir().unwrap(),
            base: format!("http://127.0.0.1:{port}/api"),
            port,
            policy: String::new(),
        }
    }

    fn fields(&self) -> Value {
        json!({"$credential": "userApi", "baseUrl": self.base, "mode": self.port.to_string(), "clientId": "c1", "secret": SECRET})
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn store(&self) -> FileTokenStore {
        FileTokenStore::new(self.path("credential.json.tokens"))
    }

    async fn stored(&self) -> StoredTokens {
        self.store()
            .load()
            .await
            .unwrap()
            .expect("somebody has logged in")
    }

    async fn builder(&self, bench: &Bench, guest: &str) -> RunnerBuilder {
        let component = bench.guest(guest).await;
        let credential = Credential::from_json(component.node(), &self.fields().to_string()).unwrap();
        component
            .runner()
            .policy(Policy::from_toml(&self.policy, "policy.toml").unwrap())
            .credential(credential)
            .token_store(self.store())
    }

    async fn runner(&self, bench: &Bench) -> Runner {
        self.builder(bench, GRANTS).await.build().unwrap()
    }

    async fn begin(&self, bench: &Bench) -> Login {
        let redirect = Url::parse(REDIRECT).unwrap();
        let begun = self.runner(bench).await.begin_login(&redirect).await;
        begun.unwrap().expect("it needs a log-in")
    }

    async fn log_in(&self, bench: &Bench) {
        let mut login = self.begin(bench).await;
        let back = back(&login, CODE);
        within("a log-in", login.finish(&back)).await.unwrap();
    }

    /// Stores tokens that have to be renewed at once.
    async fn age(&self) {
        let mut tokens = self.stored().await;
        tokens.renew_at = Some("2026-01-01T00:00:00Z".parse().unwrap());
        self.store().lock().await.unwrap().store(&tokens).await.unwrap();
    }

    fn item(&self) -> Value {
        json!({"requests": [{"url": format!("{}/things", self.base)}]})
    }

    async fn run(&self, runner: &Runner) -> Result<Value, Failure> {
        let options = RunOptions::default();
        let results = within(
            "a run",
            runner.execute("things", "read", vec![self.item()], &options),
        )
        .await;
        let result = results.unwrap().remove(0);
        result.map(|output| serde_json::from_str(output[0].get()).unwrap())
    }

    /// The command with the credential in a file.
    fn command(&self, words: &[&str]) -> Command {
        let credential = self.path("credential.json");
        if !credential.exists() {
            std::fs::write(&credential, self.fields().to_string()).unwrap();
        }
        let mut command = Command::new(command());
        command
            .arg(words[0])
            .arg(file(GRANTS))
            .args(&words[1..])
            .arg("--credential")
            .arg(credential);
        command
            .env("NODULE_CACHE_DIR", self.path("cache"))
            .env_remove("DISPLAY")
            .env_remove("WAYLAND_DISPLAY");
        command
    }
}

fn query(url: &Url, name: &str) -> String {
    let mut pairs = url.query_pairs();
    pairs
        .find(|(found, _)| found == name)
        .map(|(_, value)| value.into_owned())
        .unwrap_or_default()
}

/// Where the provider redirects the browser to.
fn back(login: &Login, code: &str) -> String {
    format!("{REDIRECT}?code={code}&state={}", query(login.url(), "state"))
}

fn kind_and_message(result: Result<Value, Failure>) -> (String, String) {
    let failure = result.unwrap_err();
    (failure.kind().to_owned(), failure.to_string())
}

/// Row 110.
pub async fn state(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    let mut login = user.begin(bench).await;
    let url = login.url().clone();
    assert_eq!(url.path(), "/authorize");
    for (name, expected) in [
        ("response_type", "code"),
        ("client_id", "c1"),
        ("redirect_uri", REDIRECT),
        ("scope", "read,write"),
        ("access_type", "offline"),
        ("code_challenge_method", "S256"),
    ] {
        assert_eq!(query(&url, name), expected, "{name}");
    }
    let right = back(&login, CODE);
    let state = query(&url, "state");
    assert!(state.len() >= 20 && query(user.begin(bench).await.url(), "state") != state);
    for wrong in [
        format!("{REDIRECT}?code=theirs"),
        format!("{REDIRECT}?code=theirs&state="),
        format!("{REDIRECT}?code=theirs&state={state}x"),
        format!("{REDIRECT}?code=theirs&state=x&state={state}"),
        right.replace("127.0.0.1:9", "127.0.0.1:10"),
        "theirs".to_owned(),
    ] {
        let error = login.finish(&wrong).await.unwrap_err();
        assert!(error.is_of_a_stranger(), "{wrong}: {error}");
    }
    assert!(provider.server.take().is_empty() && user.store().load().await.unwrap().is_none());
    // Strangers did not end it.
    login.finish(&right).await.unwrap();
    let requests = provider.server.take();
    let sent = form(&requests[0]);
    for (name, expected) in [
        ("grant_type", "authorization_code"),
        ("code", CODE),
        ("redirect_uri", REDIRECT),
        ("audience", "things"),
    ] {
        assert_eq!(sent[name], expected, "{name}");
    }
    assert!(
        sent["code_verifier"].len() >= 43 && requests[0].header("authorization")[0].starts_with("Basic ")
    );
    assert!(!sent.contains_key("client_secret"));
    let seen = user.run(&user.runner(bench).await).await.unwrap();
    assert_eq!(seen["status"], 200);
    for (words, is_pasted) in [(["login"].as_slice(), false), (&["login", "--no-browser"], true)] {
        let user = User::new(&provider.server);
        let command = user.command(words);
        let done = tokio::task::spawn_blocking(move || by_command(command, is_pasted));
        within("the command", done).await.unwrap();
        let output = within("a check", finished(user.command(&["check-credential"]))).await;
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
}

/// Row 111.
pub async fn code_twice(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    let mut login = user.begin(bench).await;
    let url = back(&login, CODE);
    login.finish(&url).await.unwrap();
    let first = user.stored().await.access_token.expose().to_owned();
    for second in [url.clone(), back(&login, "another")] {
        let error = login.finish(&second).await.unwrap_err();
        assert!(error.to_string().contains("no second code"), "{error}");
    }
    assert_eq!(provider.asked(), 1);
    // The provider itself refuses a code that somebody else has used.
    let mut other = user.begin(bench).await;
    let error = other.finish(&back(&other, CODE)).await.unwrap_err();
    assert!(
        error.to_string().contains("`invalid_grant`: it was used"),
        "{error}"
    );
    assert_eq!(user.stored().await.access_token.expose(), first);
}

/// Logs in by the command, while strangers try to: where the browser comes back to, or on standard input.
fn by_command(mut command: Command, is_pasted: bool) {
    let mut process = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(process.stdout.take().unwrap()).lines();
    let url = Url::parse(&lines.next().unwrap().unwrap()).unwrap();
    let redirect = Url::parse(&query(&url, "redirect_uri")).unwrap();
    let right = format!(
        "?code={CODE}{}&state={}",
        u8::from(is_pasted),
        query(&url, "state")
    );
    let mut said = String::new();
    if is_pasted {
        let mut input = process.stdin.take().unwrap();
        writeln!(
            input,
            "nonsense\n\n{redirect}?code=theirs&state=x\n{redirect}{right}"
        )
        .unwrap();
    } else {
        for stranger in ["", "?code=theirs", "?code=theirs&state=x"] {
            assert!(get(&redirect, stranger).starts_with("HTTP/1.1 400"), "{stranger}");
        }
        let page = get(&redirect, &right);
        assert!(
            page.starts_with("HTTP/1.1 200") && page.contains("You may close this window"),
            "{page}"
        );
    }
    let last = lines.next().unwrap().unwrap();
    assert!(last.starts_with("logged in: "), "{last}");
    process.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert!(process.wait().unwrap().success(), "{said}");
    assert!(said.contains(&url.origin().ascii_serialization()), "{said}");
    for secret in [ACCESS, REFRESH, CODE, SECRET, &query(&url, "state")] {
        assert!(!said.contains(secret), "{said}");
    }
    assert!(std::net::TcpStream::connect(redirect.socket_addrs(|| None).unwrap()[0]).is_err());
}

fn get(redirect: &Url, query: &str) -> String {
    let mut stream = std::net::TcpStream::connect(redirect.socket_addrs(|| None).unwrap()[0]).unwrap();
    let path = redirect.path();
    write!(
        stream,
        "GET {path}{query} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
    )
    .unwrap();
    let mut page = String::new();
    stream.read_to_string(&mut page).unwrap();
    page
}

/// Row 112.
pub async fn mix_up(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    let mut login = user.begin(bench).await;
    let mine = format!("http://127.0.0.1:{}", user.port);
    for issuer in [
        "https://evil.example",
        "http://127.0.0.1:9",
        &format!("{mine}.evil.example"),
        "",
    ] {
        let error = login
            .finish(&format!("{}&iss={issuer}", back(&login, CODE)))
            .await;
        let error = error.unwrap_err();
        assert!(error.to_string().contains("from the provider"), "{error}");
    }
    assert_eq!(provider.asked(), 0);
    login
        .finish(&format!("{}&iss={mine}", back(&login, CODE)))
        .await
        .unwrap();
}

/// Row 113: the token endpoint redirects, or is one that nobody granted.
pub async fn endpoints(bench: &Bench) {
    let elsewhere = Server::start(|_| granted(1, 3600)).await;
    let to = format!("{}/token", elsewhere.origin());
    for status in [
        "301 Moved Permanently",
        "302 Found",
        "307 Temporary Redirect",
        "308 Permanent Redirect",
    ] {
        let to = to.clone();
        let redirecting = Server::start(move |_| answer(status, &[("location", &to)], "")).await;
        let user = User::new(&redirecting);
        let mut login = user.begin(bench).await;
        let error = login.finish(&back(&login, CODE)).await.unwrap_err().to_string();
        assert!(
            error.contains(&redirecting.origin()) && error.contains("not followed"),
            "{error}"
        );
        assert!(elsewhere.take().is_empty() && user.store().load().await.unwrap().is_none());
    }
    // A client's own secret goes to the base URL's origin, and elsewhere with a grant only.
    let service = Server::start(|_| ok("{}")).await;
    let component = bench.guest(GRANTS).await;
    let machine = |policy: &str| {
        let port = elsewhere.address().port().to_string();
        let fields = json!({
            "$credential": "machineApi", "baseUrl": service.origin(), "mode": port, "clientId": "m1", "machineSecret": SECRET,
        });
        let credential = Credential::from_json(component.node(), &fields.to_string()).unwrap();
        let policy = Policy::from_toml(policy, "policy.toml").unwrap();
        component
            .runner()
            .policy(policy)
            .credential(credential)
            .own_session()
            .build()
            .unwrap()
    };
    let item = json!({"requests": [{"url": format!("{}/things", service.origin())}]});
    let run = async |policy: &str| {
        let options = RunOptions::default();
        let mut results = machine(policy)
            .execute("things", "read", vec![item.clone()], &options)
            .await
            .unwrap();
        results.remove(0)
    };
    let entry = format!("[[allow]]\norigin = \"{}\"\n", elsewhere.origin());
    for policy in ["", &entry] {
        let Err(Failure::Denied { message, hint }) = run(policy).await else {
            panic!("it was not denied")
        };
        assert!(message.contains("nobody granted it"), "{message}");
        assert!(
            hint.unwrap()
                .contains(&format!("declared = [\"{}\"]", elsewhere.origin()))
        );
    }
    // A grant covers no private address.
    let granted_only = run("declared = true").await;
    assert_eq!(kinds(&[granted_only]), ["denied"]);
    assert!(elsewhere.take().is_empty() && service.take().is_empty());
    output(&run(&format!("declared = true\n{entry}")).await);
    let sent = form(&elsewhere.take()[0]);
    assert_eq!(
        (sent["grant_type"].as_str(), sent["client_secret"].as_str()),
        ("client_credentials", SECRET)
    );
    assert_eq!(
        service.take()[0].header("authorization"),
        [format!("Bearer {ACCESS}1")]
    );
    // The user's own endpoint at a private address is none that the description alone may name.
    let user = User {
        base: service.origin(),
        ..User::new(&elsewhere)
    };
    let redirect = Url::parse(REDIRECT).unwrap();
    let begun = user.runner(bench).await.begin_login(&redirect).await;
    assert_eq!(begun.unwrap_err().kind(), "denied");
}

/// Row 114: an answer of 50 MB, one that is none, and an error for the terminal.
pub async fn answers(bench: &Bench) {
    let large = format!(
        r#"{{"access_token":"{}","token_type":"bearer"}}"#,
        "x".repeat(50 << 20)
    );
    let said = r#"{"error":"\u001b[2Jbad","error_description":"\u202e\u0007"#.to_owned();
    let errors = format!("{said}{SAID}{}\"}}", "y".repeat(100_000));
    for (status, body, expected) in [
        ("200 OK", large, "1048576 bytes"),
        ("200 OK", "<html>".to_owned(), "expected an answer of OAuth 2.0"),
        (
            "200 OK",
            r#"{"access_token":"a","token_type":"mac"}"#.to_owned(),
            "`bearer`",
        ),
        (
            "200 OK",
            r#"{"access_token":"a\r\nx: y","token_type":"bearer"}"#.to_owned(),
            "a header can have",
        ),
        (
            "200 OK",
            r#"{"access_token":"","token_type":"bearer"}"#.to_owned(),
            "a header can have",
        ),
        ("400 Bad Request", errors.clone(), "bad"),
        ("200 OK", errors, "bad"),
        ("503 Service Unavailable", String::new(), "503"),
    ] {
        let server =
            Server::start(move |_| answer(status, &[("content-type", "application/json")], &body)).await;
        let user = User::new(&server);
        let mut login = user.begin(bench).await;
        let error = login.finish(&back(&login, CODE)).await.unwrap_err();
        let message = error.to_string();
        assert!(message.contains(expected), "{expected}: {message}");
        assert!(message.len() < 2_000 && !message.contains(SECRET), "{message}");
        assert!(!message.chars().any(nodule::text::is_deceptive), "{message:?}");
        assert!(user.store().load().await.unwrap().is_none());
    }
}

/// What a provider's error repeats of the request.
const SAID: &str = "the secret s3cr3t/value+0123456789\\\"abcdef is wrong";

/// Row 115.
pub async fn two_at_once(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    user.log_in(bench).await;
    user.age().await;
    let item = user.item().to_string();
    std::fs::write(user.path("items.jsonl"), item).unwrap();
    let items = user.path("items.jsonl");
    let words = ["run", "things", "read", "--items", items.to_str().unwrap()];
    let both = [user.command(&words), user.command(&words)].map(finished);
    let [one, other] = both;
    for output in <[_; 2]>::from(within("two processes", async { tokio::join!(one, other) }).await) {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        let shown = String::from_utf8_lossy(&output.stdout).into_owned() + &said;
        assert!(!shown.contains(ACCESS) && !shown.contains(REFRESH), "{shown}");
    }
    assert_eq!(provider.asked(), 2, "the log-in, and one renewal");
    let refreshed = provider.server.take();
    let renewals = refreshed
        .iter()
        .filter(|request| form(request).contains_key("refresh_token"));
    assert_eq!(renewals.count(), 1);
    // The same within one process, by two runners.
    user.age().await;
    let (one, other) = (user.runner(bench).await, user.runner(bench).await);
    let (one, other) = tokio::join!(user.run(&one), user.run(&other));
    assert_eq!(
        (one.unwrap()["status"].clone(), other.unwrap()["status"].clone()),
        (json!(200), json!(200))
    );
    assert_eq!(provider.asked(), 3);
}

/// Row 116: a store that cannot be written is found out before the provider is asked, and a process that is killed while the
/// provider answers leaves whole tokens and no lock.
pub async fn unwritten(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    user.log_in(bench).await;
    user.age().await;
    // A folder in the place of the file that is written beside. Even root cannot write into it.
    let part = user.path("credential.json.tokens.part");
    std::fs::create_dir(&part).unwrap();
    let failure = user.run(&user.runner(bench).await).await;
    let (kind, message) = kind_and_message(failure);
    assert!(
        kind == TOKEN_STORE && message.contains("credential.json.tokens.part"),
        "{kind}: {message}"
    );
    assert_eq!(provider.asked(), 1, "the refresh token is unused");
    std::fs::remove_dir(&part).unwrap();
    // A provider that never answers, and the process is killed meanwhile.
    let silent = Server::start(|_| vec![Step::Silence]).await;
    let killed = User::new(&silent);
    let mut tokens = user.stored().await;
    tokens.binding.base_url.clone_from(&killed.base);
    tokens.binding.token_url = format!("{}/token", silent.origin());
    killed.store().lock().await.unwrap().store(&tokens).await.unwrap();
    let item = killed.path("items.jsonl");
    std::fs::write(&item, killed.item().to_string()).unwrap();
    let mut command = killed.command(&["run", "things", "read", "--items", item.to_str().unwrap()]);
    let mut process = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    within("a renewal", async {
        while silent.connections() == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    process.kill().unwrap();
    process.wait().unwrap();
    let left = killed.stored().await;
    assert_eq!(
        left.refresh_token.unwrap().expose(),
        tokens.refresh_token.as_ref().unwrap().expose()
    );
    within("the lock", async { drop(killed.store().lock().await.unwrap()) }).await;
    // A new token is on the disk before it is used.
    let (used, path) = (
        Arc::new(Mutex::new(Vec::new())),
        Arc::new(Mutex::new(PathBuf::new())),
    );
    let (seen, at, count) = (Arc::clone(&used), Arc::clone(&path), AtomicUsize::new(0));
    let server = Server::start(move |request| {
        if request.target() == "/token" {
            return granted(count.fetch_add(1, Ordering::SeqCst) + 1, 3600);
        }
        let stored = std::fs::read_to_string(&*at.lock().unwrap()).unwrap_or_default();
        let both = [format!("{ACCESS}2"), format!("{REFRESH}2")];
        seen.lock()
            .unwrap()
            .push(both.iter().all(|token| stored.contains(token)));
        ok("{}")
    })
    .await;
    let user = User::new(&server);
    *path.lock().unwrap() = user.path("credential.json.tokens");
    user.log_in(bench).await;
    user.age().await;
    user.run(&user.runner(bench).await).await.unwrap();
    assert_eq!(*used.lock().unwrap(), [true]);
}

/// Row 117: a refused renewal says so, and a new version of the node that wants the tokens elsewhere gets nothing.
pub async fn refused(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    let (kind, message) = kind_and_message(user.run(&user.runner(bench).await).await);
    assert!(
        kind == LOGIN_REQUIRED && message.contains("nobody has logged in"),
        "{message}"
    );
    user.log_in(bench).await;
    let runner = user.runner(bench).await;
    user.run(&runner).await.unwrap();
    // The service ends the token: it is renewed once, and the item goes on.
    provider.asked.fetch_add(1, Ordering::SeqCst);
    user.run(&runner).await.unwrap();
    assert_eq!(provider.asked(), 3, "one renewal");
    // A service that takes no token at all does not make the host renew for ever.
    let count = Arc::new(AtomicUsize::new(0));
    let asked = Arc::clone(&count);
    let never = Server::start(move |request| match request.target() {
        "/token" => granted(asked.fetch_add(1, Ordering::SeqCst) + 1, 3600),
        _ => answer("401 Unauthorized", &[], "{}"),
    })
    .await;
    let nobody = User::new(&never);
    nobody.log_in(bench).await;
    let (kind, _) = kind_and_message(nobody.run(&nobody.runner(bench).await).await);
    assert_eq!(
        (kind.as_str(), count.load(Ordering::SeqCst)),
        ("unauthenticated", 2)
    );
    // A new version of the node, whose tokens come from elsewhere.
    provider.server.take();
    let stray = user.builder(bench, STRAYS).await.build().unwrap();
    let (kind, message) = kind_and_message(user.run(&stray).await);
    assert!(
        kind == LOGIN_REQUIRED && message.contains("another token endpoint"),
        "{message}"
    );
    assert!(provider.server.take().is_empty(), "nothing was sent");
    // Somebody else has used the refresh token.
    user.age().await;
    let mut tokens = user.stored().await;
    tokens.refresh_token = Some(Secret::new(format!("{REFRESH}1")));
    user.store().lock().await.unwrap().store(&tokens).await.unwrap();
    let (kind, message) = kind_and_message(user.run(&user.runner(bench).await).await);
    assert!(
        kind == LOGIN_REQUIRED && message.contains("log in again"),
        "{message}"
    );
    // The command says with what.
    let output = within("the command", finished(user.command(&["check-credential"]))).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("nodule login") && !said.contains(REFRESH), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

/// Row 118.
pub async fn told(bench: &Bench) {
    let provider = Provider::start(3600).await;
    let user = User::new(&provider.server);
    user.log_in(bench).await;
    let meta = Meta::new("things", "read", user.base.parse().unwrap());
    let runner = user.builder(bench, GRANTS).await.record(meta).build().unwrap();
    let seen = user.run(&runner).await.unwrap();
    assert!(seen["body"].as_str().unwrap().contains("[redacted]"), "{seen}");
    user.age().await;
    let again = user.runner(bench).await;
    user.run(&again).await.unwrap();
    let recording = runner.recording("case.har").unwrap().unwrap();
    let shown = [
        ("the node", seen.to_string()),
        ("the recording", recording),
        ("the events", bench.log.text()),
        (
            "the runner",
            format!("{runner:?} {again:?} {:?}", user.begin(bench).await),
        ),
        ("the stored tokens", format!("{:?}", user.stored().await)),
    ];
    for (what, text) in shown {
        for secret in [ACCESS, REFRESH, CODE, SECRET] {
            assert!(!text.contains(secret), "{what}: {secret}");
        }
    }
    assert!(only_owner(&user.path("credential.json.tokens")));
}

fn only_owner(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777 == 0o600
}
