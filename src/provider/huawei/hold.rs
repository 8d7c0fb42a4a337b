//! Keeps a refused key from being used again soon.
//!
//! Huawei Cloud locks an access key for five minutes after more than five refused signatures in a row, for everybody
//! who uses it and also for right signatures. So the first refusal holds every call with that key, also those that
//! wait for their turn already; single tries follow after waits of 5, 20, 80 and 320 minutes, then every 6 hours.
//! Another key (a lent one that was renewed, a file that changed) is tried at once.

use std::sync::Arc;
use std::time::Duration;

use crate::call::CallError;
use crate::provider::keys::Keys;

/// Wait after the first refusal; four times as long after each further one.
const FIRST_WAIT: Duration = Duration::from_mins(5);
/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_hours(6);

/// Whether the key may be used. Times are points on the daemon's timeline (time since start).
#[derive(Debug, Default)]
pub(super) struct Hold(Option<Refused>);

#[derive(Debug)]
struct Refused {
    key: Arc<Keys>,
    error: CallError,
    times: u32,
    until: Duration,
}

impl Hold {
    /// The last refusal, while the key must not be used because of it.
    pub(super) fn check(&self, key: &Keys, now: Duration) -> Result<(), CallError> {
        match &self.0 {
            Some(refused) if now < refused.until && is_same(&refused.key, key) => Err(refused.error.clone()),
            _ => Ok(()),
        }
    }

    /// The cloud did not accept this key.
    pub(super) fn refused(&mut self, key: &Arc<Keys>, error: &CallError, now: Duration) {
        let known = self.0.as_ref().filter(|refused| is_same(&refused.key, key));
        // Calls that were under way together are refused together: they count as one.
        if known.is_some_and(|refused| now < refused.until) {
            return;
        }
        let times = known.map_or(0, |refused| refused.times).saturating_add(1);
        let wait = FIRST_WAIT.saturating_mul(4_u32.saturating_pow(times - 1)).min(LONGEST_WAIT);
        self.0 = Some(Refused { key: Arc::clone(key), error: error.clone(), times, until: now + wait });
    }

    /// The cloud accepted this key.
    pub(super) fn accepted(&mut self, key: &Keys) {
        self.0.take_if(|refused| is_same(&refused.key, key));
    }
}

fn is_same(one: &Keys, other: &Keys) -> bool {
    let parts = |keys: &Keys| {
        let token = keys.token.as_ref().map(|token| token.expose().to_owned());
        (keys.id.expose().to_owned(), keys.secret.expose().to_owned(), token)
    };
    std::ptr::eq(one, other) || parts(one) == parts(other)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::call::CallErrorKind;
    use crate::secret::Secret;

    fn key(secret: &str) -> Arc<Keys> {
        let secret = Secret::new(secret);
        Arc::new(Keys { id: Secret::new("AK"), secret, token: None, expires: None })
    }

    fn refusal() -> CallError {
        CallError::new(CallErrorKind::KeyDenied, "dcs:instance:list", "no")
    }

    fn minutes(minutes: u64) -> Duration {
        Duration::from_mins(minutes)
    }

    #[test]
    fn a_refused_key_is_tried_ever_more_seldom() {
        let (mut hold, key, mut tries) = (Hold::default(), key("s"), Vec::new());
        for minute in 0..24 * 60 {
            if hold.check(&key, minutes(minute)).is_ok() {
                tries.push(minute);
                hold.refused(&key, &refusal(), minutes(minute));
            }
        }
        assert_eq!(tries, [0, 5, 25, 105, 425, 785, 1145]);
    }

    #[test]
    fn calls_refused_together_count_as_one() {
        let (mut hold, key) = (Hold::default(), key("s"));
        for minute in 0..4 {
            hold.refused(&key, &refusal(), minutes(minute));
        }
        assert_eq!(hold.check(&key, minutes(4)), Err(refusal()));
        assert_eq!(hold.check(&key, minutes(5)), Ok(()));
    }

    #[test]
    fn another_key_is_tried_at_once_and_an_accepted_one_is_forgiven() {
        let (mut hold, old, new) = (Hold::default(), key("old"), key("new"));
        hold.refused(&old, &refusal(), minutes(0));
        assert_eq!(hold.check(&new, minutes(1)), Ok(()));
        hold.accepted(&new);
        assert_eq!(hold.check(&old, minutes(1)), Err(refusal()), "the old one is still the old one");
        hold.accepted(&old);
        assert_eq!(hold.check(&old, minutes(1)), Ok(()));
    }
}
