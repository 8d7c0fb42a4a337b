//! What is thrown anew each time: jitter, and the ids of messages.

use chrono::{DateTime, Utc};
use ulid::Ulid;

use crate::domain::hash::stable_hash;

/// A number from 0 up to 1.
#[allow(clippy::cast_precision_loss)] // 53 bits fit an f64 exactly
pub fn chance() -> f64 {
    let [random, _] = random();
    (random >> 11) as f64 / (1_u64 << 53) as f64
}

/// An id for a message that is decided now: `evt_` and a ULID, so that ids are in the order of time.
pub fn event_id(now: DateTime<Utc>) -> Box<str> {
    id("evt_", now, random())
}

/// The id of a message that may be decided again after a crash, and must be the same then.
pub(super) fn event_id_of(at: DateTime<Utc>, about: &[&str]) -> Box<str> {
    let of = |salt: &'static str| stable_hash(std::iter::once(salt).chain(about.iter().copied()));
    id("evt_", at, [of("first"), of("second")])
}

/// The id of a silence.
pub fn silence_id(now: DateTime<Utc>) -> Box<str> {
    id("sil_", now, random())
}

fn random() -> [u64; 2] {
    let mut bytes = [0; 16];
    if aws_lc_rs::rand::fill(&mut bytes).is_err() {
        // the system has no randomness to give: the address of something new is better than nothing
        let boxed = Box::new(0_u8);
        let text = format!("{:p} {:?}", boxed, std::time::Instant::now());
        return [stable_hash([&*text, "first"]), stable_hash([&*text, "second"])];
    }
    let [first, second] = [0, 8].map(|at| bytes[at..at + 8].try_into().expect("eight bytes"));
    [u64::from_le_bytes(first), u64::from_le_bytes(second)]
}

fn id(prefix: &str, at: DateTime<Utc>, [first, second]: [u64; 2]) -> Box<str> {
    let millis = u64::try_from(at.timestamp_millis()).unwrap_or_default();
    let chance = (u128::from(first) << 64) | u128::from(second);
    format!("{prefix}{}", Ulid::from_parts(millis, chance)).into()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use chrono::TimeDelta;

    use super::*;
    use crate::domain::testing::moment;

    #[test]
    fn ids_are_ulids() {
        let at = DateTime::from_timestamp_millis(1_469_918_176_385).expect("in range");
        let id = id("evt_", at, [0, 0]);
        assert_eq!(&*id, "evt_01ARYZ6S410000000000000000", "the time of the specification's own example");
        let greatest = super::id("", DateTime::<Utc>::MAX_UTC, [u64::MAX, u64::MAX]);
        assert_eq!(greatest.len(), 26);
    }

    #[test]
    fn later_ids_are_greater_and_none_comes_twice() {
        let ids: Vec<_> = (0..500).map(|n| event_id(moment() + TimeDelta::milliseconds(n))).collect();
        assert!(ids.is_sorted());
        let at_once: BTreeSet<_> = (0..500).map(|_| event_id(moment())).collect();
        assert_eq!(at_once.len(), 500);
    }

    #[test]
    fn what_is_decided_again_has_the_same_id() {
        let id = |about: &[&str]| event_id_of(moment(), about);
        assert_eq!(id(&["failing", "a", "b"]), id(&["failing", "a", "b"]));
        assert_ne!(id(&["failing", "a", "b"]), id(&["failing", "b", "a"]));
    }

    #[test]
    fn chances_are_spread_between_0_and_1() {
        let thrown: Vec<f64> = (0..1000).map(|_| chance()).collect();
        assert!(thrown.iter().all(|chance| (0.0..1.0).contains(chance)));
        let mean = thrown.iter().sum::<f64>() / 1000.0;
        assert!((0.4..0.6).contains(&mean), "{mean}");
    }
}
