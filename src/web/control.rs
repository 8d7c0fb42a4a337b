//! The control socket: the API for those who may open a file.
//!
//! Who may is up to the mode of the socket (0660) and of its folder. A socket that nobody listens on any more was left
//! by a daemon that died, and is replaced; one that somebody answers on is never touched. It answers from the moment on at
//! which its mode is set, and of daemons that start at once only one gets it.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::net::{UnixListener, UnixSocket, UnixStream};
use tokio::time::sleep;

/// Owner and group.
const MODE: u32 = 0o660;
/// So many connections may wait to be accepted.
const BACKLOG: u32 = 1024;
/// Another daemon that starts is waited for so many times,
const TURNS: usize = 100;
/// each time so long.
const TURN: Duration = Duration::from_millis(50);
/// Where it is unless somebody says otherwise and systemd gave no folder.
const USUAL: &str = "/run/notafter/control.sock";

/// Where the socket is: as configured, else in systemd's `$RUNTIME_DIRECTORY`, else `/run/notafter/control.sock`.
pub fn place(configured: Option<&Path>, env: &dyn Fn(&str) -> Option<String>) -> PathBuf {
    let folder = || {
        let folders = env("RUNTIME_DIRECTORY")?;
        let first = folders.split(':').next().filter(|first| !first.is_empty())?;
        Some(Path::new(first).join("control.sock"))
    };
    configured.map(Path::to_owned).or_else(folder).unwrap_or_else(|| USUAL.into())
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    /// A daemon that lives answers there.
    #[error(
        "{}: another daemon is running and answers on this control socket; stop it, or give this one its own \
         `control_socket` under [web]", .0.display()
    )]
    Taken(PathBuf),
    /// It cannot be made.
    #[error("{}: {source}", path.display())]
    Unusable {
        /// Where it should be.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

/// A socket that is listened on. Its file goes with it.
#[derive(Debug)]
pub struct Socket {
    listener: Option<UnixListener>,
    path: PathBuf,
    /// Device and inode, to tell our file from one that took its place.
    file: (u64, u64),
}

impl Socket {
    /// Listens on a socket, in the place of one that was left there.
    ///
    /// # Errors
    /// Somebody else listens there, or the system does not let us.
    pub async fn bind(path: &Path) -> Result<Self, SocketError> {
        let unusable = |source| SocketError::Unusable { path: path.to_owned(), source };
        // until this one listens, or is not made
        let _alone = alone_beside(path).await;
        match UnixStream::connect(path).await {
            Ok(_) => return Err(SocketError::Taken(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                remove_left(path).map_err(unusable)?;
            }
            Err(error) => return Err(unusable(error)),
        }
        let (listener, file) = listen(path).map_err(unusable)?;
        Ok(Self { listener: Some(listener), path: path.to_owned(), file })
    }

    /// What accepts connections; once.
    pub fn take_listener(&mut self) -> Option<UnixListener> {
        self.listener.take()
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if identity(&self.path).is_ok_and(|file| file == self.file)
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::debug!(%error, "the control socket was left behind");
        }
    }
}

/// Nobody can connect before it listens, and by then its mode is set: whatever umask there is, it was open to nobody else.
fn listen(path: &Path) -> io::Result<(UnixListener, (u64, u64))> {
    let socket = UnixSocket::new_stream()?;
    socket.bind(path)?;
    fs::set_permissions(path, Permissions::from_mode(MODE))?;
    Ok((socket.listen(BACKLOG)?, identity(path)?))
}

/// Waits until no other daemon is making its socket in the same folder: two that look at once both see one that was left, and
/// the slower one would remove the other's. `None`: that cannot be had here, or not in time; the socket matters more.
async fn alone_beside(path: &Path) -> Option<File> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = File::open(folder.unwrap_or(Path::new("."))).ok()?;
    for _ in 0..TURNS {
        match folder.try_lock() {
            Ok(()) => return Some(folder),
            Err(TryLockError::WouldBlock) => sleep(TURN).await,
            Err(TryLockError::Error(error)) => {
                tracing::debug!(%error, "the folder of the control socket cannot be locked");
                return None;
            }
        }
    }
    None
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    fs::symlink_metadata(path).map(|file| (file.dev(), file.ino()))
}

/// Connections to what is no socket are refused as well: that is not ours to remove.
fn remove_left(path: &Path) -> io::Result<()> {
    if fs::symlink_metadata(path)?.file_type().is_socket() {
        return fs::remove_file(path);
    }
    Err(io::Error::new(ErrorKind::AlreadyExists, "there is a file that is no socket"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_configured_or_given_by_systemd_or_the_usual_one() {
        let place = |configured: Option<&str>, runtime: Option<&str>| {
            let env = |name: &str| runtime.filter(|_| name == "RUNTIME_DIRECTORY").map(str::to_owned);
            super::place(configured.map(Path::new), &env).display().to_string()
        };
        assert_eq!(place(Some("/a/b"), Some("/run/x")), "/a/b");
        assert_eq!(place(None, Some("/run/x")), "/run/x/control.sock");
        assert_eq!(place(None, Some("/run/x:/run/y")), "/run/x/control.sock");
        assert_eq!(place(None, Some("")), USUAL);
        assert_eq!(place(None, None), USUAL);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 4)]
    async fn of_daemons_that_start_at_once_one_has_the_socket_and_keeps_it() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        for round in 0..50 {
            drop(std::os::unix::net::UnixListener::bind(&path).expect("left by one that died"));
            let start = || {
                let path = path.clone();
                tokio::spawn(async move { Socket::bind(&path).await })
            };
            let starts = [start(), start(), start()];
            let mut living = Vec::new();
            for started in starts {
                match started.await.expect("no panic") {
                    Ok(socket) => living.push(socket),
                    Err(SocketError::Taken(_)) => {}
                    Err(error) => panic!("{round}: {error}"),
                }
            }
            assert_eq!(living.len(), 1, "round {round}");
            UnixStream::connect(&path).await.expect("the one that has it answers");
            drop(living);
            assert!(!path.exists(), "round {round}");
        }
    }

    #[tokio::test]
    async fn a_folder_that_somebody_else_locked_is_waited_for_and_then_done_without() {
        let folder = tempfile::tempdir().expect("a folder");
        let held = File::open(folder.path()).expect("opened");
        held.lock().expect("locked");
        tokio::time::pause();
        Socket::bind(&folder.path().join("control.sock")).await.expect("it comes about all the same");
    }

    #[test]
    fn whoever_can_connect_finds_its_mode_set() {
        let folder = tempfile::tempdir().expect("a folder");
        let runtime = tokio::runtime::Runtime::new().expect("a runtime");
        let within = runtime.enter();
        for number in 0..2000 {
            let path = folder.path().join(number.to_string());
            let there = path.clone();
            let visitor = std::thread::spawn(move || {
                while std::os::unix::net::UnixStream::connect(&there).is_err() {
                    std::hint::spin_loop();
                }
                fs::metadata(&there).expect("there").permissions().mode() & 0o777
            });
            let _listens = listen(&path).expect("bound");
            assert_eq!(visitor.join().expect("no panic"), MODE);
        }
        drop(within);
    }

    #[tokio::test]
    async fn a_socket_is_taken_replaced_and_removed() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("control.sock");
        let living = Socket::bind(&path).await.expect("bound");
        assert_eq!(fs::metadata(&path).expect("there").permissions().mode() & 0o777, MODE);
        assert!(matches!(Socket::bind(&path).await, Err(SocketError::Taken(_))));
        drop(living);
        assert!(!path.exists(), "it goes with its daemon");
        drop(std::os::unix::net::UnixListener::bind(&path).expect("bound"));
        assert!(path.exists(), "left by one that died");
        let next = Socket::bind(&path).await.expect("replaced");
        fs::remove_file(&path).expect("removed");
        fs::write(&path, "mine").expect("written");
        drop(next);
        assert!(path.exists(), "what is not ours stays");
        let error = Socket::bind(&path).await.expect_err("a file").to_string();
        assert!(error.ends_with("there is a file that is no socket"), "{error}");
        let error = Socket::bind(&folder.path().join("no/such.sock")).await.expect_err("no folder");
        assert!(matches!(error, SocketError::Unusable { .. }), "{error}");
    }
}
