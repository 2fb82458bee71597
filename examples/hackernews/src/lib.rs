//! Articles and users of Hacker News.
#![cfg_attr(rustfmt, rustfmt_skip)]

use nodule_sdk::prelude::*;
use nodule_sdk::{Failure, Item, Method, OutputItem, Request, json, output, path};

const TAGS: &[Choice] = &[
    worded("ask_hn", "Ask HN"), worded("comment", "Comment"), worded("front_page", "Front Page"), worded("poll", "Poll"), worded("show_hn", "Show HN"),
    worded("story", "Story"),
];

const GET_ALL: Operation = Operation {
    group: "all", name: "getAll", title: "Get Many Items", about: "Search articles and comments", action: "Get many items",
    effect: Effect::Read, evidence: "a query by GET",
    request: get("/api/v1/search"),
    parameters: &[
        RETURN_ALL, page_index("page"), page_size_up_to("limit", 100, 1000).wire("hitsPerPage"),
        group("additionalFields", "Additional Fields", &[
            text("keyword", "Keyword").wire("query"),
            choices("tags", "Tags", TAGS).joined().about("Only items that have all of these"),
        ]).spread(),
    ],
    output: pages("/hits", page_increment().stop_at_total("/nbHits")),
};

const GET_ARTICLE: Operation = Operation {
    group: "article", name: "get", title: "Get Article", about: "Fetch an article, with or without its comments", action: "Get an article",
    request: get("/api/v1/items/{articleId}"),
    parameters: &[
        text("articleId", "Article ID").required().placeholder("8863"),
        group("additionalFields", "Additional Fields", &[boolean("includeComments", "Include Comments").about("Whether all comments come along")]).unsent(),
    ],
    output: by(nodule_sdk::run!(article)), ..GET_ALL
};

const GET_FRONT_PAGE: Operation = Operation {
    name: "getFrontPage", title: "Get Front Page", about: "Fetch the articles of the front page, each with all its comments", action: "Get the front page",
    request: get("/api/v1/search").undeclared(),
    parameters: &[int_between("limit", "Limit", 1, 50).or_int(30).about("The most articles to return")],
    output: by(nodule_sdk::run!(front_page)), ..GET_ARTICLE
};

const GET_USER: Operation = Operation {
    group: "user", name: "get", title: "Get User", about: "Fetch a user", action: "Get a user",
    request: get("/api/v1/users/{username}"),
    parameters: &[text("username", "Username").required().placeholder("pg")],
    output: answer(), ..GET_ALL
};

/// The node.
pub static SERVICE: Service = Service {
    name: "hackerNews", title: "Hacker News", about: "Articles and users of Hacker News",
    documentation: Some("https://hn.algolia.com/api"),
    groups: &[
        Group { name: "all", title: "All", about: "Articles and comments" },
        Group { name: "article", title: "Article", about: "Articles and their comments" },
        Group { name: "user", title: "User", about: "Users" },
    ],
    origins: &[Origin { url: "https://hn.algolia.com", access: &[], reason: "Hacker News is read there" }],
    headers: &[("accept", "application/json"), ("user-agent", "hackernews-node/0.1.0")],
    errors: errors(&["/message", "/error"]),
    operations: &[&GET_ALL, &GET_ARTICLE, &GET_FRONT_PAGE, &GET_USER], ..Service::NEW
};
nodule_sdk::export!(SERVICE);

/// The service gives all comments with an article.
async fn article(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let article = item.document().await?;
    let includes = json::at(item.text("additionalFields"), "/includeComments") == Some("true");
    Ok(vec![output(if includes { article } else { json::without(&article, "children") })])
}

/// The list says which articles there are; each of them is another request, as many side by side as the host lets be under way.
async fn front_page(item: &Item<'_>) -> Result<Vec<OutputItem>, Failure> {
    let list = Request::new(Method::Get, path("/api/v1/search?tags=front_page&hitsPerPage={}", &[item.text("limit")]));
    let list = item.client.document(list).await?;
    let ids = json::at(&list, "/hits").and_then(json::elements).unwrap_or_default().into_iter();
    let ids = ids.filter_map(|hit| json::at(hit, "/objectID").and_then(json::string));
    let articles = ids.map(async |id| item.client.document(Request::new(Method::Get, path("/api/v1/items/{}", &[&id]))).await.map(output));
    item.together(articles).await.into_iter().collect()
}
