//! What was told, remembered, silenced and noted comes back, and messages take their turn.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::domain::alert::memory::{ChannelPast, Memory, Past, Row as MemoryRow};
use notafter::domain::alert::message::{
    CertificateFacts, CertificateItem, Fingerprint, Item, Kind, Message, News, RenewalNote,
};
use notafter::domain::alert::outbox::{Row, Settled, State};
use notafter::domain::alert::renewals::Letter;
use notafter::domain::alert::silence::SilenceRow;
use notafter::domain::finding::Stage;
use notafter::store::{Alerts, Committed, Cursor, Store, Waiting};
use tokio::task::JoinSet;

use crate::database::{Database, over_both};
use crate::support::moment;

over_both!(
    memory_comes_back_and_what_was_taken_away_does_not,
    a_repeated_commit_is_harmless,
    critical_ones_go_first_then_the_oldest_and_only_what_is_due,
    a_message_is_taken_once,
    what_was_being_sent_is_queued_again_at_the_start,
    an_attempt_that_failed_waits_and_keeps_its_parts,
    what_has_settled_stays_unless_it_did_arrive,
    notes_are_written_with_the_delivery,
    a_backlog_becomes_one_message,
    a_paused_channel_waits_and_may_be_woken,
    what_was_given_up_can_be_sent_again_or_dropped,
    what_waits_for_nobody_is_given_up_once_it_is_old,
    lists_are_the_youngest_first_and_go_on_behind_a_cursor,
    what_is_undelivered_is_told_by_channel_certificate_and_end,
    every_message_that_would_tell_of_an_end_counts,
    a_decision_is_written_only_while_nobody_sends_what_it_takes_for_unsent,
    whoever_takes_a_message_knows_the_end_that_was_decided_about_it,
    what_may_have_arrived_is_noted_and_never_forgotten,
    what_is_held_back_is_not_part_of_a_backlog,
    the_end_that_is_believed_is_read_with_what_was_told,
    silences_come_back_and_end_early,
    values_are_kept_by_key,
    old_things_are_thrown_away,
    rows_of_somebody_else_are_left_out_and_told,
);

pub(crate) fn after(hours: i64) -> DateTime<Utc> {
    moment() + TimeDelta::hours(hours)
}

pub(crate) fn certificate(number: u64, stage: Stage) -> Item {
    let facts = CertificateFacts {
        fingerprint: Fingerprint(number),
        provider: "alibaba".into(),
        account: "prod".into(),
        project: "".into(),
        region: "cn-hangzhou".into(),
        service: "redis".into(),
        resource_id: format!("r-{number}").into(),
        role: "server".into(),
        resource_name: "orders \0 华东 \u{1F600} '; --".into(),
        labels: BTreeMap::from([("env".into(), "prod".into())]),
        owner: None,
        not_before: None,
        not_after: moment() + TimeDelta::days(7),
        serial: "0f".into(),
        sha256: "".into(),
        last_seen: moment(),
        stale: false,
        in_use: None,
        managed_by: Some("cloud".into()),
        console_url: None,
        renewal: RenewalNote::Manual,
    };
    Item::Certificate(CertificateItem {
        news: News::Entered { stage, previous: None, since: moment() },
        facts,
    })
}

/// A message about one certificate, decided `at` hours after the moment.
pub(crate) fn message(id: &str, channel: &str, stage: Stage, at: i64) -> Message {
    Message {
        id: id.into(),
        channel: channel.into(),
        kind: Kind::News,
        route: "route 1".into(),
        at: after(at),
        items: vec![certificate(1, stage)],
        left_out: 0,
        overview: None,
    }
}

pub(crate) async fn queue(store: &Store, messages: &[Message]) {
    store.commit_alerts(&[], messages, moment()).await.unwrap();
}

pub(crate) async fn take(store: &Store, channel: &str) -> Option<Row> {
    store.claim(channel, after(100)).await.unwrap()
}

fn ids(rows: &[Row]) -> Vec<&str> {
    rows.iter().map(|row| &*row.message.id).collect()
}

async fn state_of(store: &Store, id: &str) -> Row {
    let rows = store.messages(&State::ALL, 1000, None).await.unwrap();
    rows.into_iter().find(|row| &*row.message.id == id).unwrap()
}

pub(crate) fn memory(channels: &[&str]) -> Memory {
    let past = ChannelPast { since: moment(), digests: BTreeMap::from([("09:37".into(), after(1))]) };
    let channels = channels.iter().map(|name| ((*name).into(), past.clone())).collect();
    Memory { channels, ..Memory::default() }
}

async fn memory_comes_back_and_what_was_taken_away_does_not(database: Database) {
    let store = database.open().await;
    let Alerts { memory: found, silences, odd } = store.load_alerts().await.unwrap();
    assert!(found.is_empty() && silences.is_empty() && odd.is_none());
    let first = memory(&["ops", "with \0 and / and %", "华东"]);
    store.commit_alerts(&first.rows_since(&found), &[], moment()).await.unwrap();
    assert_eq!(store.load_alerts().await.unwrap().memory, first);
    let mut second = memory(&["ops", "new"]);
    second.channels.get_mut("ops").unwrap().since = after(3);
    store.commit_alerts(&second.rows_since(&first), &[], moment()).await.unwrap();
    store.close().await;
    let store = database.open().await;
    assert_eq!(store.load_alerts().await.unwrap().memory, second);
    store.close().await;
}

async fn a_repeated_commit_is_harmless(database: Database) {
    let store = database.open().await;
    let rows = memory(&["ops"]).rows_since(&Memory::default());
    let messages: Vec<_> = (0..250).map(|n| message(&format!("evt_{n:03}"), "ops", Stage::Info, n)).collect();
    store.commit_alerts(&rows, &messages, moment()).await.unwrap();
    let taken = store.claim("ops", after(0)).await.unwrap().unwrap();
    store.settle(&taken.message.id, &Settled::Delivered { notes: Vec::new() }, after(0)).await.unwrap();
    let before = store.messages(&State::ALL, 1000, None).await.unwrap();
    store.commit_alerts(&rows, &messages, after(1)).await.unwrap();
    assert_eq!(store.messages(&State::ALL, 1000, None).await.unwrap(), before, "nothing is sent twice");
    assert_eq!(before.len(), 250);
    store.close().await;
}

async fn critical_ones_go_first_then_the_oldest_and_only_what_is_due(database: Database) {
    let store = database.open().await;
    assert_eq!(store.next_due("ops").await.unwrap(), None);
    let early = [
        message("evt_1", "ops", Stage::Info, 1),
        message("evt_2", "ops", Stage::Critical, 3),
        message("evt_3", "ops", Stage::Warning, 0),
        message("evt_4", "ops", Stage::Expired, 2),
        message("evt_5", "other", Stage::Expired, -9),
    ];
    queue(&store, &early).await;
    store.commit_alerts(&[], &[message("evt_6", "ops", Stage::Critical, -5)], after(11)).await.unwrap();
    let mut order = Vec::new();
    while let Some(row) = store.claim("ops", after(10)).await.unwrap() {
        assert_eq!((row.state, row.attempts), (State::Sending, 1));
        assert_eq!(row.message, *early.iter().find(|message| message.id == row.message.id).unwrap());
        order.push(row.message.id);
    }
    assert_eq!(order, ["evt_4", "evt_2", "evt_3", "evt_1"].map(Box::from));
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(11)), "not due yet");
    assert_eq!(&*store.claim("ops", after(11)).await.unwrap().unwrap().message.id, "evt_6");
    assert_eq!(store.next_due("ops").await.unwrap(), None);
    assert_eq!(store.next_due("other").await.unwrap(), Some(moment()));
    store.close().await;
}

async fn a_message_is_taken_once(database: Database) {
    const COUNT: usize = 200;
    let mut stores = vec![Arc::new(database.open().await)];
    if database.name.is_some() {
        stores.push(Arc::new(database.open().await));
    }
    let messages: Vec<_> =
        (0..COUNT).map(|n| message(&format!("evt_{n:03}"), "ops", Stage::Info, 0)).collect();
    queue(&stores[0], &messages).await;
    let mut takers = JoinSet::new();
    for store in stores.iter().cycle().take(8) {
        let store = Arc::clone(store);
        takers.spawn(async move {
            let mut mine = Vec::new();
            while let Some(row) = take(&store, "ops").await {
                mine.push(row.message.id);
            }
            mine
        });
    }
    let taken: Vec<_> = takers.join_all().await.into_iter().flatten().collect();
    assert_eq!(taken.len(), COUNT);
    assert_eq!(taken.iter().collect::<BTreeSet<_>>().len(), COUNT, "none twice");
    for store in stores {
        store.close().await;
    }
}

async fn what_was_being_sent_is_queued_again_at_the_start(database: Database) {
    let store = database.open().await;
    queue(&store, &[message("evt_1", "ops", Stage::Info, 0), message("evt_2", "ops", Stage::Info, 1)]).await;
    let row = take(&store, "ops").await.unwrap();
    store.progress(&row.message.id, 2).await.unwrap();
    store.close().await;
    let store = database.open().await;
    assert_eq!(store.claim("ops", moment()).await.unwrap().unwrap().message.id, "evt_2".into());
    assert_eq!(store.return_sending(after(5)).await.unwrap(), 2);
    assert_eq!(store.return_sending(after(5)).await.unwrap(), 0);
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(5)));
    let again = store.claim("ops", after(5)).await.unwrap().unwrap();
    assert_eq!((&*again.message.id, again.attempts, again.parts_done), ("evt_1", 2, 2));
    store.close().await;
}

async fn an_attempt_that_failed_waits_and_keeps_its_parts(database: Database) {
    let store = database.open().await;
    queue(&store, &[message("evt_1", "ops", Stage::Info, 0)]).await;
    take(&store, "ops").await.unwrap();
    store.progress("evt_1", 1).await.unwrap();
    let error = "no \0 answer: \"x\"";
    let again = Settled::Again { next_at: after(2), error: error.into(), unanswered: false };
    store.settle("evt_1", &again, after(0)).await.unwrap();
    assert_eq!(store.claim("ops", after(1)).await.unwrap(), None);
    let row = store.claim("ops", after(2)).await.unwrap().unwrap();
    assert_eq!((row.attempts, row.parts_done, row.last_error.as_deref()), (2, 1, Some(error)));
    store
        .settle("evt_1", &Settled::Dead { error: "given up".into(), unanswered: false }, after(3))
        .await
        .unwrap();
    let row = state_of(&store, "evt_1").await;
    assert_eq!(
        (row.state, row.settled_at, row.last_error.as_deref()),
        (State::Dead, Some(after(3)), Some("given up"))
    );
    store.close().await;
}

async fn what_has_settled_stays_unless_it_did_arrive(database: Database) {
    let delivered = || Settled::Delivered { notes: Vec::new() };
    let again = || Settled::Again { next_at: after(9), error: "late".into(), unanswered: false };
    let dead = || Settled::Dead { error: "late".into(), unanswered: false };
    let store = database.open().await;
    for (n, (first, second, want)) in [
        (delivered(), again(), State::Delivered),
        (delivered(), dead(), State::Delivered),
        (delivered(), Settled::Superseded, State::Delivered),
        (delivered(), delivered(), State::Delivered),
        (dead(), again(), State::Dead),
        (dead(), delivered(), State::Delivered),
        (Settled::Superseded, again(), State::Superseded),
        (Settled::Superseded, delivered(), State::Delivered),
        (again(), delivered(), State::Delivered),
    ]
    .into_iter()
    .enumerate()
    {
        let id = format!("evt_{n}");
        queue(&store, &[message(&id, "ops", Stage::Info, 0)]).await;
        take(&store, "ops").await.unwrap();
        store.settle(&id, &first, after(1)).await.unwrap();
        store.settle(&id, &second, after(2)).await.unwrap();
        let row = state_of(&store, &id).await;
        assert_eq!(row.state, want, "{first:?}, then {second:?}");
        assert!(row.settled_at.is_some());
    }
    store.settle("evt_none", &delivered(), after(1)).await.unwrap();
    store.close().await;
}

async fn notes_are_written_with_the_delivery(database: Database) {
    let store = database.open().await;
    queue(&store, &[message("evt_1", "ops", Stage::Info, 0), message("evt_2", "ops", Stage::Info, 1)]).await;
    let note = |key: &str, value: &str| (key.to_owned(), value.to_owned());
    let notes = vec![note("thread/1", "1700.\0"), note("chat", "-100")];
    store.settle("evt_1", &Settled::Delivered { notes }, after(1)).await.unwrap();
    store.settle("evt_2", &Settled::Delivered { notes: vec![note("chat", "-200")] }, after(2)).await.unwrap();
    let want = BTreeMap::from([note("thread/1", "1700.\0"), note("chat", "-200")]);
    assert_eq!(store.notes("ops").await.unwrap(), want);
    assert!(store.notes("other").await.unwrap().is_empty());
    store.prune(after(1) + TimeDelta::days(90) + TimeDelta::minutes(1)).await.unwrap();
    assert_eq!(store.notes("ops").await.unwrap(), BTreeMap::from([note("chat", "-200")]));
    store.close().await;
}

async fn a_backlog_becomes_one_message(database: Database) {
    let store = database.open().await;
    let messages: Vec<_> = (0..5).map(|n| message(&format!("evt_{n}"), "ops", Stage::Info, n)).collect();
    queue(&store, &messages).await;
    queue(&store, &[message("evt_x", "other", Stage::Info, 0)]).await;
    take(&store, "ops").await.unwrap();
    let backlog = store.queued("ops", after(0)).await.unwrap();
    assert_eq!(ids(&backlog), ["evt_1", "evt_2", "evt_3", "evt_4"], "the first is on its way");
    let superseded: Vec<Box<str>> = ["evt_0", "evt_1", "evt_2", "evt_x"].map(Box::from).into();
    let digest = Message { kind: Kind::Digest, ..message("evt_d", "ops", Stage::Critical, 9) };
    for _ in 0..2 {
        store.collapse("ops", &digest, &superseded, after(9)).await.unwrap();
    }
    assert_eq!(ids(&store.queued("ops", after(0)).await.unwrap()), ["evt_d", "evt_3", "evt_4"]);
    assert_eq!(state_of(&store, "evt_0").await.state, State::Sending, "it may have arrived");
    assert_eq!(state_of(&store, "evt_x").await.state, State::Queued, "of another channel");
    let row = state_of(&store, "evt_1").await;
    assert_eq!((row.state, row.settled_at), (State::Superseded, Some(after(9))));
    store.close().await;
}

async fn a_paused_channel_waits_and_may_be_woken(database: Database) {
    let store = database.open().await;
    for (id, channel) in [("evt_1", "ops"), ("evt_2", "ops"), ("evt_3", "other")] {
        queue(&store, &[message(id, channel, Stage::Info, 0)]).await;
    }
    store.postpone("ops", after(30), Some("401 \0")).await.unwrap();
    assert_eq!(store.claim("ops", after(29)).await.unwrap(), None);
    assert_eq!(store.next_due("ops").await.unwrap(), Some(after(30)));
    assert_eq!(store.next_due("other").await.unwrap(), Some(moment()), "another channel does not wait");
    store.postpone("ops", after(400 * 24 * 60), None).await.unwrap();
    let row = store.claim("ops", after(1)).await.unwrap().expect("no wait is so long: the clock was wrong");
    store.settle(&row.message.id, &Settled::Superseded, after(1)).await.unwrap();
    store.postpone("ops", after(1), Some("401 \0")).await.unwrap();
    let row = store.claim("ops", after(1)).await.unwrap().unwrap();
    assert_eq!(row.last_error.as_deref(), Some("401 \0"));
    store.close().await;
}

async fn what_was_given_up_can_be_sent_again_or_dropped(database: Database) {
    let store = database.open().await;
    queue(&store, &[message("evt_1", "ops", Stage::Info, 0), message("evt_2", "ops", Stage::Info, 1)]).await;
    assert!(!store.retry("evt_1", after(1)).await.unwrap(), "it was not given up");
    assert!(!store.discard("evt_1").await.unwrap());
    let waiting = |queued, dead| BTreeMap::from([(Box::from("ops"), Waiting { queued, dead })]);
    take(&store, "ops").await.unwrap();
    assert_eq!(store.counts().await.unwrap(), waiting(2, 0));
    for id in ["evt_1", "evt_2"] {
        store.settle(id, &Settled::Dead { error: "x".into(), unanswered: false }, after(1)).await.unwrap();
    }
    assert_eq!(store.counts().await.unwrap(), waiting(0, 2));
    assert!(store.retry("evt_1", after(2)).await.unwrap());
    assert!(!store.retry("evt_1", after(2)).await.unwrap(), "once");
    assert!(store.discard("evt_2").await.unwrap());
    assert!(!store.retry("evt_\0", after(2)).await.unwrap(), "there is none");
    assert_eq!(store.counts().await.unwrap(), waiting(1, 0));
    let row = store.claim("ops", after(2)).await.unwrap().unwrap();
    assert_eq!((&*row.message.id, row.attempts, row.settled_at), ("evt_1", 1, None));
    assert_eq!(state_of(&store, "evt_2").await.state, State::Superseded);
    store.close().await;
}

async fn what_waits_for_nobody_is_given_up_once_it_is_old(database: Database) {
    let store = database.open().await;
    let all = [("evt_1", "old", 0), ("evt_2", "old", 0), ("evt_3", "old", 5), ("evt_4", "ops", 0)];
    for (id, channel, hours) in all {
        let message = Message { at: after(hours), ..message(id, channel, Stage::Warning, 0) };
        store.commit_alerts(&[], &[message], after(hours)).await.unwrap();
    }
    assert_eq!(take(&store, "old").await.unwrap().message.id, "evt_1".into());
    assert_eq!(store.give_up("old", after(5), "nobody is there", after(80)).await.unwrap(), 1);
    assert_eq!(store.give_up("old", after(5), "nobody is there", after(81)).await.unwrap(), 0);
    let given_up = state_of(&store, "evt_2").await;
    assert_eq!((given_up.state, given_up.settled_at), (State::Dead, Some(after(80))));
    assert_eq!(given_up.last_error.as_deref(), Some("nobody is there"));
    for (id, state) in [("evt_1", State::Sending), ("evt_3", State::Queued), ("evt_4", State::Queued)] {
        assert_eq!(state_of(&store, id).await.state, state, "{id}");
    }
    assert_eq!(store.channel_of("evt_2").await.unwrap().as_deref(), Some("old"));
    assert_eq!(store.channel_of("evt_none").await.unwrap(), None);
    store.close().await;
}

async fn lists_are_the_youngest_first_and_go_on_behind_a_cursor(database: Database) {
    let store = database.open().await;
    // two at each moment
    let messages: Vec<_> =
        (0..12).map(|n| message(&format!("evt_{n:02}"), "ops", Stage::Info, n / 2)).collect();
    queue(&store, &messages).await;
    for n in 0..6 {
        let id = format!("evt_{:02}", n * 2);
        store.settle(&id, &Settled::Delivered { notes: Vec::new() }, after(9)).await.unwrap();
    }
    let (mut seen, mut before) = (Vec::new(), None);
    loop {
        let page = store.messages(&State::ALL, 5, before.as_ref()).await.unwrap();
        let Some(last) = page.last() else { break };
        before = Some(Cursor::behind(&last.message));
        seen.extend(page.iter().map(|row| row.message.id.clone()));
    }
    let all: Vec<Box<str>> = (0..12).rev().map(|n| format!("evt_{n:02}").into()).collect();
    assert_eq!(seen, all);
    let queued = store.messages(&[State::Queued], 3, None).await.unwrap();
    assert_eq!(ids(&queued), ["evt_11", "evt_09", "evt_07"]);
    assert!(store.messages(&[], 3, None).await.unwrap().is_empty());
    store.close().await;
}

async fn what_is_undelivered_is_told_by_channel_certificate_and_end(database: Database) {
    let store = database.open().await;
    let mut two = message("evt_1", "ops", Stage::Info, 0);
    two.items.push(certificate(2, Stage::Info));
    let all = ["sent", "failed", "silent", "part", "again", "dead", "lost", "retried", "late", "early"];
    let others = all.map(|channel| message(&format!("evt_{channel}"), channel, Stage::Info, 0));
    queue(&store, &[&[two], &others[..]].concat()).await;
    for channel in all.into_iter().filter(|channel| *channel != "part") {
        take(&store, channel).await.unwrap();
    }
    let again = |unanswered| Settled::Again { next_at: after(2), error: "x".into(), unanswered };
    let dead = |unanswered| Settled::Dead { error: "x".into(), unanswered };
    let delivered = Settled::Delivered { notes: Vec::new() };
    for (channel, settled) in [
        ("failed", again(false)),
        ("silent", again(true)),
        ("again", again(true)),
        ("again", again(false)),
        ("dead", dead(false)),
        ("lost", dead(true)),
        ("retried", dead(false)),
        ("late", dead(false)),
        ("early", dead(false)),
    ] {
        store.settle(&format!("evt_{channel}"), &settled, after(0)).await.unwrap();
    }
    store.progress("evt_part", 1).await.unwrap();
    assert!(store.retry("evt_retried", after(1)).await.unwrap());
    // another word about it arrives later, or arrived before it came back
    for (id, channel, at) in [("evt_late_2", "late", 5), ("evt_early_2", "early", -5)] {
        queue(&store, &[message(id, channel, Stage::Info, at)]).await;
        store.settle(id, &delivered, after(6)).await.unwrap();
    }
    let ends = moment() + TimeDelta::days(7);
    let want = [("ops", 1), ("ops", 2), ("failed", 1), ("dead", 1), ("retried", 1), ("early", 1)];
    let want = want.map(|(channel, n)| (channel.into(), Fingerprint(n), ends));
    let found = store.undelivered().await.unwrap();
    assert_eq!(found.keys().cloned().collect::<BTreeSet<_>>(), BTreeSet::from(want));
    for (end, messages) in found {
        let id = if &*end.0 == "ops" { "evt_1".to_owned() } else { format!("evt_{}", end.0) };
        assert_eq!(messages, [id.into()].into(), "{end:?}");
    }
    store.close().await;
}

async fn every_message_that_would_tell_of_an_end_counts(database: Database) {
    let store = database.open().await;
    let mut deeper = message("evt_2", "ops", Stage::Critical, 1);
    let Item::Certificate(item) = &mut deeper.items[0] else { unreachable!() };
    item.news = News::Entered { stage: Stage::Critical, previous: Some(Stage::Info), since: moment() };
    queue(&store, &[message("evt_1", "ops", Stage::Info, 0), deeper]).await;
    let found: Vec<_> = store.undelivered().await.unwrap().into_values().collect();
    assert_eq!(found, [BTreeSet::from(["evt_1".into(), "evt_2".into()])]);
    store.close().await;
}

/// What is remembered of the first certificate, with this end.
fn believed(epoch: DateTime<Utc>) -> Memory {
    let Item::Certificate(item) = certificate(1, Stage::Info) else { unreachable!() };
    let past = Past { facts: item.facts, epoch, doubt: None, missing: None, told: BTreeMap::new() };
    Memory { certificates: [(Fingerprint(1), Arc::new(past))].into(), ..memory(&["ops"]) }
}

async fn a_decision_is_written_only_while_nobody_sends_what_it_takes_for_unsent(database: Database) {
    let store = database.open().await;
    let again = |unanswered| Settled::Again { next_at: after(2), error: "x".into(), unanswered };
    let dead = Settled::Dead { error: "x".into(), unanswered: false };
    for (name, then, want) in [
        ("waits", &[][..], Committed::Done),
        ("sending", &["take"], Committed::Overtaken),
        ("surely not arrived", &["take", "again"], Committed::Done),
        ("not answered", &["take", "silent"], Committed::Overtaken),
        ("delivered", &["take", "delivered"], Committed::Overtaken),
        ("a part of it", &["part"], Committed::Overtaken),
        ("given up", &["take", "dead"], Committed::Done),
        ("drawn together with others", &["collapse"], Committed::Overtaken),
    ] {
        let (id, channel) = (format!("evt_{name}"), name);
        queue(&store, &[message(&id, channel, Stage::Info, 0), message("evt_other", "else", Stage::Info, 0)])
            .await;
        for step in then {
            match *step {
                "take" => drop(take(&store, channel).await.unwrap()),
                "part" => store.progress(&id, 1).await.unwrap(),
                "collapse" => {
                    let into = message(&format!("{id} in one"), channel, Stage::Info, 1);
                    store.collapse(channel, &into, &[id.as_str().into()], after(1)).await.unwrap();
                }
                "delivered" => {
                    let delivered = Settled::Delivered { notes: Vec::new() };
                    store.settle(&id, &delivered, after(1)).await.unwrap();
                }
                "dead" => store.settle(&id, &dead, after(1)).await.unwrap(),
                how => store.settle(&id, &again(how == "silent"), after(1)).await.unwrap(),
            }
        }
        let before = state_of(&store, &id).await;
        let old = store.load_alerts().await.unwrap().memory;
        let new = Memory { channels: memory(&[name]).channels, ..Memory::default() };
        let (rows, good) = (new.rows_since(&old), message(&format!("{id} is over"), name, Stage::Info, 2));
        let unsent = ["evt_other".into(), id.as_str().into()].into();
        let done =
            store.commit_decision(&rows, std::slice::from_ref(&good), &unsent, after(2)).await.unwrap();
        assert_eq!(done, want, "{name}");
        let wrote = done == Committed::Done;
        assert_eq!(store.load_alerts().await.unwrap().memory == new, wrote, "{name}: the memory");
        let all = store.messages(&State::ALL, 1000, None).await.unwrap();
        assert_eq!(all.iter().any(|row| row.message.id == good.id), wrote, "{name}: the message");
        assert_eq!(state_of(&store, &id).await, before, "{name}: nothing else is different");
    }
    store.close().await;
}

async fn whoever_takes_a_message_knows_the_end_that_was_decided_about_it(database: Database) {
    let store = Arc::new(database.open().await);
    let (mut done, mut taken) = (0, 0);
    for n in 0..60 {
        let (channel, id) = (format!("ops_{n}"), format!("evt_{n}"));
        let old = store.load_alerts().await.unwrap().memory;
        queue(&store, &[message(&id, &channel, Stage::Info, 0)]).await;
        let new = believed(after(1000 + n));
        let rows = new.rows_since(&old);
        let courier = tokio::spawn({
            let store = Arc::clone(&store);
            async move {
                let row = store.claim(&channel, after(100)).await.unwrap();
                (row.is_some(), store.believed(&[Fingerprint(1)].into()).await.unwrap())
            }
        });
        let unsent = [id.as_str().into()].into();
        let committed = store.commit_decision(&rows, &[], &unsent, after(2)).await.unwrap();
        let (row, known) = courier.await.unwrap();
        let knew = known.get(&Fingerprint(1)) == Some(&after(1000 + n));
        assert!(committed == Committed::Overtaken || !row || knew, "{n}: it is sent, and its end settled");
        done += usize::from(committed == Committed::Done);
        taken += usize::from(committed == Committed::Overtaken);
    }
    println!("{done} were written, {taken} were too late");
    Arc::into_inner(store).expect("the only one").close().await;
}

async fn what_may_have_arrived_is_noted_and_never_forgotten(database: Database) {
    let store = database.open().await;
    let all = ["evt_crash", "evt_silent", "evt_parts", "evt_dead", "evt_sure"];
    queue(&store, &all.map(|id| message(id, id, Stage::Info, 0))).await;
    let again = |unanswered| Settled::Again { next_at: after(2), error: "HTTP 503".into(), unanswered };
    for id in all {
        take(&store, id).await.unwrap();
        store.settle(id, &again(id == "evt_silent"), after(0)).await.unwrap();
        assert_eq!(state_of(&store, id).await.unanswered, id == "evt_silent", "{id}");
        // the second attempt
        let row = take(&store, id).await.unwrap();
        assert_eq!(row.last_error.as_deref(), Some("HTTP 503"), "{id}: it is shown until there is another");
    }
    store.settle("evt_silent", &again(false), after(1)).await.unwrap();
    store.progress("evt_parts", 2).await.unwrap();
    store.progress("evt_parts", 0).await.unwrap();
    store.settle("evt_parts", &again(false), after(1)).await.unwrap();
    let dead = Settled::Dead { error: "x".into(), unanswered: true };
    store.settle("evt_dead", &dead, after(1)).await.unwrap();
    assert!(store.retry("evt_dead", after(1)).await.unwrap());
    store.settle("evt_sure", &again(false), after(1)).await.unwrap();
    // only the first of them is being sent when the daemon ends
    assert_eq!(store.return_sending(after(2)).await.unwrap(), 1);
    for id in all {
        let [row] = &store.queued(id, after(2)).await.unwrap()[..] else { panic!("{id}") };
        assert_eq!(row.unanswered, id != "evt_sure", "{id}");
    }
    store.close().await;
}

async fn what_is_held_back_is_not_part_of_a_backlog(database: Database) {
    let store = database.open().await;
    let letter = |id: &str, not_before| Letter { message: message(id, "ops", Stage::Info, 0), not_before };
    let letters = [letter("evt_1", Some(after(8))), letter("evt_2", None)];
    let done = store.commit_renewals(&[], &letters, after(0), None).await.unwrap();
    assert_eq!(done, Committed::Done);
    assert_eq!(ids(&store.queued("ops", after(7)).await.unwrap()), ["evt_2"]);
    assert_eq!(ids(&store.queued("ops", after(8)).await.unwrap()), ["evt_1", "evt_2"]);
    store.close().await;
}

async fn the_end_that_is_believed_is_read_with_what_was_told(database: Database) {
    let store = database.open().await;
    let past = |n: u64| {
        let Item::Certificate(item) = certificate(n, Stage::Info) else { unreachable!() };
        let epoch = after(i64::try_from(n).unwrap());
        Arc::new(Past { facts: item.facts, epoch, doubt: None, missing: None, told: BTreeMap::new() })
    };
    let known =
        Memory { certificates: [1, 2, 3].map(|n| (Fingerprint(n), past(n))).into(), ..memory(&["ops"]) };
    store.commit_alerts(&known.rows_since(&Memory::default()), &[], moment()).await.unwrap();
    let asked = [1, 3, 9].map(Fingerprint).into();
    let want = [1, 3].map(|n| (Fingerprint(n), after(i64::try_from(n).unwrap()))).into();
    assert_eq!(store.believed(&asked).await.unwrap(), want);
    assert!(store.believed(&BTreeSet::new()).await.unwrap().is_empty());
    store.close().await;
}

pub(crate) fn silence(id: &str, ends_at: DateTime<Utc>) -> SilenceRow {
    SilenceRow {
        id: id.into(),
        matcher: Some("account = \"\0\"".into()),
        fingerprint: Some(Fingerprint(7)),
        stage: Some(Stage::Warning),
        starts_at: moment(),
        ends_at,
        author: "me".into(),
        comment: "华东 \0".into(),
        include_expired: true,
    }
}

async fn silences_come_back_and_end_early(database: Database) {
    let store = database.open().await;
    for silence in [silence("sil_2", after(9)), silence("sil_1", after(5)), silence("sil_1", after(7))] {
        store.add_silence(&silence).await.unwrap();
    }
    let all = [silence("sil_1", after(7)), silence("sil_2", after(9))];
    assert_eq!(store.silences().await.unwrap(), all);
    assert_eq!(store.load_alerts().await.unwrap().silences, all);
    assert!(store.end_silence("sil_1", after(6)).await.unwrap());
    assert!(!store.end_silence("sil_1", after(6)).await.unwrap(), "it has ended");
    assert!(!store.end_silence("sil_\0", after(6)).await.unwrap(), "there is none");
    assert_eq!(store.silences().await.unwrap(), [silence("sil_1", after(6)), silence("sil_2", after(9))]);
    store.close().await;
}

async fn values_are_kept_by_key(database: Database) {
    let store = database.open().await;
    assert_eq!(store.value("channel/ops").await.unwrap(), None);
    for value in ["", "{\"a\":\0}", "华东"] {
        store.keep_value("channel/ops\0", value).await.unwrap();
        assert_eq!(store.value("channel/ops\0").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.value("channel/ops").await.unwrap(), None);
    store.close().await;
}

async fn old_things_are_thrown_away(database: Database) {
    let store = database.open().await;
    let delivered = || Settled::Delivered { notes: Vec::new() };
    let messages: Vec<_> =
        (0..1200).map(|n| message(&format!("evt_{n:04}"), "ops", Stage::Info, 0)).collect();
    queue(&store, &messages).await;
    for n in 0..1100 {
        store.settle(&format!("evt_{n:04}"), &delivered(), after(1)).await.unwrap();
    }
    let rest = [
        ("evt_1100", delivered(), 24 * 30),
        ("evt_1101", Settled::Superseded, 1),
        ("evt_1102", Settled::Dead { error: "x".into(), unanswered: false }, 1),
        ("evt_1103", Settled::Dead { error: "x".into(), unanswered: false }, 24 * 70),
    ];
    for (id, settled, at) in rest {
        store.settle(id, &settled, after(at)).await.unwrap();
    }
    store.add_silence(&silence("sil_1", after(1))).await.unwrap();
    store.add_silence(&silence("sil_2", after(48))).await.unwrap();
    assert_eq!(store.prune(after(24 * 30)).await.unwrap(), 0, "not yet");
    assert_eq!(store.prune(after(24 * 30 + 2)).await.unwrap(), 1101);
    assert_eq!(store.silences().await.unwrap().len(), 1);
    assert_eq!(store.prune(after(24 * 100)).await.unwrap(), 2);
    let left = store.messages(&State::ALL, 1000, None).await.unwrap();
    assert_eq!(left.len(), 97, "what waits is never thrown away");
    assert!(left.iter().all(|row| row.state == State::Queued || &*row.message.id == "evt_1103"));
    store.close().await;
}

async fn rows_of_somebody_else_are_left_out_and_told(database: Database) {
    let store = database.open().await;
    let known = memory(&["ops"]);
    let odd =
        |kind, key: &str, value: &str| MemoryRow { kind, key: key.into(), value: Some(value.to_owned()) };
    let mut rows = known.rows_since(&Memory::default());
    rows.push(odd("certificate", "not hexadecimal", "{}"));
    rows.push(odd("channel", "torn", "{\"since\":"));
    rows.push(odd("later", "x", "{}"));
    store.commit_alerts(&rows, &[message("evt_1", "ops", Stage::Info, 0)], moment()).await.unwrap();
    queue(&store, &[message("evt_2", "ops", Stage::Info, 1)]).await;
    store.add_silence(&silence("sil_1", after(5))).await.unwrap();
    store.close().await;
    database.meddle("UPDATE outbox SET message = '{}' WHERE id = 'evt_1'").await;
    database.meddle("UPDATE silence SET silence = '{}' WHERE id = 'sil_1'").await;

    let store = database.open().await;
    let Alerts { memory: found, silences, odd } = store.load_alerts().await.unwrap();
    assert_eq!((found, silences.len(), odd.unwrap().0), (known, 0, 4));
    assert_eq!(store.load_alerts().await.unwrap().odd, None, "they were erased");
    assert_eq!(&*take(&store, "ops").await.unwrap().message.id, "evt_2", "the other does not hold it up");
    assert_eq!(take(&store, "ops").await, None);
    let row = state_of(&store, "evt_1").await;
    assert_eq!((row.state, &*row.message.channel, row.message.at), (State::Dead, "ops", moment()));
    assert!(row.last_error.unwrap().starts_with("not a message of this program: "));
    store.close().await;
}
