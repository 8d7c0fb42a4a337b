//! What the process says of itself: build, configuration, memory, time, files.
//!
//! Reads `/proc/self` and nothing else of `/proc`, so that it works where a service manager hides the rest
//! (`ProcSubset=pid`); for the same reason the start time is handed in and not computed from the boot time. What
//! cannot be read has no line.

use std::fs::{self, File};
use std::io::Read;

use bytes::BytesMut;
use chrono::{DateTime, Utc};

use super::catalogue::{
    BUILD_INFO, CONFIG_SUCCESS_TIME, CONFIG_SUCCESSFUL, Family, PROCESS_CPU, PROCESS_MAX_FDS,
    PROCESS_OPEN_FDS, PROCESS_RESIDENT, PROCESS_START, PROCESS_VIRTUAL, STORE_UP, TASKS,
};
use super::{Surroundings, text};

/// Times in `/proc/self/stat` are counted in this part of a second, on every architecture we build for
/// (`USER_HZ`, time(7)).
const TICKS_PER_SECOND: f64 = 100.0;

/// From what the program was built.
#[derive(Debug, Clone, Copy)]
pub struct BuildInfo {
    /// Version of the crate.
    pub version: &'static str,
    /// The commit, `unknown` where there was none.
    pub revision: &'static str,
    /// Version of the compiler.
    pub rustversion: &'static str,
}

impl BuildInfo {
    /// Of this program.
    pub const CURRENT: Self = Self {
        version: env!("CARGO_PKG_VERSION"),
        revision: env!("NOTAFTER_REVISION"),
        rustversion: env!("NOTAFTER_RUSTVERSION"),
    };
}

/// How the last reading of the configuration ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ConfigStatus {
    /// Whether it could be used; `None` before the first one.
    pub successful: Option<bool>,
    /// When the one in use was read.
    pub read_at: Option<DateTime<Utc>>,
}

/// What the kernel says of the process now.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Usage {
    /// Of processors, since the start.
    pub cpu_seconds: Option<f64>,
    /// Memory in RAM.
    pub resident_bytes: Option<u64>,
    /// Address space.
    pub virtual_bytes: Option<u64>,
    /// Files and sockets.
    pub open_fds: Option<u64>,
    /// How many of them there may be.
    pub max_fds: Option<u64>,
    /// Tasks of the runtime; none where none runs.
    pub tasks: Option<u64>,
}

impl Usage {
    /// Asks the kernel.
    pub fn now() -> Self {
        let mut text = String::with_capacity(4096);
        let (resident_bytes, virtual_bytes) = match read(&mut text, "/proc/self/status") {
            Some(status) => (memory(status, "VmRSS:"), memory(status, "VmSize:")),
            None => (None, None),
        };
        Self {
            cpu_seconds: read(&mut text, "/proc/self/stat").and_then(cpu_seconds),
            resident_bytes,
            virtual_bytes,
            open_fds: open_fds(),
            max_fds: read(&mut text, "/proc/self/limits").and_then(max_fds),
            tasks: tasks(),
        }
    }
}

/// Writes the families of the process.
pub(super) fn write(out: &mut BytesMut, around: &Surroundings, usage: &Usage) {
    let Surroundings { config, store_up, started_at, .. } = around;
    let BuildInfo { version, revision, rustversion } = BuildInfo::CURRENT;
    text::header(out, &BUILD_INFO);
    let labels = [("version", version), ("revision", revision), ("rustversion", rustversion)];
    text::sample(out, BUILD_INFO.name, &labels, |out| text::boolean(out, true));
    optional(out, &CONFIG_SUCCESSFUL, config.successful, text::boolean);
    optional(out, &CONFIG_SUCCESS_TIME, config.read_at, text::timestamp);
    optional(out, &STORE_UP, *store_up, text::boolean);
    optional(out, &TASKS, usage.tasks, text::integer);
    optional(out, &PROCESS_CPU, usage.cpu_seconds, text::float);
    optional(out, &PROCESS_RESIDENT, usage.resident_bytes, text::integer);
    optional(out, &PROCESS_VIRTUAL, usage.virtual_bytes, text::integer);
    optional(out, &PROCESS_OPEN_FDS, usage.open_fds, text::integer);
    optional(out, &PROCESS_MAX_FDS, usage.max_fds, text::integer);
    text::single(out, &PROCESS_START, |out| text::timestamp(out, *started_at));
}

fn optional<T>(out: &mut BytesMut, family: &Family, value: Option<T>, write: fn(&mut BytesMut, T)) {
    match value {
        Some(value) => text::single(out, family, |out| write(out, value)),
        None => text::header(out, family),
    }
}

fn read<'t>(text: &'t mut String, path: &str) -> Option<&'t str> {
    text.clear();
    File::open(path).and_then(|mut file| file.read_to_string(text)).ok()?;
    Some(text)
}

/// Fields 14 and 15, counted behind the name of the program, which may hold anything.
fn cpu_seconds(stat: &str) -> Option<f64> {
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut times = fields.split(' ').skip(11).map(str::parse::<u32>);
    let (user, system) = (times.next()?.ok()?, times.next()?.ok()?);
    Some((f64::from(user) + f64::from(system)) / TICKS_PER_SECOND)
}

fn memory(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

/// The soft limit; `unlimited` has no line.
fn max_fds(limits: &str) -> Option<u64> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}

/// Loops, calls and connections that are alive, each a task of its own.
fn tasks() -> Option<u64> {
    let runtime = tokio::runtime::Handle::try_current().ok()?;
    Some(runtime.metrics().num_alive_tasks() as u64)
}

/// Newer kernels (6.2) give the number as the size of the folder; before that it was 0 and they have to be counted.
fn open_fds() -> Option<u64> {
    match fs::metadata("/proc/self/fd").ok()?.len() {
        0 => Some(fs::read_dir("/proc/self/fd").ok()?.count() as u64),
        count => Some(count),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn the_kernels_texts_are_understood() {
        let stat = "42 (a) b) (c) S 1 2 3 4 5 6 7 8 9 10 250 50 13 14 15";
        assert_eq!(cpu_seconds(stat), Some(3.0));
        assert_eq!(cpu_seconds("42 (x) S 1"), None);
        let status = "Name:\tx\nVmSize:\t    2048 kB\nVmRSS:\t       4 kB\n";
        assert_eq!((memory(status, "VmRSS:"), memory(status, "VmSize:")), (Some(4096), Some(2_097_152)));
        assert_eq!(memory(status, "VmSwap:"), None);
        let limits =
            "Limit   Soft   Hard   Units\nMax open files            1024                 524288     files\n";
        assert_eq!(max_fds(limits), Some(1024));
        assert_eq!(max_fds("Max open files   unlimited  unlimited  files"), None);
    }

    #[test]
    fn the_running_process_is_described() {
        let usage = Usage::now();
        assert!(usage.cpu_seconds.is_some_and(|seconds| seconds >= 0.0), "{usage:?}");
        assert!(usage.resident_bytes < usage.virtual_bytes, "{usage:?}");
        assert!(usage.open_fds.is_some_and(|open| open >= 3), "{usage:?}");
        assert!(usage.open_fds < usage.max_fds, "{usage:?}");
    }

    #[tokio::test]
    async fn tasks_are_counted_where_a_runtime_runs() {
        let before = Usage::now().tasks.expect("a runtime");
        let rests = tokio::spawn(std::future::pending::<()>());
        assert_eq!(Usage::now().tasks, Some(before + 1));
        rests.abort();
        let _cancelled = rests.await;
        assert_eq!(Usage::now().tasks, Some(before));
        let nowhere = std::thread::spawn(|| Usage::now().tasks).join().expect("no panic");
        assert_eq!(nowhere, None);
    }

    #[test]
    fn what_cannot_be_known_has_no_line() {
        let mut out = BytesMut::new();
        let around = Surroundings {
            telemetry: Arc::default(),
            policy: Arc::default(),
            rate_limits: Arc::default(),
            config: ConfigStatus::default(),
            store_up: None,
            channels: Arc::default(),
            renewals: Arc::default(),
            started_at: DateTime::UNIX_EPOCH,
        };
        write(&mut out, &around, &Usage::default());
        let text = String::from_utf8(out.to_vec()).expect("text");
        let lines: Vec<_> = text.lines().filter(|line| !line.starts_with('#')).collect();
        assert_eq!(lines.len(), 2, "{lines:?}");
        assert!(lines[0].starts_with("notafter_build_info{version=\""), "{lines:?}");
        assert_eq!(lines[1], "process_start_time_seconds 0");
    }
}
