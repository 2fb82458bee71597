//! One test for each recorded case.

nodule_sdk::recorded_cases!(s3::SERVICE, "cases");
