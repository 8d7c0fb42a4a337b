//! The same message once more: recognisable by the other side, and with a time and a signature of its own.

use chrono::TimeDelta;
use notafter::notifier::Sender;
use notafter::notifier::samples::{self, now};

use crate::support::Line;
use crate::table;

#[tokio::test]
async fn a_repeat_keeps_its_identity_and_renews_its_stamp() {
    for channel in table::all() {
        let line = Line::open(&channel).await;
        let Sender::Messages(_) = &line.sender else { continue };
        let message = samples::one_critical();
        let parts = line.parts(&message);
        line.post(&message, &parts, now()).await;
        line.post(&message, &parts, now() + TimeDelta::seconds(90)).await;
        let requests: Vec<_> = line.deliveries().into_iter().map(|delivery| delivery.request).collect();
        let (first, second) = requests.split_at(requests.len() / 2);
        assert!(first.len() == second.len() && !first.is_empty(), "{}: {requests:?}", channel.name);
        for (first, second) in first.iter().zip(second) {
            let name = channel.name;
            assert_eq!((channel.same)(first), (channel.same)(second), "{name}");
            let stamps = (channel.fresh)(first).into_iter().zip((channel.fresh)(second));
            for (old, new) in stamps {
                assert!(!old.is_empty() && old != new, "{name}: {old} came again");
            }
        }
        // some markups escape the underscore behind `evt`
        let id = message.id.trim_start_matches("evt_");
        let carries = |half: &[notafter::sim::receivers::Request]| {
            half.iter().any(|request| format!("{request:?}").contains(id))
        };
        assert!(carries(first) && carries(second), "{}: the event id is nowhere", channel.name);
    }
}

#[tokio::test]
async fn parts_depend_on_nothing_but_their_arguments() {
    for channel in table::all() {
        let (one, other) = (Line::open(&channel).await, Line::open(&channel).await);
        for (name, message) in samples::all() {
            let told = format!("{}: {name}", channel.name);
            let parts = one.parts(&message);
            assert_eq!(parts, one.parts(&message), "{told}, the same channel");
            assert_eq!(parts, other.parts(&message), "{told}, another one of the same settings");
            assert!(matches!(one.sender, Sender::State(_)) || !parts.is_empty(), "{told}: nothing to post");
        }
    }
}
