//! Notices that files changed, and that a change has come to rest: what somebody is still writing, or replaces one file
//! after the other, is not read in between.
//!
//! Knows nothing of what stands in them and reads none. Who is told reads them, and says whether what they hold is used
//! now (keys of clouds, the port's own TLS, secrets of channels).

use std::fs::Metadata;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What tells one content of a file from another: device, inode, length, and both times to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp([u64; 3], [i64; 4]);

/// Files that are looked at again and again.
#[derive(Debug, Clone, Default)]
pub struct Files {
    paths: Vec<PathBuf>,
    /// What they were like at the last look.
    seen: Vec<Option<Stamp>>,
    /// What they were like when what they hold was taken.
    taken: Vec<Option<Stamp>>,
}

impl Files {
    /// Looks for the first time, and counts what is there as taken. To be called before they are read: what changes in
    /// between is then seen later.
    pub fn new(paths: Vec<PathBuf>) -> Self {
        let seen = stamps(&paths);
        Self { taken: seen.clone(), seen, paths }
    }

    /// Which files.
    pub fn paths(&self) -> &[PathBuf] {
        &self.paths
    }

    /// Looks again. Whether they are other ones than those that were taken, and have been so since the look before. May
    /// wait for a disk.
    pub fn look(&mut self) -> bool {
        let now = stamps(&self.paths);
        let before = std::mem::replace(&mut self.seen, now);
        before == self.seen && self.are_new()
    }

    /// Whether they were other ones at the last look than those that were taken.
    pub fn are_new(&self) -> bool {
        self.seen != self.taken
    }

    /// What was there at the last look is taken: there is nothing to do until they change again.
    pub fn take(&mut self) {
        self.taken.clone_from(&self.seen);
    }
}

/// Whether a path can be read more than once; a pipe cannot.
pub fn can_be_read_again(path: &Path) -> bool {
    path.metadata().is_ok_and(|metadata| metadata.is_file())
}

fn stamps(paths: &[PathBuf]) -> Vec<Option<Stamp>> {
    paths.iter().map(|path| path.metadata().ok().map(|metadata| Stamp::of(&metadata))).collect()
}

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let what = [metadata.dev(), metadata.ino(), metadata.len()];
        Self(what, [metadata.mtime(), metadata.mtime_nsec(), metadata.ctime(), metadata.ctime_nsec()])
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Two files, and how they look to one who took them as they are.
    fn two() -> (tempfile::TempDir, PathBuf, Files) {
        let folder = tempfile::tempdir().expect("a folder");
        let paths = ["one", "two"].map(|name| folder.path().join(name));
        for path in &paths {
            fs::write(path, "old").expect("written");
        }
        let files = Files::new(paths.to_vec());
        (folder, paths.into_iter().next().expect("one"), files)
    }

    #[test]
    fn a_change_is_told_once_it_is_at_rest_and_until_it_was_taken() {
        let (_folder, path, mut files) = two();
        assert!(!files.look() && !files.are_new(), "nothing changed");
        fs::write(&path, "longer").expect("written");
        assert!(!files.look() && files.are_new(), "somebody may still be writing");
        assert!(files.look() && files.look(), "at rest, and nobody has taken it");
        files.take();
        assert!(!files.look() && !files.are_new(), "taken");
    }

    #[test]
    fn every_way_of_changing_a_file_is_seen() {
        type Change = fn(&Path);
        let changes: [(&str, Change); 5] = [
            ("written", |path| fs::write(path, "other").expect("written")),
            ("gone", |path| fs::remove_file(path).expect("removed")),
            ("a link, as Kubernetes has it", |path| {
                let other = path.with_extension("target");
                fs::write(&other, "old").expect("written");
                fs::remove_file(path).expect("removed");
                std::os::unix::fs::symlink(other, path).expect("linked");
            }),
            ("its rights", |path| {
                let rights = std::os::unix::fs::PermissionsExt::from_mode(0o600);
                fs::set_permissions(path, rights).expect("set");
            }),
            ("another one renamed over it", |path| {
                let beside = path.with_extension("new");
                fs::write(&beside, "old").expect("written");
                fs::rename(&beside, path).expect("renamed");
            }),
        ];
        for (name, change) in changes {
            let (_folder, path, mut files) = two();
            std::thread::sleep(std::time::Duration::from_millis(20));
            change(&path);
            files.look();
            assert!(files.look(), "{name}");
        }
    }

    #[test]
    fn a_pipe_is_read_only_once() {
        let (folder, path, _) = two();
        assert!(can_be_read_again(&path));
        assert!(!can_be_read_again(Path::new("/dev/null")));
        assert!(!can_be_read_again(folder.path()));
    }
}
