//! What packages install beside the binary: completion scripts and the manual page, made from the same declaration
//! that reads the command line.

use std::io::{self, Write};

use clap::{Command, CommandFactory as _};
use clap_complete::Shell;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::args::{Arguments, EXIT_CODES};

/// Names with what they mean, as a section of the page lists them.
type Entries = &'static [(&'static str, &'static str)];

const SIGNALS: Entries = &[
    ("SIGTERM, SIGINT", "End run and demo in good order."),
    (
        "SIGHUP",
        "run reads its configuration again, and every file that it names; one with problems changes nothing and is told in the log.",
    ),
];

const FILES: Entries = &[
    (
        "/etc/notafter/config.toml",
        "Configuration, where neither --config nor $NOTAFTER_CONFIG names another.",
    ),
    ("config.toml", "Configuration, where the one before does not exist either."),
    (
        "$STATE_DIRECTORY/notafter.db, else notafter.db",
        "What outlives the process, where [store] url names nothing else: what is known, what was told, messages that wait, \
         renewals. Holds no keys.",
    ),
    (
        "$RUNTIME_DIRECTORY/control.sock, else /run/notafter/control.sock",
        "Control socket of the running daemon, where neither --socket nor [web] control_socket names another. Whoever may open it \
         may silence, send, approve and order renewals.",
    ),
];

const ENVIRONMENT: Entries = &[
    ("NOTAFTER_CONFIG", "Configuration file, as with --config; empty: not set."),
    ("STATE_DIRECTORY, RUNTIME_DIRECTORY", "Set by systemd: folders of the store and of the control socket."),
    (
        "CREDENTIALS_DIRECTORY",
        "Set by systemd: folder of the secrets that are written { credential = \"NAME\" }.",
    ),
    ("HTTPS_PROXY, NO_PROXY", "Between here and clouds and channels, where no proxy is configured for them."),
    (
        "ALIBABA_CLOUD_*, UCLOUD_*, HUAWEICLOUD_SDK_*",
        "Read as the SDKs of the clouds do, only where an account says credentials = { source = \"default\" }.",
    ),
    ("JOURNAL_STREAM", "Set by systemd; lines then carry a priority instead of a time."),
    ("NO_COLOR", "Where it is not empty, nothing is coloured."),
    ("USER", "Who silences, approves, rejects and orders, where --author or --by does not say."),
];

/// Writes the completion script for a shell.
pub fn completions(shell: Shell, out: &mut dyn Write) -> io::Result<()> {
    // clap_complete panics where it cannot write
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Arguments::command(), "notafter", &mut script);
    out.write_all(&script)
}

/// Writes the manual page `notafter(1)`, all commands in one.
pub fn man(out: &mut dyn Write) -> io::Result<()> {
    let mut command = Arguments::command();
    command.build();
    let page = Man::new(command.clone())
        .title("NOTAFTER")
        .source(concat!("notafter ", env!("CARGO_PKG_VERSION")))
        .manual("notafter");
    page.render_title(out)?;
    page.render_name_section(out)?;
    page.render_synopsis_section(out)?;
    page.render_description_section(out)?;
    page.render_options_section(out)?;
    commands(&command).to_writer(out)?;
    for command in command.get_subcommands() {
        let parts = std::iter::once(command).chain(command.get_subcommands());
        for command in parts.filter(|command| has_own_options(command)) {
            out.write_all(&own_options(command)?)?;
        }
    }
    ending().to_writer(out)
}

/// The options of one command, under a heading that names it.
fn own_options(command: &Command) -> io::Result<Vec<u8>> {
    let own = command.clone().mut_args(|argument| {
        let elsewhere = argument.is_global_set() || argument.get_id() == "help";
        argument.hide(elsewhere)
    });
    let mut section = Vec::new();
    Man::new(own).render_options_section(&mut section)?;
    let section = String::from_utf8_lossy(&section);
    // `notafter silence add` after the build, the name alone before
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let name = name.strip_prefix("notafter ").unwrap_or(name);
    let heading = format!(".SH \"OPTIONS OF {}\"", name.to_uppercase());
    Ok(section.replacen(".SH OPTIONS", &heading, 1).into_bytes())
}

fn has_own_options(command: &Command) -> bool {
    command
        .get_arguments()
        .any(|argument| !argument.is_global_set() && !argument.is_hide_set() && argument.get_id() != "help")
}

fn commands(command: &Command) -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["COMMANDS"]);
    for command in command.get_subcommands() {
        let about = command.get_about().map(ToString::to_string).unwrap_or_default();
        roff.control("TP", []).text([bold(command.get_name())]).text([roman(about)]);
    }
    roff
}

fn ending() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for (number, paragraph) in EXIT_CODES.lines().enumerate() {
        if number > 0 {
            roff.control("PP", []);
        }
        roff.text([roman(paragraph)]);
    }
    for (section, entries) in [("SIGNALS", SIGNALS), ("FILES", FILES), ("ENVIRONMENT", ENVIRONMENT)] {
        roff.control("SH", [section]);
        for (name, meaning) in entries {
            roff.control("TP", []).text([bold(*name)]).text([roman(*meaning)]);
        }
    }
    roff.control("SH", ["SEE ALSO"]);
    roff.text([bold("prometheus"), roman("(1), "), bold("systemd.exec"), roman("(5)")]);
    roff
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::super::args::CONFIG_FILES;
    use super::*;

    #[test]
    fn every_shell_gets_a_script_that_knows_every_command() {
        for shell in Shell::value_variants() {
            let mut script = Vec::new();
            completions(*shell, &mut script).expect("written");
            let script = String::from_utf8(script).expect("UTF-8");
            for command in Arguments::command().get_subcommands() {
                assert!(script.contains(command.get_name()), "{shell}: {}", command.get_name());
            }
        }
    }

    #[test]
    fn the_manual_has_every_command_flag_and_exit_code() {
        let mut page = Vec::new();
        man(&mut page).expect("written");
        let page = String::from_utf8(page).expect("UTF-8").replace("\\-", "-");
        let mut wanted = vec![
            ".SH \"EXIT STATUS\"",
            "78 bad configuration",
            "NOTAFTER_CONFIG",
            "--config",
            "--warning",
            "--resources",
            ".SH SIGNALS",
            ".SH FILES",
            "/etc/notafter/config.toml",
            "control.sock",
            "CREDENTIALS_DIRECTORY",
            "OPTIONS OF SILENCE ADD",
            "--comment",
        ];
        wanted.extend(CONFIG_FILES);
        let command = Arguments::command();
        wanted.extend(command.get_subcommands().map(Command::get_name));
        for text in wanted {
            assert!(page.contains(text), "{text}: {page}");
        }
    }

    #[test]
    fn a_writer_that_fails_is_told_of() {
        let mut full: &mut [u8] = &mut [];
        assert!(completions(Shell::Bash, &mut full).is_err());
        assert!(man(&mut full).is_err());
    }
}
