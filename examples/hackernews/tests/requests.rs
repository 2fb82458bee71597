//! What the node sends, and what it makes of what comes back.

#![allow(
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that panics fails, which is the point"
)]

use hackernews::SERVICE;
use nodule_sdk::Failure;
use nodule_sdk::script::{Reply, Script};

/// As a host calls a node without a credential.
fn node() -> Script {
    nodule_sdk::test(&SERVICE).base("")
}

#[test]
fn a_search_has_its_fields_and_its_tags_with_commas() {
    let node = node().reply(200, r#"{"hits":[{"objectID":"1"}],"nbHits":9}"#);
    let item = r#"{"returnAll":false,"limit":5,"additionalFields":{"keyword":"kites & wind","tags":["story","front_page"]}}"#;
    assert_eq!(node.run("all.getAll", item).unwrap(), [r#"{"objectID":"1"}"#]);
    assert_eq!(
        node.requests(),
        [
            "GET https://hn.algolia.com/api/v1/search?page=0&hitsPerPage=5&query=kites%20%26%20wind&tags=story%2Cfront_page"
        ]
    );
}

#[test]
fn all_of_a_search_is_all_of_its_pages() {
    let page = |id: usize| Reply::new(200, format!(r#"{{"hits":[{{"objectID":"{id}"}}],"nbHits":2}}"#));
    let node = node().replies([page(1), page(2)]);
    assert_eq!(node.run("all.getAll", r#"{"returnAll":true}"#).unwrap().len(), 2);
    assert_eq!(
        node.requests(),
        [
            "GET https://hn.algolia.com/api/v1/search?page=0&hitsPerPage=1000",
            "GET https://hn.algolia.com/api/v1/search?page=1&hitsPerPage=1000"
        ]
    );
}

#[test]
fn an_article_has_its_comments_where_they_are_asked_for() {
    let article = r#"{"id":3,"children":[{"id":4}],"options":[]}"#;
    for (fields, expected) in [
        ("{}", r#"{"id":3,"options":[]}"#),
        (r#"{"includeComments":false}"#, r#"{"id":3,"options":[]}"#),
        (r#"{"includeComments":true}"#, article),
    ] {
        let node = node().reply(200, article);
        let item = format!(r#"{{"articleId":3,"additionalFields":{fields}}}"#);
        assert_eq!(node.run("article.get", &item).unwrap(), [expected]);
        assert_eq!(node.requests(), ["GET https://hn.algolia.com/api/v1/items/3"]);
    }
}

#[test]
fn the_front_page_is_a_list_and_its_articles_side_by_side() {
    let list = r#"{"hits":[{"objectID":"7"},{"objectID":"8/9"},{}]}"#;
    let node = node().in_flight(4).replies([
        Reply::new(200, list),
        Reply::new(200, r#"{"id":7}"#).after(3),
        Reply::new(200, r#"{"id":8}"#),
    ]);
    assert_eq!(
        node.run("article.getFrontPage", r#"{"limit":3}"#).unwrap(),
        [r#"{"id":7}"#, r#"{"id":8}"#]
    );
    assert_eq!(node.most_open(), 2);
    assert_eq!(
        node.requests(),
        [
            "GET https://hn.algolia.com/api/v1/search?tags=front_page&hitsPerPage=3",
            "GET https://hn.algolia.com/api/v1/items/7",
            "GET https://hn.algolia.com/api/v1/items/8%2F9"
        ]
    );
}

#[test]
fn an_article_that_does_not_come_fails_the_page() {
    let node = node().replies([
        Reply::new(200, r#"{"hits":[{"objectID":"7"},{"objectID":"8"}]}"#),
        Reply::new(200, r#"{"id":7}"#),
        Reply::new(429, "").header("retry-after", "2"),
    ]);
    let failure = node.run("article.getFrontPage", "{}").unwrap_err();
    assert!(matches!(failure, Failure::Throttled(throttle) if throttle.retry_after_ms == Some(2_000)));
}

#[test]
fn what_is_not_there_is_refused_in_the_words_of_the_service() {
    let node = node().reply(404, r#"{"status":404,"error":"Not Found"}"#);
    let failure = node.run("user.get", r#"{"username":"a/b"}"#).unwrap_err();
    assert!(matches!(failure, Failure::Rejected(answer) if answer.message == "Not Found"));
    assert_eq!(node.requests(), ["GET https://hn.algolia.com/api/v1/users/a%2Fb"]);
}
