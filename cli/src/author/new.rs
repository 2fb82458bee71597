//! `nodule new`: a folder to begin a node with. It builds, and its tests pass.

use std::path::{Path, PathBuf};

use nodule::text;

use crate::args::{self, Language};
use crate::exit::{Exit, Failed};
use crate::output;

/// What a node has in every language.
const COMMON: [(&str, &str); 6] = [
    ("cases/thing/get.toml", include_str!("template/case.toml")),
    ("cases/thing/get.har", include_str!("template/case.har")),
    ("README.md", include_str!("template/readme.md")),
    ("LICENSE", include_str!("template/license")),
    (".gitignore", include_str!("template/gitignore")),
    (".github/workflows/ci.yml", include_str!("template/ci.yml")),
];
const RUST: [(&str, &str); 5] = [
    ("Cargo.toml", include_str!("template/rust/manifest.toml")),
    ("src/lib.rs", include_str!("template/rust/lib.rs")),
    ("tests/requests.rs", include_str!("template/rust/requests.rs")),
    ("tests/cases.rs", include_str!("template/rust/cases.rs")),
    ("rustfmt.toml", "max_width = 110\n"),
];
const JAVASCRIPT: [(&str, &str); 5] = [
    ("node.js", include_str!("template/javascript/node.js")),
    ("build.mjs", include_str!("template/javascript/build.mjs")),
    ("package.json", include_str!("template/javascript/package.json")),
    ("nodule.toml", include_str!("template/javascript/nodule.toml")),
    ("wit/world.wit", include_str!("template/world.wit")),
];
const PYTHON: [(&str, &str); 4] = [
    ("src/node.py", include_str!("template/python/node.py")),
    (
        "requirements.txt",
        include_str!("template/python/requirements.txt"),
    ),
    ("nodule.toml", include_str!("template/python/nodule.toml")),
    ("wit/world.wit", include_str!("template/world.wit")),
];
/// Where the tools of other languages look for the contract.
const WIT_FOLDER: &str = "wit/deps";
/// What the first run of a node with a language's engine in it needs.
const ENGINE: &str = "The component contains the engine of its language, which takes longer to compile than a node in Rust. For its first run:\n\n\
    ```sh\nexport NODULE_COMPILE_MEGABYTES=4000 NODULE_COMPILE_SECONDS=300\n```\n\n";
const ENGINE_CI: &str = "      - run: echo NODULE_COMPILE_MEGABYTES=4000 >> $GITHUB_ENV && echo NODULE_COMPILE_SECONDS=300 >> $GITHUB_ENV\n";

impl Language {
    fn files(self) -> impl Iterator<Item = (String, &'static str)> {
        let (own, wit): (&[_], &[_]) = match self {
            Self::Rust => (&RUST, &[]),
            Self::Js => (&JAVASCRIPT, nodule::WIT),
            Self::Python => (&PYTHON, nodule::WIT),
        };
        let wit = wit
            .iter()
            .map(|(name, text)| (format!("{WIT_FOLDER}/{name}"), *text));
        let files = COMMON.iter().chain(own);
        files.map(|(name, text)| ((*name).to_owned(), *text)).chain(wit)
    }

    /// What the common files say of the language: what git leaves alone, the forge's steps, and for the README its tests and needs.
    fn words(self) -> [(&'static str, String); 4] {
        let (ignored, ci, test, needs) = match self {
            Self::Rust => (
                "/target",
                "      - run: rustup target add wasm32-unknown-unknown\n      - run: cargo test --locked\n"
                    .to_owned(),
                "cargo test                               # what it sends, by a script and by what was recorded\n",
                String::new(),
            ),
            Self::Js => (
                "/node_modules",
                ENGINE_CI.to_owned(),
                "",
                format!(
                    "`nodule build` runs the commands of `nodule.toml`, which need Node.js and npm. {ENGINE}"
                ),
            ),
            Self::Python => (
                "/.venv\n__pycache__/",
                ENGINE_CI.to_owned(),
                "",
                format!(
                    "`nodule build` runs the commands of `nodule.toml`, which need Python 3.10 or later. {ENGINE}"
                ),
            ),
        };
        [
            ("{{ignored}}", ignored.to_owned()),
            ("{{ci}}", ci),
            ("{{test}}", test.to_owned()),
            ("{{needs}}", needs),
        ]
    }
}

pub fn new(args: &args::New) -> Result<Exit, Failed> {
    let mut words = args.lang.words().to_vec();
    // They hold words of the node's themselves.
    words.extend(self::words(&args.name)?);
    let dir = Path::new(&args.name);
    let broken =
        |path: &Path, error: &std::io::Error| Failed::unwritten(format!("{}: {error}", text::path(path)));
    std::fs::create_dir(dir).map_err(|error| broken(dir, &error))?;
    for (name, template) in args.lang.files() {
        let file = dir.join(name);
        let folder = file.parent().unwrap_or(dir);
        std::fs::create_dir_all(folder).map_err(|error| broken(folder, &error))?;
        std::fs::write(&file, filled_in(template, &words)).map_err(|error| broken(&file, &error))?;
    }
    output::print(&format!("made {}: begin with its README.md\n", text::path(dir)))?;
    Ok(Exit::Done)
}

/// What stands in a template for each of its words.
fn words(name: &str) -> Result<[(&'static str, String); 7], Failed> {
    /// As long as a name may be in a description.
    const MOST_CHARS: usize = 50;
    let is_part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase())
            && part
                .chars()
                .all(|char| char.is_ascii_lowercase() || char.is_ascii_digit())
    };
    if name.len() > MOST_CHARS || !name.split('-').all(is_part) {
        return Err(Failed::usage(format!(
            "expected a name of at most {MOST_CHARS} lower-case letters, digits and hyphens, such as `acme-crm`, found `{}`",
            text::shown(name, MOST_CHARS)
        )));
    }
    let upper = |part: &str| {
        let mut chars = part.chars();
        let first = chars.next().map(|first| first.to_ascii_uppercase());
        first.into_iter().chain(chars).collect::<String>()
    };
    let capital: Vec<String> = name.split('-').map(upper).collect();
    let (first, rest) = name.split_once('-').unwrap_or((name, ""));
    let rest: String = rest
        .split('-')
        .filter(|part| !part.is_empty())
        .map(upper)
        .collect();
    Ok([
        ("{{name}}", name.to_owned()),
        ("{{crate}}", name.replace('-', "_")),
        ("{{camel}}", format!("{first}{rest}")),
        ("{{title}}", capital.join(" ")),
        ("{{sdk}}", format!("{{ {} }}", sdk())),
        (
            "{{sdk of tests}}",
            format!("{{ {}, features = [\"cases\"] }}", sdk()),
        ),
        ("{{year}}", jiff::Zoned::now().year().to_string()),
    ])
}

fn filled_in(template: &str, words: &[(&str, String)]) -> String {
    let fill = |text: String, (word, value): &(&str, String)| text.replace(word, value);
    words.iter().fold(template.to_owned(), fill)
}

/// The SDK of this version, as members of a table; where this command was built in a checkout that is still there, that one's.
fn sdk() -> String {
    let version = env!("CARGO_PKG_VERSION");
    let program = std::env::current_exe().and_then(|program| program.canonicalize());
    let folders = program.iter().flat_map(|program| program.ancestors());
    let checkout: Option<PathBuf> = folders.map(|folder| folder.join("sdk")).find(|sdk| {
        std::fs::read_to_string(sdk.join("Cargo.toml"))
            .is_ok_and(|text| text.contains("name = \"nodule-sdk\""))
    });
    match checkout {
        Some(sdk) => {
            let path = toml::Value::String(sdk.to_string_lossy().into_owned());
            format!("version = \"{version}\", path = {path}")
        }
        None => format!("version = \"{version}\""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_written_as_each_place_wants_it() {
        let words = words("acme-crm2").unwrap();
        let filled = filled_in("{{name}} {{crate}} {{camel}} {{title}}", &words);
        assert_eq!(filled, "acme-crm2 acme_crm2 acmeCrm2 Acme Crm2");
    }

    #[test]
    fn no_word_of_a_template_is_left() {
        for language in [Language::Rust, Language::Js, Language::Python] {
            let mut all = language.words().to_vec();
            all.extend(words("acme-crm").unwrap());
            for (name, template) in language.files() {
                let text = filled_in(template, &all);
                assert!(!text.contains("{{"), "{language:?}: {name}");
            }
        }
    }

    #[test]
    fn a_name_that_fits_no_place_is_refused() {
        for name in [
            "", "Acme", "acme_crm", "-acme", "acme-", "a--b", "../acme", "acme crm", "1st", "é",
        ] {
            assert!(words(name).is_err(), "{name}");
        }
    }
}
