//! No core dump, whatever the limits say: keys are in memory while they are used.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{Command, Stdio};

use crate::support::{Daemon, House};

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_leaves_no_core_dump() {
    let house = House::new().await;
    let mut daemon = house.start().await;
    let about = |name: &str| format!("/proc/{}/{name}", daemon.0.id());
    let limits = fs::read_to_string(about("limits")).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().skip(4).take(2).collect::<Vec<_>>(), ["0", "0"], "{core}");
    let sent = Command::new("kill").args(["-ABRT", &daemon.0.id().to_string()]).status().unwrap();
    assert!(sent.success());
    let status = daemon.0.wait().unwrap();
    assert!(status.signal().is_some() && !status.core_dumped(), "{status}");
}

/// What belongs to root although another user runs it, the kernel calls not dumpable.
#[tokio::test(flavor = "multi_thread")]
async fn nobody_else_may_look_into_it() {
    const NOBODY: u32 = 65534;
    let folder = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let program = folder.path().join("notafter");
    fs::copy(env!("CARGO_BIN_EXE_notafter"), &program).unwrap();
    let is_root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let listen = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let mut command = Command::new(program);
    // simulated clouds, so that nothing has to be configured
    command.args(["demo", "--listen", &listen, "--resources", "1"]).current_dir("/");
    command.env("TMPDIR", "/tmp").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    if is_root {
        command.uid(NOBODY).gid(NOBODY);
    }
    let mut daemon = Daemon(command.spawn().unwrap());
    let mut first = [0; 1];
    std::io::Read::read_exact(daemon.0.stdout.as_mut().unwrap(), &mut first).unwrap();
    let environ = format!("/proc/{}/environ", daemon.0.id());
    assert_eq!(fs::metadata(&environ).unwrap().uid(), 0, "the kernel lets nobody but root look");
    if !is_root {
        fs::read(environ).unwrap_err();
    }
    // and yet it reads its own numbers
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.0.id())).unwrap();
    assert!(status.contains("VmRSS:"), "{status}");
}
