//! Who and what interferes in a month: faults of the cloud, people at the desk, people in the console, silences.

use std::sync::Arc;

use chrono::TimeDelta;
use notafter::domain::alert::silence::SilenceRow;
use notafter::sim::alibaba::{Fault, Reset, Where};
use notafter::web::inside::{RenewalDesk as _, Word};

use crate::dice::Dice;
use crate::month::Month;

/// One of so many, where there are any.
fn pick(dice: &mut Dice, many: usize) -> Option<usize> {
    (many > 0).then(|| usize::try_from(dice.below(u64::try_from(many).unwrap())).unwrap())
}

fn one(dice: &mut Dice, end: u64) -> i64 {
    i64::try_from(1 + dice.below(end)).unwrap()
}

impl Month {
    pub(crate) fn interfere(&mut self) {
        // what met no call by now would meet the next one for sure
        self.estate.cloud.clear_faults();
        if self.dice.one_in(6) {
            let actions = ["ModifyInstanceSSL", "ModifyDBInstanceSSL"];
            let action = actions[usize::try_from(self.dice.below(2)).unwrap()];
            let fault = match self.dice.below(6) {
                0 => Fault::Reset(Reset::BeforeAnswer),
                1 => Fault::Reset(Reset::KeptConnection),
                2 => Fault::Status { status: 500, json: false },
                3 => Fault::EmptyBody,
                4 => Fault::Garbage,
                _ => Fault::Throttle { retry_after_ms: None },
            };
            self.estate.cloud.inject(fault, Where::action(action), Some(1));
        }
        if self.dice.one_in(12) {
            let fault = Fault::Status { status: 503, json: false };
            self.estate.cloud.inject(fault, Where::default(), Some(2));
        }
        self.break_an_account();
        self.somebody_in_the_console();
    }

    /// The second account answers nothing, for hours or for days.
    fn break_an_account(&mut self) {
        let now = self.time.now();
        self.outage = self.outage.filter(|until| now < *until);
        if self.outage.is_none() && self.dice.one_in(250) {
            self.outage = Some(now + TimeDelta::hours(one(&mut self.dice, 60)));
        }
        if self.outage.is_some() {
            let place = Where { key: Some("other".to_owned()), ..Where::default() };
            self.estate.cloud.inject(Fault::Status { status: 503, json: false }, place, None);
        }
    }

    /// Somebody else changes an instance meanwhile, or renews it.
    fn somebody_in_the_console(&mut self) {
        let now = self.time.now();
        let over: Vec<_> =
            self.changing.iter().filter(|(_, (_, until))| *until <= now).map(|(id, _)| id.clone()).collect();
        for id in over {
            let (word, _) = self.changing.remove(&id).expect("it is in there");
            let ready = if word == "Changing" { "Normal" } else { "Running" };
            if self.estate.status(&id) == word {
                self.estate.cloud.set_status(&id, ready);
            }
        }
        let ids: Vec<String> = self.estate.allowed.keys().cloned().collect();
        let id = ids[pick(&mut self.dice, ids.len()).expect("some")].clone();
        if self.dice.one_in(40) && self.estate.is_ready(&id) {
            let word = if self.estate.status(&id) == "Normal" { "Changing" } else { "Restarting" };
            self.estate.cloud.set_status(&id, word);
            let until = now + TimeDelta::minutes(20 * one(&mut self.dice, 30));
            self.changing.insert(id, (word, until));
        } else if self.dice.one_in(if self.verdict.is_near(now) { 150 } else { 400 }) {
            self.estate.cloud.renew(&id, now + TimeDelta::days(300));
            self.verdict.renewed_elsewhere(&id);
        } else if self.dice.one_in(300) && self.estate.cloud.start_renewal(&id) {
            self.verdict.renewed_elsewhere(&id);
        }
    }

    pub(crate) async fn people(&mut self) {
        if self.dice.one_in(90) {
            self.silence().await;
        }
        if self.dice.one_in(30) {
            self.decide().await;
        }
    }

    /// Somebody wants an instance left alone, or not any more.
    async fn silence(&mut self) {
        let now = self.time.now();
        let ids: Vec<String> = self.estate.allowed.keys().cloned().collect();
        let id = ids[pick(&mut self.dice, ids.len()).expect("some")].clone();
        let known: Vec<_> = self.store.silences().await.unwrap();
        if self.dice.one_in(4)
            && let Some(last) = known.iter().find(|row| row.ends_at > now)
        {
            assert!(self.store.end_silence(&last.id, now).await.unwrap());
            self.verdict.silence_ended(&last.id, now);
            return;
        }
        self.silences += 1;
        let name = format!("sil_{:026}", self.silences);
        let ends_at = now + TimeDelta::hours(one(&mut self.dice, 120));
        let row = SilenceRow {
            id: name.as_str().into(),
            matcher: Some(format!("resource_id=\"{id}\"").into()),
            fingerprint: None,
            stage: None,
            starts_at: now,
            ends_at,
            author: "li.wei".into(),
            comment: "a sale".into(),
            include_expired: false,
        };
        self.store.add_silence(&row).await.unwrap();
        self.verdict.silenced(&name, &id, now, ends_at);
    }

    async fn decide(&mut self) {
        let board = Arc::clone(&self.renewals.board().borrow());
        let desk = self.renewals.desk();
        let at_once = self.dice.one_in(4);
        let (now, ends) = (self.time.now(), self.estate.ends());
        match self.dice.below(6) {
            0..=2 => {
                let Some(at) = pick(&mut self.dice, board.attempts.len()) else { return };
                let attempt = &board.attempts[at];
                if desk.approve(&attempt.id, word(at_once)).await.is_ok() {
                    self.verdict.wanted(&attempt.key.resource.resource_id, at_once, now, &ends);
                }
            }
            3 if self.dice.one_in(3) => {
                let Some(at) = pick(&mut self.dice, board.attempts.len()) else { return };
                drop(desk.reject(&board.attempts[at].id, word(false)).await);
            }
            _ => {
                let Some(at) = pick(&mut self.dice, board.plan.steps.len()) else { return };
                let resource = &board.plan.steps[at].resource;
                if desk.order(resource, word(at_once)).await.is_ok() {
                    self.verdict.wanted(&resource.resource_id, at_once, now, &ends);
                }
            }
        }
    }
}

fn word(at_once: bool) -> Word<'static> {
    Word { by: "li.wei", at_once, seen: None }
}
