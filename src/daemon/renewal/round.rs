//! One round: from what came back, over a plan, to what is written down and the one call that is begun.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use tokio::time::Instant;

use super::Renewals;
use super::keeping::{Away, Known};
use super::tell;
use super::work::{self, Done, Reading};
use crate::domain::alert::board::Rules;
use crate::domain::alert::message::{Item, RenewalNews};
use crate::domain::alert::renewals::Letter;
use crate::domain::renewal::attempt::{Attempt, By, NEED, ResourceKey, State};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::ledger::Change;
use crate::domain::renewal::method::Detail;
use crate::domain::renewal::note::Notes;
use crate::domain::renewal::plan::{Announcement, Decision, Plan, Step, World, plan};
use crate::domain::snapshot::Snapshot;

/// What is under way is read this often; more often where everything is.
const FOLLOW: TimeDelta = TimeDelta::seconds(30);
/// What a plan needs to know is asked for again after this.
const ASK_AGAIN: TimeDelta = TimeDelta::minutes(1);
/// So many resources of an account are read at the same time.
const READINGS: usize = 4;

/// What waits while a store cannot be written, in words.
const BECAME: &str = "what became of a renewal";

/// A moment as programs are told it.
pub(super) fn second(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Secs, true)
}

/// What one round looks at.
pub(super) struct View {
    pub now: DateTime<Utc>,
    pub snapshot: Arc<Snapshot>,
    pub rules: Arc<Rules>,
    pub known: Known,
}

impl Renewals {
    /// One round. `true`: something was written down or begun, so that the next one may find more to do.
    pub async fn round(&mut self) -> bool {
        let jumped = self.clock_jumped(self.context.clock.now());
        let readings = self.take_in();
        self.course.unwritten = None;
        self.write_answers().await;
        self.course.rounds += 1;
        let view = match self.view().await {
            Ok(view) => view,
            Err(away) => {
                let waiting = || format!("{BECAME} cannot be written down: {away}");
                let trouble = self.course.unwritten.take();
                let trouble = trouble.or_else(|| (!self.course.answers.is_empty()).then(waiting));
                self.show_trouble(trouble.unwrap_or_else(|| away.to_string()));
                return false;
            }
        };
        self.make_sure(&view);
        let settled = self.settle_open(&view, &readings).await;
        if settled || !self.course.answers.is_empty() {
            if let Some(trouble) = self.course.unwritten.take() {
                self.show_trouble(trouble);
            }
            return true;
        }
        let moment = Instant::now();
        let plan = self.plan(&view).await;
        let announced = self.context.own.is_none() && self.announce(&view, &plan).await;
        self.read_what_is_missing(&view, &plan);
        let begun = !announced && !jumped && self.begin(&view, &plan, moment).await;
        self.publish(&view, plan);
        announced || begun
    }

    /// What came back since the last round: readings at once, answers of clouds in turn.
    fn take_in(&mut self) -> Vec<Reading> {
        while let Some(done) = self.course.work.try_join_next() {
            self.course.arrive(done);
        }
        let mut readings = Vec::new();
        for done in std::mem::take(&mut self.course.arrived) {
            match done {
                // from before a jump of the clock: nobody knows how old it is
                Done::Read(reading) if reading.epoch.clock != self.course.epoch.clock => {}
                Done::Read(reading) => readings.push(*reading),
                Done::Called(answer) => self.course.answers.push(*answer),
                // asked by another policy, or before the clock jumped: it is asked again
                Done::Hook { said: Ok(()), epoch, .. } if epoch != self.course.epoch => {}
                Done::Hook { attempt, said: Ok(()), .. } => {
                    self.course.cleared.insert(attempt, self.context.clock.now());
                }
                Done::Hook { attempt, said: Err(text), .. } => self.course.vetoed.push((attempt, text)),
                Done::After { attempt, said: Err(error) } => {
                    tracing::warn!(attempt = &*attempt, error, "the hook after a renewal failed");
                }
                Done::After { .. } | Done::Panicked => {}
            }
        }
        for reading in &readings {
            // what became of a call is the same under every policy
            if reading.epoch == self.course.epoch {
                self.remember(reading);
            }
        }
        readings
    }

    fn remember(&mut self, reading: &Reading) {
        match &reading.found {
            Ok(found) => {
                let detail = Detail {
                    at: reading.at,
                    not_after: found.not_after,
                    failed: found.failed.clone(),
                    material: reading.material.clone(),
                    ..found.detail.clone()
                };
                self.course.details.insert(reading.key.clone(), detail);
                self.course.troubles.remove(&reading.key);
                self.course.failed.remove(&reading.key);
            }
            Err(error) => {
                self.course.troubles.insert(reading.key.clone(), error.to_string().into());
                *self.course.failed.entry(reading.key.clone()).or_default() += 1;
                tracing::warn!(resource = %reading.key, %error, "a reading for a renewal failed; it is tried again");
            }
        }
    }

    pub(super) async fn view(&self) -> Result<View, Away> {
        let now = self.context.clock.now();
        let snapshot = Arc::clone(&self.context.snapshots.borrow());
        let rules = Arc::clone(&self.context.rules.borrow());
        let known = self.context.keeping.read(now).await?;
        Ok(View { now, snapshot, rules, known })
    }

    async fn plan(&self, view: &View) -> Plan {
        let (context, details) = (Arc::clone(&self.context), self.course.details.clone());
        let (troubles, heard) = (self.course.troubles.clone(), self.course.heard.clone());
        let (snapshot, rules, now) = (Arc::clone(&view.snapshot), Arc::clone(&view.rules), view.now);
        let (attempts, silences) = (self.for_a_plan(&view.known.attempts), view.known.silences.clone());
        let planned = tokio::task::spawn_blocking(move || {
            plan(&World {
                snapshot: &snapshot,
                policy: &context.policy,
                accounts: &rules.accounts,
                capability: &tell::capability,
                details: &details,
                troubles: &troubles,
                heard: &heard,
                attempts: &attempts,
                silences: &silences,
                zone: rules.alert.timezone,
                now,
            })
        });
        planned.await.unwrap_or_else(|_| {
            tracing::error!("a plan of renewals failed, which is a defect of notafter; nothing is begun");
            Plan::default()
        })
    }

    /// Writes down what people are told beforehand.
    async fn announce(&mut self, view: &View, plan: &Plan) -> bool {
        let (changes, letters) = self.announcements(view, plan.announce.iter());
        // who would hear of it too late for its window gets a later window, in the next plan
        let late: BTreeMap<ResourceKey, DateTime<Utc>> =
            changes.iter().filter_map(|change| self.heard_too_late(&change.attempt)).collect();
        let planned_anew = !late.is_empty();
        let (changes, letters) = if planned_anew {
            let in_time = |told: &&Announcement| !late.contains_key(&told.attempt.key.resource);
            self.announcements(view, plan.announce.iter().filter(in_time))
        } else {
            (changes, letters)
        };
        self.course.heard.retain(|_, heard| *heard > view.now);
        self.course.heard.extend(late);
        if changes.is_empty() {
            return planned_anew;
        }
        for change in &changes {
            let Attempt { id, key, planned, .. } = &change.attempt;
            let from = planned.map(|window| window.begin.to_rfc3339_opts(SecondsFormat::Secs, true));
            tracing::info!(attempt = &**id, resource = %key.resource, from, "a renewal is announced");
        }
        let written = self.write(&changes, &letters, view.now, None).await == Ok(true);
        if written {
            self.context.written.notify_one();
        }
        written || planned_anew
    }

    /// What is to be written down, and the letters that tell of it.
    fn announcements<'p>(
        &self,
        view: &View,
        told: impl Iterator<Item = &'p Announcement> + Clone,
    ) -> (Vec<Change>, Vec<Letter>) {
        let change = |told: &Announcement| {
            let before = view.known.attempts.iter().find(|known| known.id == told.attempt.id);
            Change::new(before, Attempt { changed_at: view.now, ..told.attempt.clone() }, "rule", "")
        };
        let mut changes: Vec<Change> = told.clone().map(change).collect();
        let news = changes.iter().zip(told).filter_map(|(change, told)| {
            let planned = change.attempt.planned?;
            let (from, until, missed) = (planned.begin, planned.end, change.attempt.missed_at);
            Some((&change.attempt, RenewalNews::Planned { from, until, asks: told.asks, missed }))
        });
        let letters = self.letters(view, news.collect());
        for change in &mut changes {
            heard(&mut change.attempt, &letters);
        }
        (changes, letters)
    }

    /// Channels have quiet hours: when people hear of it, if that leaves no room in the window that they would hear of.
    /// Once: what cannot be told in time for any window is told all the same.
    fn heard_too_late(&self, attempt: &Attempt) -> Option<(ResourceKey, DateTime<Utc>)> {
        let (heard, planned) = (attempt.announced_at?, attempt.planned?);
        let wait = TimeDelta::from_std(self.context.policy.announce).unwrap_or(TimeDelta::MAX);
        let key = &attempt.key.resource;
        let is_late = heard.checked_add_signed(wait + NEED).is_none_or(|ready| ready > planned.end);
        (is_late && attempt.by == By::Rule && !self.course.heard.contains_key(key))
            .then(|| (key.clone(), heard))
    }

    /// Writes down, and remembers for the board if that cannot be done. Whatever could not be written is tried again in
    /// the next round.
    pub(super) async fn write(
        &mut self,
        changes: &[Change],
        letters: &[Letter],
        now: DateTime<Utc>,
        seen: Option<i64>,
    ) -> Result<bool, Away> {
        let written = self.context.keeping.write(changes, letters, now, seen).await;
        if let Err(away) = &written {
            let became =
                |change: &Change| change.attempt.state.was_sent() && change.attempt.state != State::Stored;
            let what = if changes.iter().any(became) { BECAME } else { "what is planned" };
            self.course.unwritten = Some(format!("{what} cannot be written down: {away}"));
        }
        written
    }

    /// What a plan needs to know, and what is under way.
    fn read_what_is_missing(&mut self, view: &View, plan: &Plan) {
        let soon = TimeDelta::from_std(view.rules.poll.min_interval).unwrap_or(FOLLOW);
        let (follow, ask_again) = (FOLLOW.min(soon), ASK_AGAIN.min(soon));
        let missing: BTreeSet<&ResourceKey> = plan.look.iter().collect();
        let asked = |step: &&Step| self.course.asked.get(&step.resource).copied();
        let is_wanted = |step: &&Step| {
            matches!(step.decision, Decision::Resume { .. }) || missing.contains(&step.resource)
        };
        let mut wanted: Vec<&Step> = plan.steps.iter().filter(is_wanted).collect();
        // who waited longest comes first, so that nobody waits for ever
        wanted.sort_by_key(asked);
        for step in wanted {
            let key = &step.resource;
            let again = match &step.decision {
                Decision::Resume { attempt, .. } if self.course.beginning.contains(&attempt.id) => continue,
                Decision::Resume { .. } => follow,
                _ => ask_again,
            };
            let due = self.course.asked.get(key).is_none_or(|at| view.now < *at || view.now - *at >= again);
            let under_way =
                self.course.reading.iter().filter(|reading| reading.account == key.account).count();
            if under_way < READINGS && due && !self.course.reading.contains(key) {
                self.read(view, step);
            }
        }
        if !self.course.asked.is_empty() {
            let there: BTreeSet<&ResourceKey> = plan.steps.iter().map(|step| &step.resource).collect();
            self.course.details.retain(|key, _| there.contains(key));
            self.course.asked.retain(|key, _| there.contains(key));
            self.course.troubles.retain(|key, _| there.contains(key));
            self.course.failed.retain(|key, _| there.contains(key));
        }
    }

    fn read(&mut self, view: &View, step: &Step) {
        let key = &step.resource;
        let Some(provider) = self.context.providers.get(&*key.account) else { return };
        let end = step.certificate.map_or(view.now, |certificate| certificate.not_after);
        let rule = step.rule.and_then(|number| self.context.policy.allow.get(number));
        let files = rule.and_then(|rule| rule.certificate.clone()).map(|files| (files, end));
        let (provider, clock) = (Arc::clone(provider), self.context.clock.clone());
        self.course.asked.insert(key.clone(), view.now);
        self.course.reading.insert(key.clone());
        let epoch = self.course.epoch;
        self.course.work.spawn(work::read(provider, key.clone(), files, epoch, clock));
        if !matches!(step.decision, Decision::Resume { .. }) {
            self.context.wishes.look_at(key.scope(), &key.resource_id);
        }
    }

    fn publish(&mut self, view: &View, plan: Plan) {
        self.count_refused(&plan);
        let trouble = plan.steps.iter().find_map(|step| match step.decision {
            Decision::Renew { .. } => self.clock_trouble(&step.resource),
            _ => None,
        });
        let unwritten = self.course.unwritten.take();
        let mode = self.context.policy.mode;
        let notes = Notes::new(&plan, &view.known.attempts, mode, view.now);
        // alerts must not keep quiet for what is not going to happen
        let notes = if unwritten.is_some() { notes.without_plans() } else { notes };
        let trouble = unwritten.or(trouble);
        self.tell_trouble(trouble.as_deref());
        let board = Board {
            mode,
            notes: Arc::new(notes),
            plan: Arc::new(plan),
            attempts: view.known.attempts.as_slice().into(),
            at: Some(view.now),
            trouble: trouble.map(Into::into),
        };
        let board = Arc::new(board);
        self.context.metrics.show_renewals(&board);
        self.context.board.send_replace(board);
    }

    /// The plan stays as it was; what is new is that nothing can be done about it.
    fn show_trouble(&mut self, trouble: String) {
        self.tell_trouble(Some(&trouble));
        let known = (**self.context.board.borrow()).clone();
        // alerts must not keep quiet for what is not going to happen
        let notes = Arc::new(known.notes.without_plans());
        let board = Board { trouble: Some(trouble.into()), notes, ..known };
        self.context.board.send_replace(Arc::new(board));
    }

    fn tell_trouble(&mut self, trouble: Option<&str>) {
        if self.course.told.as_deref() == trouble {
            return;
        }
        match trouble {
            Some(trouble) if self.context.policy.mode > crate::domain::policy::RenewalMode::Plan => {
                tracing::error!(trouble, "no renewal is begun");
            }
            Some(trouble) => tracing::debug!(trouble, "no renewal is begun"),
            None => tracing::info!("renewals go on"),
        }
        self.course.told = trouble.map(str::to_owned);
    }

    /// A refusal counts once, when it begins.
    fn count_refused(&mut self, plan: &Plan) {
        let allowed = plan.steps.iter().filter(|step| step.rule.is_some());
        for scope in allowed.map(|step| step.resource.scope()).collect::<BTreeSet<_>>() {
            if self.course.counted.insert(scope.clone()) {
                self.context.telemetry.preset_renewals(&scope);
            }
        }
        let before = Arc::clone(&self.context.board.borrow().plan);
        self.context.telemetry.renewals_refused(&before, plan);
    }
}

/// A renewal counts as announced from when people hear of it.
fn heard(attempt: &mut Attempt, letters: &[Letter]) {
    let tells = |letter: &&Letter| {
        let items = letter.message.items.iter();
        items.into_iter().any(|item| matches!(item, Item::Renewal(item) if item.attempt == attempt.id))
    };
    let first =
        letters.iter().filter(tells).map(|letter| letter.not_before.unwrap_or(letter.message.at)).min();
    match (first, attempt.announced_at) {
        (Some(first), Some(at)) => attempt.announced_at = Some(at.max(first)),
        (Some(_), None) => {}
        (None, _) => tracing::warn!(
            attempt = &*attempt.id, resource = %attempt.key.resource,
            "no channel tells of this renewal: it is announced on the page only"
        ),
    }
}
