//! One test for each recorded case.

nodule_sdk::recorded_cases!(matrix::SERVICE, "cases");
