use std::sync::Arc;

use super::*;
use nodule_core::secret::Secret;

fn tokens(access: &str) -> StoredTokens {
    StoredTokens {
        binding: TokenBinding {
            credential: "userApi".to_owned(),
            base_url: "https://a.example/".to_owned(),
            token_url: "https://a.example/token".to_owned(),
            client_id: "c".to_owned(),
        },
        access_token: Secret::new(access.to_owned()),
        refresh_token: None,
        renew_at: None,
    }
}

async fn stored(store: &FileTokenStore) -> String {
    store
        .load()
        .await
        .unwrap()
        .unwrap()
        .access_token
        .expose()
        .to_owned()
}

#[tokio::test]
async fn what_is_stored_is_loaded_and_only_its_owner_can_read_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("credential.json.tokens");
    let store = FileTokenStore::new(&path);
    assert!(store.load().await.unwrap().is_none());
    let mut locked = store.lock().await.unwrap();
    for access in ["one", "two"] {
        locked.store(&tokens(access)).await.unwrap();
        assert_eq!(stored(&store).await, access);
    }
    drop(locked);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(
            std::fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o600
        );
    }
    // Nothing is left behind but the lock.
    drop(store.lock().await.unwrap());
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["credential.json.tokens", "credential.json.tokens.lock"]);
}

#[tokio::test]
async fn one_at_a_time_has_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let store = FileTokenStore::new(folder.path().join("tokens"));
    let mut first = store.lock().await.unwrap();
    let other = store.clone();
    let second = tokio::spawn(async move { other.lock().await.unwrap().load().await.unwrap() });
    tokio::task::yield_now().await;
    assert!(!second.is_finished());
    first.store(&tokens("new")).await.unwrap();
    drop(first);
    assert_eq!(second.await.unwrap().unwrap().access_token.expose(), "new");
}

#[tokio::test]
async fn what_is_something_else_is_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokens");
    let store = FileTokenStore::new(&path);
    std::fs::write(&path, "{\"accessToken\": \"s3cr3t\"").unwrap();
    let error = store.load().await.unwrap_err().to_string();
    assert!(
        error.contains("tokens: expected the tokens of a log-in") && !error.contains("s3cr3t"),
        "{error}"
    );
    std::fs::remove_file(&path).unwrap();
    std::fs::create_dir(&path).unwrap();
    let error = store.load().await.unwrap_err().to_string();
    assert!(error.contains("a folder"), "{error}");
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_found_out_with_its_lock() {
    let store = FileTokenStore::new("/nonexistent-folder/tokens");
    let error = store.lock().await.err().unwrap().to_string();
    assert!(error.contains("/nonexistent-folder/tokens.lock"), "{error}");
}

#[test]
fn tokens_are_shown_by_nothing() {
    let access = AccessToken::new(Secret::new("s3cr3t".to_owned()), None);
    let shown = format!("{access:?} {:?}", Need::Refused(&access.token));
    assert!(!shown.contains("s3cr3t"), "{shown}");
    let _: Arc<dyn TokenStore> = Arc::new(FileTokenStore::new("x"));
}
