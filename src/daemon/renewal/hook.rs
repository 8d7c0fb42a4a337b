//! Programs of the operator around a renewal: no shell, a clean environment, a time limit, and not a word of theirs is
//! taken for more than words.

use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _};
use tokio::process::Command;

use crate::call::clean;

/// So much of what a program says is kept.
const LONGEST: u64 = 4096;
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
    command.kill_on_drop(true);
    let mut child = command.spawn().map_err(|error| format!("{name} cannot be started: {error}"))?;
    let says = child.stderr.take();
    let ended = tokio::time::timeout(limit, async {
        let (said, status) = tokio::join!(said(says), child.wait());
        status.map(|status| (status, said))
    });
    let Ok(ended) = ended.await else {
        // it is killed when `child` goes
        return Err(format!("{name} took longer than {} s and was ended", limit.as_secs()));
    };
    let (status, said) = ended.map_err(|error| format!("{name} cannot be waited for: {error}"))?;
    match status.success() {
        true => Ok(()),
        false if said.is_empty() => Err(format!("{name}: {status}")),
        false => Err(format!("{name}: {status}: {said}")),
    }
}

/// The first of what it complains about. The rest is read and dropped, so that it never waits for a reader.
async fn said(from: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut from) = from else { return String::new() };
    let mut first = Vec::new();
    let mut head = (&mut from).take(LONGEST);
    // what cannot be read was not said
    if head.read_to_end(&mut first).await.is_ok() {
        drop(tokio::io::copy(&mut from, &mut tokio::io::sink()).await);
    }
    clean(&String::from_utf8_lossy(&first))
}

#[cfg(test)]
mod tests {
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
}
