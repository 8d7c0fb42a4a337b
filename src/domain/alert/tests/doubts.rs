//! Answers that differ: nodes that show certificates of their own, and answers that are simply wrong.

use super::*;

const NONE: [&str; 0] = [];

/// A certificate in its last six days of which everybody knows.
fn told() -> Town {
    let mut town = Town::new().with("r-1", days(6));
    assert_eq!(town.told(), ["chat: r-1 entered critical"]);
    town
}

impl Town {
    /// Looks every three hours that find these ends in turn; what is told meanwhile.
    fn in_turn(&mut self, ends: &[DateTime<Utc>], looks: usize) -> Vec<String> {
        let mut told = Vec::new();
        for end in ends.iter().cycle().take(looks) {
            self.wait(TimeDelta::hours(3)).read("r-1", *end);
            told.extend(self.told());
        }
        told
    }
}

#[test]
fn two_nodes_with_new_certificates_are_a_renewal_until_the_earlier_end() {
    let mut town = told();
    let (b, c) = (town.now + days(20), town.now + days(300));
    assert_eq!(town.in_turn(&[c, b], 4), NONE, "each of them may be an odd answer");
    assert_eq!(town.in_turn(&[c, b], 4), ["chat: r-1 renewed, info"]);
    let past = town.memory.certificates.values().next().expect("told");
    assert_eq!(past.epoch, b);
    assert_eq!(town.in_turn(&[c, b], 20), NONE, "once");
    town.wait(days(4));
    assert_eq!(town.in_turn(&[c, b], 4), ["chat: r-1 entered warning from info"]);
}

#[test]
fn of_two_nodes_an_expired_certificate_is_told_whatever_the_other_shows() {
    for (name, other) in [("a new one", days(300)), ("the one that is known", days(6))] {
        let mut town = told();
        let (expired, other) = (town.now - days(1), town.now - COMPANY + other);
        let nodes = [expired, other];
        assert_eq!(town.in_turn(&nodes, 3), ["chat: r-1 changed, expired"], "{name}");
        let later = town.in_turn(&nodes, 17);
        assert_eq!(later, ["chat: r-1 still expired", "chat: r-1 still expired"], "{name}: two days");
    }
}

#[test]
fn an_odd_answer_before_a_renewal_is_not_the_renewal() {
    let mut town = told();
    let (odd, new) = (town.now + days(90), town.now + days(365));
    assert_eq!(town.in_turn(&[odd, new], 2), NONE);
    assert_eq!(town.wait(TimeDelta::hours(10)).told(), NONE, "nothing was read since");
    town.read("r-1", new);
    assert_eq!(town.told(), ["chat: r-1 renewed"]);
    let past = town.memory.certificates.values().next().expect("told");
    assert_eq!(past.epoch, new);
}

#[test]
fn of_three_nodes_the_earliest_counts() {
    let mut town = told();
    let ends = [300, 2, 100].map(|left| town.now + days(left));
    assert_eq!(town.in_turn(&ends, 5), ["chat: r-1 changed, critical"], "at the second look at that node");
    let mut town = told();
    let ends = [300, 12, 100].map(|left| town.now + days(left));
    assert_eq!(town.in_turn(&ends, 9), ["chat: r-1 renewed, warning"]);
}

#[test]
fn an_odd_answer_now_and_then_is_nothing() {
    let mut town = told();
    let end = town.now - COMPANY + days(6);
    for odd in [days(300), days(2), -days(2)] {
        let told = town.in_turn(&[end + odd, end, end, end, end, end], 6);
        assert!(told.iter().all(|told| told == "chat: r-1 still critical"), "{odd}: {told:?}");
    }
    let later = end + days(200);
    let told = town.in_turn(&[later, end, later, end, later, end, later, end], 8);
    assert_eq!(
        told,
        ["chat: r-1 still critical"],
        "a later end is believed only without the old one in between"
    );
}

#[test]
fn nodes_that_nobody_can_look_at_any_more_keep_the_earliest_end() {
    let mut town = told();
    let (b, c) = (town.now + days(2), town.now + days(300));
    assert_eq!(town.in_turn(&[b, c], 2), NONE);
    assert_eq!(town.wait(TimeDelta::hours(11)).told(), NONE);
    assert_eq!(town.wait(TimeDelta::hours(1)).told(), NONE, "it is believed now, and waits for company");
    assert_eq!(town.wait(TimeDelta::minutes(1)).told(), ["chat: r-1 changed, critical"]);
}
