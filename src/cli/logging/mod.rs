//! The log: one event a line on standard error, in UTC, for a terminal, a file, the journal or a machine.
//!
//! Names that clouds hand over end up in events. Whatever a value contains, it cannot begin a line of its own, move a
//! cursor or pass for another field; a message cannot do the first two. Knows nothing of what is logged.

use std::fmt;
use std::fs::File;
use std::io::{self, IsTerminal as _};
use std::os::fd::AsFd as _;
use std::os::unix::fs::MetadataExt as _;

use clap::ValueEnum;
use tracing::level_filters::LevelFilter;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{FilterExt as _, FilterFn, Targets, filter_fn};
use tracing_subscriber::fmt::format::{self, FormatEvent, FormatFields, Writer};
use tracing_subscriber::fmt::{FmtContext, MakeWriter};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::registry::{LookupSpan, Registry};
use tracing_subscriber::reload;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};

use super::progress::Progress;
use super::wants_colour;

mod defect;
mod fields;
mod levels;
mod recent;
mod switch;

use fields::SafeFields;
pub use levels::{Levels, LevelsError};
use recent::Recent;
pub use switch::Switch;

/// How events are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// For people and for the journal
    #[default]
    Text,
    /// One JSON object a line
    Json,
}

/// Where events go, which decides their dress.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Dress {
    /// Time and colour.
    Terminal,
    /// Time.
    Plain,
    /// A priority in front; the journal adds the time.
    Journal,
}

/// Starts logging to standard error, for the whole process. With a progress bar, events are written above it. A panic is
/// an event from then on. What comes back changes what is logged, and remembers what went wrong.
pub fn start(levels: Levels, format: LogFormat, progress: Option<Progress>) -> Result<Switch, TryInitError> {
    let stderr = Stderr { progress };
    let recent = Recent::default();
    // begun with everything, so that the libraries that write to `log` are heard when somebody asks for them later
    let (filter, handle) = reload::Layer::new(Targets::new().with_default(LevelFilter::TRACE));
    let kept =
        layer(LogFormat::Text, Dress::Plain, recent.clone()).with_filter(LevelFilter::WARN.and(harmless()));
    let shown = layer(format, dress(), stderr).with_filter(filter.and(harmless()));
    Registry::default().with(shown).with(kept).try_init()?;
    defect::log_panics();
    Ok(Switch::new(handle, levels, recent))
}

/// What reads the address of a PostgreSQL store and its files of passwords tells of what it does not understand, value
/// and all.
fn harmless() -> FilterFn {
    filter_fn(|event| !event.target().starts_with("sqlx_postgres::options"))
}

fn dress() -> Dress {
    let journal =
        std::env::var("JOURNAL_STREAM").is_ok_and(|variable| is_journal(&variable, stderr_identity()));
    match () {
        () if journal => Dress::Journal,
        () if wants_colour(io::stderr().is_terminal()) => Dress::Terminal,
        () => Dress::Plain,
    }
}

/// Whether `$JOURNAL_STREAM`, `DEVICE:INODE`, means the file behind standard error. A child whose standard error was
/// redirected inherits the variable and must not believe it. Where the file cannot be asked, the variable counts.
fn is_journal(variable: &str, stderr: Option<(u64, u64)>) -> bool {
    let Some((device, inode)) = variable.split_once(':') else { return false };
    let (Ok(device), Ok(inode)) = (device.parse(), inode.parse()) else { return false };
    stderr.is_none_or(|identity| identity == (device, inode))
}

fn stderr_identity() -> Option<(u64, u64)> {
    let file = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?);
    let metadata = file.metadata().ok()?;
    Some((metadata.dev(), metadata.ino()))
}

fn layer<S, W>(format: LogFormat, dress: Dress, writer: W) -> Box<dyn Layer<S> + Send + Sync>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    W: for<'w> MakeWriter<'w> + Send + Sync + 'static,
{
    let layer = tracing_subscriber::fmt::layer().with_writer(writer).with_ansi(dress == Dress::Terminal);
    // an error told on standard error about standard error ends in a panic
    let layer = layer.log_internal_errors(false);
    let journal = dress == Dress::Journal;
    match format {
        LogFormat::Json => {
            let json = format::format().json().flatten_event(true).with_span_list(false);
            let fields = format::JsonFields::new();
            layer.event_format(Prioritised { inner: json, journal }).fmt_fields(fields).boxed()
        }
        LogFormat::Text if journal => {
            let text = format::format().without_time().with_level(false).with_ansi(false);
            layer.event_format(Prioritised { inner: text, journal }).fmt_fields(SafeFields).boxed()
        }
        LogFormat::Text => layer.fmt_fields(SafeFields).boxed(),
    }
}

/// Puts the journal's priority in front of a line: `<4>`, as in `sd-daemon(3)`.
struct Prioritised<F> {
    inner: F,
    journal: bool,
}

impl<S, N, F> FormatEvent<S, N> for Prioritised<F>
where
    S: Subscriber + for<'s> LookupSpan<'s>,
    N: for<'w> FormatFields<'w> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        if self.journal {
            write!(writer, "<{}>", priority(*event.metadata().level()))?;
        }
        self.inner.format_event(context, writer, event)
    }
}

fn priority(level: Level) -> u8 {
    match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    }
}

/// Standard error, below a progress bar or without one.
struct Stderr {
    progress: Option<Progress>,
}

impl<'w> MakeWriter<'w> for Stderr {
    type Writer = &'w Self;

    fn make_writer(&'w self) -> Self::Writer {
        self
    }
}

impl io::Write for &Stderr {
    /// Called once for each event, with the whole line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let print = || io::stderr().write_all(line).map(|()| line.len());
        match &self.progress {
            Some(progress) => progress.aside(print),
            None => print(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::{debug, error, info, warn};

    use super::*;

    const HOSTILE: &str = "orders\n2026-11-22T08:00:00Z  INFO all is well\r\x1b[2J\u{9b}2J\u{202e} end=1";

    #[derive(Clone, Default)]
    struct Captured(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Captured {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic while locked").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn captured(format: LogFormat, dress: Dress, levels: &str, log: impl FnOnce()) -> String {
        let captured = Captured::default();
        let writer = captured.clone();
        let levels = Levels::parse(levels).expect("good levels");
        let layer = layer(format, dress, move || writer.clone()).with_filter(levels.targets.and(harmless()));
        tracing::subscriber::with_default(Registry::default().with(layer), log);
        let bytes = captured.0.lock().expect("no panic while locked").clone();
        String::from_utf8(bytes).expect("UTF-8")
    }

    fn log_hostile() {
        warn!("shown as {HOSTILE}");
        warn!(name = HOSTILE, "as text");
        warn!(name = %HOSTILE, "as it displays itself");
        warn!(name = ?HOSTILE, "as it debugs itself");
        let error = io::Error::other(HOSTILE);
        warn!(error = &error as &dyn std::error::Error, "as an error");
        let span = tracing::info_span!("look", name = %HOSTILE);
        span.in_scope(|| warn!("in a span"));
    }

    #[test]
    fn hostile_values_stay_in_their_line_and_in_their_field() {
        for dress in [Dress::Plain, Dress::Journal] {
            let text = captured(LogFormat::Text, dress, "info", log_hostile);
            assert_eq!(text.lines().count(), 6, "{text}");
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text}");
            assert!(!text.contains('\u{202e}'), "{text}");
            for line in text.lines().filter(|line| line.contains("name=")) {
                assert!(line.contains(r#"name="orders\"#), "quoted: {line}");
                assert!(line.contains(r#"end=1""#), "quoted to its end: {line}");
            }
        }
    }

    #[test]
    fn what_stands_in_the_address_of_a_store_is_in_no_log() {
        let address = "postgres://me@127.0.0.1/n?nonsense=HUNTER2";
        let read = || {
            drop(address.parse::<sqlx::postgres::PgConnectOptions>().expect("an address"));
            warn!("read");
        };
        let text = captured(LogFormat::Text, Dress::Plain, "trace,sqlx_postgres::options=trace", read);
        assert!(text.contains("read") && !text.contains("HUNTER2"), "{text}");
    }

    #[test]
    fn on_a_terminal_only_our_own_colours_come_through() {
        let text = captured(LogFormat::Text, Dress::Terminal, "info", log_hostile);
        assert_eq!(text.lines().count(), 6, "{text}");
        assert!(text.contains("\x1b[") && !text.contains("\x1b[2J") && !text.contains('\u{9b}'), "{text}");
    }

    #[test]
    fn json_is_one_object_a_line_with_fields_at_the_top() {
        let text = captured(LogFormat::Json, Dress::Plain, "info", log_hostile);
        let events: Vec<Value> =
            text.lines().map(|line| serde_json::from_str(line).expect("one object")).collect();
        assert_eq!(events.len(), 6);
        assert_eq!((&events[1]["name"], &events[1]["message"]), (&HOSTILE.into(), &"as text".into()));
        assert_eq!(events[1]["level"], "WARN");
        assert!(events[1].get("spans").is_none() && events[1].get("fields").is_none());
    }

    #[test]
    fn times_are_rfc_3339_in_utc() {
        for format in [LogFormat::Text, LogFormat::Json] {
            let text = captured(format, Dress::Plain, "info", || info!("x"));
            let time = text.split(['"', ' ']).find(|word| word.starts_with("20")).expect("a time");
            let time = time.strip_suffix('Z').expect("UTC");
            assert!(chrono::NaiveDateTime::parse_from_str(time, "%Y-%m-%dT%H:%M:%S%.f").is_ok(), "{text}");
        }
    }

    #[test]
    fn the_journal_gets_priorities_and_neither_time_nor_colour() {
        let log = || {
            error!("a");
            warn!("b");
            info!(n = 1, "c");
            debug!("d");
        };
        let text = captured(LogFormat::Text, Dress::Journal, "debug", log);
        let target = module_path!();
        assert_eq!(text, format!("<3>{target}: a\n<4>{target}: b\n<6>{target}: c n=1\n<7>{target}: d\n"));
        let json = captured(LogFormat::Json, Dress::Journal, "info", || warn!("b"));
        assert!(json.starts_with("<4>{"), "{json}");
    }

    #[test]
    fn the_journal_is_believed_only_about_this_very_stream() {
        for (name, variable, stderr, want) in [
            ("the same stream", "9:1234", Some((9, 1234)), true),
            ("redirected to a file", "9:1234", Some((9, 1235)), false),
            ("another device", "8:1234", Some((9, 1234)), false),
            ("cannot be asked", "9:1234", None, true),
            ("empty", "", None, false),
            ("nonsense", "a:b", None, false),
        ] {
            assert_eq!(is_journal(variable, stderr), want, "{name}");
        }
    }

    #[test]
    fn this_stderr_can_be_asked() {
        assert!(stderr_identity().is_some());
    }

    #[test]
    fn a_quieted_part_is_quiet_and_the_rest_is_not() {
        let log = || {
            info!(target: "hyper::client", "quiet");
            info!("loud");
        };
        let text = captured(LogFormat::Text, Dress::Plain, "hyper=warn", log);
        assert!(text.contains("loud") && !text.contains("quiet"), "{text}");
    }
}
