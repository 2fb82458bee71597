//! `nodule pack n8n`: whose name a package has, and what is in it. `n8n/test` runs packed nodes.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{component, expect, nodule, stderr, stdout};

const ABOUT: &str = "[package]\nname = \"acme-crm\"\nversion = \"1.2.0\"\nauthor = \"Ada Lovelace <ada@example.com>\"\n\
    license = \"EUPL-1.2\"\nrepository = \"https://git.example.com/acme\"\n";

/// A node's folder with that `nodule.toml`, and a folder of programs that are quickly packed.
fn folder(config: &str) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("nodule.toml"), config).unwrap();
    std::fs::write(dir.path().join("LICENSE"), "the licence's text").unwrap();
    std::fs::create_dir(dir.path().join("programs")).unwrap();
    for name in ["nodule-linux-x64", "nodule-linux-arm64", "notes.txt"] {
        std::fs::write(dir.path().join("programs").join(name), name).unwrap();
    }
    dir
}

fn pack(dir: &Path, more: &[&str]) -> Command {
    let mut pack = nodule();
    pack.args(["pack", "n8n", "."])
        .arg("--component")
        .arg(component());
    pack.args(["--binaries", "programs"]).args(more).current_dir(dir);
    pack
}

/// What npm leaves of the package.
fn unpacked(dir: &Path, file: &str) -> PathBuf {
    let to = dir.join("unpacked");
    std::fs::create_dir(&to).unwrap();
    let mut tar = Command::new("tar");
    expect(tar.arg("-xzpf").arg(dir.join(file)).arg("-C").arg(&to), 0);
    to.join("package")
}

fn manifest(package: &Path) -> Value {
    serde_json::from_str(&std::fs::read_to_string(package.join("package.json")).unwrap()).unwrap()
}

#[test]
fn a_package_has_the_node_s_own_name_author_licence_and_repository() {
    let dir = folder(ABOUT);
    let said = stdout(&expect(&mut pack(dir.path(), &[]), 0));
    assert!(said.contains("n8n-nodes-acme-crm 1.2.0: EUPL-1.2\n"), "{said}");
    assert!(
        said.ends_with("program nodule-linux-arm64\nprogram nodule-linux-x64\n"),
        "{said}"
    );
    let package = unpacked(dir.path(), "n8n-nodes-acme-crm-1.2.0.tgz");
    let found = manifest(&package);
    for (key, expected) in [
        ("name", json!("n8n-nodes-acme-crm")),
        ("version", json!("1.2.0")),
        (
            "author",
            json!({"name": "Ada Lovelace", "email": "ada@example.com"}),
        ),
        ("license", json!("EUPL-1.2")),
        (
            "repository",
            json!({"type": "git", "url": "https://git.example.com/acme"}),
        ),
        ("files", json!(["dist", "README.md", "LICENSE"])),
        (
            "description",
            json!(
                "SocialHub in n8n: Members, customers, orders, points and master data of the SocialHub CRM"
            ),
        ),
    ] {
        assert_eq!(found[key], expected, "{key}");
    }
    let text = |file: &str| std::fs::read_to_string(package.join(file)).unwrap();
    assert_eq!(text("LICENSE"), "the licence's text");
    assert!(text("README.md").starts_with("# n8n-nodes-acme-crm\n"));
    assert!(!text("package.json").contains("Nodule"));
    assert_eq!(
        std::fs::read(package.join("dist/nodes/SocialHub/component.wasm")).unwrap(),
        std::fs::read(component()).unwrap()
    );
    assert_eq!(text("dist/bin/nodule-linux-arm64"), "nodule-linux-arm64");
    assert!(!package.join("dist/bin/notes.txt").exists());
}

#[test]
fn what_nodule_toml_does_not_say_is_cargo_s() {
    let dir = folder("[package]\nname = \"@acme/crm\"\nrepository = \"https://git.example.com/acme\"\n");
    let manifest_file = "[package]\nname = \"ignored\"\nversion = \"0.3.0\"\nedition = \"2024\"\nauthors = [\"Ada\", \"Bob\"]\n\
        description = \"Acme's customers\"\nlicense = \"MIT\"\nrepository = \"https://ignored.example.com\"\n[workspace]\n";
    std::fs::write(dir.path().join("Cargo.toml"), manifest_file).unwrap();
    std::fs::create_dir(dir.path().join("src")).unwrap();
    std::fs::write(dir.path().join("src/lib.rs"), "").unwrap();
    expect(&mut pack(dir.path(), &["-o", "made.tgz"]), 0);
    let found = manifest(&unpacked(dir.path(), "made.tgz"));
    let expected = json!({
        "name": "@acme/n8n-nodes-crm", "version": "0.3.0", "description": "Acme's customers",
        "author": {"name": "Ada"}, "license": "MIT",
        "repository": {"type": "git", "url": "https://git.example.com/acme"},
    });
    for (key, expected) in expected.as_object().unwrap() {
        assert_eq!(&found[key], expected, "{key}");
    }
}

#[test]
fn what_is_missing_is_named_with_the_lines_to_write() {
    let dir = folder("[package]\nname = \"acme\"\n");
    let said = stderr(&expect(&mut pack(dir.path(), &[]), 2));
    assert!(
        said.contains("`version`, `author`, `license`, `repository` missing"),
        "{said}"
    );
    assert!(
        said.contains("nodule.toml") && said.contains("\nauthor = \"Ada Lovelace <ada@example.com>\""),
        "{said}"
    );
    let dir = folder(ABOUT);
    std::fs::remove_file(dir.path().join("LICENSE")).unwrap();
    let said = stderr(&expect(&mut pack(dir.path(), &[]), 2));
    assert!(
        said.contains("expected a file LICENSE") && said.contains("that of `EUPL-1.2`"),
        "{said}"
    );
    let dir = folder(&ABOUT.replace("acme-crm", "Acme CRM"));
    let said = stderr(&expect(&mut pack(dir.path(), &[]), 2));
    assert!(
        said.contains("`name`: expected lower-case letters") && said.contains("found `Acme CRM`"),
        "{said}"
    );
}

#[test]
fn a_component_or_program_that_is_not_there_is_told_how_it_is_made() {
    let dir = folder(&format!(
        "{ABOUT}[build]\ncommands = []\noutput = \"acme.wasm\"\n"
    ));
    let mut unbuilt = nodule();
    unbuilt.args(["pack", "n8n"]).arg(dir.path());
    let said = stderr(&expect(&mut unbuilt, 2));
    assert!(
        said.contains("acme.wasm") && said.contains("`nodule build`"),
        "{said}"
    );
    std::fs::create_dir(dir.path().join("none")).unwrap();
    let said = stderr(&expect(&mut pack(dir.path(), &["--binaries", "none"]), 2));
    assert!(
        said.contains("none: expected programs such as nodule-linux-x64"),
        "{said}"
    );
    let said = stderr(&expect(&mut pack(dir.path(), &["--config", "gone.toml"]), 2));
    assert!(said.contains("gone.toml"), "{said}");
    // A refused package leaves nothing.
    assert!(!dir.path().join("n8n-nodes-acme-crm-1.2.0.tgz").exists());
}

#[test]
fn a_grant_of_what_the_description_does_not_declare_is_refused() {
    let dir = folder(&format!("declared = [\"https://uploads.example.com\"]\n{ABOUT}"));
    let said = stderr(&expect(&mut pack(dir.path(), &[]), 2));
    assert!(
        said.contains("\"https://uploads.example.com\" is not an origin that the description declares: none"),
        "{said}"
    );
    std::fs::write(dir.path().join("other.toml"), ABOUT).unwrap();
    expect(&mut pack(dir.path(), &["--config", "other.toml"]), 0);
}

#[test]
fn the_same_node_makes_the_same_package() {
    let dir = folder(ABOUT);
    expect(&mut pack(dir.path(), &["-o", "first.tgz"]), 0);
    std::fs::create_dir(dir.path().join("made")).unwrap();
    expect(&mut pack(dir.path(), &["-o", "made"]), 0);
    let read = |file: &str| std::fs::read(dir.path().join(file)).unwrap();
    assert!(read("first.tgz") == read("made/n8n-nodes-acme-crm-1.2.0.tgz"));
}
