//! The `notafter` command.

fn main() {}
