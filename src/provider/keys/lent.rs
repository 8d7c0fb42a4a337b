//! Keys that somebody lends for a while: a role, an agency, an instance.
//!
//! [`LentKeys`] decides when they are renewed ([`super::lease`]) and sees to it that one caller at a time does so.
//! How they are fetched is the [`Lender`]'s affair; what they are used for nobody in here knows.

use std::fmt::Debug;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::lease::{Lease, Standing, Tries};
use super::{KeySource, Keys};
use crate::call::{CallError, CallErrorKind};
use crate::clock::Clock;
use crate::provider::BoxFuture;

/// Somebody who lends keys.
pub trait Lender: Debug + Send + Sync {
    /// Asks for keys; `expires` of the answer is when they end.
    fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>>;

    /// The call by which they are had, by the cloud's own name (`sts:AssumeRole`).
    fn action(&self) -> &'static str;

    /// Every call that it may make, so that counters exist from the start.
    fn actions(&self) -> Vec<&'static str> {
        vec![self.action()]
    }
}

/// Holds lent keys and renews them before they end.
///
/// While the old ones are good, a renewal delays only the caller that makes it, and a failed one nobody. Once the
/// cloud refused the keys, or they are over, everybody waits for the one who fetches new ones.
#[derive(Debug)]
pub struct LentKeys {
    account: Arc<str>,
    lender: Box<dyn Lender>,
    clock: Clock,
    state: Mutex<State>,
    /// Whoever has it fetches.
    turn: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct State {
    held: Option<Held>,
    tries: Tries,
    /// What the last try said, until one succeeds.
    error: Option<CallError>,
}

#[derive(Debug)]
struct Held {
    keys: Arc<Keys>,
    lease: Lease,
    /// When it was had, by both clocks.
    since: (DateTime<Utc>, Duration),
    /// The cloud did not accept them.
    refused: bool,
}

/// What a caller finds.
enum Found {
    /// Keys to use as they are.
    Good(Arc<Keys>),
    /// Keys that are still good, and should be renewed.
    Due(Arc<Keys>),
    /// None, or none that the cloud takes.
    Bad,
}

impl LentKeys {
    /// Holds nothing yet; the first call fetches. `account` is whose keys they are, for the log.
    pub fn new(account: &Arc<str>, lender: Box<dyn Lender>, clock: &Clock) -> Self {
        let account = Arc::clone(account);
        Self {
            account,
            lender,
            clock: clock.clone(),
            state: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    async fn current(&self) -> Result<Arc<Keys>, CallError> {
        let _turn = match self.find() {
            Found::Good(keys) => return Ok(keys),
            Found::Due(keys) => match self.turn.try_lock() {
                Ok(turn) => turn,
                Err(_) => return Ok(keys),
            },
            Found::Bad => self.turn.lock().await,
        };
        // Whoever had the turn before may have fetched them meanwhile.
        match self.find() {
            Found::Good(keys) => Ok(keys),
            Found::Due(_) | Found::Bad => self.renew().await,
        }
    }

    fn find(&self) -> Found {
        let state = self.lock();
        let Some(held) = &state.held else { return Found::Bad };
        match held.lease.standing(self.now_for(held)) {
            Standing::Ended => Found::Bad,
            _ if held.refused => Found::Bad,
            Standing::Due => Found::Due(Arc::clone(&held.keys)),
            Standing::Fresh => Found::Good(Arc::clone(&held.keys)),
        }
    }

    /// Tries once, if it is time to; else, and if that fails, the old keys serve for as long as they are good. Ones
    /// that were refused too: a refusal can be a mishap, and the account's gate sees to it that they are not hammered.
    async fn renew(&self) -> Result<Arc<Keys>, CallError> {
        if !self.begin() {
            return self.old_ones();
        }
        let result = self.lender.lend().await.and_then(|keys| self.lease(keys));
        let mut state = self.lock();
        match result {
            Ok(held) => {
                tracing::debug!(account = &*self.account, ends = %held.lease.ends(), "keys were lent");
                let keys = Arc::clone(&held.keys);
                state.tries.succeeded();
                state.held = Some(held);
                if state.error.take().is_some() {
                    tracing::info!(account = &*self.account, "keys could be renewed again");
                }
                Ok(keys)
            }
            Err(error) => {
                let hint = if let CallErrorKind::Throttled(hint) = error.kind { hint } else { None };
                state.tries.failed(self.clock.elapsed(), hint);
                // A request that was not sent teaches nothing new: what was answered before is the reason.
                let error = match (&state.error, error.kind) {
                    (Some(before), CallErrorKind::NotSent) => before.clone(),
                    _ => error,
                };
                let first = state.error.replace(error.clone()).is_none();
                drop(state);
                self.tell(&error, first);
                self.old_ones()
            }
        }
    }

    fn begin(&self) -> bool {
        let now = self.clock.elapsed();
        let mut state = self.lock();
        let allowed = state.tries.allowed(now);
        if allowed {
            state.tries.begun(now);
        }
        allowed
    }

    fn old_ones(&self) -> Result<Arc<Keys>, CallError> {
        let state = self.lock();
        let good = |held: &&Held| held.lease.standing(self.now_for(held)) != Standing::Ended;
        if let Some(held) = state.held.as_ref().filter(good) {
            return Ok(Arc::clone(&held.keys));
        }
        Err(state.error.clone().unwrap_or_else(|| {
            let text = "the keys ended, and new ones were asked for too often already";
            CallError::new(CallErrorKind::KeyDenied, self.lender.action(), text)
        }))
    }

    fn lease(&self, keys: Keys) -> Result<Held, CallError> {
        let unreadable = |text: &str| CallError::new(CallErrorKind::Unreadable, self.lender.action(), text);
        let now = self.clock.now();
        let ends = keys.expires.ok_or_else(|| unreadable("the keys that came have no end"))?;
        let lease = Lease::new(now, ends, jitter()).map_err(|error| unreadable(&error.to_string()))?;
        Ok(Held { keys: Arc::new(keys), lease, since: (now, self.clock.elapsed()), refused: false })
    }

    /// Wall time; if the wall clock was set back meanwhile, what it would be without that.
    fn now_for(&self, held: &Held) -> DateTime<Utc> {
        let (then, started) = held.since;
        let passed = TimeDelta::from_std(self.clock.elapsed().saturating_sub(started));
        let counted = passed.ok().and_then(|passed| then.checked_add_signed(passed));
        counted.map_or(self.clock.now(), |counted| counted.max(self.clock.now()))
    }

    /// The first failure of a row is told; callers are told all of them once the keys are over.
    fn tell(&self, error: &CallError, first: bool) {
        let good_until = self.lock().held.as_ref().map(|held| held.lease.ends().to_string());
        let (account, until) = (&*self.account, good_until.as_deref().unwrap_or("none"));
        if first {
            tracing::warn!(account, until, error = error.to_string(), "keys could not be renewed");
        } else {
            tracing::debug!(account, until, error = error.to_string(), "keys could still not be renewed");
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl KeySource for LentKeys {
    fn keys(&self) -> BoxFuture<'_, Result<Arc<Keys>, CallError>> {
        Box::pin(self.current())
    }

    fn refused(&self, used: &Keys) {
        if let Some(held) = self.lock().held.as_mut().filter(|held| held.keys.is_same(used)) {
            held.refused = true;
        }
    }

    fn actions(&self) -> Vec<&'static str> {
        self.lender.actions()
    }
}

/// Between 0 and 1, another one each time.
fn jitter() -> f64 {
    let drawn = u32::try_from(RandomState::new().hash_one(0_u8) >> 32).unwrap_or_default();
    f64::from(drawn) / f64::from(u32::MAX)
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::secret::Secret;

    /// Lends keys for an hour by a paused clock, or fails, after a second.
    #[derive(Debug)]
    struct Fake {
        clock: Clock,
        calls: AtomicU32,
        fails: Mutex<Option<CallErrorKind>>,
        life: Mutex<i64>,
    }

    impl Lender for Arc<Fake> {
        fn lend(&self) -> BoxFuture<'_, Result<Keys, CallError>> {
            Box::pin(async move {
                let number = self.calls.fetch_add(1, Ordering::Relaxed);
                tokio::time::sleep(Duration::from_secs(1)).await;
                if let Some(kind) = *self.fails.lock().unwrap() {
                    return Err(CallError::new(kind, "fake:Lend", "as told"));
                }
                let expires = self.clock.now() + TimeDelta::seconds(*self.life.lock().unwrap());
                let secret = Secret::new("secret");
                Ok(Keys { id: Secret::new(number.to_string()), secret, token: None, expires: Some(expires) })
            })
        }

        fn action(&self) -> &'static str {
            "fake:Lend"
        }
    }

    fn pair() -> (Arc<Fake>, Arc<LentKeys>) {
        let start = tokio::time::Instant::now();
        let noon: DateTime<Utc> = "2026-11-22T12:00:00Z".parse().unwrap();
        let clock = Clock::with_wall(move || noon + start.elapsed());
        let (calls, fails, life) = (AtomicU32::new(0), Mutex::new(None), Mutex::new(3600));
        let fake = Arc::new(Fake { clock: clock.clone(), calls, fails, life });
        let keys = LentKeys::new(&"prod".into(), Box::new(Arc::clone(&fake)), &clock);
        (fake, Arc::new(keys))
    }

    impl Fake {
        fn calls(&self) -> u32 {
            self.calls.load(Ordering::Relaxed)
        }

        fn fail(&self, kind: impl Into<Option<CallErrorKind>>) {
            *self.fails.lock().unwrap() = kind.into();
        }
    }

    async fn id(keys: &LentKeys) -> String {
        keys.keys().await.unwrap().id.expose().to_owned()
    }

    async fn minutes(minutes: u64) {
        tokio::time::sleep(Duration::from_mins(minutes)).await;
    }

    #[tokio::test(start_paused = true)]
    async fn fifty_callers_fetch_once() {
        let (fake, keys) = pair();
        let callers =
            (0..50).map(|_| Arc::clone(&keys)).map(|keys| tokio::spawn(async move { id(&keys).await }));
        for caller in callers.collect::<Vec<_>>() {
            assert_eq!(caller.await.unwrap(), "0");
        }
        assert_eq!(fake.calls(), 1);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_before_the_end_delays_only_one_caller() {
        let (fake, keys) = pair();
        assert_eq!(id(&keys).await, "0");
        minutes(30).await;
        assert_eq!(id(&keys).await, "0");
        minutes(16).await;
        let renewing = tokio::spawn({
            let keys = Arc::clone(&keys);
            async move { id(&keys).await }
        });
        tokio::time::sleep(Duration::from_millis(10)).await;
        let before = tokio::time::Instant::now();
        assert_eq!(id(&keys).await, "0", "the old ones are good");
        assert_eq!(before.elapsed(), Duration::ZERO, "and are given at once");
        assert_eq!(renewing.await.unwrap(), "1");
        assert_eq!((id(&keys).await, fake.calls()), ("1".into(), 2));
    }

    #[tokio::test(start_paused = true)]
    async fn a_failed_renewal_is_survived_until_the_end() {
        let (fake, keys) = pair();
        assert_eq!(id(&keys).await, "0");
        fake.fail(CallErrorKind::Unreachable);
        minutes(50).await;
        for _ in 0..100 {
            assert_eq!(id(&keys).await, "0");
        }
        assert_eq!(fake.calls(), 2, "one try, then a pause");
        minutes(11).await;
        let error = keys.keys().await.unwrap_err();
        assert_eq!((error.kind, fake.calls()), (CallErrorKind::Unreachable, 3));
        fake.fail(None);
        minutes(5).await;
        assert_eq!(id(&keys).await, "3");
    }

    #[tokio::test(start_paused = true)]
    async fn failures_without_any_keys_are_answered_from_memory() {
        let (fake, keys) = pair();
        fake.fail(CallErrorKind::KeyDenied);
        for _ in 0..60 {
            assert_eq!(keys.keys().await.unwrap_err().kind, CallErrorKind::KeyDenied);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!((2..=5).contains(&fake.calls()), "{} tries in a minute", fake.calls());
    }

    #[tokio::test(start_paused = true)]
    async fn refused_keys_are_fetched_anew_before_the_next_call() {
        let (fake, keys) = pair();
        let first = keys.keys().await.unwrap();
        keys.refused(&first);
        assert_eq!(id(&keys).await, "1");
        keys.refused(&first);
        assert_eq!(
            (id(&keys).await, fake.calls()),
            ("1".into(), 2),
            "a late word on older keys is nothing new"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn keys_that_are_refused_again_and_again_are_not_fetched_again_and_again() {
        let (fake, keys) = pair();
        for _ in 0..30 {
            let used = keys.keys().await.unwrap();
            keys.refused(&used);
        }
        assert_eq!(fake.calls(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn a_lease_that_is_over_or_endless_is_an_error() {
        for (life, want) in [(-1, "ended at"), (0, "ended at"), (86_400 * 8, "cannot be true")] {
            let (fake, keys) = pair();
            *fake.life.lock().unwrap() = life;
            let error = keys.keys().await.unwrap_err();
            assert_eq!(error.kind, CallErrorKind::Unreadable);
            assert!(error.message.contains(want), "{error}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_caller_that_gives_up_leaves_the_turn_to_the_next() {
        let (fake, keys) = pair();
        let given_up = tokio::time::timeout(Duration::from_millis(100), keys.keys()).await;
        assert!(given_up.is_err());
        assert_eq!((id(&keys).await, fake.calls()), ("1".into(), 2));
    }
}
