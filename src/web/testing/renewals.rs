//! Boards made by the real planner, and a desk that takes orders, for tests of what people see and order.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{NaiveTime, TimeDelta};
use chrono_tz::Tz;
use tokio::sync::watch;

use super::{ending_in, in_scope};
use crate::call::BoxFuture;
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::policy::{EVERY_DAY, Hours, RenewalMode, RenewalPolicy, RenewalRule, Window};
use crate::domain::renewal::attempt::{Approval, Attempt, AttemptKey, By, Class, ResourceKey, State};
use crate::domain::renewal::board::Board;
use crate::domain::renewal::method::{Capability, Method, Restarts};
use crate::domain::renewal::note::Notes;
use crate::domain::renewal::plan::{World, plan};
use crate::domain::resource::{Reading, TlsState};
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{moment, reading, scope};
use crate::web::inside::{OrderError, Ordered, RenewalDesk, Renewing, Word};

static METHOD: Method = Method {
    action: "ModifyInstanceSSL",
    id: "InstanceId",
    fixed: &[("SSLEnabled", "Update")],
    host: None,
    own: None,
    deferring: None,
    restarts: Restarts::Yes,
    ready: &["Normal"],
    changing_tls: &["SSLModifying"],
    changing: &["Restarting"],
};

/// Redis instances, a rule that allows all of them in the evening, and their past.
pub(crate) struct Garden {
    pub(crate) snapshot: Snapshot,
    pub(crate) policy: RenewalPolicy,
    pub(crate) attempts: Vec<Attempt>,
    listed: Vec<(String, Reading)>,
}

impl Garden {
    pub(crate) fn new() -> Self {
        let matcher = Matcher::parse(r#"cloud_service="redis""#, LabelSet::CERTIFICATE).expect("good");
        let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("a time");
        let hours = Hours { from: time(20), to: time(23), days: EVERY_DAY.to_vec() };
        let window = Window::Local { timezone: Tz::UTC, hours };
        let allow = vec![RenewalRule { matcher, window, certificate: None, hook: None }];
        let policy = RenewalPolicy { mode: RenewalMode::Approve, allow, ..RenewalPolicy::default() };
        Self { snapshot: Snapshot::default(), policy, attempts: Vec::new(), listed: Vec::new() }
    }

    /// An instance whose certificate ends in so many days.
    pub(crate) fn add(&mut self, id: &str, days: i64) {
        self.put(id, ending_in(TimeDelta::days(days)));
    }

    fn put(&mut self, id: &str, reading: Reading) {
        self.listed.push((id.to_owned(), reading));
        let ids: Vec<_> = self.listed.iter().map(|(id, _)| (id.as_str(), "orders")).collect();
        let mut snapshot = Snapshot::default();
        let mut built = in_scope(&mut snapshot, scope("redis")).listed(&ids);
        for (id, reading) in &self.listed {
            built = built.read(id, reading.clone());
        }
        self.snapshot = snapshot;
    }

    /// An attempt on an instance that was announced two days ago and changed an hour ago.
    pub(crate) fn attempt(&mut self, id: &str, state: State, by: By) -> &mut Attempt {
        let (_, reading) = self.listed.iter().find(|(known, _)| known == id).expect("added");
        let not_after = reading.certificates[0].not_after;
        let key = AttemptKey { resource: ResourceKey::new(&scope("redis"), id), not_after };
        let changed_at = moment() - TimeDelta::hours(1);
        let sent = state.was_sent().then_some(changed_at);
        self.attempts.push(Attempt {
            stored_at: sent,
            expected_by: sent.map(|at| at + TimeDelta::minutes(90)),
            state,
            changed_at,
            ..Attempt::new(key, 1, by, r#"cloud_service="redis""#, None, moment() - TimeDelta::days(2))
        });
        self.attempts.last_mut().expect("just pushed")
    }

    pub(crate) fn board(&self) -> Board {
        let capability = |_: &_, _: &_| Capability::Call(&METHOD);
        let (accounts, details) = (BTreeMap::new(), BTreeMap::new());
        let world = World {
            snapshot: &self.snapshot,
            policy: &self.policy,
            accounts: &accounts,
            capability: &capability,
            details: &details,
            troubles: &BTreeMap::new(),
            heard: &BTreeMap::new(),
            attempts: &self.attempts,
            silences: &[],
            zone: Tz::UTC,
            now: moment(),
        };
        let plan = plan(&world);
        let notes = Notes::new(&plan, &self.attempts, self.policy.mode, moment());
        let attempts = self.attempts.clone().into();
        let at = Some(moment() - TimeDelta::seconds(20));
        let mode = self.policy.mode;
        Board { mode, plan: Arc::new(plan), attempts, notes: Arc::new(notes), at, trouble: None }
    }
}

/// Something of everything.
pub(crate) fn garden() -> Garden {
    let mut garden = Garden::new();
    for (id, days) in [("r-running", 9), ("r-asked", 10), ("r-approved", 12), ("r-early", 40), ("r-tried", 8)]
    {
        garden.add(id, days);
    }
    garden.add("r-done", -2);
    garden.put("r-off", Reading { state: TlsState::Disabled, ..reading(vec![]) });
    garden.attempt("r-running", State::Accepted { request_id: "7F2A".into() }, By::Rule);
    garden.attempt("r-asked", State::Announced, By::Rule);
    let at = moment() - TimeDelta::hours(1);
    let approval = Approval { by: "<b>bob</b>".into(), at, until: at + TimeDelta::days(3), at_once: false };
    garden.attempt("r-approved", State::Approved, By::Rule).approval = Some(approval);
    let (class, code) = (Class::Person, "IncorrectDBInstanceState".into());
    garden.attempt("r-tried", State::Refused { class, code, request_id: "9C1E".into() }, By::Rule);
    let new_not_after = moment() + TimeDelta::days(365);
    let alice = By::Person { name: "alice".into() };
    garden.attempt("r-done", State::Confirmed { new_not_after }, alice);
    garden.listed.retain(|(id, _)| id != "r-done");
    garden.add("r-done", 365);
    garden
}

/// [`garden`], planned.
pub(crate) fn board() -> Board {
    garden().board()
}

/// Takes orders, and shows what they made of the attempts at once.
pub(crate) struct FakeDesk {
    garden: Mutex<Garden>,
    board: watch::Sender<Arc<Board>>,
    /// Every order is answered so.
    pub(crate) refuses: Mutex<Option<OrderError>>,
    /// What was ordered, in words.
    pub(crate) orders: Mutex<Vec<String>>,
}

impl FakeDesk {
    pub(crate) fn new(garden: Garden) -> Arc<Self> {
        let board = watch::Sender::new(Arc::new(garden.board()));
        Arc::new(Self {
            garden: Mutex::new(garden),
            board,
            refuses: Mutex::default(),
            orders: Mutex::default(),
        })
    }

    pub(crate) fn renewing(self: &Arc<Self>) -> Renewing {
        Renewing { board: self.board.subscribe(), desk: Arc::clone(self) as Arc<dyn RenewalDesk> }
    }

    fn change(&self, order: String, change: impl FnOnce(&mut Garden) -> Ordered) -> BoxFuture<'_, Ordered> {
        self.orders.lock().expect("whole").push(order);
        let refuses = self.refuses.lock().expect("whole").clone();
        let mut garden = self.garden.lock().expect("whole");
        let answer = refuses.map_or_else(|| change(&mut garden), Err);
        self.board.send_replace(Arc::new(garden.board()));
        Box::pin(async { answer })
    }
}

fn decided(garden: &mut Garden, id: &str, state: State, by: &str, at_once: bool) -> Ordered {
    let found = garden.attempts.iter_mut().find(|attempt| *attempt.id == *id).ok_or(OrderError::Unknown)?;
    if !matches!(found.state, State::Announced | State::Approved) {
        return Err(OrderError::Over(found.state.as_str()));
    }
    let at = moment() + Duration::from_secs(1);
    if state == State::Approved {
        let until = at + TimeDelta::days(3);
        found.approval = Some(Approval { by: by.into(), at, until, at_once });
    }
    (found.state, found.changed_at) = (state, at);
    Ok(found.clone())
}

impl RenewalDesk for FakeDesk {
    fn approve<'a>(&'a self, id: &'a str, word: Word<'a>) -> BoxFuture<'a, Ordered> {
        let Word { by, at_once, .. } = word;
        self.change(format!("approve {id} by {by}, at once {at_once}"), |garden| {
            decided(garden, id, State::Approved, by, at_once)
        })
    }

    fn reject<'a>(&'a self, id: &'a str, word: Word<'a>) -> BoxFuture<'a, Ordered> {
        let by = word.by;
        self.change(format!("reject {id} by {by}"), |garden| {
            decided(garden, id, State::Rejected { person: by.into() }, by, false)
        })
    }

    fn order<'a>(&'a self, resource: &'a ResourceKey, word: Word<'a>) -> BoxFuture<'a, Ordered> {
        let Word { by, at_once, .. } = word;
        let id = &*resource.resource_id;
        self.change(format!("order {id} by {by}, at once {at_once}"), |garden| {
            let (at, person) = (moment() + Duration::from_secs(1), By::Person { name: by.into() });
            let attempt = garden.attempt(id, State::Approved, person);
            attempt.number = 2;
            attempt.id = attempt.key.id(2);
            attempt.approval = Some(Approval { by: by.into(), at, until: at + TimeDelta::days(3), at_once });
            attempt.changed_at = at;
            Ok(attempt.clone())
        })
    }
}
