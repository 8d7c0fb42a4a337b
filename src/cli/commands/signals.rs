//! Signals become a request to stop.

use tokio::signal::unix::{SignalKind, signal};

use crate::shutdown::Stop;

/// Asks to stop at SIGTERM or SIGINT. SIGHUP is answered with a line in the log: this version cannot reload.
///
/// # Errors
/// The system does not let us listen for signals.
pub(super) fn stop_at_signals(stop: Stop) -> std::io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut hangup = signal(SignalKind::hangup())?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hangup.recv() => {
                    tracing::warn!("SIGHUP: reloading is not built yet in this version; restart to read the configuration again");
                }
            }
        }
        tracing::info!("stopping");
        stop.request();
        std::future::pending::<()>().await;
    });
    Ok(())
}
