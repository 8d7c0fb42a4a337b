//! A message at the moment it is sent: what is no longer worth saying is out, what is known by now is in.
//!
//! The end that was decided about stays, so that nobody reads of another certificate than the one that was meant.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, Fingerprint, Item, Message, News, RenewalItem, RenewalNews,
};
use crate::domain::policy::PollPolicy;
use crate::domain::resource::{Certificate, Resource};
use crate::domain::snapshot::Snapshot;

/// What is known now.
#[derive(Clone, Copy)]
pub struct Present<'a> {
    /// Everything.
    pub snapshot: &'a Snapshot,
    /// For what counts as stale.
    pub poll: &'a PollPolicy,
    /// The ends that are believed: a message is not taken back for one answer that nobody confirmed. What is not among them
    /// was not told to anybody.
    pub believed: &'a BTreeMap<Fingerprint, DateTime<Utc>>,
    /// The tag that names the owner of a resource, by account.
    pub owner_tag: &'a (dyn Fn(&str) -> Option<&'a str> + Sync),
    /// The moment.
    pub now: DateTime<Utc>,
}

/// The certificates of a message, whose ends have to be known to bring it up to date.
pub fn certificates(message: &Message) -> BTreeSet<Fingerprint> {
    let fingerprint = |item: &Item| match item {
        Item::Certificate(CertificateItem { facts, .. }) | Item::Renewal(RenewalItem { facts, .. }) => {
            Some(facts.fingerprint)
        }
        Item::Source(_) | Item::Channel(_) => None,
    };
    message.items.iter().filter_map(fingerprint).collect()
}

/// The message as of now; `None`: events have overtaken all of it.
///
/// Of a message that was sent in part nothing is left out: its parts would not fit together any more.
pub fn current(message: Message, sent_in_part: bool, present: &Present<'_>) -> Option<Message> {
    let had = message.items.len();
    let worth = |item: &Item| sent_in_part || !present.overtook(item);
    let items: Vec<Item> =
        message.items.into_iter().filter(worth).map(|item| present.refreshed(item)).collect();
    let says_more = had == 0 || message.left_out > 0 || message.overview.is_some();
    (says_more || !items.is_empty()).then_some(Message { items, ..message })
}

impl<'a> Present<'a> {
    /// Whether an item warns of an end that is not the end any more, or announces what is over.
    fn overtook(&self, item: &Item) -> bool {
        match item {
            Item::Certificate(item) => match item.news {
                News::Entered { .. } | News::Reminder { .. } | News::Changed { .. } => {
                    self.is_renewed(&item.facts)
                }
                News::Renewed { .. } | News::Gone { .. } => false,
            },
            Item::Renewal(item) => match item.news {
                RenewalNews::Planned { until, .. } => until <= self.now || self.is_renewed(&item.facts),
                // of what was begun every step is told
                RenewalNews::Started { .. }
                | RenewalNews::Held { .. }
                | RenewalNews::Succeeded { .. }
                | RenewalNews::Failed { .. } => false,
            },
            Item::Source(_) | Item::Channel(_) => false,
        }
    }

    /// By the same belief by which the end of a warning is told, or is not where nobody got the warning.
    fn is_renewed(&self, facts: &CertificateFacts) -> bool {
        self.believed.get(&facts.fingerprint).is_some_and(|end| *end > facts.not_after)
    }

    fn refreshed(&self, mut item: Item) -> Item {
        match &mut item {
            Item::Certificate(CertificateItem { facts, .. }) | Item::Renewal(RenewalItem { facts, .. }) => {
                self.refresh(facts);
            }
            Item::Source(_) | Item::Channel(_) => {}
        }
        item
    }

    fn refresh(&self, facts: &mut CertificateFacts) {
        let Some(resource) = self.resource(facts) else { return };
        facts.resource_name.clone_from(&resource.facts.name);
        facts.in_use = resource.facts.in_use;
        if let Some(tag) = (self.owner_tag)(&facts.account) {
            facts.owner = resource.tag(tag).map(Into::into);
        }
        if let Some((reading_at, certificate)) = self.find(facts)
            && certificate.not_after == facts.not_after
        {
            facts.last_seen = reading_at;
            facts.stale = resource.is_stale(self.poll, self.now);
        }
    }

    fn resource(&self, facts: &CertificateFacts) -> Option<&'a Resource> {
        let view = self.snapshot.scopes.get(&facts.scope())?;
        view.resources.get(&facts.resource_id).map(|resource| &**resource)
    }

    /// The certificate, and when it was read. Of several with the same role it is the one that ends first.
    fn find(&self, facts: &CertificateFacts) -> Option<(DateTime<Utc>, &'a Certificate)> {
        let reading = self.resource(facts)?.reading.as_ref()?;
        let same_role = reading.certificates.iter().filter(|one| one.role.as_str() == &*facts.role);
        let certificate = same_role.min_by_key(|certificate| certificate.not_after)?;
        Some((reading.at, certificate))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use chrono::TimeDelta;

    use super::*;
    use crate::domain::alert::delivery::testing::{entered, facts, item, message, renewal};
    use crate::domain::alert::message::{Gone, Kind, Overview};
    use crate::domain::finding::Stage;
    use crate::domain::snapshot::ScopeView;
    use crate::domain::testing::{certificate, moment, reading, resource, scope};

    /// `r-1` ends in so many days, by the last look.
    fn snapshot(days: i64) -> Snapshot {
        let mut known = resource("r-1");
        known.facts.name = "new name".into();
        known.facts.tags = [("owner".into(), "ann".into())].into();
        known.reading = Some(reading(vec![certificate(moment() + TimeDelta::days(days))]));
        let view = ScopeView::default().with_resources([known]);
        let mut snapshot = Snapshot::default();
        snapshot.scopes.insert(Arc::new(scope("redis")), Arc::new(view));
        snapshot
    }

    fn fingerprint() -> Fingerprint {
        facts("r-1", moment()).fingerprint
    }

    fn current_as(
        message: Message,
        sent_in_part: bool,
        snapshot: &Snapshot,
        believed: &BTreeMap<Fingerprint, DateTime<Utc>>,
    ) -> Option<Message> {
        let (poll, owner_tag) = (&PollPolicy::default(), &|_: &str| Some("owner"));
        current(message, sent_in_part, &Present { snapshot, poll, believed, owner_tag, now: moment() })
    }

    /// What is read is believed.
    fn current_with(message: Message, sent_in_part: bool, snapshot: &Snapshot) -> Option<Message> {
        let certificates = snapshot.resources().flat_map(|(_, resource)| resource.certificates());
        let believed = certificates.map(|certificate| (fingerprint(), certificate.not_after)).collect();
        current_as(message, sent_in_part, snapshot, &believed)
    }

    fn ids(message: Option<&Message>) -> Option<Vec<&str>> {
        fn id(item: &Item) -> &str {
            match item {
                Item::Certificate(item) => &item.facts.resource_id,
                _ => panic!("a certificate"),
            }
        }
        Some(message?.items.iter().map(id).collect())
    }

    #[test]
    fn what_was_renewed_meanwhile_is_not_warned_of() {
        let warned = || item("r-1", 7, entered(Stage::Critical, None));
        let reminded = || item("r-1", 7, News::Reminder { stage: Stage::Critical, since: moment() });
        let changed = || {
            let old_not_after = moment() + TimeDelta::days(90);
            item("r-1", 7, News::Changed { old_not_after, old_serial: "".into(), stage: Stage::Critical })
        };
        let gone = || item("r-1", 7, News::Gone { how: Gone::NotListed, told: Stage::Critical });
        let other = || item("r-2", 7, entered(Stage::Critical, None));
        for (name, items, in_part, days, want) in [
            ("not renewed", vec![warned()], false, 7, Some(vec!["r-1"])),
            ("renewed", vec![warned()], false, 300, None),
            ("a reminder", vec![reminded()], false, 300, None),
            ("a change", vec![changed()], false, 300, None),
            ("ends even earlier", vec![warned()], false, 3, Some(vec!["r-1"])),
            ("that it went is still true", vec![gone()], false, 300, Some(vec!["r-1"])),
            ("one of two", vec![warned(), other()], false, 300, Some(vec!["r-2"])),
            ("sent in part", vec![warned(), other()], true, 300, Some(vec!["r-1", "r-2"])),
            ("nothing in it from the start", vec![], false, 300, Some(vec![])),
        ] {
            let now = current_with(message(items), in_part, &snapshot(days));
            assert_eq!(ids(now.as_ref()), want, "{name}");
        }
    }

    #[test]
    fn a_message_that_is_more_than_its_items_is_always_worth_saying() {
        let warned = || message(vec![item("r-1", 7, entered(Stage::Critical, None))]);
        let digest = Message { kind: Kind::Digest, overview: Some(Overview::default()), ..warned() };
        let long = Message { left_out: 3, ..warned() };
        for message in [digest, long] {
            assert_eq!(ids(current_with(message, false, &snapshot(300)).as_ref()), Some(vec![]));
        }
    }

    #[test]
    fn a_word_is_taken_back_only_for_an_end_that_is_believed() {
        let warned = message(vec![item("r-1", 7, entered(Stage::Critical, None))]);
        let planned = RenewalNews::Planned {
            from: moment(),
            until: moment() + TimeDelta::hours(4),
            asks: false,
            missed: None,
        };
        let planned = message(vec![renewal("r-1", 7, planned)]);
        let hours = |hours| Some(TimeDelta::hours(hours));
        for (name, read, believed, said) in [
            ("one answer has a later end", 300, hours(7 * 24), true),
            ("and nobody was told of the certificate", 300, None, true),
            ("a later end is believed", 300, hours(300 * 24), false),
            ("and one answer has the old one", 7, hours(300 * 24), false),
            ("another certificate that ends an hour later", 7, hours(7 * 24 + 1), false),
            ("an earlier one", 3, hours(3 * 24), true),
        ] {
            for message in [&warned, &planned] {
                let believed = believed.map(|left| (fingerprint(), moment() + left)).into_iter().collect();
                let said_now = current_as(message.clone(), false, &snapshot(read), &believed);
                assert_eq!(said_now.is_some(), said, "{name}: {}", message.type_name());
            }
        }
    }

    #[test]
    fn a_renewal_is_announced_only_while_it_can_still_be_stopped() {
        let planned = |hours: i64| {
            let from = moment() + TimeDelta::hours(hours);
            RenewalNews::Planned { from, until: from + TimeDelta::hours(4), asks: false, missed: None }
        };
        let new_not_after = moment() + TimeDelta::days(300);
        let held = || RenewalNews::Held { text: "not now".into() };
        for (name, news, in_part, days, said) in [
            ("ahead", planned(1), false, 7, true),
            ("open", planned(-3), false, 7, true),
            ("over", planned(-4), false, 7, false),
            ("over, and sent in part", planned(-4), true, 7, true),
            ("renewed meanwhile", planned(1), false, 300, false),
            ("begun, and over by now", RenewalNews::Started { expected_by: moment() }, false, 300, true),
            ("held back, and renewed since", held(), false, 300, true),
            ("succeeded", RenewalNews::Succeeded { new_not_after }, false, 300, true),
        ] {
            let said_now = current_with(message(vec![renewal("r-1", 7, news)]), in_part, &snapshot(days));
            assert_eq!(said_now.is_some(), said, "{name}");
            let Some(Item::Renewal(item)) = said_now.and_then(|mut said| said.items.pop()) else { continue };
            assert_eq!(&*item.facts.resource_name, "new name", "{name}");
            assert_eq!(item.facts.not_after, moment() + TimeDelta::days(7), "{name}");
        }
    }

    #[test]
    fn what_is_known_by_now_is_said_and_the_end_stays() {
        let warned = message(vec![item("r-1", 7, entered(Stage::Critical, None))]);
        let said = current_with(warned, false, &snapshot(7)).expect("still true");
        let Item::Certificate(item) = &said.items[0] else { panic!("a certificate") };
        let facts = &item.facts;
        assert_eq!((&*facts.resource_name, facts.owner.as_deref()), ("new name", Some("ann")));
        assert_eq!((facts.last_seen, facts.stale), (moment(), false));
        assert_eq!(facts.not_after, moment() + TimeDelta::days(7));
    }

    #[test]
    fn the_age_of_another_certificate_is_not_that_of_the_one_that_is_meant() {
        let old_not_after = moment() + TimeDelta::days(3);
        let by = crate::domain::alert::message::By::External;
        let (stage, told) = (Stage::Ok, Stage::Critical);
        let news = News::Renewed { old_not_after, old_serial: "".into(), by, stage, told };
        let said = current_with(message(vec![item("r-1", 90, news)]), false, &snapshot(300)).expect("true");
        let Item::Certificate(item) = &said.items[0] else { panic!("a certificate") };
        assert_eq!(item.facts.last_seen, moment() - TimeDelta::days(3));
        assert_eq!(&*item.facts.resource_name, "new name");
    }

    #[test]
    fn what_is_no_longer_known_is_said_as_it_was_decided() {
        let warned = message(vec![item("r-9", 7, entered(Stage::Critical, None))]);
        assert_eq!(current_with(warned.clone(), false, &snapshot(7)), Some(warned.clone()));
        assert_eq!(current_with(warned.clone(), false, &Snapshot::default()), Some(warned));
    }
}
