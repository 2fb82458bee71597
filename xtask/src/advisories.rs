//! Checks the lock files against known security advisories.
//!
//! The list of advisories is kept in the repository, with the day on which it was last compared with the public
//! database, so that the check needs no network. The check only covers that list; `cargo deny` finds newer advisories.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, bail};
use semver::{Version, VersionReq};
use serde::Deserialize;
use toml::Table;
use toml::value::Datetime;

const LIST: &str = "advisories.toml";
const LOCKS: [&str; 3] = ["Cargo.lock", "fuzz/Cargo.lock", "host-test/guests/Cargo.lock"];
/// The manifest that selects the packages' features.
const MANIFEST: &str = "Cargo.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    /// When the list was last compared with the database.
    checked: Datetime,
    #[serde(rename = "advisory")]
    advisories: Vec<Advisory>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Advisory {
    /// One ID, or several that one version fixed together.
    ids: Vec<String>,
    package: String,
    /// A version that meets one of these requirements is fixed.
    patched: Vec<VersionReq>,
    /// A version that meets one of these requirements was never affected.
    #[serde(default)]
    unaffected: Vec<VersionReq>,
    about: String,
    accepted: Option<Accepted>,
}

/// Why an affected version is used all the same.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Accepted {
    reason: String,
    /// The first version to which the reason no longer applies.
    until: Version,
    /// A feature of the package that the reason depends on.
    feature: Option<String>,
}

#[derive(Deserialize)]
struct Lock {
    package: Vec<Package>,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    version: Version,
    /// Absent for the repository's own packages.
    source: Option<String>,
}

/// Checks all lock files, and prints what was checked.
pub(crate) fn check() -> Result<()> {
    let read = |name: &str| fs::read_to_string(name).with_context(|| format!("`{name}` cannot be read"));
    let list = read(LIST)?;
    let locks: Vec<(&str, String)> = LOCKS
        .into_iter()
        .map(|name| Ok((name, read(name)?)))
        .collect::<Result<_>>()?;
    let line = checked(&list, &locks, &read(MANIFEST)?)?;
    #[expect(clippy::print_stdout, reason = "what a build step has to say")]
    {
        println!("{line}");
    }
    Ok(())
}

/// What was checked, in one line; the error lists every problem.
fn checked(list: &str, locks: &[(&str, String)], manifest: &str) -> Result<String> {
    let List { checked, advisories } = toml::from_str(list).with_context(|| format!("`{LIST}`"))?;
    let manifest: Table = toml::from_str(manifest).with_context(|| format!("`{MANIFEST}`"))?;
    let (mut problems, mut accepted, mut packages) = (String::new(), BTreeSet::new(), BTreeSet::new());
    for (file, text) in locks {
        let Lock { package } = toml::from_str(text).with_context(|| format!("`{file}`"))?;
        for Package {
            name,
            version,
            source,
        } in package
        {
            if source.is_none() {
                continue;
            }
            for advisory in advisories.iter().filter(|advisory| advisory.package == name) {
                let ids = advisory.ids.join(", ");
                if !advisory.affects(&version) {
                    continue;
                }
                if advisory.accepts(&version, &manifest) {
                    accepted.insert(ids);
                    continue;
                }
                let about = &advisory.about;
                let patched: Vec<String> = advisory.patched.iter().map(|req| format!("`{req}`")).collect();
                let patched = patched.join(" or ");
                write!(
                    problems,
                    "\n{file}: `{name}` {version}: {ids}: {about}\n  mended in {patched}: run `cargo update -p {name}`"
                )?;
                if let Some(accepted) = &advisory.accepted {
                    let Accepted {
                        reason,
                        until,
                        feature,
                    } = accepted;
                    let feature = feature.as_ref();
                    let feature =
                        feature.map_or(String::new(), |feature| format!(", with the feature `{feature}`"));
                    write!(problems, "\n  accepted only before {until}{feature}: {reason}")?;
                }
            }
            packages.insert((name, version));
        }
    }
    for advisory in advisories.iter().filter(|advisory| advisory.accepted.is_some()) {
        let ids = advisory.ids.join(", ");
        if !accepted.contains(&ids) && !problems.contains(&ids) {
            write!(
                problems,
                "\n{LIST}: {ids}: no lock file has what is accepted here: remove `accepted`"
            )?;
        }
    }
    if !problems.is_empty() {
        bail!("known advisories (list of {checked}):{problems}");
    }
    let count: usize = advisories.iter().map(|advisory| advisory.ids.len()).sum();
    let accepted = if accepted.is_empty() {
        "none accepted".to_owned()
    } else {
        format!(
            "accepted: {}",
            accepted.into_iter().collect::<Vec<_>>().join(", ")
        )
    };
    Ok(format!(
        "advisories: {} packages of {} lock files have none of {count} (list of {checked}; {accepted})",
        packages.len(),
        locks.len()
    ))
}

impl Advisory {
    fn affects(&self, version: &Version) -> bool {
        let mut safe = self.patched.iter().chain(&self.unaffected);
        !safe.any(|req| req.matches(version))
    }

    fn accepts(&self, version: &Version, manifest: &Table) -> bool {
        self.accepted.as_ref().is_some_and(|accepted| {
            let feature = accepted.feature.as_ref();
            version < &accepted.until
                && feature.is_none_or(|feature| has_feature(manifest, &self.package, feature))
        })
    }
}

/// Whether the workspace enables a feature of a package.
fn has_feature(manifest: &Table, package: &str, feature: &str) -> bool {
    let features = || {
        let dependencies = manifest.get("workspace")?.get("dependencies")?;
        dependencies.get(package)?.get("features")?.as_array()
    };
    features().is_some_and(|features| features.iter().any(|listed| listed.as_str() == Some(feature)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIST: &str = r#"
        checked = 2026-01-02
        [[advisory]]
        ids = ["RUSTSEC-2000-0001"]
        package = "bad"
        patched = [">=1.2.3, <2.0.0", ">=2.1.0"]
        unaffected = ["<1.0.0"]
        about = "It breaks"
    "#;
    const ACCEPTED: &str = r#"accepted = { reason = "Built in", until = "2.1.0", feature = "gc" }"#;
    const WITH_GC: &str = "[workspace.dependencies]\nbad = { version = \"2\", features = [\"gc\"] }";

    fn lock(name: &str, version: &str) -> (&'static str, String) {
        let source = "registry+https://github.com/rust-lang/crates.io-index";
        let package = format!("[[package]]\nname = {name:?}\nversion = {version:?}\n");
        ("some.lock", format!("{package}source = {source:?}\n"))
    }

    fn outcome(list: &str, locks: &[(&str, String)], manifest: &str) -> Result<String, String> {
        checked(list, locks, manifest).map_err(|error| format!("{error:#}"))
    }

    #[test]
    fn a_version_that_has_it_is_refused_with_what_to_do() {
        for version in ["1.0.0", "1.2.2", "2.0.0", "2.0.9"] {
            let message = outcome(LIST, &[lock("good", "1.0.0"), lock("bad", version)], "").unwrap_err();
            for part in [
                "some.lock",
                "`bad`",
                version,
                "RUSTSEC-2000-0001",
                "It breaks",
                "cargo update -p bad",
            ] {
                assert!(message.contains(part), "{part}: {message}");
            }
        }
    }

    #[test]
    fn others_pass_and_the_line_says_what_was_checked() {
        for version in ["0.9.0", "1.2.3", "1.9.0", "2.1.0", "3.0.0"] {
            assert_eq!(
                outcome(LIST, &[lock("bad", version), lock("good", "1.0.0")], "").unwrap(),
                "advisories: 2 packages of 2 lock files have none of 1 (list of 2026-01-02; none accepted)"
            );
        }
    }

    #[test]
    fn what_is_accepted_passes_while_its_reason_holds() {
        let list = format!("{LIST}\n{ACCEPTED}");
        let passes = outcome(&list, &[lock("bad", "2.0.9")], WITH_GC).unwrap();
        assert!(passes.ends_with("accepted: RUSTSEC-2000-0001)"), "{passes}");
        let without = outcome(&list, &[lock("bad", "2.0.9")], "").unwrap_err();
        assert!(
            without.contains("accepted only before 2.1.0, with the feature `gc`"),
            "{without}"
        );
        let beyond = list.replace("2.1.0\"]", "3.0.0\"]");
        assert!(outcome(&beyond, &[lock("bad", "2.5.0")], WITH_GC).is_err());
        let mended = outcome(&list, &[lock("bad", "2.1.0")], WITH_GC).unwrap_err();
        assert!(mended.contains("remove `accepted`"), "{mended}");
    }

    #[test]
    fn a_list_with_an_unknown_key_is_refused() {
        let list = LIST.replace("about", "abuot");
        assert!(outcome(&list, &[], "").unwrap_err().contains("abuot"));
    }
}
