//! A description with every kind, condition and scheme that the library's example does not have. The whole of each
//! format is compared with a file; the tests below it claim what matters in those files.

use nodule::description::{Indexed, Kind, Node};
use nodule::json;
use nodule::json::Json;

use super::{is_as_in, plain};
use crate::describe::{Format, n8n, render};

fn warehouse() -> Node {
    let node: Node = serde_json::from_str(include_str!("../testdata/forms.json")).unwrap();
    node.check().unwrap()
}

fn rendered(node: &Node) -> Json {
    n8n::render(&Indexed::new(node))
}

/// The property of this name in the operation `store`; of several, the first.
fn property(node: &Node, name: &str) -> Json {
    let rendered = rendered(node);
    let properties = rendered["node"]["properties"].as_array().unwrap();
    let found = properties.iter().find(|property| {
        property["name"] == name && property["displayOptions"]["show"]["operation"] == json!(["store"])
    });
    found.unwrap_or_else(|| panic!("no property `{name}`")).clone()
}

#[test]
fn every_form_is_a_whole_document() {
    let node = warehouse();
    let whole = |format, group| plain(&render(&node, format, group, None, 100).unwrap());
    is_as_in("forms.txt", &whole(Format::Text, None));
    is_as_in("forms-group.txt", &whole(Format::Text, Some("item")));
    is_as_in("forms.md", &whole(Format::Markdown, None));
    is_as_in("forms.n8n.json", &whole(Format::N8n, None));
}

#[test]
fn people_read_what_the_host_does_with_each_credential() {
    let text = plain(&render(&warehouse(), Format::Text, None, None, 100).unwrap());
    for line in [
        "The host adds the header Authorization: Bearer {token}",
        "The host adds key={token} to the query",
        "Its test is GET /user",
        "The host gets a token by OAuth 2 (authorization code with PKCE) and adds the header",
        "The user consents at https://id.warehouse.example/authorize",
        "Tokens come from https://id.warehouse.example/token",
        "Scopes: read, write",
        "The node signs each request with it, where it reaches nothing; it is shown the body's SHA-256",
    ] {
        assert!(text.contains(line), "{line}\n{text}");
    }
}

#[test]
fn people_read_where_else_the_node_wants_to_go_and_that_nobody_has_granted_it() {
    let node = warehouse();
    let text = plain(&render(&node, Format::Text, None, None, 120).unwrap());
    assert!(
        text.contains("Origins  where else the node wants to go; the operator has to grant each\n"),
        "{text}"
    );
    assert!(
        text.contains("  https://uploads.warehouse.example  warehouseToken  Pictures are stored there\n"),
        "{text}"
    );
    let page = render(&node, Format::Markdown, None, None, 100).unwrap();
    assert!(page.contains("The operator has to grant each."), "{page}");
    let row = "| `https://*.cdn.example` | no credential | Pictures are read \\| from there |\n";
    assert!(page.contains(row), "{page}");
}

#[test]
fn people_read_how_often_an_item_writes_where_its_effect_does_not_say_so() {
    let page = render(&warehouse(), Format::Markdown, None, None, 100).unwrap();
    assert!(
        page.contains("Writing requests of one item: at most 3.\n"),
        "{page}"
    );
    assert_eq!(page.matches("Writing requests").count(), 1, "{page}");
}

#[test]
fn people_read_every_condition() {
    let page = render(&warehouse(), Format::Markdown, None, None, 100).unwrap();
    for condition in [
        r#"only while `owner` is set and `shelf` is not `"any"` or `"top"` and"#,
        "only while `scale` is `2` |",
    ] {
        assert!(page.contains(condition), "{condition}\n{page}");
    }
}

#[test]
fn several_credentials_have_a_selector() {
    let node = warehouse();
    let rendered = rendered(&node);
    assert_eq!(rendered["authentication"], "authentication");
    assert_eq!(
        rendered["node"]["properties"][0],
        json!({
            "displayName": "Authentication",
            "name": "authentication",
            "type": "options",
            "noDataExpression": true,
            "options": [
                {"name": "Access Token", "value": "warehouseToken"},
                {"name": "OAuth2", "value": "warehouseLogin"},
                {"name": "Key Pair", "value": "warehouseKeys"},
            ],
            "default": "warehouseToken",
        })
    );
    assert_eq!(
        rendered["node"]["credentials"][2],
        json!({
            "name": "warehouseKeys",
            "required": true,
            "displayOptions": {"show": {"authentication": ["warehouseKeys"]}},
        })
    );
    let secret = &rendered["credentials"][2]["properties"][1];
    assert_eq!(secret["typeOptions"], json!({"password": true}));
}

#[test]
fn a_single_credential_has_no_selector() {
    let mut node = warehouse();
    node.credentials.truncate(1);
    let rendered = rendered(&node);
    assert_eq!(rendered["authentication"], Json::Null);
    assert_eq!(rendered["node"]["properties"][0]["name"], "resource");
    assert_eq!(
        rendered["node"]["credentials"],
        json!([{"name": "warehouseToken", "required": true}])
    );
}

#[test]
fn the_selector_has_a_name_that_no_parameter_has() {
    let mut node = warehouse();
    for (taken, expected) in [
        ("authentication", "nodeAuthentication"),
        ("nodeAuthentication", "authentication"),
    ] {
        super::parameter(&mut node, "label").name = taken.to_owned();
        assert_eq!(rendered(&node)["authentication"], expected);
    }
    super::parameter(&mut node, "scale").name = "authentication".to_owned();
    assert_eq!(rendered(&node)["authentication"], "nodeAuthentication_");
}

#[test]
fn aliases_are_words_of_the_codex() {
    assert_eq!(
        rendered(&warehouse())["codex"],
        json!({"alias": ["stock", "=inventory"]})
    );
}

/// Each property's type, default and options, and the rest that its kind decides.
#[test]
fn each_kind_has_its_type() {
    let node = warehouse();
    let number = json!({"minValue": 0.5, "maxValue": 20});
    let cases = [
        ("tags", "multiOptions", json!(["heavy"]), Json::Null),
        (
            "dock",
            "multiOptions",
            json!([]),
            json!({"loadOptionsMethod": "item_store_dock", "loadOptionsDependsOn": ["owner.value", "shelf"]}),
        ),
        (
            "shelf",
            "options",
            json!(""),
            json!({"loadOptionsMethod": "item_store_shelf"}),
        ),
        ("weight", "number", json!(""), number),
        ("note", "notice", json!(""), Json::Null),
        ("marks", "collection", json!({}), Json::Null),
        ("size", "fixedCollection", json!({}), Json::Null),
        (
            "parts",
            "fixedCollection",
            json!({}),
            json!({"multipleValues": true, "minRequiredFields": 2, "maxAllowedFields": 9}),
        ),
        (
            "places",
            "fixedCollection",
            json!({"rows": [{"row": r#"={{ "=a" }}"#}]}),
            json!({"multipleValues": true}),
        ),
        (
            "names",
            "string",
            json!([]),
            json!({"multipleValues": true, "multipleValueButtonText": "Add Name"}),
        ),
        (
            "owners",
            "multiOptions",
            json!([]),
            json!({"loadOptionsMethod": "item_store_owners_each"}),
        ),
        ("label", "string", json!(""), json!({"rows": 4})),
    ];
    for (name, kind, default, type_options) in cases {
        let property = property(&node, name);
        assert_eq!(property["type"], kind, "{name}");
        assert_eq!(property["default"], default, "{name}");
        let found = property.get("typeOptions").cloned().unwrap_or_default();
        assert_eq!(found, type_options, "{name}");
    }
}

#[test]
fn a_reference_is_chosen_from_a_list_by_its_url_or_by_its_id() {
    let owner = property(&warehouse(), "owner");
    assert_eq!(owner["type"], "resourceLocator");
    assert_eq!(owner["default"], json!({"mode": "list", "value": ""}));
    assert_eq!(
        owner["modes"],
        json!([
            {
                "displayName": "From List",
                "name": "list",
                "type": "list",
                "typeOptions": {"searchListMethod": "item_store_owner", "searchable": true},
            },
            {
                "displayName": "By URL",
                "name": "url",
                "type": "string",
                "extractValue": {"type": "regex", "regex": r"^(?:https:\/\/warehouse\.example\/owners\/([0-9]+))$"},
                "validation": [{
                    "type": "regex",
                    "properties": {
                        "regex": r"^(?:https:\/\/warehouse\.example\/owners\/([0-9]+))$",
                        "errorMessage": "Not the URL of a page of Owner",
                    },
                }],
            },
            {
                "displayName": "By ID",
                "name": "id",
                "type": "string",
                "validation": [{
                    "type": "regex",
                    "properties": {"regex": "^(?:[0-9]+)$", "errorMessage": "Not an ID of Owner"},
                }],
            },
        ])
    );
}

/// n8n builds regular expressions without the `u` flag, where `\p{L}` would match the text `p{L}`.
#[test]
fn a_pattern_that_n8n_would_misread_is_left_out() {
    let colour = property(&warehouse(), "colour");
    assert_eq!(colour["default"], json!({"mode": "id", "value": "red"}));
    assert_eq!(
        colour["modes"],
        json!([{"displayName": "By ID", "name": "id", "type": "string"}])
    );
}

#[test]
fn conditions_show_and_hide() {
    let colour = property(&warehouse(), "colour");
    assert_eq!(
        colour["displayOptions"],
        json!({
            "show": {"resource": ["item"], "operation": ["store"], "owner": [{"_cnd": {"exists": true}}]},
            "hide": {"shelf": ["any", "top", "low"]},
        })
    );
    let marks = property(&warehouse(), "marks");
    assert_eq!(
        marks["options"][1]["displayOptions"],
        json!({"show": {"fragile": [true], "/shelf": [{"_cnd": {"exists": true}}]}})
    );
}

/// What n8n has as one collection with several keys.
#[test]
fn several_lists_in_one_place_are_a_group_of_lists() {
    let mut node = warehouse();
    let Kind::Group(shape) = &mut super::parameter(&mut node, "marks").kind else {
        panic!("it is a group");
    };
    shape.fields = vec!["parts".to_owned(), "places".to_owned()];
    let marks = property(&node, "marks");
    assert_eq!(marks["type"], "collection");
    for (list, name) in marks["options"]
        .as_array()
        .unwrap()
        .iter()
        .zip(["parts", "places"])
    {
        assert_eq!(list["name"], name);
        assert_eq!(list["type"], "fixedCollection");
        assert_eq!(list["typeOptions"]["multipleValues"], true);
    }
}

/// n8n stores an object of a group or a list of rows that nobody has touched.
#[test]
fn a_group_is_set_when_it_is_not_empty() {
    let label = property(&warehouse(), "label");
    assert_eq!(
        label["displayOptions"]["show"]["marks"],
        json!([{"_cnd": {"not": {}}}])
    );
}

#[test]
fn a_value_that_must_be_set_and_one_of_several_is_not_the_unset_one() {
    let mut node = warehouse();
    super::parameter(&mut node, "weight").visible_when = serde_json::from_value(serde_json::json!([
        {"parameter": "shelf", "set": true},
        {"parameter": "shelf", "oneOf": ["", "top"]},
    ]))
    .unwrap();
    assert_eq!(
        property(&node, "weight")["displayOptions"]["show"]["shelf"],
        json!(["top"])
    );
}

#[test]
fn a_notice_is_text_and_not_html() {
    let note = property(&warehouse(), "note");
    assert_eq!(note["displayName"], "Mind &lt;the&gt; gap: It is wide");
    assert_eq!(note.get("description"), None);
}

#[test]
fn columns_are_mapped_one_by_one() {
    let fields = property(&warehouse(), "fields");
    assert_eq!(fields["type"], "resourceMapper");
    assert_eq!(fields["required"], true);
    assert_eq!(
        fields["default"],
        json!({"mappingMode": "defineBelow", "value": null})
    );
    assert_eq!(
        fields["typeOptions"],
        json!({
            "loadOptionsDependsOn": ["owner.value"],
            "resourceMapper": {
                "resourceMapperMethod": "item_store_fields",
                "mode": "add",
                "fieldWords": {"singular": "column", "plural": "columns"},
                "addAllFields": true,
                "multiKeyMatch": false,
                "supportAutoMap": false,
            },
        })
    );
}

#[test]
fn a_default_that_n8n_has_no_place_for_is_told() {
    let size = property(&warehouse(), "size");
    assert_eq!(
        size["description"],
        "When empty: {&quot;cm&quot;:{&quot;width&quot;:3}}"
    );
    let names = property(&warehouse(), "names");
    assert_eq!(names["description"], "When empty: [&quot;a&quot;,&quot;b&quot;]");
}

#[test]
fn every_dynamic_parameter_has_a_method_with_its_question() {
    let rendered = rendered(&warehouse());
    let method = |method: &str, kind: &str, operation: &str, parameter: &str, more: Json| {
        let mut entry = json!({"method": method, "kind": kind, "group": "item", "operation": operation, "parameter": parameter});
        entry
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        entry
    };
    let unset = json!({"name": "Not Set", "value": ""});
    let any = json!({"name": "Any", "value": "any"});
    assert_eq!(
        rendered["methods"],
        json!([
            method(
                "item_store_shelf",
                "loadOptions",
                "store",
                "shelf",
                json!({"known": [unset, any]})
            ),
            method(
                "item_store_dock",
                "loadOptions",
                "store",
                "dock",
                json!({"known": []})
            ),
            method(
                "item_store_owner",
                "listSearch",
                "store",
                "owner",
                json!({"search": true})
            ),
            method(
                "item_store_parts_kind",
                "loadOptions",
                "store",
                "parts.kind",
                json!({"known": []})
            ),
            method(
                "item_store_owners_each",
                "loadOptions",
                "store",
                "owners.each",
                json!({"search": true})
            ),
            method(
                "item_store_fields",
                "resourceMapping",
                "store",
                "fields",
                json!({})
            ),
            method(
                "item_peek_owner",
                "listSearch",
                "peek",
                "owner",
                json!({"search": true})
            ),
        ])
    );
}

#[test]
fn a_question_of_a_row_depends_on_its_own_row_and_on_the_form() {
    let parts = property(&warehouse(), "parts");
    assert_eq!(
        parts["options"][0]["values"][1]["typeOptions"],
        json!({"loadOptionsMethod": "item_store_parts_kind", "loadOptionsDependsOn": ["&code", "shelf"]})
    );
}
