use std::sync::Arc;

use tokio::sync::mpsc;

use jiff::Timestamp;

use super::super::{durable, item_digest};
use super::*;
use crate::run::notice::Notice;
use crate::run::stats::Stats;
use tempfile::TempDir;

fn identity(operation: &str) -> Identity {
    Identity::new(
        "shop",
        operation.to_owned(),
        "sha256:00",
        "https://api.example.com".to_owned(),
        None,
        None,
    )
}

fn notices() -> (NoticeSender, mpsc::Receiver<Notice>) {
    let sender = NoticeSender::new(Arc::new(Stats::new()), Arc::default());
    let notices = sender.notices().unwrap();
    (sender, notices)
}

fn open(journal: &SqliteJournal, identity: &Identity) -> Result<Open, JournalError> {
    journal.open_file(identity, Safety::Disk, notices().0)
}

fn row(item: usize, state: State) -> Row {
    Row {
        item,
        digest: item_digest("{}", &[]),
        key: Some(format!("k{}", item % 3)),
        state,
        tries: 1,
        result: (state == State::Done).then(|| "[{\"a\":1.0}]".to_owned()),
        error: None,
        started: Some(Timestamp::UNIX_EPOCH),
        ended: None,
        is_new: true,
    }
}

/// A later state of an item that is in the journal already.
fn later_row(item: usize, state: State) -> Row {
    Row {
        is_new: false,
        ..row(item, state)
    }
}

/// Two rows of an item that goes on.
fn part(item: usize, number: u32) -> (Entry, Urgency) {
    let part = Part {
        item,
        number,
        rows: u64::from(number + 1) * 2,
        outputs: format!("[{number},{{}}]"),
        cursor: format!("page {number}"),
    };
    (Entry::Part(part), Urgency::Now)
}

fn place(folder: &TempDir) -> SqliteJournal {
    SqliteJournal::new(folder.path().join("run.sqlite"))
}

#[tokio::test]
async fn what_is_written_is_there_after_it_is_opened_again() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    let journal = open(&options, &identity("a.b")).unwrap();
    assert_eq!(journal.recorded(), 0);
    for item in 0..3 {
        journal
            .writer
            .write(vec![(Entry::Row(row(item, State::Started)), Urgency::Later)]);
    }
    journal
        .writer
        .write(vec![(Entry::Row(later_row(1, State::Done)), Urgency::Soon)]);
    assert!(durable(journal.writer.progress(), 4).await);
    journal.writer.close().unwrap();

    let journal = open(&options, &identity("a.b")).unwrap();
    assert_eq!(journal.recorded(), 3);
    let done = journal.earlier(1).unwrap().unwrap();
    assert_eq!(
        (done.state, done.digest, done.tries),
        (State::Done, item_digest("{}", &[]), 1)
    );
    assert_eq!(done.result.unwrap(), "[{\"a\":1.0}]");
    assert_eq!(journal.earlier(2).unwrap().unwrap().state, State::Started);
    assert!(journal.earlier(3).unwrap().is_none());
}

#[tokio::test]
async fn parts_are_there_with_their_item_and_another_build_forgets_those_of_unfinished_items() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    let journal = open(&options, &identity("a.b")).unwrap();
    for item in 0..2 {
        // Nobody waits for this row, but a part of its item is written.
        let row = Entry::Row(row(item, State::Started));
        let entries = vec![(row, Urgency::Later), part(item, 0), part(item, 1)];
        journal.writer.write(entries);
    }
    assert!(durable(journal.writer.progress(), 6).await);
    journal
        .writer
        .write(vec![(Entry::Row(later_row(1, State::Done)), Urgency::Soon)]);
    // Like a crash: nothing more is written.
    assert!(durable(journal.writer.progress(), 7).await);
    drop(journal);

    let parts = |journal: &Open, item| journal.earlier(item).unwrap().unwrap().parts;
    let earlier = EarlierParts {
        parts: 2,
        rows: 4,
        cursor: "page 1".to_owned(),
    };
    let journal = loop {
        // The thread of the first one may still hold the lock.
        match open(&options, &identity("a.b")) {
            Ok(journal) => break journal,
            Err(JournalError::InUse { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("{error}"),
        }
    };
    for item in 0..2 {
        assert_eq!(parts(&journal, item), Some(earlier.clone()));
        assert_eq!(journal.part(item, 1).unwrap(), "[1,{}]");
    }
    assert!(journal.part(0, 2).is_err());
    journal.writer.close().unwrap();
    let other = Identity {
        component: "sha256:01".to_owned(),
        ..identity("a.b")
    };
    let journal = open(&options.accept_component(true), &other).unwrap();
    assert_eq!(parts(&journal, 0), None);
    assert_eq!(parts(&journal, 1), Some(earlier));
}

#[tokio::test]
async fn the_second_item_with_a_key_is_named_with_the_first() {
    let folder = TempDir::new().unwrap();
    let (notices, mut received) = notices();
    let journal = place(&folder)
        .open_file(&identity("a.b"), Safety::System, notices)
        .unwrap();
    for item in 0..4 {
        journal
            .writer
            .write(vec![(Entry::Row(row(item, State::Started)), Urgency::Later)]);
    }
    // A later state of the same item does not count as a second item.
    journal
        .writer
        .write(vec![(Entry::Row(later_row(3, State::Done)), Urgency::Soon)]);
    assert!(durable(journal.writer.progress(), 5).await);
    // Item 6 is written, item 5 may not be yet: what counts is that item 5 arrived first.
    journal
        .writer
        .write(vec![(Entry::Row(row(6, State::Done)), Urgency::Soon)]);
    journal.writer.close().unwrap();
    for item in [3, 6] {
        assert_eq!(
            received.recv().await,
            Some(Notice::SameKey {
                item,
                earlier: 0,
                key: "k0".to_owned()
            })
        );
    }
    assert_eq!(received.recv().await, None);
}

#[test]
fn what_must_not_be_done_twice_waits_for_the_disk_and_other_things_do_not() {
    let folder = TempDir::new().unwrap();
    for (safety, expected) in [(Safety::Disk, 2), (Safety::System, 1), (Safety::Disk, 2)] {
        let connection = schema::open(&place(&folder).path, safety).unwrap();
        let synchronous: i64 = connection
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!(synchronous, expected, "{safety:?}");
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .unwrap();
        assert_eq!(mode, "wal");
    }
}

#[tokio::test]
async fn another_operation_component_or_service_is_refused_by_name() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    open(&options, &identity("a.b")).unwrap().writer.close().unwrap();
    let refused = |identity: &Identity| match open(&options, identity) {
        Err(JournalError::Another { what, .. }) => what,
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it was taken"),
    };
    assert_eq!(refused(&identity("a.c")), "operation");
    assert_eq!(
        refused(&Identity {
            base_url: "https://other.example.com".to_owned(),
            ..identity("a.b")
        }),
        "base URL"
    );
    let other = Identity {
        component: "sha256:01".to_owned(),
        ..identity("a.b")
    };
    assert_eq!(refused(&other), "component");
    open(&options.clone().accept_component(true), &other)
        .unwrap()
        .writer
        .close()
        .unwrap();
    assert_eq!(refused(&identity("a.b")), "component");
}

#[tokio::test]
async fn a_journal_in_use_is_refused_until_it_is_closed() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    let journal = open(&options, &identity("a.b")).unwrap();
    assert!(matches!(
        open(&options, &identity("a.b")),
        Err(JournalError::InUse { .. })
    ));
    journal.writer.close().unwrap();
    open(&options, &identity("a.b")).unwrap().writer.close().unwrap();
}

#[tokio::test]
async fn a_foreign_or_damaged_file_is_refused_and_left_as_it_is() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    let path = options.path.clone();
    std::fs::write(&path, "my shopping list").unwrap();
    assert!(matches!(
        open(&options, &identity("a.b")),
        Err(JournalError::Foreign { .. })
    ));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "my shopping list");

    std::fs::remove_file(&path).unwrap();
    Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE mine (a); INSERT INTO mine VALUES (1)")
        .unwrap();
    assert!(matches!(
        open(&options, &identity("a.b")),
        Err(JournalError::Foreign { .. })
    ));

    std::fs::remove_file(&path).unwrap();
    let journal = open(&options, &identity("a.b")).unwrap();
    for item in 0..2_000 {
        journal
            .writer
            .write(vec![(Entry::Row(row(item, State::Done)), Urgency::Soon)]);
    }
    journal.writer.close().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 8_192].fill(0x5a);
    std::fs::write(&path, &bytes).unwrap();
    let Err(error) = open(&options, &identity("a.b")) else {
        panic!("it was taken")
    };
    assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
}

#[cfg(unix)]
#[tokio::test]
async fn only_its_owner_may_read_it() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = TempDir::new().unwrap();
    let journal = open(&place(&folder), &identity("a.b")).unwrap();
    journal
        .writer
        .write(vec![(Entry::Row(row(0, State::Started)), Urgency::Now)]);
    assert!(durable(journal.writer.progress(), 1).await);
    for file in std::fs::read_dir(folder.path()).unwrap().map(Result::unwrap) {
        assert_eq!(
            file.metadata().unwrap().permissions().mode() & 0o777,
            0o600,
            "{:?}",
            file.file_name()
        );
    }
    journal.writer.close().unwrap();
}

#[tokio::test]
async fn a_journal_that_may_not_grow_says_so_and_keeps_what_it_has() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    let journal = open(&options, &identity("a.b")).unwrap();
    journal
        .writer
        .write(vec![(Entry::Row(row(0, State::Done)), Urgency::Now)]);
    assert!(durable(journal.writer.progress(), 1).await);
    let large = Row {
        result: Some(format!("[\"{}\"]", "x".repeat(1 << 20))),
        ..row(1, State::Done)
    };
    journal.writer.close().unwrap();

    let connection = schema::open(&options.path, Safety::Disk).unwrap();
    let pages: i64 = connection
        .pragma_query_value(None, "page_count", |row| row.get(0))
        .unwrap();
    connection
        .pragma_update(None, "max_page_count", pages + 2)
        .unwrap();
    let lock = lock(&options.path).unwrap();
    let writer = Writer::start(options.path.clone(), connection, Safety::Disk, lock, notices().0).unwrap();
    writer.write(vec![(Entry::Row(large), Urgency::Now)]);
    assert!(!durable(writer.progress(), 1).await);
    let error = writer.close().unwrap_err();
    assert!(matches!(*error, JournalError::Full { .. }), "{error}");

    let journal = open(&options, &identity("a.b")).unwrap();
    assert_eq!(journal.recorded(), 1);
    assert_eq!(journal.earlier(0).unwrap().unwrap().state, State::Done);
    journal.writer.close().unwrap();
}

#[tokio::test]
async fn a_journal_that_could_not_be_made_whole_is_made_the_next_time() {
    let folder = TempDir::new().unwrap();
    let options = place(&folder);
    for pages in 1..4 {
        std::fs::File::create(&options.path).unwrap();
        let mut connection = schema::connect(&options.path).unwrap();
        connection.pragma_update(None, "max_page_count", pages).unwrap();
        let error = JournalError::of(&options.path, &schema::make(&mut connection).unwrap_err());
        assert!(matches!(error, JournalError::Full { .. }), "{pages}: {error}");
        drop(connection);
        let journal = open(&options, &identity("a.b")).unwrap();
        assert_eq!(journal.recorded(), 0);
        journal.writer.close().unwrap();
        std::fs::remove_file(&options.path).unwrap();
    }
}
