//! `docs/write-a-node.md`, done by hand: its files are written, and each of its commands does what the page says.

use std::collections::VecDeque;
use std::path::Path;
use std::process::{Command, Output};

use host_test::raw::{Scenario, Server};

use crate::support::{author_s, root, stderr, stdout};

/// The blocks of the page in their order, each by its language.
struct Page(VecDeque<(String, String)>);

impl Page {
    fn read() -> Self {
        let text = std::fs::read_to_string(root().join("docs/write-a-node.md")).unwrap();
        let blocks = text.split("\n```").skip(1).step_by(2);
        Self(
            blocks
                .map(|block| block.split_once('\n').unwrap())
                .map(|(language, block)| (language.to_owned(), format!("{block}\n")))
                .collect(),
        )
    }

    /// The next block that has this language and this text in it.
    fn next(&mut self, language: &str, with: &str) -> String {
        while let Some((found, block)) = self.0.pop_front() {
            if found == language && block.contains(with) {
                return block;
            }
        }
        panic!("no block `{language}` with `{with}` from there on");
    }
}

/// Runs a block of the page as its reader does.
fn sh(dir: &Path, block: &str) -> Output {
    let path = std::env::var("PATH").unwrap();
    let mut shell = Command::new("sh");
    shell.arg("-euxc").arg(block).current_dir(dir);
    shell.env(
        "PATH",
        format!("{}:{path}", root().join("target/release").display()),
    );
    author_s(&mut shell)
        .env_remove("NODULE_CREDENTIAL")
        .output()
        .unwrap()
}

fn done(dir: &Path, block: &str) -> String {
    let output = sh(dir, block);
    assert!(output.status.success(), "{block}\n{}", stderr(&output));
    stdout(&output)
}

#[test]
fn every_command_of_the_chapter_does_what_it_says() {
    let mut page = Page::read();
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let write = |name: &str, text: &str| {
        let file = dir.join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, text).unwrap();
    };

    let sdk = root().join("sdk");
    let mut manifest = page.next("toml", "[package]");
    manifest = manifest.replace(r#"nodule-sdk = "0.1""#, &format!("nodule-sdk.path = {sdk:?}"));
    let table = page.next("rust", "export!(SERVICE)");
    let (table, _) = table.split_once("let library").unwrap();
    write("src/lib.rs", table);
    let complaint = page.next("text", "error[E0080]");
    let build = page.next("sh", "nodule build");
    let record = page.next("sh", "--record");
    let missing = page.next("text", "MISSING");
    let items = page.next("toml", "[[items]]");
    write("tests/cases.rs", &page.next("rust,ignore", "recorded_cases!"));
    let tests = page.next("toml", "[dev-dependencies]");
    let tests = tests.replace(r#"version = "0.1""#, &format!("path = {sdk:?}"));
    write("Cargo.toml", &format!("{manifest}\n{tests}\n[workspace]\n"));
    let unsent = page.next("text", "header `idempotency-key`");
    let config = page.next("toml", "# nodule.toml");
    let pack = page.next("sh", "nodule pack n8n");

    let described = done(dir, &build);
    assert!(
        described.contains("\ncityLibrary 1: 3 operations\nimports wasi:"),
        "{described}"
    );
    assert!(described.contains("Lend a book to a reader"), "{described}");

    let library = Server::start(vec![Scenario::always("library", r#"{"loan":7,"books":[]}"#)]);
    let record = record.replace("http://127.0.0.1:8080", &library.base("library"));
    let checked = sh(dir, &record);
    assert!(stdout(&checked).ends_with(&missing), "{}", stdout(&checked));
    assert_eq!(checked.status.code(), Some(1));
    write("cases/book/lend.toml", &items);
    let recorded = done(dir, "nodule record --all --credential credential.json");
    assert_eq!(recorded, "recorded cases/book/lend.har\n");
    sh(dir, "nodule check library-node.wasm cases --write-skeletons");
    for name in ["cases/book/list.toml", "cases/book/get.toml"] {
        assert!(dir.join(name).exists(), "{name}");
    }
    done(dir, "sed -i '/isbn/s/\"\"/\"1\"/' cases/book/get.toml");
    done(dir, "nodule record --all --credential credential.json");
    let checked = done(dir, "nodule check library-node.wasm cases");
    assert!(checked.ends_with("\n3 passed, 0 failed\n"), "{checked}");
    let tested = done(dir, "cargo test --offline");
    assert!(
        tested.contains("book/lend") && tested.contains("3 passed"),
        "{tested}"
    );

    // The two mistakes that the page shows.
    let key = r#".header("idempotency-key")"#;
    write("src/lib.rs", &table.replace(key, ".unsent()"));
    let said = stderr(&sh(dir, "nodule build"));
    assert!(said.contains(complaint.trim()), "{said}");
    write("src/lib.rs", &table.replace(key, ""));
    let said = sh(
        dir,
        "nodule build >/dev/null && nodule check library-node.wasm cases",
    );
    assert_eq!(said.status.code(), Some(1));
    assert!(stdout(&said).contains(unsent.trim()), "{}", stdout(&said));

    write("src/lib.rs", table);
    let said = sh(dir, &pack);
    assert!(
        !said.status.success() && stderr(&said).contains("author"),
        "{}",
        stderr(&said)
    );
    write("nodule.toml", &config);
    write(
        "n8n.md",
        "# City Library\n\n<!-- operations -->\n<!-- /operations -->\n",
    );
    write("LICENSE", "the licence's text");
    done(dir, &format!("nodule build >/dev/null\n{pack}"));
    assert!(dir.join("n8n-nodes-city-library-0.1.0.tgz").exists());
}
