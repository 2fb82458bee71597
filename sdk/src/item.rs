//! One item while it runs: its checked values, and the requests that it makes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

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

    /// Runs these side by side, to what they come to, in their order: as many at once as the call has room for requests, of which each
    /// of its items has one for itself.
    ///
    /// ```ignore
    /// let answers = item.together(ids.map(async |id| item.client.document(Request::new(Method::Get, path("/books/{}", &[id]))).await)).await;
    /// let answers: Vec<String> = answers.into_iter().collect::<Result<_, _>>()?;
    /// ```
    pub async fn together<F: Future>(&self, all: impl IntoIterator<Item = F>) -> Vec<F::Output> {
        let spare = &self.client.requests.spare;
        let mut waiting = all.into_iter();
        let (mut begun, mut ended) = (Vec::new(), Vec::new());
        poll_fn(|context| {
            let mut place = 0;
            loop {
                // The first is in the place of its item.
                while begun.is_empty() || spare.get() > 0 {
                    let Some(next) = waiting.next() else { break };
                    spare.set(spare.get() - usize::from(!begun.is_empty()));
                    begun.push((ended.len(), Box::pin(next)));
                    ended.push(None);
                }
                let Some((index, one)) = begun.get_mut(place) else {
                    break;
                };
                let Poll::Ready(output) = one.as_mut().poll(context) else {
                    place += 1;
                    continue;
                };
                if let Some(ended) = ended.get_mut(*index) {
                    *ended = Some(output);
                }
                begun.swap_remove(place);
                spare.set(spare.get() + usize::from(!begun.is_empty()));
            }
            if begun.is_empty() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        })
        .await;
        ended.into_iter().flatten().collect()
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
