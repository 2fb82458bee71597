//! Issues, projects, time entries and attachments of a Redmine server.
#![cfg_attr(rustfmt, rustfmt_skip)]

use nodule_sdk::prelude::*;
use nodule_sdk::{Failure, Item, Method, OutputItem, Request, json, output, path};

// What the form looks up.
const TRACKERS: Operation = Operation {
    group: "issue", name: "trackers", title: "List Trackers", about: "List trackers", action: "List trackers",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/trackers.json"),
    parameters: &[],
    output: pages("/trackers", one_page()),
};
const STATUSES: Operation = Operation { request: get("/issue_statuses.json"), output: pages("/issue_statuses", one_page()), ..TRACKERS };
const PRIORITIES: Operation =
    Operation { request: get("/enumerations/issue_priorities.json"), output: pages("/issue_priorities", one_page()), ..TRACKERS };
const ACTIVITIES: Operation =
    Operation { request: get("/enumerations/time_entry_activities.json"), output: pages("/time_entry_activities", one_page()), ..TRACKERS };
const PROJECTS: Operation =
    Operation { request: get("/projects.json"), parameters: &[RETURN_ALL, OFFSET, LIST_SIZE], output: pages("/projects", PAGES), ..TRACKERS };
const MEMBERS: Operation = Operation {
    request: get("/projects/{projectId}/memberships.json"),
    parameters: &[OF_PROJECT, RETURN_ALL, OFFSET, LIST_SIZE],
    output: pages("/memberships", PAGES), ..TRACKERS
};
const VERSIONS: Operation =
    Operation { request: get("/projects/{projectId}/versions.json"), parameters: &[OF_PROJECT], output: pages("/versions", one_page()), ..TRACKERS };
const CATEGORIES: Operation = Operation {
    request: get("/projects/{projectId}/issue_categories.json"), output: pages("/issue_categories", one_page()), ..VERSIONS
};
// Administrators alone may list these.
const ISSUE_FIELDS: Operation = Operation {
    request: get("/custom_fields.json"), output: pages_by(|_, answer| fields_of("\"issue\"", answer), one_page()), ..TRACKERS
};
const PROJECT_FIELDS: Operation = Operation { output: pages_by(|_, answer| fields_of("\"project\"", answer), one_page()), ..ISSUE_FIELDS };
const TIME_FIELDS: Operation = Operation { output: pages_by(|_, answer| fields_of("\"time_entry\"", answer), one_page()), ..ISSUE_FIELDS };

const PAGES: Next = offset_increment().stop_at_total("/total_count");
const OFFSET: Parameter = page_offset("offset");
const LIST_SIZE: Parameter = page_size("limit", 25);

const OF_PROJECT: Parameter = text("projectId", "Project").required();
const A_PROJECT: Asked = ask(&PROJECTS, "/id", "/name").about("/description").search_labels().id_in_url(".*/projects/([^/?]+).*");
const PROJECT: Parameter = reference_to("projectId", "Project", &A_PROJECT).wire("project_id");
// Without a pattern of the ID: n8n compares it with a field that is left empty, too.
const AN_ISSUE: Reference = Reference { id_in_url: Some(".*/issues/([0-9]+).*"), id: None };
const ISSUE: Parameter = reference("issueId", "Issue", &AN_ISSUE).placeholder("1042").about("The number after the #, or the URL of its page");
const ATTACHMENT: Parameter = reference("attachmentId", "Attachment", &Reference { id_in_url: Some(".*/attachments/[a-z/]*([0-9]+).*"), id: Some("[0-9]+") })
    .required();
const TIME_ENTRY: Parameter = int_from("timeEntryId", "Time Entry ID", 1, None).required();

const TRACKER: Parameter = choice_of("trackerId", "Tracker", &ask(&TRACKERS, "/id", "/name")).wire("tracker_id");
const STATUS: Parameter = choice_of("statusId", "Status", &ask(&STATUSES, "/id", "/name")).wire("status_id");
const PRIORITY: Parameter = choice_of("priorityId", "Priority", &ask(&PRIORITIES, "/id", "/name")).wire("priority_id");
const A_MEMBER: Asked = ask(&MEMBERS, "/user/id", "/user/name").search_labels();
const ASSIGNEE: Parameter = reference_to("assignedToId", "Assignee", &A_MEMBER).wire("assigned_to_id");
const CATEGORY: Parameter = reference_to("categoryId", "Category", &ask(&CATEGORIES, "/id", "/name").search_labels()).wire("category_id");
const VERSION: Parameter = reference_to("fixedVersionId", "Target Version", &ask(&VERSIONS, "/id", "/name").search_labels()).wire("fixed_version_id");
const DESCRIPTION: Parameter = multiline("description", "Description");
const PARENT: Parameter = reference("parentIssueId", "Parent Issue", &AN_ISSUE).wire("parent_issue_id");
const START_DATE: Parameter = date("startDate", "Start Date").wire("start_date");
const DUE_DATE: Parameter = date("dueDate", "Due Date").wire("due_date");
const DONE: Parameter = int_between("doneRatio", "% Done", 0, 100).wire("done_ratio");
const ESTIMATE: Parameter = number("estimatedHours", "Estimated Hours").wire("estimated_hours");
const PRIVATE: Parameter = boolean("isPrivate", "Private").wire("is_private").about("Whether only its author, its assignee and managers see it");
const UPLOADS: Parameter = rows("uploads", "Uploads", &Rows {
    name: "upload", label: "Upload",
    columns: &[
        text("token", "Token").required().about("What the operation Upload Attachment gave"),
        text("fileName", "File Name").wire("filename"),
        text("contentType", "Content Type").wire("content_type").placeholder("image/png"),
        text("description", "Description"),
    ],
});

const KINDS: &[(&str, Parameter)] = &[
    ("int", int("int", "Integer")), ("float", number("float", "Number")), ("date", date("date", "Date")), ("text", multiline("text", "Text")),
];
/// Lists, users, versions and yes or no have their values in their row.
const fn custom_fields(list: &Operation) -> Asked {
    ask(list, "/id", "/name").kinds("/field_format", KINDS).choices("/possible_values", "/value", "/label").several("/multiple").as_rows("id", "value")
}
const ISSUE_CUSTOM: Parameter = columns_of("customFields", "Custom Fields", &custom_fields(&ISSUE_FIELDS)).wire("custom_fields");
const PROJECT_CUSTOM: Parameter = columns_of("customFields", "Custom Fields", &custom_fields(&PROJECT_FIELDS)).wire("custom_fields");
const TIME_CUSTOM: Parameter = columns_of("customFields", "Custom Fields", &custom_fields(&TIME_FIELDS)).wire("custom_fields");

const CREATE: Operation = Operation {
    group: "issue", name: "create", title: "Create Issue", about: "Create an issue", action: "Create an issue",
    effect: Effect::Write, evidence: "every POST creates another one",
    request: post("/issues.json").content(&within("issue")),
    parameters: &[
        PROJECT.required(), text("subject", "Subject").required(), DESCRIPTION, TRACKER, STATUS, PRIORITY, ASSIGNEE, CATEGORY, VERSION, PARENT,
        START_DATE, DUE_DATE, DONE, ESTIMATE, PRIVATE, choices_of("watcherUserIds", "Watchers", &A_MEMBER).wire("watcher_user_ids"), ISSUE_CUSTOM, UPLOADS,
    ],
    output: answer_at("/issue"),
};

const GET: Operation = Operation {
    name: "get", title: "Get Issue", about: "Fetch one issue", action: "Get an issue",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/issues/{issueId}.json"),
    parameters: &[
        ISSUE.required(),
        choices("include", "Include", &[
            worded("allowed_statuses", "Allowed Statuses"), worded("attachments", "Attachments"), worded("changesets", "Changesets"),
            worded("children", "Children"), worded("journals", "Journals"), worded("relations", "Relations"), worded("watchers", "Watchers"),
        ]).joined(),
    ], ..CREATE
};

const GET_ALL: Operation = Operation {
    name: "getAll", title: "Get Many Issues", about: "List issues", action: "Get many issues",
    request: get("/issues.json"),
    parameters: &[
        RETURN_ALL, OFFSET, LIST_SIZE, PROJECT, TRACKER,
        choice_of("statusId", "Status", &ask(&STATUSES, "/id", "/name").known(&[worded("open", "Open"), worded("closed", "Closed"), worded("*", "Any")]))
            .wire("status_id").or_text("open"),
        PRIORITY,
        choice_of("assignedToId", "Assignee", &A_MEMBER.known(&[worded("me", "Me"), worded("!*", "Nobody")])).wire("assigned_to_id"),
        VERSION, reference("parentId", "Parent Issue", &AN_ISSUE).wire("parent_id"),
        text("subject", "Subject").placeholder("~kite").about("As Redmine writes filters: ~ stands for contains"),
        text("createdOn", "Created On").wire("created_on").placeholder(">=2025-06-30"),
        text("updatedOn", "Updated On").wire("updated_on").placeholder("><2025-06-01|2025-06-30"),
        text("sort", "Sort").placeholder("updated_on:desc"),
        choices("include", "Include", &[worded("attachments", "Attachments"), worded("relations", "Relations")]).joined(),
    ],
    output: pages("/issues", PAGES), ..GET
};

const UPDATE: Operation = Operation {
    name: "update", title: "Update Issue", about: "Change what is set, and nothing else, of an issue", action: "Update an issue",
    effect: Effect::Idempotent, evidence: "PUT sets values, and writes no journal where none changes",
    request: put("/issues/{issueId}.json").update().content(&within("issue").cleared_by_empty_text()),
    parameters: &[
        ISSUE.required(), PROJECT.about("Where the issue goes; members, versions and categories are listed of it"), text("subject", "Subject"), DESCRIPTION,
        TRACKER, STATUS, PRIORITY, ASSIGNEE, CATEGORY, VERSION, PARENT, START_DATE, DUE_DATE, DONE, ESTIMATE, PRIVATE, ISSUE_CUSTOM,
    ],
    output: answer(), ..CREATE
};

/// Beside `update`, which may be repeated: every note is another one.
const ADD_NOTE: Operation = Operation {
    name: "addNote", title: "Add Note", about: "Add a note to an issue", action: "Add a note to an issue",
    effect: Effect::Write, evidence: "every PUT with notes adds another journal",
    request: put("/issues/{issueId}.json").content(&within("issue")),
    parameters: &[
        ISSUE.required(), multiline("notes", "Notes").required(),
        boolean("privateNotes", "Private").wire("private_notes").about("Whether only those see it who may see private notes"),
    ], ..UPDATE
};

const DELETE: Operation = Operation {
    name: "delete", title: "Delete Issue", about: "Delete an issue, with its time entries and attachments", action: "Delete an issue",
    effect: Effect::Idempotent, evidence: "an issue that is gone stays gone; the second time is answered with 404",
    request: delete("/issues/{issueId}.json"),
    parameters: &[ISSUE.required()], ..UPDATE
};

const MODULES: &[Choice] = &[
    worded("boards", "Forums"), worded("calendar", "Calendar"), worded("documents", "Documents"), worded("files", "Files"), worded("gantt", "Gantt"),
    worded("issue_tracking", "Issue Tracking"), worded("news", "News"), worded("repository", "Repository"), worded("time_tracking", "Time Tracking"),
    worded("wiki", "Wiki"),
];
const HOMEPAGE: Parameter = text("homepage", "Homepage").placeholder("https://kites.example");
const PUBLIC: Parameter = boolean("isPublic", "Public").wire("is_public").about("Whether who is no member sees it");
const PARENT_PROJECT: Parameter = reference_to("parentId", "Parent Project", &A_PROJECT).wire("parent_id");
const INHERIT: Parameter = boolean("inheritMembers", "Inherit Members").wire("inherit_members").about("Whether the members of the parent are members");
const PROJECT_TRACKERS: Parameter = choices_of("trackerIds", "Trackers", &ask(&TRACKERS, "/id", "/name")).wire("tracker_ids");
const ENABLED: Parameter = choices("enabledModuleNames", "Modules", MODULES).wire("enabled_module_names");

const PROJECT_CREATE: Operation = Operation {
    group: "project", name: "create", title: "Create Project", about: "Create a project", action: "Create a project",
    evidence: "a POST with an identifier that is taken is refused, also where it is the second of the same",
    request: post("/projects.json").content(&within("project")),
    parameters: &[
        text("name", "Name").required(), text("identifier", "Identifier").required().placeholder("city-kites").about("Lower case; it cannot be changed"),
        DESCRIPTION, HOMEPAGE, PUBLIC, PARENT_PROJECT, INHERIT, PROJECT_TRACKERS, ENABLED, PROJECT_CUSTOM,
    ],
    output: answer_at("/project"), ..CREATE
};

const PROJECT_GET: Operation = Operation {
    name: "get", title: "Get Project", about: "Fetch one project", action: "Get a project",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/projects/{projectId}.json"),
    parameters: &[
        PROJECT.required(),
        choices("include", "Include", &[
            worded("enabled_modules", "Enabled Modules"), worded("issue_categories", "Issue Categories"), worded("issue_custom_fields", "Issue Custom Fields"),
            worded("time_entry_activities", "Time Entry Activities"), worded("trackers", "Trackers"),
        ]).joined(),
    ], ..PROJECT_CREATE
};

const PROJECT_GET_ALL: Operation = Operation {
    name: "getAll", title: "Get Many Projects", about: "List projects", action: "Get many projects",
    request: get("/projects.json"),
    parameters: &[RETURN_ALL, OFFSET, LIST_SIZE, text("name", "Name").placeholder("~kite").about("As Redmine writes filters: ~ stands for contains")],
    output: pages("/projects", PAGES), ..PROJECT_GET
};

const PROJECT_UPDATE: Operation = Operation {
    name: "update", title: "Update Project", about: "Change what is set, and nothing else, of a project", action: "Update a project",
    effect: Effect::Idempotent, evidence: "PUT sets values",
    request: put("/projects/{projectId}.json").update().content(&within("project").cleared_by_empty_text()),
    parameters: &[PROJECT.required(), text("name", "Name"), DESCRIPTION, HOMEPAGE, PUBLIC, PARENT_PROJECT, INHERIT, PROJECT_TRACKERS, ENABLED, PROJECT_CUSTOM],
    output: answer(), ..PROJECT_CREATE
};

const PROJECT_DELETE: Operation = Operation {
    name: "delete", title: "Delete Project", about: "Delete a project, with all that is in it", action: "Delete a project",
    evidence: "a project that is gone stays gone; the second time is answered with 404",
    request: delete("/projects/{projectId}.json"),
    parameters: &[PROJECT.required()], ..PROJECT_UPDATE
};

const HOURS: Parameter = number("hours", "Hours").placeholder("1.5");
const ACTIVITY: Parameter = choice_of("activityId", "Activity", &ask(&ACTIVITIES, "/id", "/name")).wire("activity_id");
const SPENT_ON: Parameter = date("spentOn", "Date").wire("spent_on").about("Today where it is empty");
const COMMENTS: Parameter = text("comments", "Comments");

const TIME_CREATE: Operation = Operation {
    group: "timeEntry", name: "create", title: "Create Time Entry", about: "Log time on an issue or on a project", action: "Create a time entry",
    request: post("/time_entries.json").content(&within("time_entry")),
    parameters: &[
        choice("logOn", "Log On", &[worded("issue", "Issue"), worded("project", "Project")]).or_text("issue").unsent(),
        ISSUE.required().wire("issue_id").when(&[is("logOn", &[Scalar::Text("issue")])]),
        // Here alone, Redmine takes no identifier.
        PROJECT.required().about("By its number").when(&[is("logOn", &[Scalar::Text("project")])]),
        HOURS.required(), ACTIVITY.about("The default one where it is empty"), SPENT_ON, COMMENTS, TIME_CUSTOM,
    ],
    output: answer_at("/time_entry"), ..CREATE
};

const TIME_GET: Operation = Operation {
    name: "get", title: "Get Time Entry", about: "Fetch one time entry", action: "Get a time entry",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/time_entries/{timeEntryId}.json"),
    parameters: &[TIME_ENTRY], ..TIME_CREATE
};

const TIME_GET_ALL: Operation = Operation {
    name: "getAll", title: "Get Many Time Entries", about: "List time entries", action: "Get many time entries",
    request: get("/time_entries.json"),
    parameters: &[
        RETURN_ALL, OFFSET, LIST_SIZE, PROJECT, ISSUE.wire("issue_id"),
        choice_of("userId", "User", &A_MEMBER.known(&[worded("me", "Me")])).wire("user_id"),
        ACTIVITY, date("from", "From"), date("to", "To"),
    ],
    output: pages("/time_entries", PAGES), ..TIME_GET
};

const TIME_UPDATE: Operation = Operation {
    name: "update", title: "Update Time Entry", about: "Change what is set, and nothing else, of a time entry", action: "Update a time entry",
    effect: Effect::Idempotent, evidence: "PUT sets values",
    request: put("/time_entries/{timeEntryId}.json").update().content(&within("time_entry").cleared_by_empty_text()),
    parameters: &[TIME_ENTRY, HOURS, ACTIVITY, SPENT_ON.about("When the time was spent"), COMMENTS, TIME_CUSTOM],
    output: answer(), ..TIME_CREATE
};

const TIME_DELETE: Operation = Operation {
    name: "delete", title: "Delete Time Entry", about: "Delete a time entry", action: "Delete a time entry",
    evidence: "a time entry that is gone stays gone; the second time is answered with 404",
    request: delete("/time_entries/{timeEntryId}.json"),
    parameters: &[TIME_ENTRY], ..TIME_UPDATE
};

const ATTACHMENT_GET: Operation = Operation {
    group: "attachment", name: "get", title: "Get Attachment", about: "Fetch what is known of an attachment", action: "Get an attachment",
    request: get("/attachments/{attachmentId}.json"),
    parameters: &[ATTACHMENT],
    output: answer_at("/attachment"), ..GET
};

const DOWNLOAD: Operation = Operation {
    name: "download", title: "Download Attachment", about: "Download the file of an attachment", action: "Download an attachment",
    request: get("/attachments/{attachmentId}.json").undeclared(),
    parameters: &[ATTACHMENT, text("binaryPropertyName", "Put Output File in Field").or_text("data").unsent()],
    output: by(nodule_sdk::run!(download_file)).giving_files(), ..ATTACHMENT_GET
};

const UPLOAD: Operation = Operation {
    name: "upload", title: "Upload Attachment", about: "Upload a file, to an issue or for one that is created with its token", action: "Upload an attachment",
    effect: Effect::Write, evidence: "every POST makes another attachment",
    request: post("/uploads.json").undeclared().writes(2),
    parameters: &[
        file("binaryPropertyName", "Input Binary Field").required().or_text("data").unsent(),
        ISSUE.about("The issue that gets the attachment; without one, its token is for the uploads of an issue that is created").unsent(),
        text("fileName", "File Name").about("Instead of the file's own").unsent(),
        text("description", "Description").unsent(),
        multiline("notes", "Notes").about("A note of the issue").when(&[is_set("issueId")]).unsent(),
    ],
    output: by(nodule_sdk::run!(upload)), ..ATTACHMENT_GET
};

const ATTACHMENT_DELETE: Operation = Operation {
    name: "delete", title: "Delete Attachment", about: "Delete an attachment", action: "Delete an attachment",
    effect: Effect::Idempotent, evidence: "an attachment that is gone stays gone; the second time is answered with 404",
    request: delete("/attachments/{attachmentId}.json"),
    output: answer(), ..ATTACHMENT_GET
};

const BASE_URL: Parameter = text("baseUrl", "Base URL").required().placeholder("https://redmine.example.com");

/// The node.
pub static SERVICE: Service = Service {
    name: "redmine", title: "Redmine", about: "Issues, projects, time entries and attachments of a Redmine server",
    documentation: Some("https://www.redmine.org/projects/redmine/wiki/Rest_api"),
    groups: &[
        Group { name: "issue", title: "Issue", about: "Issues and their notes" },
        Group { name: "project", title: "Project", about: "Projects" },
        Group { name: "timeEntry", title: "Time Entry", about: "Time that was spent on issues and projects" },
        Group { name: "attachment", title: "Attachment", about: "Files of issues" },
    ],
    credentials: &[
        Credential {
            name: "redmineApi", title: "Redmine API",
            fields: &[BASE_URL, secret("apiKey", "API Key").required().about("On the page My account, under API access key")],
            scheme: fixed(&[("x-redmine-api-key", "{apiKey}")]), test: Some("/users/current.json"), ..Credential::NEW
        },
        Credential {
            name: "redmineBasicApi", title: "Redmine User",
            fields: &[BASE_URL, text("user", "User").required(), secret("password", "Password").required()],
            scheme: fixed(&[("authorization", "Basic {basic:user:password}")]), test: Some("/users/current.json"), ..Credential::NEW
        },
    ],
    headers: &[("accept", "application/json"), ("user-agent", "redmine-node/0.1.0")],
    errors: errors(&[]).listed("/errors"),
    operations: &[
        &CREATE, &GET, &GET_ALL, &UPDATE, &ADD_NOTE, &DELETE, &PROJECT_CREATE, &PROJECT_GET, &PROJECT_GET_ALL, &PROJECT_UPDATE, &PROJECT_DELETE,
        &TIME_CREATE, &TIME_GET, &TIME_GET_ALL, &TIME_UPDATE, &TIME_DELETE, &ATTACHMENT_GET, &DOWNLOAD, &UPLOAD, &ATTACHMENT_DELETE,
    ], ..Service::NEW
};
nodule_sdk::export!(SERVICE, choices, files);

/// One list has the custom fields of everything.
fn fields_of<'a>(of: &str, answer: json::Part<'a>) -> Result<Vec<&'a str>, String> {
    let fields = answer.at("/custom_fields").and_then(|fields| answer.part(fields).elements());
    let fields = fields.ok_or("expected the list `custom_fields`")?.into_iter();
    Ok(fields.filter(|field| json::at(field, "/customized_type") == Some(of)).collect())
}

async fn download_file(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let answer = item.document().await?;
    let attachment = json::at(&answer, "/attachment").unwrap_or(&answer).to_owned();
    let name = json::at(&attachment, "/filename").and_then(json::string).unwrap_or_default().into_owned();
    let target = path("/attachments/download/{}/{}", &[item.text("attachmentId"), &name]);
    let file = item.client.success(Request::new(Method::Get, target).keep()).await?;
    item.give_kept(0, item.text("binaryPropertyName"), &file, Some(name));
    Ok(vec![output(attachment)])
}

/// The first request takes the bytes and gives a token; the second hangs what the token stands for onto the issue.
async fn upload(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let file = item.file("binaryPropertyName").ok_or_else(|| Failure::InvalidInput("expected a file".to_owned()))?;
    let name = Some(item.text("fileName")).filter(|name| !name.is_empty()).unwrap_or(file.name());
    let bytes = Request::new(Method::Post, path("/uploads.json?filename={}", &[name]));
    let bytes = bytes.header("content-type", "application/octet-stream").parts(vec![file.whole()]);
    let answer = item.client.document(bytes).await?;

    let mut upload = json::Members::new();
    for member in ["id", "token"] {
        if let Some(value) = json::at(&answer, &["/upload/", member].concat()) {
            upload.push(member).push_str(value);
        }
    }
    for (member, value) in [("filename", name), ("content_type", file.media_type()), ("description", item.text("description"))] {
        if !value.is_empty() {
            json::push_quoted(upload.push(member), value);
        }
    }
    let upload = upload.finish();
    if item.value("issueId").is_some() {
        let mut issue = json::Members::new();
        if let Some(notes) = item.value("notes") {
            notes.push_json(issue.push("notes"));
        }
        issue.push("uploads").push_str(&["[", &upload, "]"].concat());
        let target = path("/issues/{}.json", &[item.text("issueId")]);
        let body = ["{\"issue\":", &issue.finish(), "}"].concat();
        item.client.document(Request::new(Method::Put, target).json(body)).await?;
    }
    Ok(vec![output(upload)])
}
