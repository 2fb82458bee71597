//! Where a credential may go and what it may become, and where else a node may wish to go.

use super::super::*;
use super::refused::{Case, each};
use super::{library, parameter, problems, read};

fn placement(node: &mut Node) -> &mut Placement {
    match &mut node.credentials[1].scheme {
        Scheme::Fixed(placement) => placement,
        other => panic!("{other:?}"),
    }
}

fn oauth2(node: &mut Node, index: usize) -> &mut Oauth2 {
    match &mut node.credentials[index].scheme {
        Scheme::Oauth2(oauth2) => oauth2,
        other => panic!("{other:?}"),
    }
}

fn pair(name: &str) -> Pair {
    Pair {
        name: name.to_owned(),
        value: "a".to_owned(),
    }
}

#[test]
fn the_example_has_every_scheme_kind_and_condition() {
    let node = read(&library()).unwrap();
    let text = library().to_string();
    for kind in [
        "text",
        "multiline",
        "secret",
        "integer",
        "number",
        "boolean",
        "date",
        "dateTime",
        "choice",
        "chooseMany",
        "reference",
        "anyJson",
        "group",
        "rows",
        "values",
        "columns",
        "notice",
    ] {
        assert!(node.parameters.iter().any(|it| it.kind.name() == kind), "{kind}");
    }
    for part in [
        r#""type":"fixed""#,
        r#""type":"oauth2""#,
        r#""type":"session""#,
        r#""type":"signed""#,
        "authorizationCode",
        "clientCredentials",
        r#""oneOf":["#,
        r#""noneOf":["#,
        r#""set":true"#,
    ] {
        assert!(text.contains(part), "{part}");
    }
    assert!(!node.aliases.is_empty() && !node.origins.is_empty());
    assert_eq!(node.check().err(), None);
}

#[test]
fn a_credential_has_a_name_of_its_own_and_simple_fields() {
    each(&[
        (
            |node| {
                let mut twin = node.credentials[0].clone();
                twin.display_name = "Another".to_owned();
                node.credentials.push(twin);
            },
            "credential `cityLibraryApi`: is there twice",
        ),
        (
            |node| node.credentials = vec![node.credentials[0].clone(); 11],
            "node: expected at most 10 credentials, found 11",
        ),
    ]);
    for (kind, fits) in [
        (Kind::Multiline, true),
        (Kind::Boolean, true),
        (Kind::Date, true),
        (Kind::AnyJson, true),
        (
            Kind::Group(GroupShape {
                key: None,
                fields: Vec::new(),
            }),
            false,
        ),
        (Kind::Columns(Dynamic::default()), false),
        (Kind::Reference(Reference::default()), false),
        (Kind::File, false),
    ] {
        let found = problems(|node| {
            placement(node).headers.pop();
            parameter(node, "credential.branch").kind = kind.clone();
        });
        let wanted = format!(
            "parameter `credential.branch`: the kind `{}` is not for a field of a credential",
            kind.name()
        );
        assert_eq!(found.contains(&wanted), !fits, "{kind:?}: {found:?}");
        assert_eq!(found.is_empty(), fits, "{kind:?}: {found:?}");
    }
    let asks = problems(|node| {
        parameter(node, "credential.branch").kind = Kind::Choice(Choices {
            known: Vec::new(),
            open: true,
            dynamic: Some(Dynamic::default()),
        });
    });
    assert_eq!(
        asks,
        ["parameter `credential.branch`: a field of a credential cannot ask the service for values"]
    );
}

#[test]
fn a_test_is_a_path_below_the_base_url() {
    for (path, fits) in [
        ("/user", true),
        ("/", true),
        ("/a/b?c=d&e", true),
        ("/caf%C3%A9", true),
        ("", false),
        ("user", false),
        ("//evil.example/", false),
        ("/../admin", false),
        ("/a/%2e%2e/b", false),
        ("https://evil.example/", false),
        ("@evil.example/", false),
        ("/a#b", false),
        ("/a b", false),
        ("/{user}", false),
    ] {
        let found = problems(|node| node.credentials[1].test = Some(path.to_owned()));
        assert_eq!(found.is_empty(), fits, "{path}: {found:?}");
        if let [found] = found.as_slice() {
            let start = "credential `cityLibraryTokenApi`, test: expected a path as it is sent";
            assert!(found.starts_with(start), "{found}");
        }
    }
}

#[test]
fn fixed_access_is_headers_and_queries_that_a_credential_may_set() {
    let cases: [Case; 9] = [
        (
            |node| placement(node).headers[1].name = "Host".to_owned(),
            "header `Host`: no credential may set this header",
        ),
        (
            |node| placement(node).headers[1].name = "content_length".to_owned(),
            "header `content_length`: no credential may set this header",
        ),
        (
            |node| placement(node).headers[1].name = "X-HTTP-Method-Override".to_owned(),
            "header `X-HTTP-Method-Override`: no credential may set this header",
        ),
        (
            |node| placement(node).headers[1].name = "a b".to_owned(),
            "header `a b`: expected the name of a header",
        ),
        (
            |node| placement(node).headers[1].name = "authorization".to_owned(),
            "header `authorization`: is there twice",
        ),
        (
            |node| placement(node).query[0].name = String::new(),
            "name of a query parameter: expected a text, found none",
        ),
        (
            |node| placement(node).headers[1].template = "{colour}".to_owned(),
            "template of `X-Branch`: `colour` is none of the credential's fields",
        ),
        (
            |node| placement(node).headers[1].template = "{branch".to_owned(),
            "template of `X-Branch`: expected `{field}`, or `{{` and `}}` for braces, found `{branch`",
        ),
        (
            |node| placement(node).query[0].template = "{tokenHint}".to_owned(),
            "template of `format`: `tokenHint` cannot be a part of a text: its kind is `notice`",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(
            problems(change),
            [format!("credential `cityLibraryTokenApi`, {expected}")]
        );
    }
    each(&[(
        |node| placement(node).headers.clear(),
        "credential `cityLibraryTokenApi`: expected a header or query parameter with a field of the credential in it",
    )]);
}

#[test]
fn oauth2_names_its_endpoints_and_its_client() {
    let cases: [Case; 16] = [
        (
            |node| oauth2(node, 2).authorization_url = None,
            ": the grant `authorizationCode` needs an authorization URL",
        ),
        (
            |node| oauth2(node, 2).token_url = "http://login.library.example/token".to_owned(),
            ", token URL: expected `https://`, since only the hosts of this machine are reached by `http://`, found `http://login.library.example/token`",
        ),
        (
            |node| oauth2(node, 2).token_url = "https://{clientSecret}.library.example".to_owned(),
            ", token URL: the secret `clientSecret` cannot be in a URL",
        ),
        (
            |node| oauth2(node, 2).authorization_url = Some("https://{reader}.library.example".to_owned()),
            ", authorization URL: `reader` is none of the credential's fields",
        ),
        (
            |node| oauth2(node, 2).scopes.push("a b".to_owned()),
            ", scopes: expected a scope without the separator, found `a b`",
        ),
        (
            |node| oauth2(node, 2).scopes.push("books".to_owned()),
            ", scopes: `books` is there twice",
        ),
        (
            |node| oauth2(node, 2).scopes.push(String::new()),
            ", scopes: expected a text, found none",
        ),
        (
            |node| oauth2(node, 2).scope_separator = String::new(),
            ", separator of scopes: expected 1 to 10 characters, found ``",
        ),
        (
            |node| oauth2(node, 2).authorization_query.push(pair("state")),
            ", authorization request: `state` is what the host sets itself",
        ),
        (
            |node| oauth2(node, 2).authorization_query.push(pair("access_type")),
            ", authorization request: `access_type` is there twice",
        ),
        (
            |node| oauth2(node, 2).token_body.push(pair("redirect_uri")),
            ", token request: `redirect_uri` is what the host sets itself",
        ),
        (
            |node| oauth2(node, 2).client_id = "credential.clientSecret".to_owned(),
            ", client ID: expected `credential.clientSecret` to be a text without conditions that is required or has a default",
        ),
        (
            |node| oauth2(node, 2).client_id = "credential.reader".to_owned(),
            ", client ID: `credential.reader` is none of the credential's fields",
        ),
        (
            |node| oauth2(node, 2).client_secret = Some("credential.clientId".to_owned()),
            ", client secret: expected `credential.clientId` to be a secret",
        ),
        (
            |node| {
                oauth2(node, 2).token_body.push(Pair {
                    name: "a".to_owned(),
                    value: "x".repeat(1_001),
                });
            },
            ", token request, `a`: expected at most 1000 characters, found 1001",
        ),
        (
            |node| oauth2(node, 2).token_url = "https://login.library.example/token?a=b".to_owned(),
            ", token URL: expected a path as it is sent, without a query and a fragment, found `https://login.library.example/token?a=b`",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(
            problems(change),
            [format!("credential `cityLibraryOAuth2Api`, OAuth2{expected}")]
        );
    }
}

#[test]
fn client_credentials_need_a_secret_and_nobody_to_consent() {
    let cases: [Case; 5] = [
        (
            |node| oauth2(node, 3).authorization_url = Some("https://login.library.example".to_owned()),
            ": only the grant `authorizationCode` has an authorization URL",
        ),
        (
            |node| oauth2(node, 3).pkce = true,
            ": only the grant `authorizationCode` has PKCE",
        ),
        (
            |node| oauth2(node, 3).authorization_query.push(pair("a")),
            ": only the grant `authorizationCode` has an authorization request",
        ),
        (
            |node| oauth2(node, 3).client_secret = None,
            ", client secret: the grant `clientCredentials` needs a client secret",
        ),
        (
            |node| parameter(node, "credential.machineSecret").required = false,
            ", client secret: expected `credential.machineSecret` to be required",
        ),
    ];
    for (change, expected) in cases {
        assert_eq!(
            problems(change),
            [format!("credential `cityLibraryMachineApi`, OAuth2{expected}")]
        );
    }
}

#[test]
fn an_origin_says_where_with_what_and_why() {
    each(&[
        (
            |node| node.origins[0].reason = " ".to_owned(),
            "origin `https://{city}.covers.library.example`, reason: expected a text, found none",
        ),
        (
            |node| node.origins[0].access[0] = "other".to_owned(),
            "origin `https://{city}.covers.library.example`, access: unknown credential `other`",
        ),
        (
            |node| node.origins[0].access.push("cityLibraryOAuth2Api".to_owned()),
            "origin `https://{city}.covers.library.example`, access: `cityLibraryOAuth2Api` is there twice",
        ),
        (
            |node| node.origins[0].access = vec!["cityLibraryApi".to_owned()],
            "origin `https://{city}.covers.library.example`: `city` is no field of a credential that goes there",
        ),
        (
            |node| node.origins[1].url = "https://{key}.openbooks.example".to_owned(),
            "origin `https://{key}.openbooks.example`: the secret `key` cannot be in a URL",
        ),
        (
            |node| node.origins[1].url = "https://*.example".to_owned(),
            "origin `https://*.example`: expected at least two labels of fixed text at the end of the host, such as `*.example.com`, found `https://*.example`",
        ),
        (
            |node| node.origins[1].url = "http://openbooks.example".to_owned(),
            "origin `http://openbooks.example`: expected `https://`, since only the hosts of this machine are reached by `http://`, found `http://openbooks.example`",
        ),
        (
            |node| node.origins.push(node.origins[1].clone()),
            "origin `https://*.openbooks.example`: is there twice",
        ),
        (
            |node| node.origins = vec![node.origins[1].clone(); 21],
            "node: expected at most 20 origins, found 21",
        ),
    ]);
}
