//! `nodule new`: a folder to begin a node with. It builds, and its tests pass.

use std::path::{Path, PathBuf};

use nodule::text;

use crate::args;
use crate::exit::{Exit, Failed};
use crate::output;

/// The files of a node in Rust, and what is in them.
const RUST: [(&str, &str); 11] = [
    ("Cargo.toml", include_str!("template/rust/manifest.toml")),
    ("src/lib.rs", include_str!("template/rust/lib.rs")),
    ("tests/requests.rs", include_str!("template/rust/requests.rs")),
    ("tests/cases.rs", include_str!("template/rust/cases.rs")),
    ("cases/thing/get.toml", include_str!("template/rust/case.toml")),
    ("cases/thing/get.har", include_str!("template/rust/case.har")),
    ("rustfmt.toml", "max_width = 110\n"),
    ("README.md", include_str!("template/rust/readme.md")),
    ("LICENSE", include_str!("template/rust/license")),
    (".gitignore", include_str!("template/rust/gitignore")),
    (".github/workflows/ci.yml", include_str!("template/rust/ci.yml")),
];

pub fn new(args: &args::New) -> Result<Exit, Failed> {
    let words = words(&args.name)?;
    let dir = Path::new(&args.name);
    let broken =
        |path: &Path, error: &std::io::Error| Failed::unwritten(format!("{}: {error}", text::path(path)));
    std::fs::create_dir(dir).map_err(|error| broken(dir, &error))?;
    for (name, template) in RUST {
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
    fn a_name_that_fits_no_place_is_refused() {
        for name in [
            "", "Acme", "acme_crm", "-acme", "acme-", "a--b", "../acme", "acme crm", "1st", "é",
        ] {
            assert!(words(name).is_err(), "{name}");
        }
    }
}
