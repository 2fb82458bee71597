//! One item while it runs: its checked values, and the requests that it makes.

use std::pin::Pin;

use crate::answer;
use crate::bindings::exports::workflow::node::execution::ItemResult;
use crate::bindings::exports::workflow::node::turns::Emitted;
use crate::bindings::exports::workflow::node::types::{Failure, Output};
use crate::client::Client;
use crate::http::Request;
use crate::pages::Page;
use crate::table::parameter::Filling;
use crate::table::plan::Plan;
use crate::table::request::request;
use crate::table::value::{Fields, Value, find};

/// An item whose parameters are checked.
pub struct Item<'a> {
    /// Where its requests go.
    pub client: &'a Client<'a>,
    pub(crate) plan: &'a Plan,
    pub(crate) fields: Fields<'a>,
    /// Which item of its call it is.
    pub(crate) index: u32,
    pub(crate) behind: Option<&'a str>,
}

/// What an item does, as it goes on.
pub type Running<'a> = Pin<Box<dyn Future<Output = ItemResult> + 'a>>;

impl Item<'_> {
    /// The value of a parameter; nothing where it has none, or is hidden.
    pub fn value(&self, name: &str) -> Option<&Value<'_>> {
        find(&self.fields, name)
    }

    /// The text of a parameter; empty where it has none.
    pub fn text(&self, name: &str) -> &str {
        self.value(name).map_or("", Value::plain)
    }

    /// Make the request of the table; the answer is a JSON document.
    pub async fn document(&self) -> Result<String, Failure> {
        Ok(self.exchange(None).await?.document)
    }

    /// Where to go on, behind what [`Item::emit`] gave before; nothing at the beginning.
    pub fn behind(&self) -> Option<&str> {
        self.behind
    }

    /// Gives outputs while the item goes on, with its next request. `cursor` says in words of your own where to go on behind them:
    /// another try of the item finds it in [`Item::behind`], and gives none of them again. Where a host takes nothing before an
    /// item's end, and of an operation whose effect is not `read`, the outputs are given with those of the end.
    pub fn emit(&self, outputs: Vec<Output>, cursor: impl FnOnce() -> String) {
        self.client.requests.emit(Emitted {
            item: self.index,
            outputs,
            cursor: self.plan.operation.emits().then(cursor),
        });
    }

    /// The whole answer as one output.
    pub(crate) async fn answer(&self) -> ItemResult {
        Ok(vec![output(self.document().await?)])
    }

    /// The request of the table, for a function that changes it or sends another one first.
    pub fn request(&self) -> Request {
        self.request_of(None)
    }

    fn request_of(&self, page: Option<&Page>) -> Request {
        let filling = Filling {
            requests: self.client.requests,
            page,
        };
        request(self.plan, &self.fields, &filling)
    }

    pub(crate) fn exchange(
        &self,
        page: Option<&Page>,
    ) -> impl Future<Output = Result<answer::Read, Failure>> {
        self.client.exchange(self.request_of(page))
    }
}

/// An output is an object, so that what is none stands under `data`.
pub fn output(document: String) -> Output {
    Output {
        json: answer::item(document),
    }
}
