//! Returns one gigabyte: the same megabyte a thousand times.

use std::mem::ManuallyDrop;

use hostile_guests::{Behaviour, Call, Failure, ItemResult, Output, guest, outputs, parse};

struct ReturnsMuch;

impl Behaviour for ReturnsMuch {
    fn execute(call: Call) -> Result<Vec<ItemResult>, Failure> {
        if call
            .items
            .iter()
            .all(|item| parse(&item.parameters)["hostile"] != true)
        {
            return Ok(call
                .items
                .iter()
                .map(|item| Ok(outputs([&item.parameters])))
                .collect());
        }
        let mut megabyte = ManuallyDrop::new(" ".repeat((1 << 20) - 4) + "null");
        let (at, bytes) = (megabyte.as_mut_ptr(), megabyte.len());
        // SAFETY: the host copies it before anything writes to it or drops it.
        let alias = || Output {
            json: unsafe { String::from_raw_parts(at, bytes, bytes) },
        };
        Ok(call
            .items
            .iter()
            .map(|_| Ok((0..1024).map(|_| alias()).collect()))
            .collect())
    }
}

guest!(ReturnsMuch);
