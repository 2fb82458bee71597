//! Checks for a store of one's own: what the host relies on, tried against it.
//!
//! A provider may accept a refresh token only once. A store whose lock lets two callers in, or that gives back something
//! older than what it said was stored, loses the log-in of its user, and not in every run.

use std::fmt;
use std::time::Duration;

use futures_util::future::join_all;
use jiff::Timestamp;
use tokio::task::yield_now;
use tokio::time::timeout;

use super::store::{LockedTokens, TokenStore, TokenStoreError};
use nodule_core::oauth2::{StoredTokens, TokenBinding};
use nodule_core::secret::Secret;

/// How long a second caller is watched while the first has the lock.
const WATCH: Duration = Duration::from_millis(200);
/// How long a free lock may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How many callers renew at once.
const CALLERS: usize = 12;
/// How often tokens are replaced while they are read.
const ROTATIONS: usize = 25;

/// Something that the host relies on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StoreRule {
    /// Tokens can be loaded, locked and stored at all.
    Works,
    /// What was stored is loaded with every field as it was.
    ReadsBackWhole,
    /// New tokens replace the old ones as a whole: nothing of the old ones stays, and nobody reads a mixture.
    ReplacesWhole,
    /// Once `store` has returned, everybody loads the new tokens, before the lock is given back.
    StoredAtOnce,
    /// One caller at a time has the lock, whichever handle it came by.
    LockExcludes,
    /// Whoever gets the lock loads what the one before has stored.
    LockShowsLatest,
    /// The lock is free once it is dropped, also by a caller who gives up waiting for it; what is stored stays.
    LockIsReleased,
}

impl fmt::Display for StoreRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Works => "works",
            Self::ReadsBackWhole => "reads-back-whole",
            Self::ReplacesWhole => "replaces-whole",
            Self::StoredAtOnce => "stored-at-once",
            Self::LockExcludes => "lock-excludes",
            Self::LockShowsLatest => "lock-shows-latest",
            Self::LockIsReleased => "lock-is-released",
        })
    }
}

/// A store does not do what the host relies on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the token store breaks `{rule}`: {message}")]
pub struct StoreFault {
    /// What it does not do.
    pub rule: StoreRule,
    /// What was expected and found.
    pub message: String,
}

/// Checks a store, for the tests of whoever writes one. It takes about half a second, and replaces the tokens that are
/// stored.
///
/// Every call of `open` gives a store of the same tokens, with as little in common as two processes have.
///
/// # Errors
///
/// The first rule that the store breaks.
///
/// ```
/// use nodule::oauth2::{FileTokenStore, check_token_store};
///
/// # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
/// let folder = std::env::temp_dir().join(format!("tokens-{}", std::process::id()));
/// std::fs::create_dir_all(&folder)?;
/// check_token_store(|| FileTokenStore::new(folder.join("tokens"))).await?;
/// # std::fs::remove_dir_all(&folder)?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub async fn check_token_store<S: TokenStore>(open: impl Fn() -> S) -> Result<(), StoreFault> {
    reads_back(&open(), &open()).await?;
    is_never_mixed(&open(), &open()).await?;
    waits(&open(), &open()).await?;
    gives_up(&open(), &open()).await?;
    counts(&open).await
}

/// Tokens with every field, or with those that have to be there.
fn tokens(name: &str, is_full: bool) -> StoredTokens {
    StoredTokens {
        binding: TokenBinding {
            credential: "userApi".to_owned(),
            base_url: "https://service.example/api/".to_owned(),
            token_url: format!("https://login.example/{name}"),
            client_id: format!("client \"{name}\" \u{fc}"),
        },
        access_token: Secret::new(format!("{name}-{}", "aZ09-._~+/=".repeat(500))),
        refresh_token: is_full.then(|| Secret::new(format!("{name}-refresh\\\"%00"))),
        renew_at: is_full.then_some(Timestamp::UNIX_EPOCH),
    }
}

/// The first field in which the tokens differ.
fn difference(found: Option<&StoredTokens>, expected: &StoredTokens) -> Option<&'static str> {
    let Some(found) = found else {
        return Some("all of them: there are none");
    };
    let refresh = |tokens: &StoredTokens| {
        let token = tokens.refresh_token.as_ref();
        token.map(|token| token.expose().to_owned())
    };
    let fields = [
        ("binding", found.binding == expected.binding),
        (
            "access_token",
            found.access_token.expose() == expected.access_token.expose(),
        ),
        ("refresh_token", refresh(found) == refresh(expected)),
        ("renew_at", found.renew_at == expected.renew_at),
    ];
    let differs = fields.into_iter().find(|(_, is_same)| !is_same);
    differs.map(|(field, _)| field)
}

fn same(
    rule: StoreRule,
    found: Option<&StoredTokens>,
    expected: &StoredTokens,
    when: &str,
) -> Result<(), StoreFault> {
    match difference(found, expected) {
        None => Ok(()),
        Some(field) => Err(StoreFault {
            rule,
            message: format!("{when}, other tokens are loaded than were stored; they differ in {field}"),
        }),
    }
}

fn works(error: TokenStoreError) -> StoreFault {
    StoreFault {
        rule: StoreRule::Works,
        message: error.message,
    }
}

/// The lock, which is free.
async fn free(store: &impl TokenStore, when: &str) -> Result<Box<dyn LockedTokens>, StoreFault> {
    let locked = timeout(PATIENCE, store.lock()).await;
    let locked = locked.map_err(|_| StoreFault {
        rule: StoreRule::LockIsReleased,
        message: format!("{when}, the lock could not be taken for {} s", PATIENCE.as_secs()),
    })?;
    locked.map_err(works)
}

async fn replace(store: &impl TokenStore, tokens: &StoredTokens) -> Result<(), StoreFault> {
    let mut locked = free(store, "when nobody had it").await?;
    locked.store(tokens).await.map_err(works)
}

async fn reads_back(one: &impl TokenStore, other: &impl TokenStore) -> Result<(), StoreFault> {
    use StoreRule::{ReadsBackWhole, ReplacesWhole, StoredAtOnce};
    // One after the other, with and without what may be left out.
    for (name, is_full, rule) in [
        ("first", true, ReadsBackWhole),
        ("second", false, ReplacesWhole),
        ("third", true, ReplacesWhole),
    ] {
        let tokens = tokens(name, is_full);
        let mut locked = free(one, "when nobody had it").await?;
        locked.store(&tokens).await.map_err(works)?;
        let at_once = other.load().await.map_err(works)?;
        let is_old = at_once.as_ref().map(|found| &found.binding) != Some(&tokens.binding);
        let at_once_rule = if is_old { StoredAtOnce } else { rule };
        same(
            at_once_rule,
            at_once.as_ref(),
            &tokens,
            "before the lock was given back",
        )?;
        let own = locked.load().await.map_err(works)?;
        same(rule, own.as_ref(), &tokens, "under the lock")?;
        drop(locked);
        let later = other.load().await.map_err(works)?;
        same(rule, later.as_ref(), &tokens, "after the lock was given back")?;
    }
    Ok(())
}

/// Reads while tokens are replaced.
async fn is_never_mixed(writer: &impl TokenStore, reader: &impl TokenStore) -> Result<(), StoreFault> {
    let kinds = [tokens("one", true), tokens("two", false)];
    let [first, _] = &kinds;
    replace(writer, first).await?;
    let replacing = async {
        for tokens in kinds.iter().cycle().take(ROTATIONS) {
            replace(writer, tokens).await?;
        }
        Ok::<(), StoreFault>(())
    };
    let loading = async {
        loop {
            let found = reader.load().await.map_err(works)?;
            if kinds
                .iter()
                .all(|whole| difference(found.as_ref(), whole).is_some())
            {
                return Err::<(), _>(StoreFault {
                    rule: StoreRule::ReplacesWhole,
                    message: "while tokens were replaced, neither the old nor the new ones were loaded"
                        .to_owned(),
                });
            }
            yield_now().await;
        }
    };
    tokio::select! {
        done = replacing => done,
        fault = loading => fault,
    }
}

/// A second caller waits, and then finds what the first one has stored.
async fn waits(one: &impl TokenStore, other: &impl TokenStore) -> Result<(), StoreFault> {
    replace(other, &tokens("before", true)).await?;
    let mut first = free(one, "when nobody had it").await?;
    let mut second = Box::pin(free(other, "when the first caller had dropped it"));
    if let Ok(locked) = timeout(WATCH, &mut second).await {
        locked?;
        return Err(StoreFault {
            rule: StoreRule::LockExcludes,
            message: "a second caller got the lock while the first one had it".to_owned(),
        });
    }
    let after = tokens("after", true);
    first.store(&after).await.map_err(works)?;
    drop(first);
    let mut second = second.await?;
    let found = second.load().await.map_err(works)?;
    same(
        StoreRule::LockShowsLatest,
        found.as_ref(),
        &after,
        "under the second caller's lock",
    )
}

/// A caller who gives up waiting has no lock, and one who stores nothing changes nothing.
async fn gives_up(one: &impl TokenStore, other: &impl TokenStore) -> Result<(), StoreFault> {
    let kept = tokens("kept", true);
    replace(one, &kept).await?;
    let first = free(one, "when nobody had it").await?;
    // Whether it waits is the rule before this one.
    let _ = timeout(WATCH / 4, other.lock()).await;
    drop(first);
    drop(free(one, "after a caller gave up waiting for it").await?);
    let found = other.load().await.map_err(works)?;
    let when = "after a lock was dropped under which nothing was stored";
    same(StoreRule::LockIsReleased, found.as_ref(), &kept, when)
}

/// Callers who renew at once do so one after the other.
async fn counts<S: TokenStore>(open: &impl Fn() -> S) -> Result<(), StoreFault> {
    let count = |tokens: &StoredTokens| tokens.binding.client_id.parse::<usize>().ok();
    let counted = |count: usize| {
        let mut tokens = tokens("counted", true);
        tokens.binding.client_id = count.to_string();
        tokens
    };
    replace(&open(), &counted(0)).await?;
    let renewal = async |store: S| {
        let mut locked = free(&store, "after another renewal").await?;
        let found = locked.load().await.map_err(works)?;
        // As a provider is asked.
        for _ in 0..CALLERS {
            yield_now().await;
        }
        let next = found.as_ref().and_then(count).unwrap_or_default() + 1;
        locked.store(&counted(next)).await.map_err(works)
    };
    let all = join_all((0..CALLERS).map(|_| renewal(open()))).await;
    all.into_iter().collect::<Result<(), _>>()?;
    let found = open().load().await.map_err(works)?;
    match found.as_ref().and_then(count) {
        Some(CALLERS) => Ok(()),
        found => Err(StoreFault {
            rule: StoreRule::LockExcludes,
            message: format!(
                "of {CALLERS} renewals at once, {} are left: the others were overwritten",
                found.unwrap_or_default()
            ),
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Mutex};

    use async_trait::async_trait;
    use tokio::sync::OwnedMutexGuard;
    use tokio::time::sleep;

    use super::super::FileTokenStore;
    use super::*;

    /// What is wrong with a store.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    enum Wrong {
        Nothing,
        EachHandleHasALock,
        NoLock,
        ForgetsRefreshToken,
        KeepsOldRefreshToken,
        StoresWhenDropped,
        WritesInTwoSteps,
        RemembersWhatItLoaded,
        KeepsTheTurnOfWhoGaveUp,
        StoresNothingWhenDropped,
    }

    #[derive(Debug)]
    struct Memory {
        wrong: Wrong,
        tokens: Arc<Mutex<Option<StoredTokens>>>,
        lock: Arc<tokio::sync::Mutex<()>>,
        /// What a handle has seen, for one that remembers it.
        seen: Arc<Mutex<Option<StoredTokens>>>,
        /// The next ticket, and the one whose turn it is.
        tickets: Arc<[AtomicUsize; 2]>,
    }

    impl Memory {
        fn set(&self, tokens: Option<StoredTokens>) {
            *self.tokens.lock().unwrap() = tokens;
        }

        fn get(&self) -> Option<StoredTokens> {
            self.tokens.lock().unwrap().clone()
        }

        fn again(&self) -> Self {
            Self {
                wrong: self.wrong,
                tokens: Arc::clone(&self.tokens),
                lock: match self.wrong {
                    Wrong::EachHandleHasALock => Arc::default(),
                    _ => Arc::clone(&self.lock),
                },
                seen: Arc::default(),
                tickets: Arc::clone(&self.tickets),
            }
        }

        /// For what a lock holds.
        fn shared(&self) -> Self {
            Self {
                lock: Arc::clone(&self.lock),
                seen: Arc::clone(&self.seen),
                ..self.again()
            }
        }
    }

    #[async_trait]
    impl TokenStore for Memory {
        async fn load(&self) -> Result<Option<StoredTokens>, TokenStoreError> {
            Ok(self.get())
        }

        async fn lock(&self) -> Result<Box<dyn LockedTokens>, TokenStoreError> {
            if self.wrong == Wrong::KeepsTheTurnOfWhoGaveUp {
                let [next, turn] = &*self.tickets;
                let ticket = next.fetch_add(1, Ordering::SeqCst);
                while turn.load(Ordering::SeqCst) != ticket {
                    sleep(Duration::from_millis(1)).await;
                }
            }
            let guard = match self.wrong {
                Wrong::NoLock => None,
                _ => Some(Arc::clone(&self.lock).lock_owned().await),
            };
            if self.wrong == Wrong::RemembersWhatItLoaded {
                let mut seen = self.seen.lock().unwrap();
                if seen.is_none() {
                    *seen = self.get();
                }
            }
            Ok(Box::new(Locked {
                memory: self.shared(),
                pending: None,
                _guard: guard,
            }))
        }
    }

    struct Locked {
        memory: Memory,
        pending: Option<StoredTokens>,
        _guard: Option<OwnedMutexGuard<()>>,
    }

    #[async_trait]
    impl LockedTokens for Locked {
        async fn load(&mut self) -> Result<Option<StoredTokens>, TokenStoreError> {
            Ok(match self.memory.wrong {
                Wrong::RemembersWhatItLoaded => self.memory.seen.lock().unwrap().clone(),
                Wrong::StoresWhenDropped if self.pending.is_some() => self.pending.clone(),
                _ => self.memory.get(),
            })
        }

        async fn store(&mut self, tokens: &StoredTokens) -> Result<(), TokenStoreError> {
            let memory = &self.memory;
            let mut tokens = tokens.clone();
            let old = memory.get();
            match memory.wrong {
                Wrong::ForgetsRefreshToken => tokens.refresh_token = None,
                Wrong::KeepsOldRefreshToken => {
                    let kept = old.and_then(|old| old.refresh_token);
                    tokens.refresh_token = tokens.refresh_token.or(kept);
                }
                Wrong::StoresWhenDropped => {
                    self.pending = Some(tokens);
                    return Ok(());
                }
                Wrong::WritesInTwoSteps => {
                    if let Some(mut half) = old {
                        half.access_token = tokens.access_token.clone();
                        memory.set(Some(half));
                        yield_now().await;
                    }
                }
                Wrong::RemembersWhatItLoaded => *memory.seen.lock().unwrap() = Some(tokens.clone()),
                _ => {}
            }
            self.pending = Some(tokens.clone());
            memory.set(Some(tokens));
            Ok(())
        }
    }

    impl Drop for Locked {
        fn drop(&mut self) {
            match self.memory.wrong {
                Wrong::StoresWhenDropped if self.pending.is_some() => self.memory.set(self.pending.take()),
                Wrong::StoresNothingWhenDropped if self.pending.is_none() => self.memory.set(None),
                Wrong::KeepsTheTurnOfWhoGaveUp => {
                    let [_, turn] = &*self.memory.tickets;
                    turn.fetch_add(1, Ordering::SeqCst);
                }
                _ => {}
            }
        }
    }

    fn memory(wrong: Wrong) -> Memory {
        Memory {
            wrong,
            tokens: Arc::default(),
            lock: Arc::default(),
            seen: Arc::default(),
            tickets: Arc::default(),
        }
    }

    async fn checked(wrong: Wrong) -> Result<(), StoreFault> {
        let memory = memory(wrong);
        check_token_store(|| memory.again()).await
    }

    #[tokio::test]
    async fn the_store_in_a_file_and_a_right_one_pass() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens");
        check_token_store(|| FileTokenStore::new(&path)).await.unwrap();
        checked(Wrong::Nothing).await.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn a_wrong_store_fails_by_the_name_of_what_it_breaks() {
        for (wrong, rule) in [
            (Wrong::EachHandleHasALock, StoreRule::LockExcludes),
            (Wrong::NoLock, StoreRule::LockExcludes),
            (Wrong::ForgetsRefreshToken, StoreRule::ReadsBackWhole),
            (Wrong::KeepsOldRefreshToken, StoreRule::ReplacesWhole),
            (Wrong::StoresWhenDropped, StoreRule::StoredAtOnce),
            (Wrong::WritesInTwoSteps, StoreRule::ReplacesWhole),
            (Wrong::RemembersWhatItLoaded, StoreRule::LockShowsLatest),
            (Wrong::KeepsTheTurnOfWhoGaveUp, StoreRule::LockIsReleased),
            (Wrong::StoresNothingWhenDropped, StoreRule::LockIsReleased),
        ] {
            let fault = checked(wrong).await.unwrap_err();
            assert_eq!(fault.rule, rule, "{wrong:?}: {fault}");
            assert!(fault.to_string().contains(&format!("`{rule}`")), "{fault}");
        }
    }

    /// Two callers who never meet while one is watched still overwrite each other.
    #[tokio::test]
    async fn renewals_at_once_are_counted() {
        let memory = memory(Wrong::NoLock);
        let fault = counts(&|| memory.again()).await.unwrap_err();
        assert_eq!(fault.rule, StoreRule::LockExcludes, "{fault}");
    }

    #[tokio::test]
    async fn a_store_that_cannot_be_used_is_named() {
        let fault = check_token_store(|| FileTokenStore::new("/nonexistent-folder/tokens")).await;
        let fault = fault.unwrap_err();
        assert_eq!(fault.rule, StoreRule::Works);
        assert!(
            fault.message.contains("/nonexistent-folder/tokens.lock"),
            "{fault}"
        );
    }
}
