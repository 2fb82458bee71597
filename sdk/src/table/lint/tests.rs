//! Every flaw that a table can have, found at once.

use super::lint;
use crate::prelude::*;

const FLAWED: Operation = Operation {
    group: "points",
    name: "flawed",
    title: "",
    about: "Ends with a full stop.",
    action: "Fail",
    effect: Effect::Keyed("missing"),
    evidence: "none",
    request: get("/v1/{code}/{other}"),
    parameters: &[
        text("code", ""),
        text("code", "Code"),
        int_from("pageSize", "Size", 1, Some(0)).or_int(5),
        choice("kind", "Kind", &[int_choice(1, "One"), int_choice(1, "One")]).or_int(2),
        text("late", "Late").when(&[is("after", &[])]).about("Full stop."),
        choice("after", "After", &[text_choice("a", "A")]),
        text("wrong", "Wrong").when(&[is("after", &[Scalar::Text("b")])]),
        choice("size", "Size", &[text_choice("l", "Large").sent("LARGE")]),
        text("box", "Box").when(&[is("size", &[Scalar::Text("l")])]),
        text("twice", "Twice").wire("kind"),
        text("header", "Header").header("X-Header"),
        rows(
            "rows",
            "Rows",
            &Rows {
                name: "row",
                label: "Row",
                columns: &[
                    text("x", "X").whole_body(),
                    rows(
                        "inner",
                        "Inner",
                        &Rows {
                            name: "i",
                            label: "I",
                            columns: &[],
                        },
                    ),
                ],
            },
        ),
    ],
    output: pages("/data", page_increment().stop_when_short()),
};

const SECOND: Operation = Operation {
    group: "member",
    effect: Effect::Keyed("key"),
    request: put("v2/").update(),
    parameters: &[
        text("required", "Required").required(),
        text("key", "Key").required().unsent(),
        text("whole", "Whole").whole_body(),
    ],
    output: answer(),
    ..FLAWED
};

static SERVICE: Service = Service {
    name: "flawed",
    headers: &[("Accept", "*/*")],
    groups: &[
        Group {
            name: "member",
            title: "Member",
            about: "Members",
        },
        Group {
            name: "points",
            title: "Points",
            about: "Points",
        },
    ],
    credentials: &[Credential {
        name: "api",
        fields: &[text("url", "URL"), secret("token", "Token")],
        scheme: fixed(&[
            ("authorization", "Bearer {tokn}"),
            ("x", "{basic:user:token}"),
            ("y", "{open"),
        ]),
        test: Some("user"),
        ..Credential::NEW
    }],
    operations: &[
        &FLAWED,
        &SECOND,
        &SECOND,
        &Operation {
            group: "other",
            ..SECOND
        },
        &Operation {
            name: "bytes",
            request: post("/bytes").content(&bytes("text/csv")),
            parameters: &[text("head", "Head"), text("rows", "Rows")],
            ..SECOND
        },
        &Operation {
            name: "snake_case",
            ..SECOND
        },
        &Operation {
            name: "form",
            request: post("/form").multipart(),
            parameters: &[text("all", "All").required().whole_body()],
            ..SECOND
        },
    ],
    ..Service::NEW
};

#[test]
fn every_flaw_is_found_at_once() {
    let problems = lint(&SERVICE, &["signing"]);
    let problems: Vec<&str> = problems.text().lines().collect();
    for expected in [
        "the service has no name or no title",
        "the credential api has no field for the base URL that is a required text",
        "the credential api has no field tokn, which its scheme names",
        "the credential api has no field user, which its scheme names",
        "the credential api has a brace that is not closed",
        "the credential api has a test that is no path",
        "no credential needs the export signing",
        "points.flawed shows box depending on size, which is sent as another text",
        "member.snake_case has a name that is not camelCase",
        "the header Accept is not in lower case",
        "points.flawed has a title that is empty, padded or ends with a full stop",
        "points.flawed has a about that is empty, padded or ends with a full stop",
        "points.flawed names other in its path and has no such parameter",
        "points.flawed has code in its path, which is not required, or no single value",
        "points.flawed sends twice by the wire name of another parameter",
        "points.flawed has header as a header that is not in lower case",
        "points.flawed has rows, which holds other values, outside of a body",
        "points.flawed is a GET that does not read",
        "points.flawed is keyed by missing, which is no parameter that the caller must set",
        "points.flawed turns pages without returnAll, or has returnAll without pages",
        "points.flawed turns pages by a number or offset that no parameter has",
        "points.flawed stops at a short page, and no parameter has a page's size",
        "points.flawed has code twice",
        "points.flawed has code, which has no name or no label",
        "points.flawed has a default for pageSize that it does not accept",
        "points.flawed has an empty range for pageSize",
        "points.flawed has a default for kind that it does not accept",
        "points.flawed has no choices for kind, or one twice",
        "points.flawed shows late depending on after, which is no earlier parameter",
        "points.flawed shows late depending on no value",
        "points.flawed describes late with a full stop at the end",
        "points.flawed shows wrong depending on a value that after cannot have",
        "points.flawed places or fills rows.x on its own",
        "points.flawed nests rows.inner deeper than one level",
        "member.flawed stands after an operation of a later resource",
        "member.flawed has the name of another operation",
        "member.flawed has the path v2/, which does not begin with a slash, or ends with one",
        "member.flawed is an update that sends required although the caller did not set it",
        "member.flawed is keyed by key, which is sent nowhere",
        "member.flawed has whole as the whole body, and required in it",
        "member.flawed has whole as the whole body, which is not required",
        "other.flawed is of a group that the service does not have",
        "member.bytes sends head and rows in a body of a single value",
        "member.form has all as the whole body, which is JSON, in one that is not",
    ] {
        assert!(
            problems.contains(&expected),
            "not found: {expected}\nin:\n{}",
            problems.join("\n")
        );
    }
}

#[test]
fn a_login_needs_its_export() {
    static SERVICE: Service = Service {
        name: "service",
        title: "Service",
        credentials: &[Credential {
            name: "api",
            fields: &[text("baseUrl", "Base URL").required()],
            scheme: session(|_, _| Box::pin(async { Err(crate::Failure::NotRun) })),
            ..Credential::NEW
        }],
        ..Service::NEW
    };
    assert_eq!(
        lint(&SERVICE, &[]).text(),
        "a credential needs the export authentication: write export!(SERVICE, authentication)"
    );
    assert!(lint(&SERVICE, &["authentication"]).is_empty());
}

#[cfg(feature = "files")]
#[test]
fn files_need_a_body_that_takes_them() {
    const WRONG: Operation = Operation {
        name: "wrong",
        title: "Wrong",
        about: "Wrong",
        action: "Do wrong",
        effect: Effect::Write,
        request: post("/wrong"),
        parameters: &[file("photo", "Photo")],
        output: answer(),
        ..FLAWED
    };
    const ALONE: Operation = Operation {
        name: "alone",
        request: post("/alone").file(),
        parameters: &[file("photo", "Photo"), text("beside", "Beside")],
        ..WRONG
    };
    const SERVICE: Service = Service {
        name: "a",
        title: "A",
        groups: &[Group {
            name: "points",
            title: "Points",
            about: "Points",
        }],
        operations: &[&WRONG, &ALONE],
        ..Service::NEW
    };
    let problems = lint(&SERVICE, &[]);
    let text = problems.text();
    for expected in [
        "has the file photo in a body that holds none",
        "has beside in a body that is a file",
        "an operation needs the export files: write export!(SERVICE, files)",
    ] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[cfg(feature = "origins")]
#[test]
fn a_request_goes_to_an_origin_of_the_service() {
    static ELSEWHERE: Operation = Operation {
        request: post("/x")
            .to("https://elsewhere.example")
            .headers(&[("X-Own", "1")]),
        ..SECOND
    };
    static WITH: Service = Service {
        operations: &[&ELSEWHERE],
        ..SERVICE
    };
    let problems = lint(&WITH, &[]);
    for expected in [
        "member.flawed goes to https://elsewhere.example, which is no origin of the service",
        "the header X-Own is not in lower case",
    ] {
        assert!(problems.text().contains(expected), "{}", problems.text());
    }
}
