//! Checks that the yardstick does the same work: for the benchmarks' items and for harder ones, the node and plain Rust
//! must send the same bytes and refuse the same items.

use anyhow::{Context as _, Result, anyhow, ensure};
use nodule::Component;

use crate::plain::{self, Operation, Plain};
use crate::service::{Service, credential};

/// Items of `getMember`: those that both accept, then those that both refuse.
const MEMBERS: [&[&str]; 2] = [
    &[
        r#"{"cardNo":"M1"}"#,
        r#"{"cardNo":" a b/ä?#~%"}"#,
        r#" {"cardNo" : "M\u00311"} "#,
    ],
    &[
        "{}",
        "[]",
        "nothing",
        r#"{"cardNo":""}"#,
        r#"{"cardNo":"  "}"#,
        r#"{"cardNo":".."}"#,
        r#"{"cardNo":null}"#,
        r#"{"cardNo":"M1","cardNumber":"M1"}"#,
    ],
];

/// The same for `adjustPoints`.
const ADJUSTMENTS: [&[&str]; 2] = [
    &[
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"2030-12-31"}"#,
        r#"{"accountType":1,"accountCode":"P1 ","pointsGroupCode":"g","operationId":"\"ü\"","operationType":9,"pointValue":-1.50,"pointDesc":"  ","effectiveEndTime":"2030-12-31T23:59:59.5+08:00","upgradeTierFlag":1}"#,
        r#"{"pointValue":12345678901234567890,"effectiveEndTime":" 2028-02-29T00:00:00Z ","pointDesc":null,"operationId":"b","accountCode":"M2"}"#,
    ],
    &[
        r#"{"accountCode":"M1","operationId":"a","pointValue":1}"#,
        r#"{"accountCode":"","operationId":"a","pointValue":1,"effectiveEndTime":"2030-12-31"}"#,
        r#"{"accountCode":"M1","operationId":" ","pointValue":1,"effectiveEndTime":"2030-12-31"}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":"many","effectiveEndTime":"2030-12-31"}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":true,"effectiveEndTime":"2030-12-31"}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"next week"}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"2030-02-29"}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"2030-12-31","accountType":3}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"2030-12-31","operationType":5}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"2030-12-31","upgradeTierFlag":2}"#,
        r#"{"accountCode":"M1","operationId":"a","pointValue":1,"effectiveEndTime":"2030-12-31","reason":"x"}"#,
    ],
];

/// Compares the two; an error names the item.
pub async fn check(component: &Component, service: &Service) -> Result<()> {
    let runner = component
        .runner()
        .credential(credential(component, service.base())?)
        .dry_run()
        .build()?;
    for (operation, [taken, refused]) in [
        (Operation::GetMember, MEMBERS),
        (Operation::AdjustPoints, ADJUSTMENTS),
    ] {
        let (group, name) = operation.names();
        let generated = operation.items(1);
        for item in taken.iter().copied().chain(generated.iter().map(String::as_str)) {
            let planned = runner.plan(group, name, item).await?;
            let planned = planned.map_err(|why| anyhow!("the node refuses the {name} {item}: {why}"))?;
            let prepared = plain::prepare(operation, item)
                .with_context(|| format!("plain Rust refuses the {name} {item}"))?;
            let [planned] = planned.as_slice() else {
                anyhow::bail!(
                    "expected one request for the {name} {item}, found {}",
                    planned.len()
                );
            };
            let url = format!("{}{}", service.base(), prepared.target);
            ensure!(
                planned.method == prepared.method && planned.url == url && planned.body == prepared.body,
                "the {name} {item} is sent as {} {} {:?} by the node and as {} {url} {:?} by plain Rust",
                planned.method,
                planned.url,
                planned.body,
                prepared.method,
                String::from_utf8_lossy(&prepared.body)
            );
        }
        for item in refused {
            ensure!(
                runner.plan(group, name, *item).await?.is_err(),
                "the node takes the {name} {item}"
            );
            ensure!(
                plain::prepare(operation, item).is_err(),
                "plain Rust takes the {name} {item}"
            );
        }
    }
    Ok(())
}

/// Compares their output, except for the ID that the service gives each request.
pub async fn check_output(component: &Component, service: &Service, plain: &Plain) -> Result<()> {
    let runner = component
        .runner()
        .credential(service.credential(component)?)
        .build()?;
    let operation = Operation::GetMember;
    let (group, name) = operation.names();
    let item = operation.item(0, 0);
    let given: nodule::json::Json = serde_json::from_str(&item)?;
    let results = runner
        .execute(group, name, vec![given], &nodule::RunOptions::default())
        .await?;
    let output = results
        .into_iter()
        .next()
        .context("one result")?
        .map_err(|failure| anyhow!("the node: {failure}"))?;
    let by_node = output.first().context("one output item")?.get();
    let by_plain = plain.item(operation, &item).await?;
    ensure!(
        without_id(by_node)? == without_id(&by_plain)?,
        "expected one output of both, found {by_node} and {by_plain}"
    );
    Ok(())
}

fn without_id(document: &str) -> Result<serde_json::Value> {
    let mut document: serde_json::Value = serde_json::from_str(document)?;
    if let Some(members) = document.as_object_mut() {
        members.remove("requestId");
    }
    Ok(document)
}
