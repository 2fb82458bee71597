//! The contract as text, for what builds nodes in other languages.

/// The contract's files and those of the interfaces that it uses: where each stands in a folder `deps` of WIT, and its text.
///
/// Tools that build components look for packages there, beside a world of the author's own.
pub const WIT: &[(&str, &str)] = &[
    (
        "workflow-node/authentication.wit",
        include_str!("../../wit/authentication.wit"),
    ),
    ("workflow-node/choices.wit", include_str!("../../wit/choices.wit")),
    (
        "workflow-node/description.wit",
        include_str!("../../wit/description.wit"),
    ),
    (
        "workflow-node/execution.wit",
        include_str!("../../wit/execution.wit"),
    ),
    (
        "workflow-node/files-by-streams.wit",
        include_str!("../../wit/files-by-streams.wit"),
    ),
    (
        "workflow-node/files-by-turns.wit",
        include_str!("../../wit/files-by-turns.wit"),
    ),
    ("workflow-node/signing.wit", include_str!("../../wit/signing.wit")),
    ("workflow-node/turns.wit", include_str!("../../wit/turns.wit")),
    ("workflow-node/types.wit", include_str!("../../wit/types.wit")),
    ("workflow-node/world.wit", include_str!("../../wit/world.wit")),
    ("cli.wit", include_str!("../../wit/deps/cli.wit")),
    ("clocks.wit", include_str!("../../wit/deps/clocks.wit")),
    ("filesystem.wit", include_str!("../../wit/deps/filesystem.wit")),
    ("http.wit", include_str!("../../wit/deps/http.wit")),
    ("io.wit", include_str!("../../wit/deps/io.wit")),
    ("random.wit", include_str!("../../wit/deps/random.wit")),
    ("sockets.wit", include_str!("../../wit/deps/sockets.wit")),
];

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn every_file_of_the_contract_is_in_the_list() {
        let wit = Path::new(env!("CARGO_MANIFEST_DIR")).join("wit");
        let names = |folder: &Path, place: &str| -> Vec<String> {
            let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
            entries
                .filter(|entry| entry.file_type().unwrap().is_file())
                .map(|entry| format!("{place}{}", entry.file_name().to_string_lossy()))
                .collect()
        };
        let mut expected = names(&wit, "workflow-node/");
        expected.extend(names(&wit.join("deps"), ""));
        expected.sort();
        let mut found: Vec<String> = WIT.iter().map(|(place, _)| (*place).to_owned()).collect();
        found.sort();
        assert_eq!(found, expected);
    }
}
