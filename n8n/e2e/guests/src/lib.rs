//! A description in JSON, as the contract's records: what the tests of the command line draw, a real n8n runs.

use hostile_guests::d;
use serde_json::Value;

pub fn node(given: &Value) -> d::Node {
    d::Node {
        name: text(&given["name"]),
        display_name: text(&given["displayName"]),
        version: whole(&given["version"]).unwrap_or_default(),
        summary: text(&given["summary"]),
        icon_svg: optional(&given["iconSvg"]),
        documentation_url: optional(&given["documentationUrl"]),
        aliases: texts(&given["aliases"]),
        credentials: all(&given["credentials"], credential),
        origins: all(&given["origins"], |origin| d::Origin {
            url: text(&origin["url"]),
            access: texts(&origin["access"]),
            reason: text(&origin["reason"]),
        }),
        resources: all(&given["resources"], |group| d::ResourceGroup {
            name: text(&group["name"]),
            display_name: text(&group["displayName"]),
            summary: text(&group["summary"]),
        }),
        operations: all(&given["operations"], operation),
        parameters: all(&given["parameters"], parameter),
        hints: document(&given["hints"]),
    }
}

fn operation(given: &Value) -> d::Operation {
    let effect = &given["effect"];
    d::Operation {
        group: text(&given["group"]),
        name: text(&given["name"]),
        display_name: text(&given["displayName"]),
        summary: text(&given["summary"]),
        action: text(&given["action"]),
        documentation_url: optional(&given["documentationUrl"]),
        parameters: texts(&given["parameters"]),
        effect: match effect["type"].as_str() {
            Some("read") => d::Effect::Read,
            Some("idempotent") => d::Effect::Idempotent,
            Some("keyed") => d::Effect::Keyed(text(&effect["parameter"])),
            _ => d::Effect::Write,
        },
        write_requests: whole(&given["writeRequests"]).unwrap_or_default(),
        emits: false,
        gives_files: false,
        request: optional(&given["request"]),
        output_schema: given["outputSchema"].to_string(),
        hints: document(&given["hints"]),
    }
}

pub fn parameter(given: &Value) -> d::Parameter {
    d::Parameter {
        id: text(&given["id"]),
        name: text(&given["name"]),
        display_name: text(&given["displayName"]),
        summary: text(&given["summary"]),
        placeholder: optional(&given["placeholder"]),
        kind: kind(&given["kind"]),
        required: given["required"] == true,
        default: document(&given["default"]),
        visible_when: all(&given["visibleWhen"], condition),
        hints: document(&given["hints"]),
    }
}

fn kind(given: &Value) -> d::Kind {
    match given["type"].as_str().unwrap_or_default() {
        "text" => d::Kind::Text,
        "multiline" => d::Kind::Multiline,
        "secret" => d::Kind::Secret,
        "integer" => d::Kind::Integer(range(given)),
        "number" => d::Kind::Number(range(given)),
        "boolean" => d::Kind::Boolean,
        "date" => d::Kind::Date,
        "dateTime" => d::Kind::DateTime,
        "choice" => d::Kind::Choice(choices(given)),
        "chooseMany" => d::Kind::ChooseMany(choices(given)),
        "reference" => d::Kind::Reference(d::Reference {
            dynamic: dynamic(&given["dynamic"]),
            id_in_url: optional(&given["idInUrl"]),
            id: optional(&given["id"]),
        }),
        "anyJson" => d::Kind::AnyJson,
        "group" => d::Kind::Group(d::GroupShape {
            key: optional(&given["key"]),
            fields: texts(&given["fields"]),
        }),
        "rows" => d::Kind::Rows(d::RowShape {
            key: optional(&given["key"]),
            display_name: text(&given["displayName"]),
            columns: texts(&given["columns"]),
            min: whole(&given["min"]).unwrap_or_default(),
            max: whole(&given["max"]),
        }),
        "values" => d::Kind::Values(text(&given["parameter"])),
        "columns" => d::Kind::Columns(dynamic(&given["dynamic"]).expect("columns are asked for")),
        "notice" => d::Kind::Notice,
        other => panic!("no kind `{other}`"),
    }
}

fn range(given: &Value) -> d::Range {
    d::Range {
        min: given["min"].as_f64(),
        max: given["max"].as_f64(),
    }
}

fn choices(given: &Value) -> d::Choices {
    d::Choices {
        known: all(&given["known"], |choice| d::Choice {
            label: text(&choice["label"]),
            value: choice["value"].to_string(),
            summary: text(&choice["summary"]),
        }),
        open: given["open"] == true,
        dynamic: dynamic(&given["dynamic"]),
    }
}

fn dynamic(given: &Value) -> Option<d::Dynamic> {
    given.is_object().then(|| d::Dynamic {
        depends_on: texts(&given["dependsOn"]),
        search: given["search"] == true,
    })
}

fn condition(given: &Value) -> d::Condition {
    let scalars = |name: &str| given.get(name).map(|values| all(values, ToString::to_string));
    let holds = match (scalars("oneOf"), scalars("noneOf")) {
        (Some(values), _) => d::Holds::OneOf(values),
        (None, Some(values)) => d::Holds::NoneOf(values),
        (None, None) => d::Holds::Set,
    };
    d::Condition {
        parameter: text(&given["parameter"]),
        holds,
    }
}

fn credential(given: &Value) -> d::Credential {
    d::Credential {
        name: text(&given["name"]),
        display_name: text(&given["displayName"]),
        documentation_url: optional(&given["documentationUrl"]),
        fields: texts(&given["fields"]),
        base_url: text(&given["baseUrl"]),
        scheme: scheme(&given["scheme"]),
        test: optional(&given["test"]),
    }
}

fn scheme(given: &Value) -> d::Scheme {
    let templates = |name: &str| {
        all(&given[name], |template| d::Template {
            name: text(&template["name"]),
            template: text(&template["template"]),
        })
    };
    match given["type"].as_str().unwrap_or_default() {
        "fixed" => d::Scheme::Fixed(d::Placement {
            headers: templates("headers"),
            query: templates("query"),
        }),
        "oauth2" => d::Scheme::Oauth2(oauth2(given)),
        "session" => d::Scheme::Session,
        "signed" => d::Scheme::Signed(d::Signed {
            needs: match given["needs"].as_str() {
                Some("whole") => d::BodyNeed::Whole,
                Some("digest") => d::BodyNeed::Digest,
                _ => d::BodyNeed::Size,
            },
        }),
        other => panic!("no scheme `{other}`"),
    }
}

fn oauth2(given: &Value) -> d::Oauth2 {
    let pairs = |name: &str| {
        all(&given[name], |pair| d::Field {
            name: text(&pair["name"]),
            value: text(&pair["value"]),
        })
    };
    d::Oauth2 {
        grant: match given["grant"].as_str() {
            Some("clientCredentials") => d::Grant::ClientCredentials,
            _ => d::Grant::AuthorizationCode,
        },
        authorization_url: optional(&given["authorizationUrl"]),
        token_url: text(&given["tokenUrl"]),
        scopes: texts(&given["scopes"]),
        scope_separator: text(&given["scopeSeparator"]),
        client_in_body: given["clientInBody"] == true,
        pkce: given["pkce"] == true,
        authorization_query: pairs("authorizationQuery"),
        token_body: pairs("tokenBody"),
        client_id: text(&given["clientId"]),
        client_secret: optional(&given["clientSecret"]),
    }
}

fn all<T>(given: &Value, each: impl Fn(&Value) -> T) -> Vec<T> {
    given.as_array().into_iter().flatten().map(each).collect()
}

fn texts(given: &Value) -> Vec<String> {
    all(given, text)
}

fn text(given: &Value) -> String {
    given.as_str().unwrap_or_default().to_owned()
}

fn optional(given: &Value) -> Option<String> {
    given.as_str().map(str::to_owned)
}

fn document(given: &Value) -> Option<String> {
    (!given.is_null()).then(|| given.to_string())
}

fn whole(given: &Value) -> Option<u32> {
    given.as_u64().and_then(|number| u32::try_from(number).ok())
}
