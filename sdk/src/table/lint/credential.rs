//! The credentials, and what the node exports for them.

use super::scope::find;
use super::text::{Problems, contains, eq, is_camel_case, is_lower_case, until};
use crate::UsualHeaders;
use crate::table::Service;
use crate::table::credential::{Credential, Template};
use crate::table::kind::Id;

pub(super) const fn lint(service: &Service, exports: &[&str], problems: &mut Problems) {
    let (mut has_login, mut has_signature) = (false, false);
    let mut index = 0;
    while index < service.credentials.len() {
        let credential = &service.credentials[index];
        let name = credential.name;
        if !is_camel_case(name) {
            problems.push(&["the credential ", name, " has a name that is not camelCase"]);
        }
        let mut other = 0;
        while other < index {
            if eq(service.credentials[other].name, name) {
                problems.push(&["the credential ", name, " has the name of another one"]);
            }
            other += 1;
        }
        match find(credential.fields, credential.base_url()) {
            Some(field) if field.is_required && matches!(field.kind.id(), Id::Text) => {}
            _ => problems.push(&[
                "the credential ",
                name,
                " has no field for the base URL that is a required text",
            ]),
        }
        templates(credential, credential.scheme.headers, problems);
        templates(credential, credential.scheme.query, problems);
        if let Some(test) = credential.test
            && !matches!(test.as_bytes(), [b'/', ..])
        {
            problems.push(&["the credential ", name, " has a test that is no path"]);
        }
        has_login |= credential.scheme.login.is_some();
        has_signature |= credential.scheme.sign.is_some();
        index += 1;
    }
    exported(has_login, "credential", "authentication", exports, problems);
    exported(has_signature, "credential", "signing", exports, problems);
    headers(service.headers, problems);
}

pub(super) const fn headers(headers: UsualHeaders, problems: &mut Problems) {
    let mut index = 0;
    while index < headers.len() {
        if !is_lower_case(headers[index].0) {
            problems.push(&["the header ", headers[index].0, " is not in lower case"]);
        }
        index += 1;
    }
}

/// Whether an export is there exactly if something of the table needs it.
pub(super) const fn exported(
    is_needed: bool,
    who: &str,
    name: &str,
    exports: &[&str],
    problems: &mut Problems,
) {
    let is_exported = contains(exports, name);
    let article = if matches!(who.as_bytes(), [b'o', ..]) {
        "an "
    } else {
        "a "
    };
    if is_needed && !is_exported {
        problems.push(&[
            article,
            who,
            " needs the export ",
            name,
            ": write export!(SERVICE, ",
            name,
            ")",
        ]);
    }
    if is_exported && !is_needed {
        problems.push(&["no ", who, " needs the export ", name]);
    }
}

/// Each name in braces is a field; `{basic:user:password}` has two.
const fn templates(credential: &Credential, templates: &[Template], problems: &mut Problems) {
    let mut index = 0;
    while index < templates.len() {
        let template = templates[index].1;
        let bytes = template.as_bytes();
        let mut at = 0;
        while at < bytes.len() {
            if bytes[at] == b'{' {
                let Some(within) = until(template, at + 1, b'}') else {
                    problems.push(&[
                        "the credential ",
                        credential.name,
                        " has a brace that is not closed",
                    ]);
                    break;
                };
                if let Some((user, password)) = basic(within) {
                    field(credential, user, problems);
                    field(credential, password, problems);
                } else {
                    field(credential, within, problems);
                }
                at += within.len();
            }
            at += 1;
        }
        index += 1;
    }
}

const fn basic(within: &str) -> Option<(&str, &str)> {
    let Some(kind) = until(within, 0, b':') else {
        return None;
    };
    let fields = within.split_at(kind.len() + 1).1;
    match until(fields, 0, b':') {
        Some(user) if eq(kind, "basic") => Some((user, fields.split_at(user.len() + 1).1)),
        _ => None,
    }
}

const fn field(credential: &Credential, name: &str, problems: &mut Problems) {
    if find(credential.fields, name).is_none() {
        problems.push(&[
            "the credential ",
            credential.name,
            " has no field ",
            name,
            ", which its scheme names",
        ]);
    }
}
