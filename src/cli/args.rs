//! What can be asked for on the command line: commands, flags and exit codes are public interface.
//!
//! Reads arguments into plain values and judges them; runs nothing. `main` matches on [`Command`].

use std::ffi::{OsStr, OsString};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::LazyLock;
use std::time::Duration;

use chrono::{DateTime, NaiveDateTime, Utc};
use clap::builder::{OsStringValueParser, TypedValueParser as _};
use clap::error::ErrorKind;
use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use super::Exit;
use super::logging::{Levels, LogFormat};
use crate::domain::duration::{parse_duration, show_duration};
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::person::is_taken;

/// Version of the package and the revision it was built from (`build.rs`).
pub static VERSION: LazyLock<String> = LazyLock::new(|| {
    let revision = env!("NOTAFTER_REVISION");
    format!("{} (revision {revision})", env!("CARGO_PKG_VERSION"))
});

/// Where the configuration is looked for when nobody says where it is; the first that exists counts.
pub const CONFIG_FILES: [&str; 2] = ["/etc/notafter/config.toml", "config.toml"];

/// The end of the long help; also a section of the manual.
pub(super) const EXIT_CODES: &str = "\
check: 0 all fine, 1 something ends within --warning, 2 something ends within --critical or is over, \
3 could not look (and found nothing of the above), also for wrong usage and a bad configuration.
doctor: 0 everything that watching needs works, also where a call that can be spared is refused; 1 something does not.
Everything else: 0 done, 1 failed, 64 wrong usage, 78 bad configuration.";

static LONG_HELP_END: LazyLock<String> = LazyLock::new(|| format!("Exit codes:\n{EXIT_CODES}"));

/// Watches the TLS certificates that clouds issue for managed databases, caches and load balancers.
#[derive(Debug, Parser)]
#[command(name = "notafter", version = VERSION.as_str(), after_long_help = LONG_HELP_END.as_str())]
#[command(subcommand_required = true, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Arguments {
    /// Flags that every command takes.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags that every command takes.
#[derive(Debug, Args)]
pub struct Global {
    /// Configuration file [default: /etc/notafter/config.toml, then ./config.toml]
    #[arg(long, value_name = "FILE", env = "NOTAFTER_CONFIG", value_parser = OsStringValueParser::new().map(PathBuf::from), global = true)]
    pub config: Option<PathBuf>,
    /// What to log: a level, and levels of parts, as in `info,hyper=warn` [default: info for run, else error]
    #[arg(long, value_name = "LEVELS", value_parser = Levels::parse, global = true)]
    pub log_level: Option<Levels>,
    /// Control socket of the running daemon [default: as configured, then /run/notafter/control.sock]
    #[arg(long, value_name = "PATH", global = true)]
    pub socket: Option<PathBuf>,
    /// How to log
    #[arg(long, value_name = "FORMAT", value_enum, default_value_t, global = true)]
    pub log_format: LogFormat,
}

impl Global {
    /// Where to look for the configuration: the file that was named, else [`CONFIG_FILES`].
    pub fn config_files(&self) -> Vec<PathBuf> {
        self.config.clone().map_or_else(|| CONFIG_FILES.map(PathBuf::from).into(), |named| vec![named])
    }
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the daemon
    Run,
    /// Look at everything once and print what was found, soonest end first
    Check(Check),
    /// Read the configuration and print its problems or the effective settings, secrets hidden
    Config,
    /// Tell all that is known of one resource, when it is looked at next, who is told of it, and why
    ///
    /// Asks the running daemon. Where none answers, it looks for itself; then it does not know what was told before.
    Explain {
        /// The cloud's id of the resource
        #[arg(value_name = "RESOURCE_ID")]
        resource_id: String,
    },
    /// Run simulated clouds on loopback and the daemon on top; needs no configuration
    Demo(Demo),
    /// Try each credential and each read call once: what works, what is missing, what would fix it
    ///
    /// Ends with 0 when everything that watching needs works. A refused call that an account can spare (Huawei Cloud's
    /// download of the CA) is told with what is lost, and is no failure.
    ///
    /// With --bundle the running daemon is asked for what it knows; where none answers, this command looks for itself.
    Doctor(Doctor),
    /// Show how the running daemon fares: scopes, store, channels, messages that wait
    Status(Status),
    /// Show or change what the running daemon logs; it changes back by itself
    ///
    /// Without LEVELS it shows them. A restart has what `--log-level` of `run` says.
    LogLevel(LogLevel),
    /// Have the running daemon read its configuration again
    ///
    /// All of it is used, or nothing: what is wrong is printed, and the daemon goes on as before. Ends with 78 then.
    Reload,
    /// Keep alerts quiet for a while: add, list and end silences of the running daemon, or acknowledge
    #[command(subcommand)]
    Silence(Silence),
    /// Try channels: send test messages
    #[command(subcommand)]
    Notify(Notify),
    /// Show what renewal would do now and why, and why not for the rest; changes nothing
    ///
    /// Asks the running daemon. Where none answers, it looks for itself; then it does not know what was announced, approved
    /// or tried before.
    Plan(Plan),
    /// Renew one certificate by hand, with the same refusals as a planned renewal
    ///
    /// Shows what would be called and asks; then the running daemon carries it out, in the window of the rule, or with --now
    /// as soon as possible, and this command tells how it goes. Where none runs, this command does it by itself, and no
    /// daemon uses the store meanwhile. Ends with 0 when a later end was read.
    Renew(Renew),
    /// See what is renewed, and approve or reject it
    #[command(subcommand)]
    Renewals(Renewals),
    /// Print a completion script
    Completions {
        /// For this shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Print the manual page
    Man,
}

impl Command {
    /// How the process ends for this command: `check` has codes of its own.
    #[must_use]
    pub fn exit(&self, exit: Exit) -> Exit {
        if matches!(self, Self::Check(_)) { exit.of_check() } else { exit }
    }

    /// What is logged when nobody says: all that happens where nothing else is printed; what a report tells anyway is
    /// not logged beside it.
    pub fn default_levels(&self) -> Levels {
        match self {
            Self::Run => Levels::info(),
            _ => Levels::error(),
        }
    }
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct Check {
    /// Only what matches, for example 'cloud_service="redis", tag:env="prod"'; given more than once: any of them
    #[arg(long = "match", value_name = "EXPR", value_parser = matcher)]
    pub matchers: Vec<Matcher>,
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: CheckFormat,
    /// Worth a warning when less than this is left
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "30d")]
    pub warning: Duration,
    /// Critical when less than this is left
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "7d")]
    pub critical: Duration,
}

/// How `check` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum CheckFormat {
    /// For people
    #[default]
    Table,
    /// For programs; the field names of the API
    Json,
    /// For spreadsheets (RFC 4180)
    Csv,
    /// For monitoring systems that run plugins
    Nagios,
    /// For Prometheus and its relatives, with the names of /metrics
    Openmetrics,
}

/// Arguments of `doctor`.
#[derive(Debug, Args)]
pub struct Doctor {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: DoctorFormat,
    /// Write a support bundle (.tar.gz): configuration, state, log, answers of the clouds; no secrets. Nothing is overwritten
    #[arg(long, value_name = "FILE")]
    pub bundle: Option<PathBuf>,
    /// Read the answers in a support bundle again, offline, and print what this version makes of them
    #[arg(long, value_name = "FILE", conflicts_with = "bundle")]
    pub replay: Option<PathBuf>,
}

/// How `doctor` prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum DoctorFormat {
    /// For people
    #[default]
    Text,
    /// For programs
    Json,
}

/// Arguments of `log-level`.
#[derive(Debug, Args)]
pub struct LogLevel {
    /// A level, and levels of parts, as in `info,notafter::provider=debug` or `info,sqlx=debug`
    #[arg(value_name = "LEVELS", value_parser = Levels::parse, conflicts_with = "reset")]
    pub levels: Option<Levels>,
    /// For how long, at most 24h
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "10m", requires = "levels")]
    pub length: Duration,
    /// Back to what is configured, at once
    #[arg(long)]
    pub reset: bool,
    /// Who wants it; it is written to the log
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "")]
    pub by: String,
}

/// Arguments of `status`.
#[derive(Debug, Args)]
pub struct Status {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TextFormat,
}

/// For people or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum TextFormat {
    /// For people
    #[default]
    Text,
    /// For programs; the field names of the API
    Json,
}

/// What can be done with silences.
#[derive(Debug, Subcommand)]
pub enum Silence {
    /// Keep alerts about something quiet for a while
    Add(AddSilence),
    /// Say that somebody knows of a certificate: no reminders until it is in a deeper stage
    ///
    /// Holds for every certificate of the resource that a channel was told of, up to the deepest stage that was told. The next
    /// deeper stage is told and ends it; so does a renewal. `silence end` takes it back.
    #[command(visible_alias = "ack")]
    Acknowledge(Acknowledge),
    /// List the silences that hold and those to come
    List {
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: TextFormat,
    },
    /// End a silence now
    End {
        /// Its id, as `silence list` shows it
        #[arg(value_name = "ID")]
        id: String,
    },
}

/// Arguments of `silence add`.
#[derive(Debug, Args)]
pub struct AddSilence {
    /// What to keep quiet, for example 'cloud_service="rds", tag:env="staging"'
    #[arg(value_name = "EXPR", value_parser = alert_matcher)]
    pub matcher: Matcher,
    /// For how long
    #[arg(long = "for", value_name = "DURATION", value_parser = duration)]
    pub length: Duration,
    /// Why, for the others
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
    /// From when on: 2026-12-01T22:00:00+08:00, or in UTC '2026-12-01 22:00' [default: now]
    #[arg(long, value_name = "TIME", value_parser = time)]
    pub from: Option<DateTime<Utc>>,
    /// Who wants it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "")]
    pub author: String,
    /// Also keep quiet about what is over; otherwise that is always told
    #[arg(long)]
    pub include_expired: bool,
}

/// Arguments of `silence acknowledge`.
#[derive(Debug, Args)]
pub struct Acknowledge {
    /// The cloud's id of the resource
    #[arg(value_name = "RESOURCE_ID")]
    pub resource_id: String,
    /// What is done about it, for the others
    #[arg(long, value_name = "TEXT")]
    pub comment: String,
    /// For how long at most
    #[arg(long = "for", value_name = "DURATION", value_parser = duration, default_value = "30d")]
    pub length: Duration,
    /// Which one, where several have this id, for example 'cloud_account="prod"'
    #[arg(long = "match", value_name = "EXPR", value_parser = matcher)]
    pub matcher: Option<Matcher>,
    /// Who knows of it
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "")]
    pub author: String,
}

/// What can be done with channels.
#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send a test message through one channel, or through each, and print what the other side said
    ///
    /// The running daemon sends. Where none answers, this command makes the channels from the configuration and sends by
    /// itself, so channels can be tried before the service is started. Ends with 1 when one of them failed.
    Test {
        /// Its name as configured [default: all]
        #[arg(value_name = "CHANNEL")]
        channel: Option<String>,
    },
}

/// Arguments of `demo`.
#[derive(Debug, Args)]
pub struct Demo {
    /// Where to serve the page and the metrics
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:9809")]
    pub listen: SocketAddr,
    /// How many resources the simulated clouds have, in all
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub resources: u32,
    /// Also write the configuration of the simulated accounts to this file, to try `check` and `explain` on them
    #[arg(long, value_name = "FILE")]
    pub write_config: Option<PathBuf>,
    /// Have the page ask for a name and a password, so that renewals can be ordered there too
    #[arg(long)]
    pub login: bool,
}

/// Arguments of `plan`.
#[derive(Debug, Args)]
pub struct Plan {
    /// How to print
    #[arg(long, value_enum, default_value_t)]
    pub format: TextFormat,
}

/// Arguments of `renew`.
#[derive(Debug, Args)]
pub struct Renew {
    /// The cloud's id of the resource
    #[arg(value_name = "RESOURCE_ID")]
    pub resource_id: String,
    /// Which one, where several have this id, for example 'cloud_account="prod"'
    #[arg(long = "match", value_name = "EXPR", value_parser = matcher)]
    pub matcher: Option<Matcher>,
    /// How to order it
    #[command(flatten)]
    pub order: Order,
    /// As soon as possible, not only in the window; blackout dates and limits hold all the same
    #[arg(long)]
    pub now: bool,
    /// End when the order is written down, instead of telling how it goes
    #[arg(long)]
    pub no_wait: bool,
}

/// How people order something.
#[derive(Debug, Args)]
pub struct Order {
    /// Do not ask
    #[arg(long, short)]
    pub yes: bool,
    /// Who orders it; it is written down
    #[arg(long, value_name = "NAME", env = "USER", hide_env_values = true, default_value = "")]
    pub by: String,
}

impl Order {
    /// Who it is, as far as that says anything.
    pub fn who(&self) -> Option<&str> {
        who(&self.by)
    }
}

/// A command that the daemon's own user runs is run by somebody else.
pub(super) fn who(by: &str) -> Option<&str> {
    Some(by.trim()).filter(|by| !by.is_empty() && !is_taken(by))
}

/// What can be done with renewals.
#[derive(Debug, Subcommand)]
pub enum Renewals {
    /// List what is under way, planned, refused although a rule allows it, and what was done
    List {
        /// Only what matches
        #[arg(long = "match", value_name = "EXPR", value_parser = matcher)]
        matcher: Option<Matcher>,
        /// Also what no rule allows
        #[arg(long)]
        all: bool,
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: TextFormat,
    },
    /// Show all that is known of one renewal
    Show {
        /// Its id (ren_…), or the cloud's id of the resource
        #[arg(value_name = "ID")]
        id: String,
        /// How to print
        #[arg(long, value_enum, default_value_t)]
        format: TextFormat,
    },
    /// Approve a planned renewal: it is carried out in its window
    Approve {
        /// Its id (ren_…), or the cloud's id of the resource
        #[arg(value_name = "ID")]
        id: String,
        /// How to order it
        #[command(flatten)]
        order: Order,
        /// As soon as possible, not only in the window; blackout dates and limits hold all the same
        #[arg(long)]
        now: bool,
    },
    /// Reject a planned renewal: it is not carried out
    Reject {
        /// Its id (ren_…), or the cloud's id of the resource
        #[arg(value_name = "ID")]
        id: String,
        /// How to order it
        #[command(flatten)]
        order: Order,
    },
}

/// A command line that leads to no command: wrong, or a question that clap answers by itself (`--help`).
#[derive(Debug)]
pub struct Refusal {
    error: clap::Error,
    /// How the process ends.
    pub exit: Exit,
}

impl Refusal {
    /// Prints help and version to standard output, everything else to standard error, coloured only on a terminal.
    pub fn print(&self) -> io::Result<()> {
        self.error.print()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

/// Reads a command line, the name of the program first.
pub fn parse<I>(arguments: I) -> Result<Arguments, Refusal>
where
    I: IntoIterator<Item = OsString>,
{
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    let parsed = Arguments::try_parse_from(&arguments).and_then(|parsed| named(parsed, &arguments));
    let parsed = parsed.and_then(judged);
    parsed.map_err(|error| Refusal { exit: exit_of(&error, &arguments), error })
}

/// Of the configuration, an empty name in the environment is none; on the command line it is a mistake.
fn named(mut parsed: Arguments, arguments: &[OsString]) -> Result<Arguments, clap::Error> {
    if parsed.global.config.as_ref().is_none_or(|file| !file.as_os_str().is_empty()) {
        return Ok(parsed);
    }
    let apart = arguments.windows(2).any(|pair| pair[0] == "--config" && pair[1].is_empty());
    if apart || arguments.iter().any(|argument| argument == "--config=") {
        return Err(Arguments::command().error(ErrorKind::InvalidValue, "--config needs the name of a file"));
    }
    parsed.global.config = None;
    Ok(parsed)
}

/// Refuses what clap cannot see: values that do not fit together.
fn judged(arguments: Arguments) -> Result<Arguments, clap::Error> {
    let Command::Check(Check { warning, critical, .. }) = &arguments.command else { return Ok(arguments) };
    if critical <= warning {
        return Ok(arguments);
    }
    let (warning, critical) = (show_duration(*warning), show_duration(*critical));
    let why = format!("--critical {critical} must not be longer than --warning {warning}");
    Err(Arguments::command().error(ErrorKind::ValueValidation, why))
}

fn exit_of(error: &clap::Error, arguments: &[OsString]) -> Exit {
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Ok,
        _ if first_word(arguments) == Some(OsStr::new("check")) => Exit::Usage.of_check(),
        _ => Exit::Usage,
    }
}

/// The command that was meant, on a line that clap gave up on: the first argument that is neither a flag nor the value
/// of a global one.
fn first_word(arguments: &[OsString]) -> Option<&OsStr> {
    let command = Arguments::command();
    let valued = |flag: &OsStr| {
        let flag = flag.to_str().and_then(|flag| flag.strip_prefix("--"));
        flag.is_some() && command.get_arguments().any(|known| known.get_long() == flag)
    };
    let mut rest = arguments.iter().skip(1);
    while let Some(argument) = rest.next() {
        if valued(argument) {
            rest.next();
        } else if !argument.as_encoded_bytes().starts_with(b"-") {
            return Some(argument);
        }
    }
    None
}

fn duration(text: &str) -> Result<Duration, String> {
    parse_duration(text).map_err(|error| format!("{error}\n  hint: {}", error.hint()))
}

fn time(text: &str) -> Result<DateTime<Utc>, String> {
    let utc = |form| NaiveDateTime::parse_from_str(text, form).map(|time| time.and_utc());
    let exact = DateTime::parse_from_rfc3339(text).map(|time| time.to_utc());
    let found = exact.or_else(|_| utc("%Y-%m-%d %H:%M")).or_else(|_| utc("%Y-%m-%d %H:%M:%S"));
    found.map_err(|_| "no time\n  hint: 2026-12-01T22:00:00+08:00, or in UTC '2026-12-01 22:00'".to_owned())
}

fn alert_matcher(text: &str) -> Result<Matcher, String> {
    expression(text, LabelSet::ALERT)
}

fn matcher(text: &str) -> Result<Matcher, String> {
    expression(text, LabelSet::CERTIFICATE)
}

fn expression(text: &str, labels: LabelSet) -> Result<Matcher, String> {
    let parsed = Matcher::parse(text, labels);
    parsed.map_err(|error| format!("the expression {error}\n  hint: {}", error.hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &[&str]) -> Result<Arguments, Refusal> {
        parse(std::iter::once("notafter").chain(line.iter().copied()).map(OsString::from))
    }

    fn check(line: &[&str]) -> Check {
        match parsed(line) {
            Ok(Arguments { command: Command::Check(check), .. }) => check,
            other => panic!("{line:?} is a check, not {other:?}"),
        }
    }

    #[test]
    fn the_declaration_is_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_wrong_line_ends_with_64_and_a_wrong_check_with_3() {
        for (name, line, want) in [
            ("nothing at all", &[][..], 64),
            ("an unknown command", &["chekc"], 64),
            ("an unknown flag", &["run", "--bogus"], 64),
            ("a missing id", &["explain"], 64),
            ("a configuration without a name", &["--config", "", "run"], 64),
            ("the same in one word", &["run", "--config="], 64),
            ("a bad level", &["--log-level", "inof", "run"], 64),
            ("a bad level of check", &["--log-level", "inof", "check"], 3),
            ("an unknown flag of check", &["check", "--bogus"], 3),
            ("an unknown flag before check", &["--bogus", "check"], 3),
            ("a flag with a value before check", &["--config", "x", "check", "--bogus"], 3),
            ("a flag with = before check", &["--config=x", "check", "--format", "xml"], 3),
            ("a file that is called check", &["--config", "check", "run", "--bogus"], 64),
            ("a duration without a unit", &["check", "--warning", "30"], 3),
            ("no expression", &["check", "--match", "redis"], 3),
            ("a label that only alerts have", &["check", "--match", "severity=\"critical\""], 3),
            ("critical before warning", &["check", "--warning", "7d", "--critical", "8d"], 3),
            ("help", &["--help"], 0),
            ("help of check", &["check", "--help"], 0),
            ("help of renew", &["renew", "--help"], 0),
            ("a renewal of nothing", &["renew", "--yes"], 64),
            ("no such order", &["renewals", "repeat", "ren_1"], 64),
            ("version", &["--version"], 0),
            ("no resources", &["demo", "--resources", "0"], 64),
            ("a silence without an end", &["silence", "add", "cloud_service=\"rds\"", "--comment", "x"], 64),
            ("a silence without a reason", &["silence", "add", "cloud_service=\"rds\"", "--for", "7d"], 64),
            ("knowing without a reason", &["silence", "acknowledge", "r-1"], 64),
            ("knowing of nothing", &["silence", "acknowledge", "--comment", "x"], 64),
            ("a silence about nothing", &["silence", "add", "rds", "--for", "7d", "--comment", "x"], 64),
            (
                "a silence from no time",
                &["silence", "add", "stage=\"info\"", "--for", "7d", "--comment", "x", "--from", "soon"],
                64,
            ),
            ("a listen address without a port", &["demo", "--listen", "localhost"], 64),
        ] {
            let exit = parsed(line).err().map(|refusal| refusal.exit.code());
            assert_eq!(exit, Some(want), "{name}");
        }
    }

    #[test]
    fn wrong_values_are_answered_with_a_way_out() {
        for (line, want) in [
            (&["check", "--warning", "30 days"][..], "did you mean \"30d\"?"),
            (&["check", "--match", "cloud_servce=\"redis\""], "did you mean `cloud_service`?"),
            (&["check", "--critical", "31d"], "--critical 31d must not be longer than --warning 30d"),
            (&["check", "--log-level", "inof"], "did you mean `info`?"),
            (&["chekc"], "'check'"),
        ] {
            let text = parsed(line).expect_err("refused").to_string();
            assert!(text.contains(want), "{line:?}: {text}");
        }
    }

    #[test]
    fn check_has_the_documented_defaults() {
        let day = Duration::from_hours(24);
        let check = check(&["check"]);
        assert_eq!((check.warning, check.critical, check.format), (30 * day, 7 * day, CheckFormat::Table));
        assert!(check.matchers.is_empty());
    }

    #[test]
    fn check_takes_several_expressions_and_equal_thresholds() {
        let two = ["check", "--match", r#"cloud_service="rds""#, "--match", r#"tag:env="x", cert_role="ca""#];
        assert_eq!(check(&two).matchers.len(), 2);
        assert_eq!(check(&["check", "--warning", "7d"]).warning, check(&["check"]).critical);
    }

    #[test]
    fn global_flags_stand_anywhere() {
        for line in [&["--config", "a.toml", "run"][..], &["run", "--config", "a.toml"]] {
            let arguments = parsed(line).expect("a good line");
            assert_eq!(arguments.global.config_files(), [PathBuf::from("a.toml")]);
        }
    }

    #[test]
    fn orders_name_who_gives_them_and_may_come_with_a_yes() {
        let renew = ["renew", "r-1", "--yes", "--now", "--by", "alice", "--match", r#"cloud_account="prod""#];
        let Ok(Arguments { command: Command::Renew(renew), .. }) = parsed(&renew) else {
            panic!("a renewal")
        };
        assert!(renew.order.yes && renew.now && !renew.no_wait && renew.matcher.is_some());
        assert_eq!((&*renew.resource_id, &*renew.order.by), ("r-1", "alice"));
        let approve = ["renewals", "approve", "ren_1", "-y"];
        let Ok(Arguments { command: Command::Renewals(Renewals::Approve { id, order, now }), .. }) =
            parsed(&approve)
        else {
            panic!("an approval")
        };
        assert_eq!((&*id, order.yes, now), ("ren_1", true, false));
    }

    #[test]
    fn what_is_known_is_known_for_a_month_unless_it_is_said() {
        for (words, days) in [
            (&["silence", "acknowledge", "r-1", "--comment", "x"][..], 30),
            (&["silence", "ack", "r-1", "--comment", "x", "--for", "7d"], 7),
        ] {
            match parsed(words) {
                Ok(Arguments { command: Command::Silence(Silence::Acknowledge(wanted)), .. }) => {
                    assert_eq!(wanted.length, Duration::from_hours(24 * days), "{words:?}");
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_silence_begins_now_or_when_it_is_said() {
        let from = |words: &[&str]| {
            let line = ["silence", "add", "stage=\"info\"", "--for", "7d", "--comment", "x"];
            match parsed(&[&line, words].concat()) {
                Ok(Arguments { command: Command::Silence(Silence::Add(add)), .. }) => add.from,
                other => panic!("{other:?}"),
            }
        };
        let utc = DateTime::from_timestamp(1_796_133_600, 0);
        for text in
            ["2026-12-01T22:00:00+08:00", "2026-12-01 14:00", "2026-12-01 14:00:00", "2026-12-01T14:00:00Z"]
        {
            assert_eq!(from(&["--from", text]), utc, "{text}");
        }
        assert_eq!(from(&[]), None);
    }

    #[test]
    fn the_version_names_the_revision() {
        let text = parsed(&["--version"]).expect_err("version").to_string();
        assert!(text.starts_with(concat!("notafter ", env!("CARGO_PKG_VERSION"), " (revision ")), "{text}");
    }

    #[test]
    fn only_check_has_codes_of_its_own() {
        let (run, check) = (parsed(&["run"]), parsed(&["check"]));
        let exit = |line: Result<Arguments, Refusal>| line.expect("good").command.exit(Exit::Config);
        assert_eq!((exit(run), exit(check)), (Exit::Config, Exit::Unknown));
    }
}
