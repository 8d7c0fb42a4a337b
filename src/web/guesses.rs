//! How many wrong passwords a peer may try.
//!
//! Each has some to lose at once, and gets them back one by one: enough for people who mistype and for a scraper with an
//! old password, far too few to guess one or to keep a processor busy.

use std::collections::HashMap;
use std::time::Duration;

use tokio::time::Instant;

use super::peer::Peer;

/// So many at once.
const AT_ONCE: u32 = 10;
/// One is given back after this.
const EACH: Duration = Duration::from_secs(5);
/// So many peers are remembered. Beyond it the one that is nearest to being forgiven is forgotten first.
const PEERS: usize = 1024;

/// What each peer has lost; who is not here has lost nothing.
#[derive(Debug, Default)]
pub(super) struct Guesses {
    /// When all is given back.
    whole_at: HashMap<Peer, Instant>,
}

impl Guesses {
    /// Takes one guess before it is checked. `Err`: there is none left, and the next one comes after that time.
    pub(super) fn take(&mut self, peer: Peer, now: Instant) -> Result<(), Duration> {
        let whole_at = self.whole_at.get(&peer).copied().unwrap_or(now).max(now) + EACH;
        let beyond = whole_at.saturating_duration_since(now + EACH * AT_ONCE);
        if !beyond.is_zero() {
            return Err(beyond);
        }
        if self.whole_at.len() >= PEERS && !self.whole_at.contains_key(&peer) {
            self.forget(now);
        }
        self.whole_at.insert(peer, whole_at);
        Ok(())
    }

    /// It was right, or was not checked at all.
    pub(super) fn give_back(&mut self, peer: Peer) {
        if let Some(whole_at) = self.whole_at.get_mut(&peer) {
            // A machine that has just started has no moments before that.
            *whole_at = whole_at.checked_sub(EACH).unwrap_or(*whole_at);
        }
    }

    fn forget(&mut self, now: Instant) {
        self.whole_at.retain(|_, whole_at| *whole_at > now);
        if self.whole_at.len() >= PEERS {
            let first = self.whole_at.iter().min_by_key(|(_, whole_at)| **whole_at).map(|(peer, _)| *peer);
            first.map(|peer| self.whole_at.remove(&peer));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn peer(number: u32) -> Peer {
        Peer::of(Ipv4Addr::from_bits(number).into())
    }

    #[test]
    fn a_peer_may_err_ten_times_and_then_once_in_five_seconds() {
        let (mut guesses, start) = (Guesses::default(), Instant::now());
        for _ in 0..AT_ONCE {
            assert_eq!(guesses.take(peer(1), start), Ok(()));
        }
        assert_eq!(guesses.take(peer(1), start), Err(EACH));
        assert_eq!(guesses.take(peer(1), start + Duration::from_secs(4)), Err(Duration::from_secs(1)));
        assert_eq!(guesses.take(peer(2), start), Ok(()), "somebody else");
        assert_eq!(guesses.take(peer(1), start + EACH), Ok(()));
        assert_eq!(guesses.take(peer(1), start + EACH), Err(EACH));
        guesses.give_back(peer(1));
        assert_eq!(guesses.take(peer(1), start + EACH), Ok(()), "that one was right");
    }

    #[test]
    fn so_many_peers_are_remembered() {
        let (mut guesses, start) = (Guesses::default(), Instant::now());
        let many = u32::try_from(PEERS).expect("few");
        for number in 0..=many {
            guesses.take(peer(number), start + Duration::from_micros(number.into())).expect("the first");
        }
        assert_eq!(guesses.whole_at.len(), PEERS);
        assert!(!guesses.whole_at.contains_key(&peer(0)), "the first to be forgiven");
        guesses.take(peer(many + 1), start + Duration::from_hours(1)).expect("the first");
        assert_eq!(guesses.whole_at.len(), 1, "all others are forgiven");
    }
}
