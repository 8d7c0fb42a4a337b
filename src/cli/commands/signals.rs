//! Signals become a request to stop, or to read the configuration again.

use tokio::signal::unix::{SignalKind, signal};

use crate::daemon::Reloads;
use crate::shutdown::Stop;

/// Asks to stop at SIGTERM or SIGINT, and to read the configuration again at SIGHUP.
///
/// # Errors
/// The system does not let us listen for signals.
pub(super) fn listen_to_signals(stop: Stop, reloads: Reloads) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
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
    Ok(())
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
