//! What comes out of an operation: the whole answer, or the rows of its pages.
//!
//! How the next page is found has the names of Airbyte's connectors: a page increment, an offset increment, a cursor of the
//! answer or of the last record, a link. A page without rows is the last one, as is one that repeats the one before. What else
//! ends it, a service must promise: [`Next::stop_when_short`], [`Next::stop_unless`], [`Next::stop_at_total`].

use std::ops::Range;

use crate::answer;
pub use crate::answer::first_words as words;
use crate::base_url::BaseUrl;
use crate::bindings::exports::workflow::node::execution::ItemResult;
use crate::bindings::exports::workflow::node::types::{Answer, Failure};
use crate::http::Headers;
use crate::item::{Item, Running, output};
use crate::json::{self, Kind, Part};
use crate::table::Operation;
use crate::table::parameter::{Fill, FillId, LIMIT_NAME, RETURN_ALL_NAME, Scalar};
use crate::table::value::Value;

/// Rows that nobody takes before the item's end are in the node's memory, so that there are not more pages.
const MAX_PAGES: u32 = 10_000;

/// What comes out.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own, and they come in every combination"
)]
#[derive(Clone, Copy)]
pub struct Output {
    /// Absent: the whole answer.
    pub(crate) run: Option<for<'a> fn(&'a Item<'a>) -> Running<'a>>,
    find: FindRows,
    rows: &'static str,
    is_pages: bool,
    is_whole: bool,
    /// Whether an item gives outputs while it goes on.
    pub(crate) emits: bool,
    /// Whether files may come out.
    pub(crate) gives_files: bool,
    /// The parameter that says the key of the file that comes out.
    #[cfg(feature = "files")]
    pub(crate) file_key: &'static str,
    pub(crate) next: Next,
    pub(crate) schema: &'static [&'static str],
}

/// Finds the rows of a page, by the pointer that the table has; else says what was expected and found.
pub type FindRows = for<'a> fn(&str, Part<'a>) -> Result<Vec<&'a str>, String>;

/// The whole answer is the item.
pub const fn answer() -> Output {
    Output {
        run: None,
        find: |_, _| Ok(Vec::new()),
        rows: "",
        is_pages: false,
        is_whole: true,
        emits: false,
        gives_files: false,
        #[cfg(feature = "files")]
        file_key: "",
        next: Next::NONE,
        schema: &[r#""type":"object""#],
    }
}

/// What stands at this JSON pointer of the answer is the item; the whole answer, where nothing does.
pub const fn answer_at(pointer: &'static str) -> Output {
    Output {
        rows: pointer,
        ..by(|item| Box::pin(part_of_answer(item)))
    }
}

/// Each row of the list at this JSON pointer is an item, of a list without pages.
pub const fn rows_at(rows: &'static str) -> Output {
    Output {
        rows,
        find: find_rows,
        ..by(|item| Box::pin(all_rows(item)))
    }
}

/// Each row is an item. The rows are the list at this JSON pointer; an answer without one has no rows.
pub const fn pages(rows: &'static str, next: Next) -> Output {
    Output {
        rows,
        ..pages_by(find_rows, next)
    }
}

/// Each row is an item, and a function finds the rows of an answer.
pub const fn pages_by(find: FindRows, next: Next) -> Output {
    Output {
        run: Some(|item| Box::pin(turn_pages(item))),
        find,
        is_pages: true,
        is_whole: false,
        emits: true,
        next,
        ..answer()
    }
}

/// A function runs the item: the way out where the table cannot say it. [`run!`](crate::run) makes one of an `async fn`.
pub const fn by(run: for<'a> fn(&'a Item<'a>) -> Running<'a>) -> Output {
    Output {
        run: Some(run),
        ..answer()
    }
}

impl Output {
    /// Whether the node turns pages.
    pub(crate) const fn is_pages(&self) -> bool {
        self.is_pages
    }

    /// A function gives outputs while the item goes on, by [`Item::emit`].
    #[must_use]
    pub const fn emitting(mut self) -> Self {
        self.emits = true;
        self
    }

    /// A function gives files, by [`Item::give`].
    #[cfg(feature = "files")]
    #[must_use]
    pub const fn giving_files(mut self) -> Self {
        self.gives_files = true;
        self
    }

    /// Without `returnAll`, the whole answer is the item.
    #[must_use]
    pub const fn whole(mut self) -> Self {
        self.is_whole = true;
        self
    }

    /// The members of the JSON Schema of one output, in parts.
    #[must_use]
    pub const fn schema(mut self, members: &'static [&'static str]) -> Self {
        self.schema = members;
        self
    }
}

/// How the next page is found, and which page is the last.
#[derive(Clone, Copy)]
pub struct Next {
    step: fn(&Next, &Seen, &mut Page) -> Result<bool, String>,
    /// What a cursor has of the page beside its number, and reads it again.
    write: fn(&Page) -> String,
    read: fn(&Next, &str, &mut Page) -> Option<()>,
    stop: Option<fn(&Next, &Seen) -> bool>,
    /// The parameter that has the cursor, as it is called on the wire.
    parameter: &'static str,
    /// The JSON pointer to the cursor.
    cursor: &'static str,
    /// The JSON pointer to what ends it.
    stop_at: &'static str,
    /// The header that is read, if any.
    pub(crate) header: &'static str,
    /// What a parameter must be filled with: the page's place, and its size.
    pub(crate) needs: [FillId; 2],
}

/// A page that was read.
struct Seen<'a> {
    operation: &'static Operation,
    document: Part<'a>,
    rows: &'a [&'a str],
    headers: &'a dyn Headers,
    base: &'a BaseUrl,
    /// Rows of all pages.
    count: usize,
}

/// The page that is asked for.
pub(crate) struct Page {
    number: usize,
    /// Rows of the pages before.
    pub count: usize,
    /// What is sent beside the parameters.
    pub extra: Option<(&'static str, Value<'static>)>,
    /// In the place of the operation's own.
    pub target: Option<String>,
}

impl Page {
    /// The page of a cursor, or the first one.
    pub(crate) fn at(cursor: Option<&str>, next: &Next) -> Result<Self, Failure> {
        let mut page = Self {
            number: 1,
            count: 0,
            extra: None,
            target: None,
        };
        let Some(cursor) = cursor else {
            return Ok(page);
        };
        page.go_on(cursor, next).map(|()| page).ok_or_else(|| {
            Failure::InvalidInput("expected the cursor of a page before, found another text".to_owned())
        })
    }

    fn go_on(&mut self, cursor: &str, next: &Next) -> Option<()> {
        let (number, cursor) = cursor.split_once(' ')?;
        let (count, rest) = cursor.split_once(' ')?;
        self.number = number.parse().ok()?;
        self.count = count.parse().ok()?;
        (next.read)(next, rest, self)
    }

    /// The page in the node's own words, so that another call can go on there.
    pub(crate) fn cursor(&self, next: &Next) -> String {
        let place = [self.number, self.count].map(|number| number.to_string());
        [&place[0], " ", &place[1], " ", &(next.write)(self)].concat()
    }
}

/// The page's number.
pub(crate) static NUMBER: Fill = Fill {
    id: FillId::Number,
    hint: "",
    value: |_, from| Some(from.page?.number.to_string()),
};

/// The page's number, counted from 0.
pub(crate) static INDEX: Fill = Fill {
    id: FillId::Number,
    hint: "",
    value: |_, from| Some((from.page?.number - 1).to_string()),
};

/// How many rows were read.
pub(crate) static OFFSET: Fill = Fill {
    id: FillId::Offset,
    hint: "",
    value: |_, from| Some(from.page?.count.to_string()),
};

/// The most rows that a page can have.
pub(crate) static SIZE: Fill = Fill {
    id: FillId::Size,
    hint: "",
    value: |parameter, from| {
        from.page?;
        Some(parameter.kind.bounds().1?.to_string())
    },
};

/// There is one page, with all rows.
pub const fn one_page() -> Next {
    Next::NONE
}

/// A parameter has the page's number: [`page_number`](crate::table::parameter::page_number), or
/// [`page_index`](crate::table::parameter::page_index) where the first is 0.
pub const fn page_increment() -> Next {
    Next {
        step: |_, seen, page| {
            page.number += 1;
            Ok(!seen.rows.is_empty())
        },
        needs: [FillId::Number, FillId::Other],
        ..Next::NONE
    }
}

/// A parameter has how many rows to skip: [`page_offset`](crate::table::parameter::page_offset).
pub const fn offset_increment() -> Next {
    Next {
        step: |_, seen, _| Ok(!seen.rows.is_empty()),
        needs: [FillId::Offset, FillId::Other],
        ..Next::NONE
    }
}

/// The answer has the cursor of the next page, or its token, at this JSON pointer; the last page has none. It is sent as this
/// parameter.
pub const fn cursor(parameter: &'static str, pointer: &'static str) -> Next {
    Next {
        step: |next, seen, page| {
            let cursor = seen.document.at(next.cursor);
            let cursor = cursor.filter(|raw| matches!(json::kind(raw), Kind::Text | Kind::Number));
            page.extra = cursor
                .map(Value::of_json)
                .filter(|value| !value.plain().is_empty())
                .map(|value| (next.parameter, value));
            Ok(page.extra.is_some())
        },
        parameter,
        cursor: pointer,
        ..Next::VALUE
    }
}

/// The last row has the cursor of the next page, at this JSON pointer into the row. It is sent as this parameter.
pub const fn cursor_of_last_record(parameter: &'static str, pointer: &'static str) -> Next {
    Next {
        step: |next, seen, page| {
            let Some(last) = seen.rows.last() else {
                return Ok(false);
            };
            let cursor = json::at(last, next.cursor).filter(|raw| json::kind(raw).is_scalar());
            let cursor =
                cursor.ok_or_else(|| format!("expected a row with a cursor at `{}`", next.cursor))?;
            page.extra = Some((next.parameter, Value::of_json(cursor)));
            Ok(true)
        },
        parameter,
        cursor: pointer,
        ..Next::VALUE
    }
}

/// The header `Link` has the URL of the next page (RFC 8288).
pub const fn link() -> Next {
    Next {
        step: |_, seen, page| {
            let Some(url) = seen.headers.get("link").and_then(|link| next_link(&link)) else {
                return Ok(false);
            };
            let base = seen.base.to_string();
            let below = url.strip_prefix(&base).filter(|rest| rest.starts_with('/'));
            let target = below.or_else(|| url.starts_with('/').then_some(url.as_str()));
            let target = target.ok_or("expected a next page below the base URL, found one elsewhere")?;
            page.target = Some(target.to_owned());
            Ok(true)
        },
        write: |page| page.target.clone().unwrap_or_default(),
        read: |_, rest, page| {
            page.target = Some(rest.to_owned());
            rest.starts_with('/').then_some(())
        },
        header: "link",
        ..Next::NONE
    }
}

impl Next {
    const NONE: Self = Self {
        step: |_, _, _| Ok(false),
        write: |_| String::new(),
        read: |_, rest, _| rest.is_empty().then_some(()),
        stop: None,
        parameter: "",
        cursor: "",
        stop_at: "",
        header: "",
        needs: [FillId::Other; 2],
    };

    /// Of a page that a value finds.
    const VALUE: Self = Self {
        write: |page| {
            let mut json = String::new();
            if let Some((_, value)) = &page.extra {
                value.push_json(&mut json);
            }
            json
        },
        read: |next, rest, page| {
            let value = Value::of_json(json::document(rest).ok()?);
            page.extra = Some((next.parameter, value));
            Some(())
        },
        ..Self::NONE
    };

    /// A page with fewer rows than were asked for is the last one. Without it, it is not: a server may cap the size.
    #[must_use]
    pub const fn stop_when_short(mut self) -> Self {
        self.stop = Some(|_, seen| {
            let mut parameters = seen.operation.parameters.iter();
            let size =
                parameters.find(|parameter| parameter.fill.is_some_and(|fill| fill.id == FillId::Size));
            let size = size.and_then(|parameter| parameter.kind.bounds().1);
            size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| seen.rows.len() < size))
        });
        self.needs[1] = FillId::Size;
        self
    }

    /// The answer says at this JSON pointer whether there are more pages.
    #[must_use]
    pub const fn stop_unless(mut self, pointer: &'static str) -> Self {
        self.stop = Some(|next, seen| seen.document.at(next.stop_at) != Some("true"));
        self.stop_at = pointer;
        self
    }

    /// The answer says at this JSON pointer how many rows all pages have.
    #[must_use]
    pub const fn stop_at_total(mut self, pointer: &'static str) -> Self {
        self.stop = Some(|next, seen| {
            let total = seen
                .document
                .at(next.stop_at)
                .and_then(|total| total.parse().ok());
            total.is_some_and(|total: usize| seen.count >= total)
        });
        self.stop_at = pointer;
        self
    }
}

/// The URL with the relation `next`.
fn next_link(header: &str) -> Option<String> {
    let mut rest = header;
    while let Some((_, link)) = rest.split_once('<') {
        let (url, parameters) = link.split_once('>')?;
        // The next link begins behind a comma.
        let (own, others) = parameters.split_once('<').unwrap_or((parameters, ""));
        let is_next = own.split([';', ',']).any(|parameter| {
            let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
            name.trim().eq_ignore_ascii_case("rel")
                && value
                    .trim()
                    .trim_matches('"')
                    .split(' ')
                    .any(|rel| rel.eq_ignore_ascii_case("next"))
        });
        if is_next {
            return Some(url.to_owned());
        }
        rest = parameters.get(own.len()..).filter(|_| !others.is_empty())?;
    }
    None
}

async fn part_of_answer(item: &Item<'_>) -> ItemResult {
    let answer = item.document().await?;
    let part = json::at(&answer, item.plan.operation.output.rows).map(str::to_owned);
    Ok(vec![output(part.unwrap_or(answer))])
}

fn find_rows<'a>(pointer: &str, document: Part<'a>) -> Result<Vec<&'a str>, String> {
    let rows = document.at(pointer).unwrap_or("null");
    if json::kind(rows) == Kind::Null {
        return Ok(Vec::new());
    }
    let elements = document.part(rows).elements();
    elements.ok_or_else(|| format!("expected rows at `{pointer}`, found `{}`", words(rows)))
}

async fn all_rows(item: &Item<'_>) -> ItemResult {
    outputs(&item.plan.operation.output, &item.exchange(None).await?)
}

/// One output per row of a page.
#[inline]
fn outputs(pages: &Output, read: &answer::Read) -> ItemResult {
    let rows = find(pages, Part::read(&read.document, &read.spans))?;
    Ok(rows.into_iter().map(str::to_owned).map(output).collect())
}

/// Every page, one output per row. The last one has no rows, repeats the one before, reaches the limit, or is the last by what
/// the service promises.
async fn turn_pages(item: &Item<'_>) -> ItemResult {
    let pages = &item.plan.operation.output;
    let is_all = item
        .value(RETURN_ALL_NAME)
        .is_some_and(|all| all.is(Scalar::Bool(true)));
    // One that is sent is the size of a page.
    let limit = item
        .plan
        .operation
        .parameter(LIMIT_NAME)
        .filter(|limit| !limit.is_sent());
    let limit = limit.and_then(|_| item.value(LIMIT_NAME));
    if !is_all && (limit.is_none() || pages.is_whole) {
        if pages.is_whole {
            return item.answer().await;
        }
        return outputs(pages, &item.exchange(None).await?);
    }
    let limit = match limit {
        // A limit too long for a number is none.
        Some(Value::Literal(limit)) => limit.parse().unwrap_or(usize::MAX),
        _ => usize::MAX,
    };
    let mut page = Page::at(item.behind(), &pages.next)?;
    let mut before = Before::default();
    for turned in 1.. {
        let (mut rows, has_next) = turn(item, &mut page, &mut before).await?;
        let is_last = !has_next || page.count >= limit;
        rows.truncate(rows.len().saturating_sub(page.count.saturating_sub(limit)));
        let outputs = rows.into_iter().map(output).collect();
        if is_last {
            return Ok(outputs);
        }
        if turned >= MAX_PAGES && !item.client.requests.takes_rows.get() {
            break;
        }
        item.emit(outputs, || page.cursor(&pages.next));
    }
    Err(Failure::Limit(format!(
        "`{RETURN_ALL_NAME}`: more than {MAX_PAGES} pages, and still rows on the last one"
    )))
}

/// The rows of a page, in the text that they came in.
#[derive(Default)]
pub(crate) struct Before {
    document: String,
    rows: Range<usize>,
}

impl Before {
    /// From the first row to the last, with what stands between them.
    fn text(&self) -> &str {
        self.document.get(self.rows.clone()).unwrap_or_default()
    }
}

/// Where these rows stand in their document.
fn place(document: Part<'_>, rows: &[&str]) -> Range<usize> {
    match (rows.first(), rows.last()) {
        (Some(first), Some(last)) => {
            document.place_of(first)..document.place_of(last).wrapping_add(last.len())
        }
        _ => 0..0,
    }
}

/// Reads a page, and says whether there is another, which `page` is then. A page that repeats the one `before` has no rows.
pub(crate) async fn turn(
    item: &Item<'_>,
    page: &mut Page,
    before: &mut Before,
) -> Result<(Vec<String>, bool), Failure> {
    let operation = item.plan.operation;
    let read = item.exchange(Some(page)).await?;
    let document = Part::read(&read.document, &read.spans);
    let rows = find(&operation.output, document)?;
    let place = place(document, &rows);
    let text = document.text.get(place.clone()).unwrap_or_default();
    if !text.is_empty() && text == before.text() {
        return Ok((Vec::new(), false));
    }
    let next = &operation.output.next;
    page.count += rows.len();
    let seen = Seen {
        operation,
        document,
        rows: &rows,
        headers: &*read.headers,
        base: &item.client.base,
        count: page.count,
    };
    let has_next = (next.step)(next, &seen, page).map_err(unintelligible)?
        && !next.stop.is_some_and(|stop| stop(next, &seen));
    let rows = rows.into_iter().map(str::to_owned).collect();
    *before = Before {
        document: read.document,
        rows: place,
    };
    Ok((rows, has_next))
}

fn find<'a>(output: &Output, document: Part<'a>) -> Result<Vec<&'a str>, Failure> {
    (output.find)(output.rows, document).map_err(unintelligible)
}

fn unintelligible(message: String) -> Failure {
    Failure::Unintelligible(Answer {
        status: 200,
        code: None,
        message,
        request_id: None,
    })
}

#[cfg(test)]
mod tests {
    use super::next_link;

    #[test]
    fn the_next_page_is_found_among_links() {
        for (header, expected) in [
            (r#"<https://a/b?page=2>; rel="next""#, Some("https://a/b?page=2")),
            (
                r#"<https://a/b?page=1>; rel="prev", <https://a/b?page=3>; rel="next", <https://a/b?page=9>; rel="last""#,
                Some("https://a/b?page=3"),
            ),
            (r#"</b?a=1,2>; title="x"; rel=next"#, Some("/b?a=1,2")),
            (r#"</b>; rel="last next""#, Some("/b")),
            (r#"</b>; rel="last""#, None),
            ("</b", None),
            ("", None),
        ] {
            assert_eq!(next_link(header).as_deref(), expected, "{header}");
        }
    }
}
