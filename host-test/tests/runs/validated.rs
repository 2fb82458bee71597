//! Items that are checked without a credential, and recordings requested where none is made.

use nodule::{Engine, EngineConfig, Error, Failure};

use crate::support::component;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_item_is_validated_by_the_node_itself_without_a_credential() {
    // Also if calls have a different stack size than by default.
    for config in [
        EngineConfig::default(),
        EngineConfig::default().stack_bytes(768 * 1024),
    ] {
        let engine = Engine::new(&config).unwrap();
        let component = engine.load_file(component()).await.unwrap();
        let valid = async |operation: &str, item: &str| component.validate("member", operation, item).await;
        assert_eq!(valid("getMember", r#"{"cardNo":"M1"}"#).await.unwrap(), Ok(()));
        for wrong in ["{}", r#"{"cardNo":" "}"#, r#"{"cardNo":"M1","other":1}"#] {
            match valid("getMember", wrong).await.unwrap() {
                Err(Failure::InvalidParameters(problems)) => assert_eq!(problems.len(), 1, "{problems:?}"),
                other => panic!("{wrong}: {other:?}"),
            }
        }
        // All problems at once.
        match valid("memberAdmission", "{}").await.unwrap() {
            Err(Failure::InvalidParameters(problems)) => assert!(problems.len() > 1, "{problems:?}"),
            other => panic!("{other:?}"),
        }
        let unknown = valid("getMembers", "{}").await;
        assert!(matches!(unknown, Err(Error::UnknownOperation(_))), "{unknown:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_of_a_runner_that_does_not_record_is_an_error_and_no_empty_file() {
    let folder = tempfile::TempDir::new().unwrap();
    let path = folder.path().join("run.har");
    let engine = Engine::new(&EngineConfig::default()).unwrap();
    let component = engine.load_file(component()).await.unwrap();
    let missing = component.runner().build().unwrap_err();
    let hint = missing.hint().unwrap();
    assert!(
        hint.contains("RunnerBuilder::credential") && !hint.contains("--"),
        "{hint}"
    );
    let credential = nodule::Credential::dummy(component.node(), None, "https://service.invalid/").unwrap();
    let runner = component.runner().credential(credential).build().unwrap();
    assert!(matches!(runner.save_recording(&path), Err(Error::NotRecorded)));
    assert!(!path.exists());
    assert!(runner.recording("run.har").unwrap().is_none());
}
