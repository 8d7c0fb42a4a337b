//! What has been done and what is promised: the limits are held against it, and it fills while a plan is made.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Bound;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::attempt::{Attempt, NEED, ResourceKey, State};
use super::method::{Capability, Condition, Method};
use super::plan::{Seat, World, seated, seats};
use super::refusal::Refusal;
use super::window::Span;
use crate::domain::resource::SAME_END;

/// What counts as a day for the limit: any 24 hours, so that no zone has to be chosen.
const DAY: TimeDelta = TimeDelta::hours(24);

/// A replication group: region, service, and the id of the primary. Ids are the cloud's own, whatever the account is called.
type Group = (Box<str>, Box<str>, Box<str>);

/// What has been done and what is promised.
pub(super) struct Book<'a> {
    max_in_progress: u32,
    max_per_day: u32,
    /// By what the cloud knows of a resource; accounts can be renamed.
    by_resource: HashMap<ResourceKey, Vec<&'a Attempt>>,
    /// The members of groups that have more than one.
    members: HashMap<Group, Vec<ResourceKey>>,
    /// Under way, by account.
    under_way: HashMap<Box<str>, u32>,
    /// Members that are being changed, by us or by others.
    busy: HashMap<Group, HashSet<Box<str>>>,
    /// Begun within a day.
    today: u32,
    /// Planned, by the begin of the window: the accounts.
    slots: BTreeMap<DateTime<Utc>, Vec<Box<str>>>,
    /// The last of too many failures in a row.
    stopped_at: Option<DateTime<Utc>>,
}

impl<'a> Book<'a> {
    pub(super) fn new(world: &World<'a>) -> Self {
        let mut book = Self {
            max_in_progress: world.policy.max_in_progress,
            max_per_day: world.policy.max_per_day,
            by_resource: HashMap::new(),
            members: HashMap::new(),
            under_way: HashMap::new(),
            busy: HashMap::new(),
            today: 0,
            slots: BTreeMap::new(),
            stopped_at: stopped_at(world.attempts, world.policy.stop_after_failures),
        };
        let seen: HashSet<ResourceKey> =
            seats(world.snapshot).filter(|(_, seat)| !seat.is_blind()).map(|(key, _)| key.place()).collect();
        for attempt in world.attempts {
            book.enter(attempt, world, &seen);
        }
        let named: HashSet<Group> = seats(world.snapshot)
            .filter(|(_, seat)| seat.resource.facts.group.is_some())
            .map(|(_, seat)| group(&seat))
            .collect();
        for (key, seat) in seats(world.snapshot) {
            if !named.is_empty() && named.contains(&group(&seat)) {
                book.members.entry(group(&seat)).or_default().push(key.clone());
            }
            let unsteady = unsteady(world, &seat);
            if unsteady || book.of(&key).iter().any(|attempt| attempt.state.is_open()) {
                book.busy.entry(group(&seat)).or_default().insert(key.resource_id);
            }
        }
        book
    }

    /// `seen` are the resources that can be read now: others keep no place in a window from them.
    fn enter(&mut self, attempt: &'a Attempt, world: &World<'a>, seen: &HashSet<ResourceKey>) {
        let now = world.now;
        let resource = &attempt.key.resource;
        self.by_resource.entry(resource.place()).or_default().push(attempt);
        self.today += u32::from(attempt.sent_at().is_some_and(|at| now - at < DAY));
        if attempt.state.is_open() {
            let account = seated(world.snapshot, world.accounts, resource).account;
            *self.under_way.entry(account).or_default() += 1;
        }
        if let (State::Announced | State::Approved, Some(planned)) = (&attempt.state, attempt.planned)
            && planned.begin > now
            && seen.contains(&resource.place())
        {
            self.slots.entry(planned.begin).or_default().push(resource.account.clone());
        }
    }

    /// Every attempt on a resource.
    pub(super) fn of(&self, resource: &ResourceKey) -> &[&'a Attempt] {
        if self.by_resource.is_empty() {
            return &[];
        }
        self.by_resource.get(&resource.place()).map_or(&[], |attempts| attempts)
    }

    /// All members of its group, itself among them; none where it is alone.
    pub(super) fn others(&self, seat: &Seat<'_>) -> &[ResourceKey] {
        self.members.get(&group(seat)).map_or(&[], |members| members)
    }

    /// The attempt for an end, the latest where a person wanted several. What was only announced for the account under
    /// another name is announced anew.
    pub(super) fn current(&self, resource: &ResourceKey, not_after: DateTime<Utc>) -> Option<&'a Attempt> {
        let same = |attempt: &&&Attempt| {
            (attempt.key.not_after - not_after).abs() < SAME_END
                && (attempt.key.resource == *resource || !attempt.state.is_undecided())
        };
        self.of(resource).iter().filter(same).max_by_key(|attempt| attempt.number).copied()
    }

    /// The last call for this end or a later one: whatever is read now, it was sent for.
    pub(super) fn sent(&self, resource: &ResourceKey, not_after: DateTime<Utc>) -> Option<&'a Attempt> {
        let concerns = |attempt: &&&Attempt| match attempt.state {
            State::Confirmed { new_not_after } if new_not_after >= not_after + SAME_END => true,
            _ => attempt.state.was_sent() && attempt.key.not_after + SAME_END > not_after,
        };
        self.of(resource).iter().filter(concerns).max_by_key(|attempt| attempt.changed_at).copied()
    }

    /// Since when everything is stopped.
    pub(super) fn stopped_at(&self) -> Option<DateTime<Utc>> {
        self.stopped_at
    }

    /// Another member of its group that is being changed.
    pub(super) fn busy_member(&self, seat: &Seat<'_>) -> Option<&str> {
        let members = self.busy.get(&group(seat))?;
        members.iter().filter(|id| ***id != *seat.resource.id).min().map(|id| &**id)
    }

    /// Whether a limit is reached.
    pub(super) fn limit(&self, account: &str) -> Option<Refusal> {
        let under_way = self.under_way.get(account).copied().unwrap_or(0);
        match () {
            () if self.today >= self.max_per_day => Some(Refusal::DayLimit),
            () if under_way >= self.max_in_progress => Some(Refusal::AccountLimit),
            () => None,
        }
    }

    /// One more is under way.
    pub(super) fn begin(&mut self, seat: &Seat<'_>) {
        self.today += 1;
        *self.under_way.entry((&*seat.scope.account).into()).or_default() += 1;
        self.busy.entry(group(seat)).or_default().insert((&*seat.resource.id).into());
    }

    /// Whether a window has room for one more, as far as can be foreseen.
    pub(super) fn has_room(&self, account: &str, window: Span) -> bool {
        let near = (Bound::Excluded(window.begin - DAY), Bound::Excluded(window.begin + DAY));
        let planned: usize = self.slots.range(near).map(|(_, accounts)| accounts.len()).sum();
        let same = self.slots.get(&window.begin).map_or(&[][..], |accounts| accounts);
        let of_account = same.iter().filter(|planned| ***planned == *account).count();
        let in_turn = (window.end - window.begin).num_seconds() / NEED.num_seconds().max(1);
        let fits = usize::try_from(in_turn).unwrap_or(1).saturating_mul(self.max_in_progress as usize).max(1);
        planned < self.max_per_day as usize && of_account < fits
    }

    /// Keeps a place in a window.
    pub(super) fn reserve(&mut self, account: &str, window: Span) {
        self.slots.entry(window.begin).or_default().push(account.into());
    }
}

/// The moment of the last failure, if so many came in a row that everything stops.
pub fn stopped_at(attempts: &[Attempt], after: u32) -> Option<DateTime<Utc>> {
    let over = |attempt: &&Attempt| attempt.state.was_sent() && !attempt.state.is_open();
    let mut ended: Vec<&Attempt> = attempts.iter().filter(over).collect();
    ended.sort_by_key(|attempt| (attempt.changed_at, attempt.state.has_failed(), &attempt.id));
    let failed = ended.iter().rev().take_while(|attempt| attempt.state.has_failed()).count();
    let last = ended.last().map(|attempt| attempt.changed_at);
    last.filter(|_| failed >= after as usize)
}

/// The cloud says that it is being changed, or does not run: whatever is done to it, its group does not lose another.
fn unsteady(world: &World<'_>, seat: &Seat<'_>) -> bool {
    let Capability::Call(method) = (world.capability)(seat.scope, seat.resource) else { return false };
    condition(world, seat, method) != Condition::Ready
}

/// The condition of a resource, by the latest word on it.
pub(super) fn condition(world: &World<'_>, seat: &Seat<'_>, method: &Method) -> Condition {
    method.condition(latest_word(world, seat))
}

/// Its status, as the cloud said last.
pub(super) fn latest_word<'w>(world: &World<'w>, seat: &Seat<'w>) -> &'w str {
    let key = ResourceKey::new(seat.scope, &seat.resource.id);
    let later = world.details.get(&key).filter(|detail| seat.view.listed_at.is_none_or(|at| detail.at > at));
    later.and_then(|detail| detail.status.as_deref()).unwrap_or(&seat.resource.facts.status)
}

/// A primary is in the group that its replicas name after it.
fn group(seat: &Seat<'_>) -> Group {
    let id: Arc<str> = Arc::clone(&seat.resource.id);
    let name = seat.resource.facts.group.clone().unwrap_or_else(|| (&*id).into());
    ((&*seat.scope.region).into(), (&*seat.scope.service).into(), name)
}
