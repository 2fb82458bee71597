//! A description's meaning in words, shared by the formats for people.

use nodule::description::{
    BodyNeed, Condition, CredentialSpec, Dynamic, Effect, Grant, Holds, Indexed, Kind, MAX_NESTING, Oauth2,
    Operation, Parameter, Range, RowShape, Scheme,
};
use nodule::json::Json;

/// About the imports beyond those that every node has: what the host gives, and how an operator refuses them.
pub const VOID_IMPORTS: &str = "The host gives void versions of these: no variables, files or sockets. The policy \
                                `imports = \"minimal\"` refuses the node.";

/// The kind of values that a parameter takes.
pub fn kind(node: &Indexed<'_>, kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Multiline => "text, multiline".to_owned(),
        Kind::Secret => "secret".to_owned(),
        Kind::Integer(limits) => format!("integer{}", range(limits)),
        Kind::Number(limits) => format!("number{}", range(limits)),
        Kind::Boolean => "true or false".to_owned(),
        Kind::Date => "date yyyy-MM-dd".to_owned(),
        Kind::DateTime => "date-time".to_owned(),
        Kind::Choice(choices) if choices.open => "open choice".to_owned(),
        Kind::Choice(_) => "choice".to_owned(),
        Kind::ChooseMany(choices) if choices.open => "open choices".to_owned(),
        Kind::ChooseMany(_) => "choices".to_owned(),
        Kind::Reference(_) => "reference".to_owned(),
        Kind::AnyJson => "JSON".to_owned(),
        Kind::File => "key of a file".to_owned(),
        Kind::Group(_) => "group".to_owned(),
        Kind::Rows(_) => "rows".to_owned(),
        // The values themselves are described in a row of their own.
        Kind::Values(each) => match node.parameter(each).map(|each| &each.kind) {
            None | Some(Kind::Values(_)) => "list".to_owned(),
            Some(each) => format!("list of {}", self::kind(node, each)),
        },
        Kind::Columns(_) => "columns".to_owned(),
        Kind::Notice => "notice".to_owned(),
    }
}

fn range(range: &Range) -> String {
    match (range.min, range.max) {
        (None, None) => String::new(),
        (Some(min), None) => format!(" from {min}"),
        (None, Some(max)) => format!(" up to {max}"),
        (Some(min), Some(max)) => format!(" {min} to {max}"),
    }
}

/// How a kind's values are written, and where its choices come from: `a list under the key book, at least 1`. The caller
/// chooses the quotes for keys and names.
pub fn shape(node: &Indexed<'_>, kind: &Kind, quote: impl Fn(&str) -> String) -> Option<String> {
    let mut facts = Vec::new();
    match kind {
        Kind::Rows(shape) => facts.push(rows(shape, &quote)),
        Kind::Group(shape) => {
            facts.extend(
                shape
                    .key
                    .as_ref()
                    .map(|key| format!("under the key {}", quote(key))),
            );
        }
        Kind::Reference(reference) => {
            let url = if reference.id_in_url.is_some() {
                ", or the URL of its page"
            } else {
                ""
            };
            facts.push(format!("by its ID{url}"));
            if let Some(pattern) = &reference.id {
                facts.push(format!("IDs match {}", quote(pattern)));
            }
        }
        _ => {}
    }
    if let Some(dynamic) = kind.dynamic() {
        let what = if matches!(kind, Kind::Columns(_)) {
            "the service names the columns"
        } else {
            "the service lists values"
        };
        facts.push(asked(node, what, dynamic, &quote));
    }
    (!facts.is_empty()).then(|| facts.join("; "))
}

fn rows(shape: &RowShape, quote: impl Fn(&str) -> String) -> String {
    let key = shape.key.as_ref();
    let key = key.map_or_else(String::new, |key| format!(" under the key {}", quote(key)));
    let least = if shape.min > 0 {
        format!(", at least {}", shape.min)
    } else {
        String::new()
    };
    let most = shape
        .max
        .map_or_else(String::new, |max| format!(", at most {max}"));
    format!("a list{key}{least}{most}")
}

fn asked(node: &Indexed<'_>, what: &str, dynamic: &Dynamic, quote: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = node
        .parameters_by_id(&dynamic.depends_on)
        .map(|parameter| quote(&parameter.name))
        .collect();
    let depends = if names.is_empty() {
        String::new()
    } else {
        format!(" for {}", names.join(" and "))
    };
    let search = if dynamic.search { ", and searches them" } else { "" };
    format!("{what}{depends}{search}")
}

/// What the contract adds about a kind's values. Other engines may read them differently.
pub fn reading(kind: &Kind) -> Option<&'static str> {
    (*kind == Kind::DateTime).then_some("without an offset it is UTC")
}

/// The effect of running an operation twice, to follow `Run twice:`; the caller chooses the quotes for the parameter's
/// name.
pub fn effect(node: &Indexed<'_>, effect: &Effect, quote: impl Fn(&str) -> String) -> String {
    match effect {
        Effect::Read => "changes nothing".to_owned(),
        Effect::Idempotent => "the same as once".to_owned(),
        Effect::Keyed(id) => {
            let name = node.parameter(id).map_or(id, |parameter| &parameter.name);
            format!("the same as once while {} keeps its value", quote(name))
        }
        Effect::Write => "may do it twice".to_owned(),
    }
}

/// How many requests that write an item needs, where it is not what its effect suggests: none for a read, one otherwise.
pub fn write_requests(operation: &Operation) -> Option<String> {
    let usual = u32::from(operation.effect != Effect::Read);
    (operation.write_requests != usual).then(|| {
        format!(
            "Writing requests of one item: at most {}",
            operation.write_requests
        )
    })
}

/// How an operation gives its rows, where it is not with the item's end.
pub fn emits(operation: &Operation) -> Option<&'static str> {
    operation
        .emits
        .then_some("Rows are given page by page, while the item goes on")
}

/// Whether files come out of an operation.
pub fn gives_files(operation: &Operation) -> Option<&'static str> {
    operation.gives_files.then_some("Files come out of it")
}

/// When a parameter is present: `returnAll is false`; empty if it always is.
pub fn conditions(
    node: &Indexed<'_>,
    conditions: &[Condition],
    quote: impl Fn(&str) -> String,
) -> Option<String> {
    let all: Vec<String> = conditions
        .iter()
        .map(|condition| {
            let name = node
                .parameter(&condition.parameter)
                .map_or(&condition.parameter, |subject| &subject.name);
            let values: Vec<String> = condition
                .holds
                .values()
                .iter()
                .map(|value| quote(&value.to_string()))
                .collect();
            let holds = match condition.holds {
                Holds::OneOf(_) => format!("is {}", values.join(" or ")),
                Holds::NoneOf(_) => format!("is not {}", values.join(" or ")),
                Holds::Set => "is set".to_owned(),
            };
            format!("{} {holds}", quote(name))
        })
        .collect();
    (!all.is_empty()).then(|| all.join(" and "))
}

/// A default worth showing; `None` without a default, or if it is the empty text.
pub fn default(parameter: &Parameter) -> Option<String> {
    match &parameter.default {
        None => None,
        Some(Json::String(text)) if text.is_empty() => None,
        Some(value) => Some(value.to_string()),
    }
}

/// What happens with a credential's fields, one line for each place that they go to.
pub fn scheme(credential: &CredentialSpec, quote: impl Fn(&str) -> String) -> Vec<String> {
    let mut lines = match &credential.scheme {
        Scheme::Fixed(placement) => {
            let headers = placement.headers.iter().map(|header| {
                let header = quote(&format!("{}: {}", header.name, header.template));
                format!("The host adds the header {header}")
            });
            let query = placement.query.iter().map(|parameter| {
                let parameter = quote(&format!("{}={}", parameter.name, parameter.template));
                format!("The host adds {parameter} to the query")
            });
            headers.chain(query).collect()
        }
        Scheme::Oauth2(oauth2) => oauth2_lines(oauth2, &quote),
        Scheme::Session => {
            vec!["The node exchanges it for a session, whose access the host adds to requests".to_owned()]
        }
        Scheme::Signed(need) => {
            let body = match need {
                BodyNeed::Size => "the body's size",
                BodyNeed::Digest => "the body's SHA-256",
                BodyNeed::Whole => "the whole body",
            };
            vec![format!(
                "The node signs each request with it, where it reaches nothing; it is shown {body}"
            )]
        }
    };
    let test = credential.test.as_ref();
    lines.extend(test.map(|path| format!("Its test is {}", quote(&format!("GET {path}")))));
    lines
}

fn oauth2_lines(oauth2: &Oauth2, quote: impl Fn(&str) -> String) -> Vec<String> {
    let grant = match oauth2.grant {
        Grant::AuthorizationCode => "authorization code",
        Grant::ClientCredentials => "client credentials",
    };
    let pkce = if oauth2.pkce { " with PKCE" } else { "" };
    let mut lines = vec![format!(
        "The host gets a token by OAuth 2 ({grant}{pkce}) and adds the header {}",
        quote("Authorization: Bearer …")
    )];
    if let Some(url) = &oauth2.authorization_url {
        lines.push(format!("The user consents at {}", quote(url)));
    }
    lines.push(format!("Tokens come from {}", quote(&oauth2.token_url)));
    if !oauth2.scopes.is_empty() {
        let scopes: Vec<String> = oauth2.scopes.iter().map(|scope| quote(scope)).collect();
        lines.push(format!("Scopes: {}", scopes.join(", ")));
    }
    lines
}

/// Which credentials' access is added at an origin.
pub fn access(access: &[String], quote: impl Fn(&str) -> String) -> String {
    let names: Vec<String> = access.iter().map(|name| quote(name)).collect();
    if names.is_empty() {
        "no credential".to_owned()
    } else {
        names.join(", ")
    }
}

/// A parameter with its depth and its path in an item.
pub struct Place<'a> {
    /// The parameter.
    pub parameter: &'a Parameter,
    /// 0 for a parameter of the operation itself.
    pub depth: usize,
    /// Whether it stands for each value of a list, and so has no name there.
    pub is_each: bool,
    /// `books.book[].isbn`
    pub path: String,
}

/// The parameters of a list, each followed by the parameters inside it.
pub fn places<'a>(node: &Indexed<'a>, ids: &[String]) -> Vec<Place<'a>> {
    let mut places = Vec::new();
    collect(node, ids, 0, "", &mut places);
    places
}

fn collect<'a>(node: &Indexed<'a>, ids: &[String], depth: usize, prefix: &str, places: &mut Vec<Place<'a>>) {
    // The check limits the depth; this also stops for an unchecked description.
    if depth > MAX_NESTING {
        return;
    }
    for parameter in node.parameters_by_id(ids) {
        let is_each = prefix.ends_with("[]");
        let path = if is_each {
            prefix.to_owned()
        } else {
            format!("{prefix}{}", parameter.name)
        };
        let key = |key: &Option<String>| key.as_ref().map_or_else(String::new, |key| format!(".{key}"));
        let inside = match &parameter.kind {
            Kind::Rows(shape) => format!("{path}{}[].", key(&shape.key)),
            Kind::Group(shape) => format!("{path}{}.", key(&shape.key)),
            Kind::Values(_) => format!("{path}[]"),
            _ => format!("{path}."),
        };
        places.push(Place {
            parameter,
            depth,
            is_each,
            path,
        });
        collect(node, parameter.kind.children(), depth + 1, &inside, places);
    }
}
