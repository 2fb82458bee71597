//! The files of a package for n8n.

use std::collections::BTreeMap;
use std::path::PathBuf;

use nodule::description::{Indexed, Node};
use nodule::json;
use nodule::json::{Json, Object};

use super::{Content, File, file_name};
use crate::author::package::Package;
use crate::describe::{n8n, pretty};

/// What n8n calls, bundled of `n8n/src` by `make n8n-runtime`.
const RUNTIME: &str = include_str!("runtime.js");
const NODE_CLASS: &str = include_str!("node.js");
const CREDENTIAL_CLASS: &str = include_str!("credential.js");
/// A square, for a node that brings no icon.
const PLAIN_ICON: &str = include_str!("plain.svg");

const COMPONENT: &str = "component.wasm";
/// n8n looks for packages whose name begins so.
const PREFIX: &str = "n8n-nodes-";
/// As old as n8n 2.x runs on.
const NODE_VERSIONS: &str = ">=20.19";

/// The names that n8n finds a package and its classes by.
pub struct Names {
    pub package: String,
    /// The node's class, and that of its file.
    node: String,
    icon: String,
}

impl Names {
    pub fn of(package: &Package, node: &Node) -> Self {
        let prefixed = |name: &str| {
            if name.starts_with(PREFIX) {
                name.to_owned()
            } else {
                format!("{PREFIX}{name}")
            }
        };
        let name = match package.name.split_once('/') {
            Some((scope, name)) => format!("{scope}/{}", prefixed(name)),
            None => prefixed(&package.name),
        };
        Self {
            package: name,
            node: pascal(&node.name),
            icon: format!("{}.svg", node.name),
        }
    }

    /// The package's file, as npm calls it.
    pub fn file(&self, version: &str) -> String {
        let name = self.package.trim_start_matches('@').replace('/', "-");
        format!("{name}-{version}.tgz")
    }
}

fn pascal(name: &str) -> String {
    let mut chars = name.chars();
    let first = chars.next().map(|first| first.to_ascii_uppercase());
    first.into_iter().chain(chars).collect()
}

/// What a package is made of.
pub struct Contents<'a> {
    pub package: &'a Package,
    pub names: &'a Names,
    pub node: &'a Indexed<'a>,
    pub component: &'a [u8],
    pub sha256: &'a str,
    pub granted: &'a [String],
    pub categories: &'a [String],
    pub programs: &'a BTreeMap<String, PathBuf>,
    pub page: &'a str,
}

impl Contents<'_> {
    /// All files; or why n8n cannot have the node.
    pub fn files(&self) -> Result<Vec<File>, String> {
        if let Some(why) = n8n::inexpressible(self.node) {
            return Err(why);
        }
        let rendered = n8n::render(self.node);
        let names = self.names;
        let home = format!("dist/nodes/{}", names.node);
        let icon = self.node.icon_svg.as_deref().unwrap_or(PLAIN_ICON);
        let mut files = vec![
            File::text("package.json", pretty(&self.manifest())),
            File::text("README.md", self.page),
            File::text("dist/runtime.js", RUNTIME),
            File::text(
                format!("{home}/{}.node.js", names.node),
                NODE_CLASS.replace("{{class}}", &names.node),
            ),
            File::text(format!("{home}/{}.node.json", names.node), pretty(&self.codex())),
            File::text(format!("{home}/component.json"), pretty(&self.facts(&rendered))),
            File::text(format!("{home}/{}", names.icon), icon),
            File {
                path: format!("{home}/{COMPONENT}"),
                content: Content::Bytes(self.component.to_vec()),
            },
        ];
        let credentials = rendered.get("credentials").and_then(|all| all.as_array());
        for credential in credentials.into_iter().flatten() {
            let class = pascal(credential["name"].as_str().unwrap_or_default());
            let path = format!("dist/credentials/{class}.credentials");
            let mut facts = credential.as_object().cloned().unwrap_or_default();
            facts.insert("icon", json!(format!("file:{}", names.icon)));
            files.push(File::text(
                format!("{path}.js"),
                CREDENTIAL_CLASS.replace("{{class}}", &class),
            ));
            files.push(File::text(format!("{path}.json"), pretty(&Json::Object(facts))));
        }
        if !self.node.credentials.is_empty() {
            files.push(File::text(format!("dist/credentials/{}", names.icon), icon));
        }
        files.extend(self.package.license_files.iter().map(|path| File {
            path: file_name(path),
            content: Content::Copy(path.clone()),
        }));
        files.extend(self.programs.iter().map(|(name, path)| File {
            path: format!("dist/bin/{name}"),
            content: Content::Program(path.clone()),
        }));
        Ok(files)
    }

    /// What the runtime reads beside the node's class.
    fn facts(&self, rendered: &Json) -> Json {
        let mut node = rendered["node"].as_object().cloned().unwrap_or_default();
        if let Some(Json::Array(credentials)) = node.get_mut("credentials") {
            for credential in credentials.iter_mut().filter_map(Json::as_object_mut) {
                let name = credential.get("name").and_then(Json::as_str).unwrap_or_default();
                let tested_by = format!("{name}Test");
                credential.insert("testedBy", json!(tested_by));
            }
        }
        json!({
            "file": COMPONENT,
            "sha256": self.sha256,
            "granted": self.granted,
            "description": rendered["runtime"],
            "methods": rendered["methods"],
            "node": Json::Object(node),
        })
    }

    /// Where the editor lists the node.
    fn codex(&self) -> Json {
        let own = |category: &String| json!(category);
        let categories: Json = if self.categories.is_empty() {
            json!(["Miscellaneous"])
        } else {
            self.categories.iter().map(own).collect()
        };
        let mut codex = Object::new();
        codex.insert(
            "node",
            json!(format!("{}.{}", self.names.package, self.node.name)),
        );
        codex.insert("nodeVersion", json!(format!("{}.0", self.node.version)));
        codex.insert("codexVersion", json!("1.0"));
        codex.insert("categories", categories);
        codex.insert("resources", json!({}));
        if !self.node.aliases.is_empty() {
            codex.insert("alias", json!(self.node.aliases));
        }
        Json::Object(codex)
    }

    fn manifest(&self) -> Json {
        let Package {
            version,
            description,
            author,
            license,
            repository,
            license_files,
            ..
        } = self.package;
        let node = self.node;
        let description = description
            .clone()
            .unwrap_or_else(|| format!("{} in n8n: {}", node.display_name, node.summary));
        let mut person = Object::new();
        person.insert("name", json!(author.name));
        if let Some(email) = &author.email {
            person.insert("email", json!(email));
        }
        let own_files = ["dist".to_owned(), "README.md".to_owned()].into_iter();
        let files: Vec<String> = own_files
            .chain(license_files.iter().map(|path| file_name(path)))
            .collect();
        let credentials = node.credentials.iter();
        let credentials: Vec<String> = credentials
            .map(|credential| format!("dist/credentials/{}.credentials.js", pascal(&credential.name)))
            .collect();
        let class = &self.names.node;
        json!({
            "name": self.names.package,
            "version": version,
            "description": description,
            "license": license,
            "keywords": ["n8n-community-node-package", node.display_name.to_lowercase()],
            "author": Json::Object(person),
            "repository": {"type": "git", "url": repository},
            "files": files,
            "engines": {"node": NODE_VERSIONS},
            "n8n": {
                "n8nNodesApiVersion": 1,
                "credentials": credentials,
                "nodes": [format!("dist/nodes/{class}/{class}.node.js")],
            },
            "peerDependencies": {"n8n-workflow": "*"},
        })
    }
}
