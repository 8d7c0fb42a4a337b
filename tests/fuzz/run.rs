//! How many inputs a target gets, and what it tells about them.

use std::collections::BTreeMap;
use std::io::Write as _;

use crate::mutate::Mutator;

/// Inputs over all targets, unless the environment says otherwise.
const USUAL: usize = 20_000;

fn number(name: &str, usual: usize) -> usize {
    std::env::var(name).map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

/// A target under way. Dropped in a panic, it tells which input it was.
pub(crate) struct Run {
    target: &'static str,
    seed: u64,
    floor: usize,
    inputs: usize,
    tried: usize,
    came: BTreeMap<&'static str, usize>,
}

impl Run {
    /// A target that gets this part of a thousand of all inputs.
    pub(crate) fn of(target: &'static str, per_mille: usize) -> Self {
        let seed = number("NOTAFTER_FUZZ_SEED", 4711) as u64;
        let inputs = number("NOTAFTER_FUZZ_INPUTS", USUAL) * per_mille / 1000;
        Self { target, seed, floor: inputs.max(1), inputs, tried: 0, came: BTreeMap::new() }
    }

    /// What spoils the next input; `None` after the last one.
    pub(crate) fn next(&mut self) -> Option<Mutator> {
        if self.tried == self.inputs {
            return None;
        }
        self.tried += 1;
        let mixed = |seed: u64, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte));
        let of_target = self.target.bytes().fold(self.seed, mixed);
        Some(Mutator::new(of_target.wrapping_add((self.tried as u64) << 32)))
    }

    /// Counts what came of an input.
    pub(crate) fn came(&mut self, what: &'static str) {
        *self.came.entry(what).or_default() += 1;
    }

    /// Tells the counts; each of `needed` must have come at all, else the target tries nothing that matters.
    pub(crate) fn end(self, needed: &[&'static str]) {
        let came: Vec<_> = self.came.iter().map(|(what, count)| format!("{count} {what}")).collect();
        let line = format!("fuzz: {}: {} inputs tried: {}", self.target, self.tried, came.join(", "));
        // Past the capture of the test harness, which shows only what belongs to tests that failed.
        writeln!(std::io::stderr(), "{line}").expect("standard error can be written to");
        assert!(self.tried >= self.floor, "{line}; there should have been {}", self.floor);
        assert_eq!(self.came.values().sum::<usize>(), self.tried, "{line}; each input comes to something");
        for what in needed.iter().filter(|_| self.tried >= 100) {
            assert!(self.came.contains_key(what), "{line}; not one was {what}");
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let Self { target, seed, tried, .. } = self;
            writeln!(std::io::stderr(), "fuzz: {target}: seed {seed}, input {tried} failed").ok();
        }
    }
}

/// Whether whatever is planted still stands behind one of these words, by which it is known as a secret, at every place
/// of an input. A key that was cut out of its block, or a password that moved into a name, is one no more.
pub(crate) fn is_known(input: &[u8], planted: &str, words: &[&str]) -> bool {
    let text = String::from_utf8_lossy(input);
    text.match_indices(planted).all(|(at, _)| {
        let before = &text[..at];
        let before = before.rsplit(['\n']).next().unwrap_or_default().trim_end_matches("\\n");
        words.iter().any(|word| before.ends_with(word))
    })
}

/// Fails where something that nobody may see is in a text.
pub(crate) fn assert_hidden(text: &str, secrets: &[&str]) {
    for secret in secrets {
        let at = text.find(secret).map(|at| text[..at].chars().rev().take(60).collect::<String>());
        assert!(at.is_none(), "{secret} is shown, behind (backwards) {at:?}");
    }
}
