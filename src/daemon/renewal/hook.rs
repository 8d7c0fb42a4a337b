//! Programs of the operator around a renewal: no shell, a clean environment, a time limit, and not a word of theirs is
//! taken for more than words.
//!
//! The program alone answers, by its exit code: what it leaves running in the background is not waited for. At the time
//! limit, and when the daemon stops, it ends with everything that it began and that has not made itself independent.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::{Child, Command};

use crate::call::clean;

/// So much of what a program says is kept.
const LONGEST: usize = 4096;
/// What a program said before it ended is read within this, though others may still hold its stderr.
const REST: Duration = Duration::from_millis(250);
/// Where programs find other programs; nothing else of the daemon's environment is passed on, keys least of all.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// Runs a program to its end. `words` become its environment.
///
/// # Errors
/// In words: it cannot be started, says no by its exit code, or takes too long; then it is killed.
pub(super) async fn run(
    program: &[String],
    words: &[(&'static str, String)],
    limit: Duration,
) -> Result<(), String> {
    let Some((name, arguments)) = program.split_first() else { return Ok(()) };
    let mut command = Command::new(name);
    command.args(arguments).env_clear().env("PATH", PATH).envs(words.iter().map(|(key, value)| (key, value)));
    command.current_dir("/").stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    // a stop of the daemon ends it: what it was for is planned again
    command.process_group(0).kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
    let mut group = Group::of(&child);
    let mut said = Vec::new();
    let ended = tokio::time::timeout(limit, end_of(&mut child, &mut said)).await;
    let Ok(ended) = ended else {
        return Err(format!("{name} took longer than {} s and was ended", limit.as_secs()));
    };
    let status = ended.map_err(|error| format!("{name} cannot be waited for: {error}"))?;
    // it has answered: what it left in the background is its own business
    group.release();
    let said = clean(&String::from_utf8_lossy(&said));
    match status.success() {
        true => Ok(()),
        false if said.is_empty() => Err(format!("{name}: {status}")),
        false => Err(format!("{name}: {status}: {said}")),
    }
}

/// Waits for the program, and for nobody else who has its stderr: a child in the background may keep that for hours.
async fn end_of(child: &mut Child, said: &mut Vec<u8>) -> io::Result<ExitStatus> {
    let Some(stderr) = child.stderr.take() else { return child.wait().await };
    let mut hearing = pin!(hear(stderr, said));
    let status = tokio::select! {
        status = child.wait() => status?,
        () = &mut hearing => return child.wait().await,
    };
    if !status.success() {
        // who says no in words has said them by now
        drop(tokio::time::timeout(REST, hearing).await);
    }
    Ok(status)
}

/// The first of what it complains about. The rest is read and dropped, so that it never waits for a reader.
async fn hear(mut from: impl AsyncRead + Unpin, first: &mut Vec<u8>) {
    let mut part = [0; 1024];
    // what cannot be read was not said
    while let Ok(count @ 1..) = from.read(&mut part).await {
        let room = LONGEST.saturating_sub(first.len()).min(count);
        first.extend_from_slice(&part[..room]);
    }
}

/// A program and everything that it began, killed together when this goes, unless it is released before.
struct Group(Option<Pid>);

impl Group {
    /// The program leads its group, whose id is its own.
    fn of(child: &Child) -> Self {
        Self(child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw))
    }

    /// Once its leader was waited for, the id may belong to somebody else.
    fn release(&mut self) {
        self.0 = None;
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(id) = self.0
            && let Err(error) = kill_process_group(id, Signal::KILL)
        {
            tracing::debug!(%error, "a program around a renewal had ended by itself");
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(20);

    fn shell(script: &str) -> Vec<String> {
        ["/bin/sh", "-c", script].map(str::to_owned).to_vec()
    }

    #[tokio::test]
    async fn an_exit_code_is_a_yes_or_a_no() {
        for (name, script, want) in [
            ("yes", "exit 0", Ok(())),
            ("no", "exit 3", Err("/bin/sh: exit status: 3")),
            (
                "no, and why",
                "echo backup is running >&2; exit 1",
                Err("/bin/sh: exit status: 1: backup is running"),
            ),
            ("its output is nobody's business", "echo yes; exit 0", Ok(())),
            ("much of it", "yes no | head -c 300000 >&2; exit 0", Ok(())),
            ("killed", "kill -9 $$", Err("/bin/sh: signal: 9 (SIGKILL)")),
        ] {
            let ended = run(&shell(script), &[], LIMIT).await;
            assert_eq!(ended, want.map_err(str::to_owned), "{name}");
        }
    }

    #[tokio::test]
    async fn the_environment_is_clean_and_nothing_is_expanded() {
        let words = [("NOTAFTER_RESOURCE_ID", "r-1; rm -rf / $(id)".to_owned())];
        let script =
            r#"[ "$NOTAFTER_RESOURCE_ID" = 'r-1; rm -rf / $(id)' ] && [ -z "$CARGO_MANIFEST_DIR$HOME" ]"#;
        assert_eq!(run(&shell(script), &words, LIMIT).await, Ok(()));
    }

    #[tokio::test]
    async fn what_takes_too_long_or_is_not_there_says_no() {
        let ended = run(&shell("sleep 60"), &[], Duration::from_millis(50)).await;
        assert_eq!(ended, Err("/bin/sh took longer than 0 s and was ended".to_owned()));
        let ended = run(&["/no/such/program".to_owned()], &[], LIMIT).await.expect_err("not there");
        assert!(ended.starts_with("/no/such/program cannot be started: "), "{ended}");
    }

    #[tokio::test]
    async fn who_leaves_somebody_in_the_background_has_answered_all_the_same() {
        for (name, script, want) in [
            ("yes", "sleep 30 & exit 0", Ok(())),
            ("no, and why", "sleep 30 & echo later >&2; exit 2", Err("/bin/sh: exit status: 2: later")),
        ] {
            let began = std::time::Instant::now();
            let ended = run(&shell(script), &[], LIMIT).await;
            assert_eq!(ended, want.map_err(str::to_owned), "{name}");
            assert!(began.elapsed() < Duration::from_secs(10), "{name}: {:?}", began.elapsed());
        }
    }

    #[tokio::test]
    async fn at_the_time_limit_everything_that_it_began_is_ended() {
        let folder = tempfile::tempdir().expect("a folder");
        let (pid, alive) = (folder.path().join("pid"), |id: &str| Path::new("/proc").join(id));
        // the one in the background is a child of a child, and a zombie counts as ended
        let script = format!("(sleep 60 & echo $! > {0}.new; mv {0}.new {0}; wait) & wait", pid.display());
        let program = shell(&script);
        let running = tokio::spawn(async move { run(&program, &[], Duration::from_secs(2)).await });
        let mut id = String::new();
        while id.is_empty() {
            tokio::time::sleep(Duration::from_millis(20)).await;
            id = std::fs::read_to_string(&pid).unwrap_or_default().trim().to_owned();
        }
        assert!(alive(&id).exists(), "it runs in the background");
        let ended = running.await.expect("no panic");
        assert_eq!(ended, Err("/bin/sh took longer than 2 s and was ended".to_owned()));
        for _ in 0..200 {
            let status = std::fs::read_to_string(alive(&id).join("status")).unwrap_or_default();
            if status.is_empty() || status.contains("State:\tZ") {
                return;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("it lives on");
    }
}
