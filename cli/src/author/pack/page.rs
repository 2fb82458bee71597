//! The package's page: the node's own, with the table of operations put between its marks, or one that is made of the description.

use nodule::description::{Indexed, Node};

use super::n8n_package::Names;
use crate::author::project::Project;
use crate::describe::{code, markdown, operations};
use crate::exit::Failed;
use crate::files::{self, read};

/// Where a page of the author's own has the table of operations.
const MARKS: (&str, &str) = ("<!-- operations -->\n", "<!-- /operations -->");

pub fn of(project: &Project, names: &Names, node: &Node, granted: &[String]) -> Result<String, Failed> {
    let table = operations(&Indexed::new(node), false);
    let destinations = destinations(node, granted);
    let (begin, end) = MARKS;
    let Some(file) = &project.config.n8n.readme else {
        return Ok(format!(
            "# {}\n\n{} in n8n: {}.\n\n{begin}{table}{end}\n\n{destinations}",
            names.package,
            markdown(&node.display_name),
            markdown(&node.summary)
        ));
    };
    let mut page = read(&project.dir.join(file), &files::POLICY)?;
    let marked = page
        .find(begin)
        .map(|at| at + begin.len())
        .and_then(|from| Some((from, from + page.get(from..)?.find(end)?)));
    if let Some((from, to)) = marked {
        page.replace_range(from..to, &table);
    }
    // An operator has to see these, whatever the author writes.
    if !node.origins.is_empty() {
        page = format!("{}\n\n{destinations}", page.trim_end());
    }
    Ok(page)
}

/// Where the node sends requests, and why; what was granted is said.
fn destinations(node: &Node, granted: &[String]) -> String {
    let mut lines = Vec::new();
    if !node.credentials.is_empty() {
        lines.push("- The base URL of the credential.".to_owned());
    }
    for origin in &node.origins {
        let access: Vec<String> = origin.access.iter().map(|name| code(name)).collect();
        let access = if access.is_empty() {
            "without a credential".to_owned()
        } else {
            format!("with the access of {}", access.join(", "))
        };
        let state = if granted.contains(&origin.url) {
            "Granted in this package"
        } else {
            "Not granted in this package: requests to it fail"
        };
        let reason = markdown(&origin.reason);
        lines.push(format!("- {}, {access}: {reason}. {state}.", code(&origin.url)));
    }
    let lines = if lines.is_empty() {
        "Nowhere.".to_owned()
    } else {
        lines.join("\n")
    };
    format!("## Where it sends requests\n\n{lines}\n")
}
