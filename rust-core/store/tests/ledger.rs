//! The life of receipts: what is written is read back, what has no end is interrupted, what is pruned is counted.
#![allow(clippy::unwrap_used)]

mod support;

use std::sync::Arc;

use support::{NOW_MS, answered_here, answered_in_the_cloud, intent, open, vault};
use whimbrel_privacy::FindingKind;
use whimbrel_record::{Closing, Host, Outcome, PlaceKind, Planned, ReceiptId, RecordError, Signal};
use whimbrel_store::{Filter, KeyVault, LIST_MAX, MemoryVault, Prune, Store, StoreError};

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

#[test]
fn what_is_written_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let store = open(&path, &vault);
    let ledger = store.ledger();
    let id = ledger.begin(&intent(1), NOW_MS).unwrap();
    assert_eq!(id, ReceiptId(1));
    let open_receipt = ledger.show(id).unwrap();
    assert_eq!((open_receipt.outcome, open_receipt.closed_ms), (None, None));
    assert_eq!((open_receipt.bytes_out, open_receipt.bytes_out_uncertain), (0, 512));
    ledger.finish(id, &answered_in_the_cloud(), NOW_MS + 912).unwrap();
    let receipt = ledger.show(id).unwrap();
    assert_eq!(receipt.intent, intent(1));
    assert_eq!(receipt.closing, Some(answered_in_the_cloud()));
    assert_eq!((receipt.opened_ms, receipt.closed_ms), (NOW_MS, Some(NOW_MS + 912)));
    assert_eq!(receipt.outcome, Some(Outcome::Answered));
    assert_eq!(receipt.place, Some(support::cloud()));
    assert_eq!(
        (receipt.bytes_out, receipt.bytes_in, receipt.bytes_out_uncertain),
        (498, 2210, 0)
    );
    assert_eq!(receipt.sequences, [1, 2]);

    let denied = ledger
        .record(&intent(2), &Closing::new(Outcome::Denied), NOW_MS + 5)
        .unwrap();
    assert_eq!(ledger.show(denied).unwrap().outcome, Some(Outcome::Denied));
    drop((store, ledger));
    let ledger = open(&path, &vault).ledger();
    assert_eq!(ledger.show(id).unwrap(), receipt);
    let report = ledger.verify().unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.entries, report.receipts), (4, 2));
}

#[test]
fn ends_are_refused_where_there_is_nothing_to_end() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("store.db"), &vault()).ledger();
    let closing = answered_here();
    assert!(matches!(
        ledger.finish(ReceiptId(1), &closing, NOW_MS),
        Err(StoreError::UnknownReceipt { id: 1 })
    ));
    let id = ledger.begin(&intent(1), NOW_MS).unwrap();
    ledger.finish(id, &closing, NOW_MS).unwrap();
    assert!(matches!(
        ledger.finish(id, &closing, NOW_MS),
        Err(StoreError::AlreadyClosed { id: 1 })
    ));
    assert!(matches!(
        ledger.show(ReceiptId(2)),
        Err(StoreError::UnknownReceipt { id: 2 })
    ));
    assert!(matches!(
        ledger.feedback(ReceiptId(2), Signal::ThumbsUp, NOW_MS),
        Err(StoreError::UnknownReceipt { id: 2 })
    ));
    assert!(ledger.verify().unwrap().is_intact());
}

#[test]
fn a_receipt_without_an_end_is_interrupted() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let ledger = open(&path, &vault).ledger();
    for number in 1..=3 {
        ledger.begin(&intent(number), NOW_MS).unwrap();
    }
    ledger.finish(ReceiptId(2), &answered_here(), NOW_MS).unwrap();
    drop(ledger);
    let ledger = open(&path, &vault).ledger();
    let outcomes: Vec<_> = ledger
        .list(&Filter::default(), 10)
        .unwrap()
        .into_iter()
        .map(|receipt| (receipt.id.0, receipt.outcome, receipt.bytes_out_uncertain))
        .collect();
    let interrupted = Some(Outcome::Interrupted);
    assert_eq!(
        outcomes,
        [
            (3, interrupted, 512),
            (2, Some(Outcome::Answered), 0),
            (1, interrupted, 512)
        ]
    );
    let stats = ledger.stats(None, None).unwrap();
    assert_eq!(
        (stats.interrupted, stats.bytes_out, stats.bytes_out_uncertain),
        (2, 0, 1024)
    );
    assert!(ledger.verify().unwrap().is_intact());
}

#[test]
fn lists_are_paged_and_filtered() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("store.db"), &vault()).ledger();
    for number in 1..=10u64 {
        let id = ledger.begin(&intent(number), NOW_MS + number).unwrap();
        match number % 3 {
            0 => ledger.finish(id, &answered_in_the_cloud(), NOW_MS + number).unwrap(),
            1 => ledger.finish(id, &answered_here(), NOW_MS + number).unwrap(),
            _ => ledger
                .finish(id, &Closing::new(Outcome::Failed), NOW_MS + number)
                .unwrap(),
        }
    }
    let check = |filter: Filter, max: u32, expected: &[u64]| {
        let found = ledger.list(&filter, max).unwrap();
        let found: Vec<u64> = found.into_iter().map(|receipt| receipt.id.0).collect();
        assert_eq!(found, expected, "{filter:?}");
    };
    let all = Filter::default();
    check(all, 4, &[10, 9, 8, 7]);
    check(
        Filter {
            before: Some(ReceiptId(7)),
            ..all
        },
        4,
        &[6, 5, 4, 3],
    );
    check(
        Filter {
            from_ms: Some(NOW_MS + 9),
            ..all
        },
        10,
        &[10, 9],
    );
    check(
        Filter {
            until_ms: Some(NOW_MS + 3),
            ..all
        },
        10,
        &[2, 1],
    );
    check(
        Filter {
            outcome: Some(Outcome::Failed),
            ..all
        },
        10,
        &[8, 5, 2],
    );
    check(
        Filter {
            place: Some(PlaceKind::PublicCloud),
            ..all
        },
        10,
        &[9, 6, 3],
    );
    let both = Filter {
        place: Some(PlaceKind::OnDevice),
        outcome: Some(Outcome::Answered),
        before: Some(ReceiptId(10)),
        ..all
    };
    check(both, 10, &[7, 4, 1]);
    check(
        Filter {
            outcome: Some(Outcome::Denied),
            ..all
        },
        LIST_MAX,
        &[],
    );
    assert!(matches!(
        ledger.list(&all, LIST_MAX + 1),
        Err(StoreError::Record(RecordError::TooMuch { .. }))
    ));
}

#[test]
fn stats_count_days_and_all() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("store.db"), &vault()).ledger();
    for (number, closing) in [(0, answered_here()), (1, answered_here()), (2, answered_in_the_cloud())] {
        let opened_ms = NOW_MS + number * DAY_MS / 2;
        ledger.record(&intent(number), &closing, opened_ms).unwrap();
    }
    let stats = ledger.stats(None, None).unwrap();
    assert_eq!((stats.answers.on_device, stats.answers.public_cloud), (2, 1));
    assert_eq!((stats.bytes_out, stats.bytes_in), (498, 2210));
    assert_eq!(
        (stats.tokens_in, stats.tokens_out, stats.millijoules),
        (123, 360, 15_900)
    );
    assert_eq!(stats.redacted.get(&FindingKind::Email), Some(&1));
    assert_eq!(
        stats.summary(Host::Phone),
        "2 answers on this phone, 1 in the cloud, 498 bytes sent, no personal data recognised in the rest (1 detail was replaced first)"
    );
    // NOW_MS is eight in the morning: the second one is at eight in the evening, the third on the next day.
    let check = |offset, expected: &[(u64, u64)]| {
        let days = ledger.days(None, None, offset).unwrap();
        let days: Vec<_> = days.iter().map(|day| (day.begins_ms, day.stats.receipts)).collect();
        assert_eq!(days, expected, "{offset}");
    };
    let midnight = NOW_MS - NOW_MS % DAY_MS;
    check(0, &[(midnight, 2), (midnight + DAY_MS, 1)]);
    let four_hours = 4 * 60 * 60 * 1000;
    check(240, &[(midnight - four_hours, 1), (midnight + DAY_MS - four_hours, 2)]);
    assert_eq!(
        ledger.stats(Some(NOW_MS + 1), Some(NOW_MS + DAY_MS)).unwrap().receipts,
        1
    );
}

#[test]
fn pruning_leaves_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let (path, vault) = (folder.path().join("store.db"), vault());
    let store = open(&path, &vault);
    let ledger = store.ledger();
    for number in 1..=10 {
        ledger
            .record(&intent(number), &answered_in_the_cloud(), NOW_MS + number)
            .unwrap();
    }
    ledger.feedback(ReceiptId(2), Signal::ThumbsDown, NOW_MS).unwrap();
    let before = ledger.stats(None, None).unwrap();
    let nothing = Prune {
        opened_before_ms: Some(NOW_MS),
        receipts_max: Some(10),
    };
    assert_eq!(ledger.prune(&nothing, NOW_MS).unwrap(), None);

    let four = Prune {
        receipts_max: Some(6),
        ..Prune::default()
    };
    let checkpoint = ledger.prune(&four, NOW_MS + 50).unwrap().unwrap();
    assert_eq!(
        (checkpoint.sequence, checkpoint.receipts, checkpoint.time_ms),
        (8, 4, NOW_MS + 50)
    );
    assert_eq!((checkpoint.totals.receipts, checkpoint.totals.bytes_out), (4, 4 * 498));
    assert!(!checkpoint.lost);
    assert_eq!(ledger.stats(None, None).unwrap(), before);
    assert!(matches!(
        ledger.show(ReceiptId(4)),
        Err(StoreError::UnknownReceipt { id: 4 })
    ));
    assert_eq!(ledger.show(ReceiptId(5)).unwrap().id, ReceiptId(5));
    assert_eq!(ledger.prune(&four, NOW_MS + 60).unwrap(), None);

    // An open receipt keeps itself and what came after it.
    let open_id = ledger.begin(&intent(11), NOW_MS + 11).unwrap();
    ledger.record(&intent(12), &answered_here(), NOW_MS + 12).unwrap();
    let all = Prune {
        opened_before_ms: Some(u64::MAX),
        receipts_max: None,
    };
    let checkpoint = ledger.prune(&all, NOW_MS + 70).unwrap().unwrap();
    assert_eq!((checkpoint.receipts, checkpoint.totals.receipts), (10, 10));
    let report = ledger.verify().unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(report.checkpoint, Some(checkpoint));
    ledger.finish(open_id, &answered_here(), NOW_MS).unwrap();
    ledger.prune(&all, NOW_MS + 80).unwrap().unwrap();
    assert!(ledger.list(&Filter::default(), 10).unwrap().is_empty());
    drop((store, ledger));

    let ledger = open(&path, &vault).ledger();
    let report = ledger.verify().unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!(ledger.stats(None, None).unwrap().receipts, 12);
    assert_eq!(ledger.begin(&intent(13), NOW_MS).unwrap(), ReceiptId(13));
}

/// What is pruned is gone from the files, not only from the tables.
#[test]
fn pruned_bytes_are_overwritten() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = open(&path, &vault());
    let ledger = store.ledger();
    for number in 1..=40 {
        ledger
            .record(&intent(90_000 + number), &answered_here(), NOW_MS)
            .unwrap();
    }
    let holds = |name: &[u8]| {
        std::fs::read_dir(folder.path()).unwrap().any(|entry| {
            let bytes = std::fs::read(entry.unwrap().path()).unwrap();
            bytes.windows(name.len()).any(|window| window == name)
        })
    };
    assert!(holds(b"request-90007"));
    let prune = Prune {
        receipts_max: Some(5),
        ..Prune::default()
    };
    ledger.prune(&prune, NOW_MS).unwrap().unwrap();
    assert!(!holds(b"request-90007"));
    assert!(holds(b"request-90038"));
}

#[test]
fn lists_inside_receipts_have_limits() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("store.db"), &vault()).ledger();
    let check = |rules: usize, planned: usize, attempts: usize, fits: bool| {
        let mut intent = intent(1);
        intent.rules = vec![support::label("r"); rules];
        let plan: Planned = intent.planned[0].clone();
        intent.planned = vec![plan; planned];
        let mut closing = answered_here();
        closing.attempts = vec![closing.attempts[0].clone(); attempts];
        let result = ledger.record(&intent, &closing, NOW_MS);
        match result {
            Ok(_) => assert!(fits, "{rules} {planned} {attempts}"),
            Err(StoreError::Record(RecordError::TooMuch { .. })) => assert!(!fits, "{rules} {planned} {attempts}"),
            Err(error) => panic!("{error}"),
        }
    };
    check(64, 32, 32, true);
    check(65, 1, 1, false);
    check(1, 33, 1, false);
    check(1, 1, 33, false);
    for _ in 0..64 {
        ledger.feedback(ReceiptId(1), Signal::Regenerated, NOW_MS).unwrap();
    }
    let one_more = ledger.feedback(ReceiptId(1), Signal::Regenerated, NOW_MS);
    assert!(matches!(one_more, Err(StoreError::Record(RecordError::TooMuch { .. }))));
    assert!(ledger.verify().unwrap().is_intact());
}

#[test]
fn feedback_refers_to_a_receipt() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = open(&folder.path().join("store.db"), &vault()).ledger();
    let id = ledger.record(&intent(1), &answered_here(), NOW_MS).unwrap();
    let kept = Signal::Kept { edited_permille: 120 };
    let signals = [kept, Signal::ThumbsUp, Signal::EscalationAccepted];
    for (later, signal) in (1..).zip(signals) {
        ledger.feedback(id, signal, NOW_MS + later).unwrap();
    }
    let feedback = ledger.show(id).unwrap().feedback;
    let feedback: Vec<_> = feedback
        .iter()
        .map(|feedback| (feedback.time_ms, feedback.signal))
        .collect();
    let expected: Vec<_> = (NOW_MS + 1..).zip(signals).collect();
    assert_eq!(feedback, expected);
}

/// Many threads at once: every receipt has its own number, and the chain holds.
#[test]
fn threads_take_turns() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(&folder.path().join("store.db"), &vault());
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let ledger = store.ledger();
            scope.spawn(move || {
                for number in 0..25 {
                    let id = ledger.begin(&intent(thread * 100 + number), NOW_MS).unwrap();
                    assert!(ledger.verify().unwrap().is_intact());
                    ledger.finish(id, &answered_here(), NOW_MS).unwrap();
                }
            });
        }
    });
    let report = store.ledger().verify().unwrap();
    assert!(report.is_intact(), "{report:?}");
    assert_eq!((report.entries, report.receipts), (200, 100));
}

fn assert_shared<T: Send + Sync>() {}

#[test]
fn handles_go_between_threads() {
    assert_shared::<Store>();
    assert_shared::<whimbrel_store::Ledger>();
    assert_shared::<Arc<dyn KeyVault>>();
    assert_shared::<MemoryVault>();
}
