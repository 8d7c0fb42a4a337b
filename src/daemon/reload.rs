//! Who asks for the configuration to be read again, and what they are told. The reading itself is `running`'s.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::DaemonError;
use crate::call::BoxFuture;
use crate::config::LoadError;
use crate::web::inside::{Reload, ReloadRefused, Reloaded};

/// So many may wait for their turn.
const WAITING: usize = 16;

/// No request over HTTP waits longer for the end of a reload; there, no answer takes more than 30 s to begin.
const PATIENCE: Duration = Duration::from_secs(25);

/// One request.
pub(super) enum Ask {
    /// Everything is to be read again.
    Reload { by: Arc<str>, answer: oneshot::Sender<Result<Reloaded, ReloadRefused>> },
    /// Files that are used to tell with have changed, the configuration has not.
    Files,
}

/// Has the configuration read again. Clones reach the same daemon.
#[derive(Debug, Clone)]
pub struct Reloads(mpsc::Sender<Ask>);

impl Reloads {
    pub(super) fn channel() -> (Self, mpsc::Receiver<Ask>) {
        let (sender, receiver) = mpsc::channel(WAITING);
        (Self(sender), receiver)
    }

    /// Has it read and used, all of it or nothing.
    ///
    /// # Errors
    /// It cannot be used, or the daemon is stopping.
    pub async fn ask(&self, by: &str) -> Result<Reloaded, ReloadRefused> {
        let (answer, answered) = oneshot::channel();
        let asked = self.0.send(Ask::Reload { by: by.into(), answer }).await;
        asked.map_err(|_| ReloadRefused::Stopping)?;
        answered.await.unwrap_or(Err(ReloadRefused::Stopping))
    }

    /// Has the files read again that are used to tell with. Nobody waits for the end of it: the log says how it went.
    pub(super) async fn files_changed(&self) {
        // an error means that the daemon is stopping
        drop(self.0.send(Ask::Files).await);
    }
}

impl Reload for Reloads {
    fn reload<'a>(&'a self, by: &'a str) -> BoxFuture<'a, Result<Reloaded, ReloadRefused>> {
        let asked = async move {
            let answer = tokio::time::timeout(PATIENCE, self.ask(by)).await;
            answer.unwrap_or(Err(ReloadRefused::UnderWay))
        };
        Box::pin(asked)
    }
}

/// Why a configuration that was read again is not used.
#[derive(Debug, thiserror::Error)]
pub(super) enum ReloadError {
    /// There is no file.
    #[error("this daemon was not started from a file: there is nothing to read again")]
    NoSource,
    /// Something is wrong with the file.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// Something is wrong with what it names.
    #[error(transparent)]
    Daemon(#[from] DaemonError),
    /// It is opened once.
    #[error(
        "`store.url` is another one than at the start, and what is known lies there: restart to use another store"
    )]
    Store,
    /// It is opened once.
    #[error("`web.control_socket` is another one than at the start: restart to use another one")]
    ControlSocket,
    /// A defect of ours.
    #[error("the configuration could not be read, which is a defect of notafter; its log says more")]
    Defect,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn whoever_asks_over_http_hears_in_time_that_it_takes_long() {
        let (reloads, mut asked) = Reloads::channel();
        let answer = reloads.reload("alice");
        let hanging = asked.recv();
        let (answer, _hanging) = tokio::join!(answer, hanging);
        assert_eq!(answer, Err(ReloadRefused::UnderWay));
        drop(asked);
        assert_eq!(reloads.reload("alice").await, Err(ReloadRefused::Stopping));
    }
}
