//! Tells the service manager how the daemon fares: a line with counts when they change, and that all is well as long as
//! every loop that matters turns.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::pulse::Pulses;
use crate::domain::renewal::board::Board;
use crate::domain::snapshot::Snapshot;
use crate::shutdown::Shutdown;
use crate::systemd::{Notify, Word};
use crate::web::inside::Reading;

/// The line is made anew this often, and sent when it is another one.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Who tells, and what from.
#[derive(Clone)]
pub(super) struct Service {
    pub(super) notify: Notify,
    /// `None`: nobody waits for a sign of life.
    pub(super) watchdog: Option<Duration>,
    pub(super) pulses: Pulses,
    pub(super) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(super) reading: watch::Receiver<Arc<Reading>>,
    pub(super) numbers: watch::Receiver<Numbers>,
}

/// What the line says beside the snapshot.
#[derive(Clone, Default)]
pub(super) struct Numbers {
    pub(super) accounts: usize,
    pub(super) renewals: Option<watch::Receiver<Arc<Board>>>,
}

impl Service {
    /// The start, or a reload, is done.
    pub(super) fn ready(&self) {
        self.notify.say(Word::Ready);
        self.notify.say(Word::Status(&self.line()));
    }

    /// Tells until asked to stop.
    pub(super) async fn run(self, stop: Shutdown) {
        let every = self.watchdog.map_or(LINE_EVERY, |limit| (limit / 3).min(LINE_EVERY));
        let (mut said, mut still) = (String::new(), None);
        while !stop.is_requested() {
            still = self.ping(still);
            let line = self.line();
            if line != said {
                self.notify.say(Word::Status(&line));
                said = line;
            }
            tokio::select! {
                () = stop.requested() => {}
                () = tokio::time::sleep(every) => {}
            }
        }
    }

    /// Says that all is well, if it is. Returns the loop that stands still, if one does.
    fn ping(&self, before: Option<&'static str>) -> Option<&'static str> {
        let still = self.pulses.standing_still();
        match still {
            None => self.notify.say(Word::Watchdog),
            Some(name) if before != still => {
                tracing::error!(
                    "{name} stands still, which is a defect of notafter; the service manager is not told that all is well"
                );
            }
            Some(_) => {}
        }
        still
    }

    fn line(&self) -> String {
        let snapshot = Arc::clone(&self.snapshots.borrow());
        let Numbers { accounts, renewals } = self.numbers.borrow().clone();
        let refused = self.reading.borrow().refused.is_some();
        let under_way = renewals.map_or(0, |board| {
            board.borrow().attempts.iter().filter(|attempt| attempt.state.is_open()).count()
        });
        line(&snapshot, accounts, under_way, refused)
    }
}

fn line(snapshot: &Snapshot, accounts: usize, renewals: usize, refused: bool) -> String {
    let blind = snapshot.scopes.values().filter(|view| view.failure().is_some()).count();
    let certificates: usize = snapshot.resources().map(|(_, resource)| resource.certificates().len()).sum();
    let count = |number: usize, word: &str| format!("{number} {word}{}", if number == 1 { "" } else { "s" });
    let mut parts = vec![count(accounts, "account"), count(snapshot.scopes.len(), "scope")];
    if blind > 0 {
        parts.push(format!("{blind} of them blind"));
    }
    parts.push(count(certificates, "certificate"));
    if renewals > 0 {
        parts.push(format!("{} open", count(renewals, "renewal")));
    }
    let line = parts.join(", ");
    if refused {
        format!("the last reload was REFUSED, the configuration before it is used; {line}")
    } else {
        line
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;
    use crate::domain::snapshot::ScopeView;
    use crate::domain::testing::{moment, resource, scope};

    fn snapshot() -> Snapshot {
        let mut snapshot = Snapshot::default();
        let view = ScopeView::default().with_resources([resource("r-1"), resource("r-2")]);
        snapshot.scopes.insert(Arc::new(scope("redis")), Arc::new(view));
        snapshot
    }

    #[test]
    fn the_line_counts() {
        assert_eq!(line(&Snapshot::default(), 2, 0, false), "2 accounts, 0 scopes, 0 certificates");
        let said = line(&snapshot(), 1, 1, true);
        assert!(said.starts_with("the last reload was REFUSED, "), "{said}");
        assert!(said.contains("1 account, 1 scope, ") && said.ends_with(", 1 renewal open"), "{said}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_loop_that_stands_still_is_not_vouched_for() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("notify");
        let manager = UnixDatagram::bind(&path).expect("bound");
        manager.set_nonblocking(true).expect("it can");
        let heard = || {
            let mut buffer = [0; 256];
            let length = manager.recv(&mut buffer).ok()?;
            Some(String::from_utf8(buffer[..length].to_vec()).expect("text"))
        };
        let reading = Reading { used_since: moment(), refused: None };
        let service = Service {
            notify: Notify::from_env(&|_| Some(path.display().to_string())),
            watchdog: Some(Duration::from_secs(60)),
            pulses: Pulses::default(),
            snapshots: watch::Sender::new(Arc::new(snapshot())).subscribe(),
            reading: watch::Sender::new(Arc::new(reading)).subscribe(),
            numbers: watch::Sender::new(Numbers::default()).subscribe(),
        };
        service.pulses.poll.beat();
        assert_eq!(service.ping(None), None);
        assert_eq!(heard().as_deref(), Some("WATCHDOG=1"));
        tokio::time::advance(Duration::from_hours(1)).await;
        assert_eq!(service.ping(None), Some("the poll loop"));
        assert_eq!(heard(), None, "a poll loop that was blocked for an hour");
        service.pulses.poll.beat();
        assert_eq!(service.ping(Some("the poll loop")), None);
        assert_eq!(heard().as_deref(), Some("WATCHDOG=1"));
    }
}
