//! Answers that come late, and answers that cannot be written down.

use chrono::TimeDelta;

use super::super::keeping::Away;
use super::super::work::Answer;
use super::{House, REGION, TAKES};
use crate::domain::alert::message::{RenewalNews, RenewalNote};
use crate::domain::renewal::attempt::Class;
use crate::provider::Sent;
use crate::sim::alibaba::{Engine, Instance, OnModify, Refusal};

async fn house(on_modify: OnModify) -> House {
    let end = "2026-10-15T00:00:00Z".parse().expect("a date");
    let redis = Instance::new(Engine::Redis, "r-1", "prod", REGION, end);
    House::new(vec![Instance { on_modify, ..redis }]).await
}

fn full() -> Away {
    Away("database or disk is full".to_owned())
}

#[tokio::test]
async fn an_answer_that_comes_after_the_outcome_changes_nothing() {
    let refused = || OnModify::Refuses(Refusal::new(403, "OrderStatus.UnPaid"));
    for (want, on_modify) in
        [("confirmed", OnModify::Works), ("without_effect", OnModify::NoEffect), ("refused", refused())]
    {
        let mut house = house(on_modify).await;
        house.until_sent().await;
        house.round().await;
        let sent = house.attempt().await;
        for _ in 0..4 {
            house.pass(TAKES);
            house.turn().await;
            house.turn().await;
        }
        let over = house.attempt().await;
        assert_eq!(over.state.as_str(), want);
        let failed = house.told(|news| matches!(news, RenewalNews::Failed { .. })).await;
        for answer in [
            Sent::Accepted { request_id: "LATE".into() },
            Sent::Refused {
                class: Class::Retry,
                code: "C".into(),
                text: "".into(),
                request_id: "LATE".into(),
            },
            Sent::NotSent { text: "nothing left".into() },
            Sent::Lost { text: "no answer".into() },
        ] {
            let name = format!("{want}, then {answer:?}");
            let at = house.ours.now();
            house.renewals.course.answers.push(Answer { attempt: sent.clone(), at, sent: answer });
            house.turn().await;
            house.turn().await;
            assert_eq!(house.attempt().await, over, "{name}");
            assert!(house.renewals.course.answers.is_empty(), "{name}: it waits for ever");
        }
        assert_eq!(house.told(|news| matches!(news, RenewalNews::Failed { .. })).await, failed, "{want}");
        assert_eq!(house.told(|news| matches!(news, RenewalNews::Held { .. })).await, 0, "{want}");
        assert_eq!(house.sent(), 1, "{want}");
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_written_down_is_shown_until_it_is() {
    let mut house = house(OnModify::Works).await;
    house.keeping.set(|attempt| if attempt.state.as_str() == "accepted" { Err(full()) } else { Ok(()) });
    house.until_sent().await;
    for _ in 0..3 {
        house.turn().await;
        assert_eq!(house.state().await, "stored");
        let trouble = house.trouble();
        assert!(trouble.contains("what became of a renewal cannot be written down"), "{trouble}");
        assert!(trouble.contains("disk is full"), "{trouble}");
        house.pass(TimeDelta::minutes(1));
    }
    let key = house.attempt().await.key.resource;
    let board = house.renewals.board().borrow().clone();
    let note = board.notes.of(key.fingerprint()).map(|known| known.note.clone());
    assert_eq!(note, Some(RenewalNote::Manual), "alerts must not keep quiet");
    house.keeping.calm_down();
    house.turn().await;
    house.turn().await;
    assert_eq!((house.state().await.as_str(), house.trouble().as_str()), ("accepted", ""));
    house.pass(TAKES);
    house.turn().await;
    house.turn().await;
    assert_eq!(house.state().await, "confirmed");
    assert_eq!(house.sent(), 1);
}

#[tokio::test]
async fn what_cannot_be_announced_or_begun_is_shown_too() {
    let mut house = house(OnModify::Works).await;
    house.keeping.set(|_| Err(full()));
    house.turn().await;
    assert!(house.trouble().contains("what is planned cannot be written down"), "{}", house.trouble());
    house.keeping.calm_down();
    house.turn().await;
    assert_eq!(house.trouble(), "");
    house.keeping.set(|attempt| if attempt.state.as_str() == "stored" { Err(full()) } else { Ok(()) });
    house.pass(TimeDelta::hours(5));
    for _ in 0..4 {
        house.turn().await;
    }
    assert!(house.trouble().contains("disk is full"), "{}", house.trouble());
    assert_eq!(house.sent(), 0, "what is not written down is not sent");
    house.keeping.calm_down();
    house.turn().await;
    house.turn().await;
    assert_eq!((house.sent(), house.trouble().as_str()), (1, ""));
}
