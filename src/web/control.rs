//! The control socket: the API for those who may open a file.
//!
//! Who may is up to the mode of the socket (0660) and of its folder. A socket that nobody listens on any more was left
//! by a daemon that died, and is replaced; one that somebody answers on is never touched.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use tokio::net::{UnixListener, UnixStream};

/// Owner and group.
const MODE: u32 = 0o660;
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
        match UnixStream::connect(path).await {
            Ok(_) => return Err(SocketError::Taken(path.to_owned())),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                remove_left(path).map_err(unusable)?;
            }
            Err(error) => return Err(unusable(error)),
        }
        let listener = UnixListener::bind(path).map_err(unusable)?;
        let made = fs::set_permissions(path, Permissions::from_mode(MODE)).and_then(|()| identity(path));
        made.map(|file| Self { listener: Some(listener), path: path.to_owned(), file }).map_err(unusable)
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
