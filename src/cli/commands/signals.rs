//! Signals become a request to stop, or to read the configuration again.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::daemon::Reloads;
use crate::shutdown::Stop;

/// The signals of the daemon, from the moment it is made: none of them ends the process any more. What comes before
/// anybody hears is not lost; several of one kind are one.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

impl Signals {
    /// Before anything else of the daemon: systemd takes a process that SIGHUP ended for one that ended well, and does
    /// not start it again.
    ///
    /// # Errors
    /// The system does not let us listen for signals.
    pub(super) fn take() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for SIGTERM or SIGINT.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Asks to stop at SIGTERM or SIGINT, and to read the configuration again at SIGHUP, also for those that came
    /// before.
    pub(super) fn hear(mut self, stop: Stop, reloads: Reloads) {
        tokio::spawn(async move {
            loop {
                tokio::select! {
                    _ = self.terminate.recv() => break,
                    _ = self.interrupt.recv() => break,
                    _ = self.hangup.recv() => {
                        let reloads = reloads.clone();
                        // a signal to stop is heard meanwhile; how it ends the daemon tells in its log
                        tokio::spawn(async move { drop(reloads.ask("SIGHUP").await) });
                    }
                }
            }
            tracing::info!("stopping");
            stop.request();
            std::future::pending::<()>().await;
        });
    }
}

/// Asks to stop at SIGTERM or SIGINT. Nothing is read again by what ends by itself: SIGHUP ends it, as usual.
///
/// # Errors
/// The system does not let us listen for signals.
pub(super) fn stop_at_signals(stop: Stop) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        stop.request();
        std::future::pending::<()>().await;
    });
    Ok(())
}
