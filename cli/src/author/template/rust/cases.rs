//! One test for each recorded case: the node sends what it sent when the case was recorded, and makes the same of the answers.

nodule_sdk::recorded_cases!({{crate}}::SERVICE, "cases");
