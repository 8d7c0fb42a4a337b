//! Everything known now. One owner folds results in; readers hold an immutable clone.
//!
//! A clone copies pointers to scopes, never resources. A failed look keeps what was known and its age; only a
//! complete listing removes anything.

use std::collections::BTreeMap;
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::due::Backlog;
use super::identity::{ResourceId, Scope};
use super::listing::{Inspection, Listed, Listing};
use super::policy::PollPolicy;
use super::reason::{Failure, Reason};
use super::resource::{Facts, Reading, Resource, TlsState};
use super::shelf::Shelf;

/// Busy answers in a row that are taken for a change that goes on (about an hour, as the waits double).
const PATIENCE_WITH_BUSY: u32 = 6;
/// This many different resources must fail in a row, for a cause that lies on the way to the cloud, before their
/// scope counts as failing.
const FAILING_LOOKS: usize = 3;

/// Everything known now.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What is known of each scope.
    pub scopes: BTreeMap<Arc<Scope>, Arc<ScopeView>>,
    /// The last list of the regions (and projects) of an account, by the stand-in scope of account × service.
    pub regions_listed: BTreeMap<Arc<Scope>, RegionList>,
    /// How far behind polling is.
    pub backlog: Backlog,
    /// Grows with every change; two snapshots with the same number are the same.
    pub revision: u64,
}

/// A list of regions that a cloud gave; what it named are scopes now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RegionList {
    /// When it came back.
    pub at: DateTime<Utc>,
    /// Fingerprint of the regions and projects that were configured then.
    pub asked_for: u64,
}

/// What is known of one scope.
#[derive(Debug, Clone, Default)]
pub struct ScopeView {
    /// Its resources.
    pub resources: Shelf,
    /// How many are in which TLS state.
    pub counts: Counts,
    /// How many the operator's `include` and `exclude` left out at the last listing.
    pub excluded: usize,
    /// Fingerprint of the `include` and `exclude` that the last listing went through.
    pub filtered_by: u64,
    /// When the last listing came back, good or bad.
    pub attempted_at: Option<DateTime<Utc>>,
    /// When the last complete listing came back.
    pub listed_at: Option<DateTime<Utc>>,
    /// When a complete listing told the tags of everything in it; not kept over a restart.
    pub tags_told_at: Option<DateTime<Utc>>,
    /// How long the last listing took.
    pub listing_took: Option<Duration>,
    /// Why the key is not accepted, while it is not.
    pub key_failure: Option<Failure>,
    /// Why the last listing failed or was incomplete.
    pub listing_failure: Option<Failure>,
    /// How many listings in a row failed.
    pub listing_failures: u32,
    /// Why looks at single resources fail, once that concerns the scope and not one resource.
    pub look_failure: Option<Failure>,
    /// Different resources whose looks failed since the last good one, for a cause on the way to the cloud.
    failing: Vec<ResourceId>,
    /// How many resources have failed at their last look.
    failed: usize,
    /// The last listing would have removed most of what is known; the next one decides.
    shrinking: bool,
}

/// Resources of a scope by TLS state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts([usize; 4]);

impl Counts {
    /// How many are in this state.
    pub fn of(&self, state: TlsState) -> usize {
        self.0[state as usize]
    }

    fn add(&mut self, state: TlsState) {
        self.0[state as usize] += 1;
    }

    fn take(&mut self, state: TlsState) {
        self.0[state as usize] -= 1;
    }
}

/// What a listing changed, for the due list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// New, or changed in a way that may concern its certificate: look at it now.
    LookNow(ResourceId),
    /// Carried by the listing itself, or not to be looked at yet: nothing to do before the next listing.
    Carried(ResourceId),
    /// No longer there.
    Gone(ResourceId),
}

impl Snapshot {
    /// A snapshot of scopes that were not looked at yet.
    pub fn of_scopes(scopes: impl IntoIterator<Item = Arc<Scope>>) -> Self {
        Self { scopes: scopes.into_iter().map(|scope| (scope, Arc::default())).collect(), ..Self::default() }
    }

    /// The view of a scope, for its owner to fold a result in. Creates it where there is none.
    pub fn scope_mut(&mut self, scope: &Arc<Scope>) -> &mut ScopeView {
        self.revision += 1;
        Arc::make_mut(self.scopes.entry(Arc::clone(scope)).or_default())
    }

    /// Takes a scope out that is no longer configured or no longer listed.
    pub fn remove_scope(&mut self, scope: &Scope) {
        self.revision += 1;
        self.scopes.remove(scope);
    }

    /// Every resource with its scope.
    pub fn resources(&self) -> impl Iterator<Item = (&Arc<Scope>, &Arc<Resource>)> {
        self.scopes
            .iter()
            .flat_map(|(scope, view)| view.resources.iter().map(move |resource| (scope, resource)))
    }

    /// Each scope had its first attempt (or restored state).
    pub fn is_ready(&self) -> bool {
        self.scopes.values().all(|view| view.attempted_at.is_some() || view.listed_at.is_some())
    }
}

impl ScopeView {
    /// The same view with these resources beside those that it has.
    #[must_use]
    pub fn with_resources(mut self, resources: impl IntoIterator<Item = Resource>) -> Self {
        for resource in resources {
            self.put(resource);
        }
        self
    }

    /// The same view with the resources of a shelf in the place of those that it has.
    #[must_use]
    pub fn with_shelf(mut self, resources: Shelf) -> Self {
        self.counts = Counts::default();
        for resource in resources.iter() {
            self.counts.add(resource.state());
        }
        self.failed = resources.iter().filter(|resource| resource.failure.is_some()).count();
        self.resources = resources;
        self
    }

    /// The scope was read well at the last word.
    pub fn is_up(&self) -> bool {
        self.listed_at.is_some() && self.failure().is_none()
    }

    /// How many of its resources are stale.
    pub fn stale(&self, policy: &PollPolicy, now: DateTime<Utc>) -> usize {
        self.resources.iter().filter(|resource| resource.is_stale(policy, now)).count()
    }

    /// Why the scope cannot be read, if so.
    pub fn failure(&self) -> Option<&Failure> {
        self.key_failure.as_ref().or(self.listing_failure.as_ref()).or(self.look_failure.as_ref())
    }

    /// The last listing would have removed most of what is known, and waits to be confirmed.
    pub fn is_shrinking(&self) -> bool {
        self.shrinking
    }

    /// Notes that the key is refused.
    pub fn key_refused(&mut self, failure: Failure) {
        self.attempted_at = Some(failure.at);
        self.key_failure = Some(failure);
    }

    /// Folds a listing in. Costs time in proportion to the listing; resources that did not change are not touched.
    pub fn absorb_listing(&mut self, listing: Listing, took: Duration, now: DateTime<Utc>) -> Vec<Change> {
        self.attempted_at = Some(now);
        self.listing_took = Some(took);
        let mut changes = Vec::new();
        if listing.incomplete.is_none() && listing.resources.iter().all(|listed| listed.tags_known) {
            self.tags_told_at = Some(now);
        }
        if listing.incomplete.is_none() && self.may_remove(&listing.resources) {
            self.remove_missing(&listing.resources, &mut changes);
        }
        for listed in listing.resources {
            changes.extend(self.absorb_listed(listed));
        }
        match listing.incomplete {
            None => {
                self.listed_at = Some(now);
                self.listing_failure = None;
                self.listing_failures = 0;
            }
            Some((reason, text)) => self.fail_listing(Failure { reason, text: text.into(), at: now }),
        }
        changes
    }

    /// Notes that a listing failed. Everything known stays.
    pub fn listing_failed(&mut self, failure: Failure) {
        self.attempted_at = Some(failure.at);
        self.fail_listing(failure);
    }

    /// Folds the result of a look in. Returns the resource as it is now, `None` if it is gone.
    pub fn absorb_inspection(
        &mut self,
        id: &str,
        inspection: Inspection,
        now: DateTime<Utc>,
    ) -> Option<&Arc<Resource>> {
        self.failing.clear();
        self.look_failure = None;
        match inspection {
            Inspection::Gone => self.change(id, |resource| resource.gone(now)),
            Inspection::Busy => self.change(id, |resource| resource.busy(now)),
            Inspection::Read(reading) if self.is_unlikely(id, &reading) => {
                self.change(id, |resource| resource.doubted(now));
            }
            Inspection::Read(reading) => self.change(id, |resource| resource.read(reading)),
            Inspection::ReadInPart(reading, text) => {
                self.change(id, |resource| resource.read_in_part(reading, text));
            }
        }
        self.judge_looks();
        self.resources.get(id)
    }

    /// One answer that TLS is not to be had here, where a certificate is known, may be a mistake over there; the
    /// second one in a row is believed.
    fn is_unlikely(&self, id: &str, reading: &Reading) -> bool {
        let known = self.resources.get(id);
        reading.state == TlsState::Unsupported
            && known.is_some_and(|known| !known.certificates().is_empty() && known.failures_in_a_row == 0)
    }

    /// Most looks failing makes a scope blind, whatever they fail of.
    fn judge_looks(&mut self) {
        let asked = self.resources.len() - self.counts.of(TlsState::Unsupported);
        if self.failed >= FAILING_LOOKS && self.failed * 2 > asked && self.look_failure.is_none() {
            let failing = self.resources.iter().find_map(|resource| resource.failure.as_deref());
            self.look_failure = failing.cloned();
        }
    }

    /// Notes that a look at a resource failed. What was known of it stays, with its age.
    pub fn inspection_failed(&mut self, id: &str, failure: Failure) {
        self.note_failing(id, &failure);
        self.change(id, |resource| {
            resource.looked_at = Some(failure.at);
            resource.failures_in_a_row = resource.failures_in_a_row.saturating_add(1);
            resource.failure = Some(Box::new(failure));
        });
        self.judge_looks();
    }

    /// Notes when a resource is looked at next.
    pub fn plan(&mut self, id: &str, due: Duration) {
        self.change(id, |resource| resource.due = Some(due));
    }

    /// Takes a resource out at once, as two listings in a row would.
    #[cfg(test)]
    pub(crate) fn take_out(&mut self, id: &str) {
        self.remove(id);
    }

    fn fail_listing(&mut self, failure: Failure) {
        self.listing_failures = self.listing_failures.saturating_add(1);
        self.listing_failure = Some(failure);
    }

    fn absorb_listed(&mut self, listed: Listed) -> Option<Change> {
        let Listed { id, mut facts, tags_known, reading, inspectable } = listed;
        let known = self.resources.get(&id);
        if let Some(known) = known.filter(|_| !tags_known) {
            facts.tags.clone_from(&known.facts.tags);
        }
        let carried = reading.is_some();
        let news = known.is_none_or(|known| known.needs_a_look(&facts, carried));
        if known.is_none_or(|known| known.facts != facts || known.carried != carried) || carried {
            let mut resource =
                known.map_or_else(|| Resource::new(Arc::clone(&id), facts.clone()), |r| (**r).clone());
            (resource.facts, resource.carried) = (facts, carried);
            if let Some(reading) = reading {
                resource.read(reading);
                resource.due = None;
                self.put(resource);
                return Some(Change::Carried(id));
            }
            self.put(resource);
        }
        match (news, inspectable) {
            (true, true) => Some(Change::LookNow(id)),
            (true, false) => Some(Change::Carried(id)),
            (false, _) => None,
        }
    }

    /// A listing that removes most of a scope must come twice: a defect over there looks the same as a clean-up.
    fn may_remove(&mut self, listed: &[Listed]) -> bool {
        let known = listed.iter().filter(|listed| self.resources.get(&listed.id).is_some()).count();
        let confirmed = self.shrinking;
        self.shrinking = self.resources.len() - known > self.resources.len() / 2 && !confirmed;
        !self.shrinking
    }

    fn remove_missing(&mut self, listed: &[Listed], changes: &mut Vec<Change>) {
        let listed: HashSet<&str> = listed.iter().map(|listed| &*listed.id).collect();
        let missing: Vec<ResourceId> = self
            .resources
            .iter()
            .filter(|resource| !listed.contains(&*resource.id))
            .map(|resource| Arc::clone(&resource.id))
            .collect();
        for id in missing {
            self.remove(&id);
            changes.push(Change::Gone(id));
        }
    }

    fn note_failing(&mut self, id: &str, failure: &Failure) {
        match failure.reason {
            Reason::Denied => self.look_failure = Some(failure.clone()),
            Reason::Throttled if self.resources.get(id).is_some_and(|known| known.failures_in_a_row < 2) => {}
            Reason::Unreachable | Reason::Timeout | Reason::Throttled => {
                if !self.failing.iter().any(|known| &**known == id) && self.failing.len() < FAILING_LOOKS {
                    self.failing.push(id.into());
                }
                let worth_asking = self.counts.of(TlsState::Enabled) + self.counts.of(TlsState::Unknown);
                if self.failing.len() >= FAILING_LOOKS.min(worth_asking).max(1) {
                    self.look_failure = Some(failure.clone());
                }
            }
            Reason::Refused | Reason::Unreadable | Reason::TooLarge | Reason::Internal => {}
        }
    }

    fn change(&mut self, id: &str, change: impl FnOnce(&mut Resource)) {
        let Some(resource) = self.resources.get_mut(id) else { return };
        let (state, failed) = (resource.state(), resource.failure.is_some());
        change(resource);
        self.failed = self.failed + usize::from(resource.failure.is_some()) - usize::from(failed);
        self.counts.take(state);
        self.counts.add(resource.state());
    }

    fn put(&mut self, resource: Resource) {
        self.counts.add(resource.state());
        self.failed += usize::from(resource.failure.is_some());
        if let Some(old) = self.resources.insert(Arc::new(resource)) {
            self.forget(&old);
        }
    }

    fn forget(&mut self, old: &Resource) {
        self.counts.take(old.state());
        self.failed -= usize::from(old.failure.is_some());
    }

    fn remove(&mut self, id: &str) {
        if let Some(old) = self.resources.remove(id) {
            self.forget(&old);
        }
        self.failing.retain(|known| &**known != id);
    }
}

impl Resource {
    /// What its listing says now is news for its certificate, or does not carry it any more.
    fn needs_a_look(&self, facts: &Facts, carried: bool) -> bool {
        let lost = self.carried && !carried;
        lost || self.facts.status != facts.status || self.facts.engine != facts.engine
    }

    fn read(&mut self, reading: Reading) {
        self.looked_at = Some(reading.at);
        self.failure = None;
        self.failures_in_a_row = 0;
        self.reading = Some(reading);
    }

    /// In the middle of a change. After a while of that it counts as a failure: a certificate may end meanwhile.
    fn busy(&mut self, at: DateTime<Utc>) {
        self.looked_at = Some(at);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.failure = None;
        if self.failures_in_a_row > PATIENCE_WITH_BUSY {
            let text = "the cloud says it is being changed, and has said so for a long time";
            self.failure = Some(Box::new(Failure { reason: Reason::Refused, text: text.into(), at }));
        }
    }

    /// Listed, and unknown when asked about. The next listing decides.
    fn gone(&mut self, at: DateTime<Utc>) {
        self.looked_at = Some(at);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let text = "the cloud lists it, and does not know it when asked about it";
        self.failure = Some(Box::new(Failure { reason: Reason::Refused, text: text.into(), at }));
    }

    /// Said to be unable of TLS, though a certificate is known.
    fn doubted(&mut self, at: DateTime<Utc>) {
        self.looked_at = Some(at);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        let text = "the cloud says that TLS is not possible here, though a certificate was read before; it is asked again";
        self.failure = Some(Box::new(Failure { reason: Reason::Refused, text: text.into(), at }));
    }

    /// The state is news, the certificate is not: what was known of it stays, with its age.
    fn read_in_part(&mut self, news: Reading, text: String) {
        self.looked_at = Some(news.at);
        self.failures_in_a_row = self.failures_in_a_row.saturating_add(1);
        self.failure = Some(Box::new(Failure { reason: Reason::Unreadable, text: text.into(), at: news.at }));
        let known =
            self.reading.take().filter(|known| known.state == news.state && !known.certificates.is_empty());
        self.reading = Some(match known {
            Some(known) => Reading { certificates: known.certificates, at: known.at, ..news },
            None => news,
        });
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::testing::{certificate, listing, moment, reading};

    const SECOND: Duration = Duration::from_secs(1);

    fn known() -> ScopeView {
        let mut view = ScopeView::default();
        view.absorb_listing(listing(&["a", "b", "c"]), SECOND, moment());
        for id in ["a", "b", "c"] {
            let read = reading(vec![certificate(moment() + TimeDelta::days(90))]);
            view.absorb_inspection(id, Inspection::Read(read), moment());
        }
        view
    }

    fn failure(reason: Reason) -> Failure {
        Failure { reason, text: "text".into(), at: moment() + TimeDelta::minutes(1) }
    }

    fn ids(view: &ScopeView) -> Vec<&str> {
        view.resources.iter().map(|resource| &*resource.id).collect()
    }

    #[test]
    fn a_complete_listing_adds_and_removes() {
        let mut view = known();
        let changes = view.absorb_listing(listing(&["b", "c", "d"]), SECOND, moment());
        assert_eq!(changes, [Change::Gone("a".into()), Change::LookNow("d".into())]);
        assert_eq!(ids(&view), ["b", "c", "d"]);
        assert_eq!((view.counts.of(TlsState::Enabled), view.counts.of(TlsState::Unknown)), (2, 1));
    }

    #[test]
    fn an_incomplete_listing_adds_but_removes_nothing_and_is_a_failure() {
        let mut view = known();
        let mut partial = listing(&["c", "d"]);
        partial.incomplete = Some((Reason::Timeout, "page 2: timed out".into()));
        view.absorb_listing(partial, SECOND, moment() + TimeDelta::hours(1));
        assert_eq!(ids(&view), ["a", "b", "c", "d"]);
        assert!(!view.is_up());
        assert_eq!(view.listed_at, Some(moment()), "freshness stays at the last complete listing");
    }

    #[test]
    fn a_failed_listing_keeps_everything_and_the_next_good_one_heals() {
        let mut view = known();
        view.listing_failed(failure(Reason::Unreachable));
        assert_eq!((ids(&view).len(), view.is_up(), view.listing_failures), (3, false, 1));
        view.absorb_listing(listing(&["a", "b", "c"]), SECOND, moment());
        assert_eq!((view.is_up(), view.listing_failures), (true, 0));
    }

    #[test]
    fn an_unchanged_listing_touches_no_resource() {
        let mut view = known();
        let before = view.resources.clone();
        assert_eq!(view.absorb_listing(listing(&["a", "b", "c"]), SECOND, moment()), []);
        assert!(view.resources.chunks().zip(before.chunks()).all(|(a, b)| Arc::ptr_eq(a, b)));
    }

    #[test]
    fn what_a_listing_carries_needs_no_look_until_it_carries_it_no_more() {
        let mut view = ScopeView::default();
        let (id, read) = (ResourceId::from("a"), reading(vec![certificate(moment() + TimeDelta::days(90))]));
        let mut carrying = listing(&["a"]);
        carrying.resources[0].reading = Some(read.clone());
        let bare = listing(&["a"]);
        let mut absorb = |listing: &Listing| view.absorb_listing(listing.clone(), SECOND, moment());
        assert_eq!(absorb(&bare), [Change::LookNow(id.clone())]);
        for (name, listing, want) in [
            ("carried", &carrying, vec![Change::Carried(id.clone())]),
            ("again", &carrying, vec![Change::Carried(id.clone())]),
            ("no longer", &bare, vec![Change::LookNow(id.clone())]),
            ("still not", &bare, vec![]),
        ] {
            assert_eq!(absorb(listing), want, "{name}");
        }
        assert_eq!(
            view.resources.get("a").and_then(|kept| kept.reading.clone()),
            Some(read),
            "it stays known"
        );
    }

    #[test]
    fn a_new_status_or_engine_causes_a_look_and_a_new_name_does_not() {
        let mut view = known();
        let mut news = listing(&["a", "b", "c"]);
        news.resources[0].facts.status = "SSLModifying".into();
        news.resources[1].facts.engine = "Redis 8.0".into();
        news.resources[2].facts.name = "renamed".into();
        let changes = view.absorb_listing(news, SECOND, moment());
        assert_eq!(changes, [Change::LookNow("a".into()), Change::LookNow("b".into())]);
        assert_eq!(&*view.resources.get("c").expect("kept").facts.name, "renamed");
    }

    #[test]
    fn tags_that_could_not_be_read_stay_as_known() {
        let mut view = known();
        let mut tagged = listing(&["a", "b", "c"]);
        tagged.resources[0].facts.tags = [("env".into(), "prod".into())].into();
        view.absorb_listing(tagged, SECOND, moment());
        let mut untold = listing(&["a", "b", "c"]);
        untold.resources[0].tags_known = false;
        view.absorb_listing(untold, SECOND, moment());
        assert_eq!(view.resources.get("a").and_then(|a| a.tag("env")), Some("prod"));
    }

    #[test]
    fn a_failed_look_keeps_the_reading_and_its_age() {
        let mut view = known();
        view.inspection_failed("a", failure(Reason::Timeout));
        let resource = view.resources.get("a").expect("kept");
        assert_eq!(resource.reading.as_ref().map(|reading| reading.at), Some(moment()));
        assert_eq!(resource.failures_in_a_row, 1);
        assert_eq!(view.counts.of(TlsState::Enabled), 3);
    }

    #[test]
    fn gone_and_busy_keep_what_is_known_until_a_listing_decides() {
        let mut view = known();
        let gone = view.absorb_inspection("a", Inspection::Gone, moment()).expect("kept");
        assert!(gone.failure.is_some() && gone.reading.is_some());
        assert!(view.absorb_inspection("b", Inspection::Busy, moment()).is_some_and(|b| b.failure.is_none()));
        assert_eq!((ids(&view), view.counts.of(TlsState::Enabled)), (vec!["a", "b", "c"], 3));
        view.absorb_listing(listing(&["b", "c"]), SECOND, moment());
        assert_eq!(ids(&view), ["b", "c"]);
    }

    #[test]
    fn busy_for_an_hour_is_a_failure() {
        let mut view = known();
        for _ in 0..PATIENCE_WITH_BUSY {
            let resource = view.absorb_inspection("a", Inspection::Busy, moment()).expect("kept");
            assert_eq!(resource.failure, None);
        }
        assert!(view.absorb_inspection("a", Inspection::Busy, moment()).is_some_and(|a| a.failure.is_some()));
    }

    #[test]
    fn one_answer_of_unsupported_does_not_take_a_certificate_away_and_a_second_does() {
        let mut view = known();
        let unsupported = || Inspection::Read(Reading { state: TlsState::Unsupported, ..reading(vec![]) });
        let doubted = view.absorb_inspection("a", unsupported(), moment()).expect("kept");
        assert!(doubted.certificates().len() == 1 && doubted.failure.is_some());
        let believed = view.absorb_inspection("a", unsupported(), moment()).expect("kept");
        assert_eq!((believed.state(), believed.failure.is_none()), (TlsState::Unsupported, true));
    }

    #[test]
    fn a_listing_that_empties_a_scope_must_come_twice() {
        let mut view = known();
        view.absorb_listing(listing(&["c"]), SECOND, moment());
        assert!(ids(&view).len() == 3 && view.is_shrinking());
        view.absorb_listing(listing(&["c"]), SECOND, moment());
        assert!(ids(&view) == ["c"] && !view.is_shrinking());
        view.absorb_listing(listing(&[]), SECOND, moment());
        view.absorb_listing(listing(&["c"]), SECOND, moment());
        assert!(ids(&view) == ["c"] && !view.is_shrinking(), "it was a mistake");
    }

    #[test]
    fn most_looks_failing_for_whatever_reason_is_a_blind_scope() {
        let mut view = ScopeView::default();
        view.absorb_listing(listing(&["a", "b", "c", "d", "e"]), SECOND, moment());
        for id in ["a", "b", "c"] {
            view.inspection_failed(id, failure(Reason::Refused));
        }
        assert!(!view.is_up());
        view.absorb_inspection("d", Inspection::Read(reading(vec![])), moment());
        assert!(!view.is_up(), "one good look among failing ones does not make it well");
        view.absorb_inspection("a", Inspection::Read(reading(vec![])), moment());
        assert!(view.is_up());
    }

    #[test]
    fn a_look_without_a_readable_end_keeps_the_known_certificate_and_its_age() {
        let mut view = known();
        let mut news = reading(vec![]);
        news.at = moment() + TimeDelta::hours(1);
        view.absorb_inspection("a", Inspection::ReadInPart(news.clone(), "found `-`".into()), news.at);
        let resource = view.resources.get("a").expect("kept");
        assert_eq!(
            (resource.certificates().len(), resource.reading.as_ref().map(|r| r.at)),
            (1, Some(moment()))
        );
        assert_eq!(resource.failure.as_ref().map(|failure| failure.reason), Some(Reason::Unreadable));
        assert!(view.is_up(), "one odd answer is not a blind scope");
    }

    #[test]
    fn one_failing_resource_does_not_take_its_scope_down_but_several_do() {
        let mut view = known();
        for _ in 0..9 {
            view.inspection_failed("a", failure(Reason::Timeout));
        }
        assert!(view.is_up());
        view.inspection_failed("b", failure(Reason::Timeout));
        view.inspection_failed("c", failure(Reason::Timeout));
        assert!(!view.is_up());
        view.absorb_inspection("b", Inspection::Busy, moment());
        assert!(view.is_up());
    }

    #[test]
    fn a_missing_permission_takes_the_scope_down_at_once_and_an_odd_answer_never() {
        let mut view = known();
        view.inspection_failed("a", failure(Reason::Unreadable));
        assert!(view.is_up());
        view.inspection_failed("a", failure(Reason::Denied));
        assert!(!view.is_up());
    }

    #[test]
    fn a_result_for_a_resource_that_went_meanwhile_is_dropped() {
        let mut view = known();
        view.absorb_inspection("zzz", Inspection::Read(reading(vec![])), moment());
        view.inspection_failed("zzz", failure(Reason::Refused));
        assert_eq!(ids(&view), ["a", "b", "c"]);
    }

    #[test]
    fn a_scope_without_an_attempt_is_not_ready() {
        let scope = Arc::new(crate::domain::testing::scope("redis"));
        let mut snapshot = Snapshot::of_scopes([Arc::clone(&scope)]);
        assert!(!snapshot.is_ready());
        snapshot.scope_mut(&scope).listing_failed(failure(Reason::Denied));
        assert!(snapshot.is_ready());
    }
}
