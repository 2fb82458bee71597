//! The contract's description as this crate's own.

/// Makes `describe`, which converts a node's description, of the types that a generator of bindings has made from the contract:
/// Wasmtime's for a host, wit-bindgen's for a node that is tested natively. They have the same names.
///
/// ```ignore
/// nodule_core::description_of_contract!(crate::bindings::description);
/// ```
#[macro_export]
macro_rules! description_of_contract {
    ($($contract:ident)::+) => {
        use $($contract)::+ as description;
        use $crate::description as plain;

        /// Converts a node's description and parses its JSON documents. Each invalid document is a problem;
        /// `Node::check` checks the records afterwards.
        pub(crate) fn describe(node: description::Node) -> Result<plain::Node, Vec<plain::DescriptionProblem>> {
            let mut documents = Documents::new();
            let described = documents.node(node);
            documents.problems.or(described)
        }

        /// Parses the JSON documents of a description and collects the invalid ones. It stops parsing at a limit for all
        /// documents together: a node may repeat one text many times, and a parsed value takes fifty times its text.
        struct Documents {
            problems: plain::Problems,
            bytes_left: usize,
            values_left: usize,
        }

        impl Documents {
            fn new() -> Self {
                Self {
                    problems: plain::Problems::default(),
                    bytes_left: plain::MAX_DESCRIPTION_BYTES,
                    values_left: plain::MAX_JSON_VALUES,
                }
            }

            fn json(&mut self, text: &str, at: impl Fn() -> String) -> $crate::json::Json {
                let bytes_left = self.bytes_left.checked_sub(text.len());
                let Some(bytes_left) = bytes_left else {
                    return self.too_much("bytes", plain::MAX_DESCRIPTION_BYTES);
                };
                self.bytes_left = bytes_left;
                let Some(values_left) = self.values_left.checked_sub(plain::values_in(text)) else {
                    return self.too_much("values", plain::MAX_JSON_VALUES);
                };
                self.values_left = values_left;
                // The path is formatted only for a problem: a description has many documents, and long names.
                plain::parse_json(text, "").unwrap_or_else(|problem| {
                    self.problems.add(at(), problem.message);
                    $crate::json::Json::Null
                })
            }

            fn too_much(&mut self, what: &str, most: usize) -> $crate::json::Json {
                self.problems.add(
                    "node",
                    format!("expected at most {most} {what} in all JSON documents, found more"),
                );
                $crate::json::Json::Null
            }

            fn optional(&mut self, text: Option<&String>, at: impl Fn() -> String) -> Option<$crate::json::Json> {
                text.map(|text| self.json(text, at))
            }

            fn node(&mut self, node: description::Node) -> plain::Node {
                plain::Node {
                    // The host adds them, from the component's bytes.
                    imports: Vec::new(),
                    hints: self.optional(node.hints.as_ref(), || "node, hints".to_owned()),
                    operations: node
                        .operations
                        .into_iter()
                        .map(|operation| self.operation(operation))
                        .collect(),
                    parameters: node
                        .parameters
                        .into_iter()
                        .map(|parameter| self.parameter(parameter))
                        .collect(),
                    name: node.name,
                    display_name: node.display_name,
                    version: node.version,
                    summary: node.summary,
                    icon_svg: node.icon_svg,
                    documentation_url: node.documentation_url,
                    aliases: node.aliases,
                    credentials: node.credentials.into_iter().map(credential).collect(),
                    origins: node
                        .origins
                        .into_iter()
                        .map(|origin| plain::Origin {
                            url: origin.url,
                            access: origin.access,
                            reason: origin.reason,
                        })
                        .collect(),
                    resources: node
                        .resources
                        .into_iter()
                        .map(|group| plain::ResourceGroup {
                            name: group.name,
                            display_name: group.display_name,
                            summary: group.summary,
                        })
                        .collect(),
                }
            }

            fn operation(&mut self, operation: description::Operation) -> plain::Operation {
                let at = || plain::place_of_operation(&operation.group, &operation.name);
                plain::Operation {
                    output_schema: self.json(&operation.output_schema, || format!("{}, output schema", at())),
                    hints: self.optional(operation.hints.as_ref(), || format!("{}, hints", at())),
                    request: operation.request.and_then(|text| {
                        text.parse()
                            .map_err(|error: plain::DeclaredRequestError| {
                                self.problems.add(format!("{}, request", at()), error.to_string());
                            })
                            .ok()
                    }),
                    group: operation.group,
                    name: operation.name,
                    display_name: operation.display_name,
                    summary: operation.summary,
                    action: operation.action,
                    documentation_url: operation.documentation_url,
                    parameters: operation.parameters,
                    write_requests: operation.write_requests,
                    emits: operation.emits,
                    gives_files: operation.gives_files,
                    effect: match operation.effect {
                        description::Effect::Read => plain::Effect::Read,
                        description::Effect::Idempotent => plain::Effect::Idempotent,
                        description::Effect::Keyed(parameter) => plain::Effect::Keyed(parameter),
                        description::Effect::Write => plain::Effect::Write,
                    },
                }
            }

            fn parameter(&mut self, parameter: description::Parameter) -> plain::Parameter {
                let id = parameter.id;
                let at = || plain::place_of_parameter(&id);
                plain::Parameter {
                    kind: self.kind(parameter.kind, &at),
                    default: self.optional(parameter.default.as_ref(), || format!("{}, default", at())),
                    hints: self.optional(parameter.hints.as_ref(), || format!("{}, hints", at())),
                    visible_when: parameter
                        .visible_when
                        .into_iter()
                        .map(|condition| plain::Condition {
                            holds: self.holds(condition.holds, &at),
                            parameter: condition.parameter,
                        })
                        .collect(),
                    id,
                    name: parameter.name,
                    display_name: parameter.display_name,
                    summary: parameter.summary,
                    placeholder: parameter.placeholder,
                    required: parameter.required,
                }
            }

            fn holds(&mut self, holds: description::Holds, at: &impl Fn() -> String) -> plain::Holds {
                let mut values = |values: Vec<String>| {
                    let values = values.iter();
                    values
                        .map(|value| self.json(value, || format!("{}, condition", at())))
                        .collect()
                };
                match holds {
                    description::Holds::OneOf(one_of) => plain::Holds::OneOf(values(one_of)),
                    description::Holds::NoneOf(none_of) => plain::Holds::NoneOf(values(none_of)),
                    description::Holds::Set => plain::Holds::Set,
                }
            }

            fn kind(&mut self, kind: description::Kind, at: &impl Fn() -> String) -> plain::Kind {
                match kind {
                    description::Kind::Text => plain::Kind::Text,
                    description::Kind::Multiline => plain::Kind::Multiline,
                    description::Kind::Secret => plain::Kind::Secret,
                    description::Kind::Integer(limits) => plain::Kind::Integer(range(limits)),
                    description::Kind::Number(limits) => plain::Kind::Number(range(limits)),
                    description::Kind::Boolean => plain::Kind::Boolean,
                    description::Kind::Date => plain::Kind::Date,
                    description::Kind::DateTime => plain::Kind::DateTime,
                    description::Kind::Choice(choices) => plain::Kind::Choice(self.choices(choices, at)),
                    description::Kind::ChooseMany(choices) => plain::Kind::ChooseMany(self.choices(choices, at)),
                    description::Kind::Reference(reference) => plain::Kind::Reference(plain::Reference {
                        dynamic: reference.dynamic.map(dynamic),
                        id_in_url: reference.id_in_url,
                        id: reference.id,
                    }),
                    description::Kind::AnyJson => plain::Kind::AnyJson,
                    description::Kind::File => plain::Kind::File,
                    description::Kind::Group(shape) => plain::Kind::Group(plain::GroupShape {
                        key: shape.key,
                        fields: shape.fields,
                    }),
                    description::Kind::Rows(shape) => plain::Kind::Rows(plain::RowShape {
                        key: shape.key,
                        display_name: shape.display_name,
                        columns: shape.columns,
                        min: shape.min,
                        max: shape.max,
                    }),
                    description::Kind::Values(parameter) => plain::Kind::Values(parameter),
                    description::Kind::Columns(columns) => plain::Kind::Columns(dynamic(columns)),
                    description::Kind::Notice => plain::Kind::Notice,
                }
            }

            fn choices(&mut self, choices: description::Choices, at: &impl Fn() -> String) -> plain::Choices {
                plain::Choices {
                    open: choices.open,
                    dynamic: choices.dynamic.map(dynamic),
                    known: choices
                        .known
                        .into_iter()
                        .map(|choice| self.choice(choice, at))
                        .collect(),
                }
            }

            fn choice(&mut self, choice: description::Choice, at: &impl Fn() -> String) -> plain::Choice {
                plain::Choice {
                    value: self.json(&choice.value, || {
                        format!("{}, choice {}", at(), plain::quoted(&choice.label))
                    }),
                    label: choice.label,
                    summary: choice.summary,
                }
            }
        }

        fn range(limits: description::Range) -> plain::Range {
            plain::Range {
                min: limits.min,
                max: limits.max,
            }
        }

        fn dynamic(dynamic: description::Dynamic) -> plain::Dynamic {
            plain::Dynamic {
                depends_on: dynamic.depends_on,
                search: dynamic.search,
            }
        }

        fn credential(credential: description::Credential) -> plain::CredentialSpec {
            plain::CredentialSpec {
                name: credential.name,
                display_name: credential.display_name,
                documentation_url: credential.documentation_url,
                fields: credential.fields,
                base_url: credential.base_url,
                scheme: scheme(credential.scheme),
                test: credential.test,
            }
        }

        fn scheme(scheme: description::Scheme) -> plain::Scheme {
            match scheme {
                description::Scheme::Fixed(placement) => plain::Scheme::Fixed(plain::Placement {
                    headers: templates(placement.headers),
                    query: templates(placement.query),
                }),
                description::Scheme::Oauth2(oauth2) => plain::Scheme::Oauth2(Box::new(plain::Oauth2 {
                    grant: match oauth2.grant {
                        description::Grant::AuthorizationCode => plain::Grant::AuthorizationCode,
                        description::Grant::ClientCredentials => plain::Grant::ClientCredentials,
                    },
                    authorization_url: oauth2.authorization_url,
                    token_url: oauth2.token_url,
                    scopes: oauth2.scopes,
                    scope_separator: oauth2.scope_separator,
                    client_in_body: oauth2.client_in_body,
                    pkce: oauth2.pkce,
                    authorization_query: pairs(oauth2.authorization_query),
                    token_body: pairs(oauth2.token_body),
                    client_id: oauth2.client_id,
                    client_secret: oauth2.client_secret,
                })),
                description::Scheme::Session => plain::Scheme::Session,
                description::Scheme::Signed(signed) => plain::Scheme::Signed(match signed.needs {
                    description::BodyNeed::Size => plain::BodyNeed::Size,
                    description::BodyNeed::Digest => plain::BodyNeed::Digest,
                    description::BodyNeed::Whole => plain::BodyNeed::Whole,
                }),
            }
        }

        fn templates(templates: Vec<description::Template>) -> Vec<plain::Template> {
            let templates = templates.into_iter();
            templates
                .map(|description::Template { name, template }| plain::Template { name, template })
                .collect()
        }

        fn pairs(pairs: Vec<description::Field>) -> Vec<plain::Pair> {
            let pairs = pairs.into_iter();
            pairs
                .map(|description::Field { name, value }| plain::Pair { name, value })
                .collect()
        }
    };
}
