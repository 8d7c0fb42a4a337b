//! The `notafter` command.

use std::process::ExitCode;

fn main() -> ExitCode {
    notafter::cli::commands::main(std::env::args_os()).into()
}
