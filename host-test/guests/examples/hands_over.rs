//! Passes a list of one gigabyte to the host: the same megabyte a thousand times.

use std::mem::ManuallyDrop;

use hostile_guests::bindings::wasi::http::types::Fields;
use hostile_guests::{Behaviour, Call, Failure, ItemResult, guest, on_hostile_items};

struct HandsOver;

impl Behaviour for HandsOver {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        on_hostile_items(&call, |_| hand_over())
    }
}

fn hand_over() {
    let mut megabyte = ManuallyDrop::new(vec![b'x'; 1 << 20]);
    let (at, bytes) = (megabyte.as_mut_ptr(), megabyte.len());
    // SAFETY: nothing writes to it or drops it.
    let alias = || unsafe { Vec::from_raw_parts(at, bytes, bytes) };
    let values: ManuallyDrop<Vec<Vec<u8>>> = ManuallyDrop::new((0..1024).map(|_| alias()).collect());
    let outcome = Fields::new().set("x", &values);
    std::hint::black_box(&outcome);
}

guest!(HandsOver);
