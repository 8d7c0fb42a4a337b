//! Keys that stand in files: used as they were read, and read again when a file changes.
//!
//! What the files mean is decided by `make`, which reads them and gives a source; this module knows only when to ask
//! it again: once a change has settled for a second, and at once after the cloud refused a key. A change that cannot be
//! read leaves the old source in place.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use super::{KeySource, Keys};
use crate::call::CallError;
use crate::clock::Clock;
use crate::provider::{BoxFuture, BuildError};
use crate::stamp::Files;

/// Files are looked at once in so long at most.
const EVERY: Duration = Duration::from_secs(1);

/// Reads the files and makes a source of them.
pub type Make = Box<dyn Fn() -> Result<Arc<dyn KeySource>, BuildError> + Send + Sync>;

/// A source that is made anew when one of its files changes, and after the cloud refused a key.
pub struct WatchedKeys {
    account: Arc<str>,
    clock: Clock,
    make: Make,
    state: Mutex<State>,
}

struct State {
    source: Arc<dyn KeySource>,
    /// Taken is what `source` was made of.
    files: Files,
    looked: Duration,
    /// A key was refused: what the files say counts now.
    doubted: bool,
    /// The operator knows that they cannot be read.
    told: bool,
}

impl WatchedKeys {
    /// Reads the files for the first time.
    ///
    /// # Errors
    /// What `make` says.
    pub fn new(
        account: &Arc<str>,
        clock: &Clock,
        files: Vec<PathBuf>,
        make: Make,
    ) -> Result<Self, BuildError> {
        let files = Files::new(files);
        let source = make()?;
        let state = State { source, files, looked: clock.elapsed(), doubted: false, told: false };
        let (account, clock) = (Arc::clone(account), clock.clone());
        Ok(Self { account, clock, make, state: Mutex::new(state) })
    }

    /// The source to use now.
    fn source(&self) -> Arc<dyn KeySource> {
        let now = self.clock.elapsed();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.doubted || now.saturating_sub(state.looked) >= EVERY {
            state.looked = now;
            // Halves of a key stand in two files: while somebody is still writing, the old pair is the better one.
            let settled = state.files.look();
            if state.doubted || settled {
                self.make_anew(&mut state);
            }
        }
        Arc::clone(&state.source)
    }

    fn make_anew(&self, state: &mut State) {
        let account = &*self.account;
        state.doubted = false;
        match (self.make)() {
            Ok(source) => {
                if state.files.are_new() {
                    tracing::info!(account, "the files with the keys changed and were read again");
                }
                state.files.take();
                (state.source, state.told) = (source, false);
            }
            Err(error) if !state.told => {
                state.told = true;
                let error = error.to_string();
                tracing::warn!(account, error, "the keys cannot be read anew; the old ones stay in use");
            }
            Err(_) => {}
        }
    }
}

impl KeySource for WatchedKeys {
    fn keys(&self) -> BoxFuture<'_, Result<Arc<Keys>, CallError>> {
        Box::pin(async move { self.source().keys().await })
    }

    fn refused(&self, used: &Keys) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.doubted = true;
        state.source.refused(used);
    }

    fn actions(&self) -> Vec<&'static str> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).source.actions()
    }
}

impl fmt::Debug for WatchedKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        f.debug_struct("WatchedKeys").field("files", &state.files.paths()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;
    use crate::provider::keys::FixedKeys;
    use crate::secret::{Secret, SecretSource};

    struct Setting {
        _folder: tempfile::TempDir,
        path: PathBuf,
        reads: Arc<AtomicU32>,
        keys: WatchedKeys,
    }

    fn setting() -> Setting {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("key");
        fs::write(&path, "one\n").unwrap();
        let (source, reads) = (SecretSource::File(path.clone()), Arc::new(AtomicU32::new(0)));
        let count = Arc::clone(&reads);
        let make: Make = Box::new(move || {
            count.fetch_add(1, Ordering::Relaxed);
            let failed = |source| BuildError::Secret { subject: "`key`".into(), source };
            let id = source.load(&|_| None, None).map_err(failed)?;
            Ok(Arc::new(FixedKeys::new(Keys { id, secret: Secret::new("s"), token: None, expires: None })))
        });
        let keys = WatchedKeys::new(&"prod".into(), &Clock::system(), vec![path.clone()], make).unwrap();
        Setting { _folder: folder, path, reads, keys }
    }

    async fn id(setting: &Setting) -> String {
        setting.keys.keys().await.unwrap().id.expose().to_owned()
    }

    async fn a_second() {
        tokio::time::sleep(Duration::from_millis(1001)).await;
    }

    /// Time enough for a change to be seen and to settle.
    async fn settle(setting: &Setting) {
        a_second().await;
        id(setting).await;
        a_second().await;
    }

    #[tokio::test(start_paused = true)]
    async fn a_change_is_used_once_it_settled_and_nothing_is_read_without_one() {
        let setting = setting();
        for _ in 0..10 {
            a_second().await;
            assert_eq!(id(&setting).await, "one");
        }
        assert_eq!(setting.reads.load(Ordering::Relaxed), 1);
        let beside = setting.path.with_extension("new");
        fs::write(&beside, "two\n").unwrap();
        fs::rename(&beside, &setting.path).unwrap();
        assert_eq!(id(&setting).await, "one", "looked at less than a second ago");
        a_second().await;
        assert_eq!(id(&setting).await, "one", "somebody may still be writing");
        a_second().await;
        assert_eq!(id(&setting).await, "two");
    }

    #[tokio::test(start_paused = true)]
    async fn what_cannot_be_read_leaves_the_old_key_until_it_can() {
        let setting = setting();
        for content in [&b""[..], &[0xff]] {
            fs::write(&setting.path, content).unwrap();
            settle(&setting).await;
            assert_eq!(id(&setting).await, "one");
        }
        fs::remove_file(&setting.path).unwrap();
        settle(&setting).await;
        assert_eq!(id(&setting).await, "one");
        fs::write(&setting.path, "two").unwrap();
        settle(&setting).await;
        assert_eq!(id(&setting).await, "two");
    }

    #[tokio::test(start_paused = true)]
    async fn a_refused_key_is_read_again_at_once() {
        let setting = setting();
        let used = setting.keys.keys().await.unwrap();
        fs::write(&setting.path, "two").unwrap();
        assert_eq!(id(&setting).await, "one");
        setting.keys.refused(&used);
        assert_eq!(id(&setting).await, "two");
    }
}
