//! Names of people, as they are written down beside what they decided.

/// What `notafter` calls itself, its rules, a cloud and a hook where it writes down who did something.
const OURS: [&str; 4] = ["rule", "cloud", "hook", "notafter"];

/// No person may be called so: what they decided would read as if nobody had.
pub fn is_taken(name: &str) -> bool {
    OURS.iter().any(|ours| ours.eq_ignore_ascii_case(name.trim()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_has_a_name_of_ours_however_it_is_written() {
        for (name, want) in [
            ("rule", true),
            ("Cloud", true),
            (" hook ", true),
            ("NOTAFTER", true),
            ("ruler", false),
            ("alice", false),
        ] {
            assert_eq!(is_taken(name), want, "{name}");
        }
    }
}
