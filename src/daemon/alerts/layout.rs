//! How a message was divided when parts of it were sent.
//!
//! It is laid out anew for each attempt, from the facts as of then: a longer name, or another template after a restart,
//! may move the borders. How many parts have arrived means something only while they are the same. Where they are not,
//! the message begins again: a repeat is better than a loss.

use std::fmt::Write as _;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::outbox::{Away, Outbox};
use crate::notifier::Part;

/// Of so many messages of a channel that arrived in part it is known.
const REMEMBERED: usize = 20;

/// Where to go on with a message, and whether what arrives from there on may be counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) from: usize,
    pub(super) count: bool,
}

/// Where to go on with a message of which `done` parts were counted.
pub(super) async fn start(
    outbox: &dyn Outbox,
    channel: &str,
    id: &str,
    parts: &[Part],
    done: usize,
) -> Start {
    match resume(outbox, channel, id, parts, done).await {
        Ok(start) => start,
        // what was counted stays with the layout of then
        Err(Away) => Start { from: 0, count: false },
    }
}

async fn resume(
    outbox: &dyn Outbox,
    channel: &str,
    id: &str,
    parts: &[Part],
    done: usize,
) -> Result<Start, Away> {
    let whole = parts.len() == 1;
    if whole && done == 0 {
        // it has arrived or not: nothing to count
        return Ok(Start { from: 0, count: false });
    }
    let (key, line) = (format!("layout/{channel}"), format!("{id} {:016x}", fingerprint(parts)));
    let known = outbox.value(&key).await?.unwrap_or_default();
    if known.lines().any(|known| known == line) {
        return Ok(Start { from: done, count: true });
    }
    if done > 0 {
        tracing::info!(channel, id, "a message is divided otherwise than before, and begins again");
        // first: a count of the old parts must never meet the new ones
        outbox.progress(id, 0).await?;
    }
    if !whole {
        outbox.keep_value(&key, &with(&known, id, &line)).await?;
    }
    Ok(Start { from: 0, count: !whole })
}

/// The lines of other messages, the youngest of them, and this one.
fn with(known: &str, id: &str, line: &str) -> String {
    let others: Vec<_> = known.lines().filter(|known| known.split(' ').next() != Some(id)).collect();
    let mut text = String::new();
    for line in others.iter().skip(others.len().saturating_sub(REMEMBERED - 1)).chain([&line]) {
        writeln!(text, "{line}").expect("writing into memory cannot fail");
    }
    text
}

/// Of names and lengths: what is in the parts may be said with other words of the same length, such as days left. One
/// of another version of Rust may differ, which costs a repeat.
fn fingerprint(parts: &[Part]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for part in parts {
        (&part.name, part.content.to_string().len()).hash(&mut hasher);
    }
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::testing::Memory;
    use super::*;

    fn parts(texts: &[&str]) -> Vec<Part> {
        texts.iter().map(|text| Part { content: json!(text), name: format!("?/{}", texts.len()) }).collect()
    }

    #[tokio::test]
    async fn a_message_goes_on_only_where_its_parts_are_the_same() {
        let resumed = |from| Start { from, count: true };
        for (name, now, want) in [
            ("as it was", &["aaaa", "bb", "c"][..], resumed(2)),
            ("other words of the same length", &["aaab", "bb", "d"], resumed(2)),
            ("one part less", &["aaaabb", "c"], resumed(0)),
            ("one part more", &["aa", "aa", "bb", "c"], resumed(0)),
            ("other borders", &["aaaab", "b", "c"], resumed(0)),
            ("all in one", &["aaaabbc"], Start { from: 0, count: false }),
        ] {
            let outbox = Memory::default();
            let before = parts(&["aaaa", "bb", "c"]);
            assert_eq!(start(&outbox, "a", "evt_1", &before, 0).await, resumed(0), "{name}");
            assert_eq!(start(&outbox, "a", "evt_2", &parts(&["x", "y"]), 0).await, resumed(0), "{name}");
            assert_eq!(start(&outbox, "a", "evt_1", &parts(now), 2).await, want, "{name}");
        }
    }

    #[tokio::test]
    async fn a_message_of_one_part_costs_nothing() {
        let outbox = Memory::default();
        start(&outbox, "a", "evt_1", &parts(&["x"]), 0).await;
        assert_eq!(outbox.kept().calls, 0);
    }

    #[tokio::test]
    async fn without_a_store_it_begins_again_and_counts_nothing() {
        let outbox = Memory::default();
        outbox.set_away(true);
        let began = start(&outbox, "a", "evt_1", &parts(&["x", "y"]), 1).await;
        assert_eq!(began, Start { from: 0, count: false });
    }

    #[test]
    fn only_the_youngest_are_remembered() {
        let mut known = String::new();
        for n in 0..50 {
            known = with(&known, &format!("evt_{n}"), &format!("evt_{n} hash"));
            known = with(&known, &format!("evt_{n}"), &format!("evt_{n} hash"));
        }
        assert_eq!(known.lines().count(), REMEMBERED);
        assert!(known.starts_with("evt_30 hash\n") && known.ends_with("evt_49 hash\n"), "{known}");
    }
}
