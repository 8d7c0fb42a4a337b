//! The request to stop, as a value that can be handed around.
//!
//! A thin coat over a `watch` channel, whose guard must not live across an `await`: behind this coat it cannot, so
//! the futures of the loops stay `Send`. Knows nothing of signals; whoever holds the [`Stop`] decides.

use tokio::sync::watch;

/// The side that asks. Dropping it asks too, so that a loop never outlives the one who would stop it.
#[derive(Debug)]
pub struct Stop(watch::Sender<bool>);

/// The side that is asked. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Stop {
    /// A new request, not made yet.
    pub fn new() -> Self {
        Self(watch::Sender::new(false))
    }

    /// Asks everyone to stop, now and for good.
    pub fn request(&self) {
        self.0.send_replace(true);
    }

    /// For one who is to be asked.
    pub fn listener(&self) -> Shutdown {
        Shutdown(self.0.subscribe())
    }
}

impl Default for Stop {
    fn default() -> Self {
        Self::new()
    }
}

impl Shutdown {
    /// Whether the request was made.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow() || self.0.has_changed().is_err()
    }

    /// Waits for the request; returns at once when it was made before.
    pub async fn requested(&self) {
        let mut receiver = self.0.clone();
        // An error means that the asking side is gone, which is a request as well.
        let _ = receiver.wait_for(|requested| *requested).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn assert_send<T: Send>(_: &T) {}

    #[tokio::test]
    async fn a_request_reaches_those_who_wait_and_those_who_ask_later() {
        let stop = Stop::new();
        let (early, late) = (stop.listener(), stop.listener());
        assert!(!early.is_requested());
        let waiting = tokio::spawn(async move { early.requested().await });
        stop.request();
        waiting.await.expect("ends");
        late.requested().await;
        assert!(late.is_requested());
    }

    #[tokio::test]
    async fn dropping_the_asking_side_is_a_request() {
        let shutdown = Stop::new().listener();
        assert!(shutdown.is_requested());
        let waiting = shutdown.requested();
        assert_send(&waiting);
        waiting.await;
    }
}
