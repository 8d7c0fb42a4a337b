//! The statements, one text for both databases, made once.
//!
//! Many rows go in one statement; the numbers of rows are few and fixed, so that each text is prepared once and kept.
//! No statement needs to be alone unless it says so: each row is written and erased as a whole, and the last word wins.
//! Which daemon may write which rows is for leases to say, once several share a database.

use std::fmt::Write as _;
use std::sync::LazyLock;

/// So many rows go in one statement, largest first.
pub(super) const BATCHES: [usize; 3] = [100, 10, 1];

/// A text for each number of rows in [`BATCHES`].
///
/// The one difference between the databases: where PostgreSQL wants `$1, $2`, SQLite gets `?, ?`. It would look the name of
/// each `$N` up in a list, and again for each value, so that a statement costs the square of its values.
pub(super) struct Batched {
    numbered: [String; 3],
    plain: [String; 3],
}

impl Batched {
    /// The texts for a database, in the order of [`BATCHES`].
    pub(super) fn for_kind(&'static self, is_sqlite: bool) -> &'static [String; 3] {
        if is_sqlite { &self.plain } else { &self.numbered }
    }

    /// For one row, on either database.
    pub(super) fn for_one(&'static self) -> &'static str {
        let [.., one] = &self.numbered;
        one
    }
}

/// Columns of `scope`, the key first.
const SCOPE: &[&str] = &[
    "scope",
    "attempted_at",
    "listed_at",
    "listing_took",
    "key_failure",
    "listing_failures",
    "listing_failure",
    "look_failure",
    "excluded",
    "filtered_by",
];
/// Columns of `resource_chunk`, the keys first.
const CHUNK: &[&str] = &["scope", "first_id", "resources", "data"];
/// Columns of `outbox` that a new message fills.
const MESSAGE: &[&str] = &[
    "id",
    "channel",
    "state",
    "urgency",
    "attempts",
    "parts_done",
    "created_at",
    "next_at",
    "message",
    "not_before",
];
const REGIONS: &[&str] = &["scope", "listed_at", "asked_for"];

pub(super) const READ_SCOPES: &str = "SELECT scope, attempted_at, listed_at, listing_took, key_failure, listing_failures, \
     listing_failure, look_failure, excluded, filtered_by FROM scope";
/// A page of one scope; behind the key that was read last.
pub(super) const READ_CHUNKS: &str =
    "SELECT first_id, data FROM resource_chunk WHERE scope = $1 AND first_id > $2 ORDER BY first_id LIMIT $3";
/// A page of resources as they stood before they shared rows; behind the one that was read last.
pub(super) const READ_SINGLE: &str = "SELECT id, facts, reading, failure, failures_in_a_row, looked_at, next_look_at, carried \
     FROM resource WHERE scope = $1 AND id > $2 ORDER BY id LIMIT $3";
pub(super) const ANY_CHUNK: &str = "SELECT first_id FROM resource_chunk WHERE scope = $1 LIMIT 1";
pub(super) const ANY_SINGLE: &str = "SELECT scope FROM resource LIMIT 1";
pub(super) const ERASE_SINGLE: &str = "DELETE FROM resource";
pub(super) const READ_REGIONS: &str = "SELECT scope, listed_at, asked_for FROM regions";

pub(super) const ERASE_SCOPE: &str = "DELETE FROM scope WHERE scope = $1";
pub(super) const ERASE_RESOURCES: &str = "DELETE FROM resource_chunk WHERE scope = $1";
pub(super) const ERASE_REGIONS: &str = "DELETE FROM regions WHERE scope = $1";

pub(super) const READ_MEMORY: &str =
    "SELECT kind, key, value FROM alert_memory WHERE (kind, key) > ($1, $2) ORDER BY kind, key LIMIT $3";
pub(super) const READ_PAST: &str = "SELECT value FROM alert_memory WHERE kind = 'certificate' AND key = $1";

/// Due is also what is put off until after `$3`, or held back until after `$4`: no wait is so long, the clock was wrong
/// when it was written.
///
/// What waits has not settled: the words `settled_at IS NULL` let both databases use the small index of what waits. The
/// state is written out, since a plan that is made once for every state would not fit this one.
pub(super) const NEXT_MESSAGE: &str = "SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = 'queued' AND settled_at IS NULL AND channel = $1 \
     AND (next_at <= $2 OR (next_at > $3 AND (not_before IS NULL OR not_before <= $2 OR not_before > $4))) \
     ORDER BY urgency, created_at, id LIMIT 1";
/// Safe against anybody who takes the same row: only one of them finds it queued.
pub(super) const TAKE_MESSAGE: &str =
    "UPDATE outbox SET state = 'sending', attempts = attempts + 1 WHERE id = $1 AND state = 'queued'";
/// Assumes to be alone: what another daemon is sending at the moment would be sent twice. Nobody knows whether it arrived.
pub(super) const RETURN_SENDING: &str = "UPDATE outbox SET state = 'queued', next_at = $1, unanswered = 1 WHERE state = 'sending' AND settled_at IS NULL";
/// Changes nothing: until the end of the transaction nobody takes the message, of which nothing has been sent so far.
pub(super) const HOLD_UNSENT: &str = "UPDATE outbox SET state = state WHERE id = $1 AND state IN ('queued', 'dead') \
     AND parts_done = 0 AND unanswered = 0";
pub(super) const NOTE_PROGRESS: &str = "UPDATE outbox SET parts_done = $2, unanswered = CASE WHEN parts_done > $2 THEN 1 ELSE unanswered END \
     WHERE id = $1";
pub(super) const CHANNEL_OF: &str = "SELECT channel FROM outbox WHERE id = $1";
/// Also of what was given up meanwhile: it did arrive.
pub(super) const DELIVERED: &str = "UPDATE outbox SET state = 'delivered', settled_at = $2, last_error = NULL WHERE id = $1 AND state <> 'delivered'";
/// What has settled stays: a word that comes late does not take it back.
///
/// That an attempt went unanswered is never forgotten: another one that surely failed does not take it back.
pub(super) const AGAIN: &str = "UPDATE outbox SET state = 'queued', next_at = $2, last_error = $3, unanswered = unanswered | $4 \
     WHERE id = $1 AND settled_at IS NULL";
pub(super) const GIVE_UP: &str = "UPDATE outbox SET state = 'dead', settled_at = $2, last_error = $3, unanswered = unanswered | $4 \
     WHERE id = $1 AND settled_at IS NULL";
pub(super) const SUPERSEDE: &str =
    "UPDATE outbox SET state = 'superseded', settled_at = $2 WHERE id = $1 AND settled_at IS NULL";
/// Of a backlog: what somebody took meanwhile is sent after all.
pub(super) const SUPERSEDE_QUEUED: &str = "UPDATE outbox SET state = 'superseded', settled_at = $3 WHERE id = $1 AND channel = $2 AND state = 'queued'";
pub(super) const NEXT_DUE: &str = "SELECT next_at FROM outbox WHERE state = 'queued' AND settled_at IS NULL AND channel = $1 \
     ORDER BY next_at LIMIT 1";
/// Without what is held back until after `$2`.
pub(super) const QUEUED: &str = "SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = 'queued' AND settled_at IS NULL AND channel = $1 AND (not_before IS NULL OR not_before <= $2) \
     ORDER BY urgency, created_at, id";
/// Of which surely nothing has arrived, also of what was given up.
pub(super) const UNDELIVERED: &str = "SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = 'queued' AND settled_at IS NULL AND parts_done = 0 AND unanswered = 0 \
     UNION ALL \
     SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = 'dead' AND parts_done = 0 AND unanswered = 0";
/// What has arrived at a channel since, or may have: a part of it, all of it, or what is being sent.
pub(super) const HEARD: &str = "SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = 'delivered' AND channel = $1 AND created_at >= $2 \
     UNION ALL \
     SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = 'sending' AND channel = $1 AND created_at >= $2 \
     UNION ALL \
     SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state IN ('queued', 'dead', 'superseded') AND channel = $1 AND created_at >= $2 AND (parts_done > 0 OR unanswered <> 0)";
pub(super) const POSTPONE: &str = "UPDATE outbox SET next_at = CASE WHEN not_before > $2 THEN not_before ELSE $2 END, \
     last_error = COALESCE($3, last_error) \
     WHERE state = 'queued' AND settled_at IS NULL AND channel = $1";

/// A page of one state, the youngest first; before the one that was read last.
pub(super) const HISTORY: &str = "SELECT id, channel, state, attempts, parts_done, created_at, next_at, settled_at, last_error, unanswered, message \
     FROM outbox WHERE state = $1 AND (created_at, id) < ($2, $3) ORDER BY created_at DESC, id DESC LIMIT $4";
pub(super) const RETRY: &str = "UPDATE outbox SET state = 'queued', attempts = 0, next_at = $2, settled_at = NULL \
     WHERE id = $1 AND state = 'dead'";
pub(super) const DISCARD: &str = "UPDATE outbox SET state = 'superseded' WHERE id = $1 AND state = 'dead'";
/// All of a channel that waits and was made before a moment.
pub(super) const GIVE_UP_OLD: &str = "UPDATE outbox SET state = 'dead', settled_at = $3, last_error = $4 \
     WHERE state = 'queued' AND settled_at IS NULL AND channel = $1 AND created_at < $2";
pub(super) const COUNT_WAITING: &str = "SELECT channel, COUNT(*) FROM outbox WHERE state IN ('queued', 'sending') AND settled_at IS NULL GROUP BY channel";
pub(super) const COUNT_DEAD: &str =
    "SELECT channel, COUNT(*) FROM outbox WHERE state = 'dead' GROUP BY channel";
/// What has settled before a time was made before it, which the index knows.
pub(super) const PRUNE_OUTBOX: &str = "DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE state = $1 AND created_at < $2 \
     AND settled_at < $2 ORDER BY created_at LIMIT $3)";

pub(super) const READ_SILENCES: &str = "SELECT id, silence FROM silence ORDER BY id";
pub(super) const READ_SILENCE: &str = "SELECT id, silence FROM silence WHERE id = $1 AND ends_at > $2";
pub(super) const ERASE_SILENCE: &str = "DELETE FROM silence WHERE id = $1";
pub(super) const PRUNE_SILENCES: &str = "DELETE FROM silence WHERE ends_at < $1";

pub(super) const READ_NOTES: &str = "SELECT key, value FROM channel_note WHERE channel = $1";
pub(super) const PRUNE_NOTES: &str = "DELETE FROM channel_note WHERE written_at < $1";
pub(super) const READ_KEPT: &str = "SELECT value FROM kept WHERE key = $1";

/// Left out is only what this program knows to be over, long ago, and followed by a success on the same resource and by
/// one anywhere. A word for a state that it does not know keeps a row in.
pub(super) const READ_RENEWALS: &str = "SELECT id, resource, not_after, number, state, changed_at, attempt FROM renewal AS one \
     WHERE NOT (concerns_until < $1 \
     AND state IN ('announced', 'approved', 'rejected', 'not_sent', 'confirmed', 'without_effect', 'failed_later', 'refused', 'unknown') \
     AND changed_at < (SELECT MAX(changed_at) FROM renewal WHERE state = 'confirmed') \
     AND EXISTS (SELECT 1 FROM renewal AS later WHERE later.resource = one.resource \
     AND later.state = 'confirmed' AND later.changed_at > one.changed_at)) \
     ORDER BY changed_at DESC, id DESC";
/// What the last commit of renewals made of it.
pub(super) const READ_TURN: &str = "SELECT turn FROM renewal_turn";
/// Each commit does this first, and waits here for the one before.
pub(super) const TAKE_TURN: &str = "UPDATE renewal_turn SET turn = turn + 1";
pub(super) const OTHER_OPEN: &str =
    "SELECT id FROM renewal WHERE resource = $1 AND state IN ('stored', 'accepted') AND id <> $2 LIMIT 1";
pub(super) const SAME_RENEWAL: &str = "SELECT id FROM renewal WHERE resource = $1 AND number = $2 \
     AND not_after > $3 AND not_after < $4 LIMIT 1";
pub(super) const NEW_RENEWAL: &str = "INSERT INTO renewal (id, resource, not_after, number, state, changed_at, concerns_until, attempt) \
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING";
/// Only as it was read: whoever changed it meanwhile left another time.
pub(super) const CHANGE_RENEWAL: &str = "UPDATE renewal SET state = $6, changed_at = $7, concerns_until = $8, attempt = $9 \
     WHERE id = $1 AND resource = $2 AND not_after = $3 AND number = $4 AND changed_at = $5";
/// There is no statement that changes or erases an entry.
pub(super) const NEW_ENTRY: &str =
    "INSERT INTO renewal_ledger (happened_at, attempt, entry) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING";
pub(super) const LEDGER: &str = "SELECT happened_at, attempt, entry FROM renewal_ledger \
     WHERE (happened_at, attempt) < ($1, $2) ORDER BY happened_at DESC, attempt DESC LIMIT $3";
pub(super) const LEDGER_OF: &str = "SELECT happened_at, attempt, entry FROM renewal_ledger \
     WHERE attempt = $1 AND (happened_at, attempt) < ($2, $3) ORDER BY happened_at DESC LIMIT $4";

pub(super) static WRITE_MEMORY: LazyLock<Batched> =
    LazyLock::new(|| batched(|of| upsert("alert_memory", &["kind", "key", "value"], 2, of)));
pub(super) static ERASE_MEMORY: LazyLock<Batched> = LazyLock::new(|| {
    batched(|of| format!("DELETE FROM alert_memory WHERE (kind, key) IN (VALUES {})", of.places(2)))
});
pub(super) static QUEUE: LazyLock<Batched> = LazyLock::new(|| {
    batched(|of| {
        let (names, places) = (MESSAGE.join(", "), of.places(MESSAGE.len()));
        format!("INSERT INTO outbox ({names}) VALUES {places} ON CONFLICT (id) DO NOTHING")
    })
});
pub(super) static WRITE_SILENCE: LazyLock<String> =
    LazyLock::new(|| upsert("silence", &["id", "ends_at", "silence"], 1, Rows::ONE));
pub(super) static WRITE_NOTE: LazyLock<String> =
    LazyLock::new(|| upsert("channel_note", &["channel", "key", "value", "written_at"], 2, Rows::ONE));
pub(super) static WRITE_KEPT: LazyLock<String> =
    LazyLock::new(|| upsert("kept", &["key", "value"], 1, Rows::ONE));

pub(super) static WRITE_SCOPES: LazyLock<Batched> =
    LazyLock::new(|| batched(|of| upsert("scope", SCOPE, 1, of)));
pub(super) static WRITE_CHUNKS: LazyLock<Batched> =
    LazyLock::new(|| batched(|of| upsert("resource_chunk", CHUNK, 2, of)));
pub(super) static WRITE_REGIONS: LazyLock<Batched> =
    LazyLock::new(|| batched(|of| upsert("regions", REGIONS, 1, of)));
pub(super) static ERASE_CHUNKS: LazyLock<Batched> = LazyLock::new(|| {
    batched(|of| format!("DELETE FROM resource_chunk WHERE (scope, first_id) IN (VALUES {})", of.places(2)))
});

fn batched(text: impl Fn(Rows) -> String) -> Batched {
    let texts = |numbered: bool| BATCHES.map(|rows| text(Rows { rows, numbered }));
    Batched { numbered: texts(true), plain: texts(false) }
}

/// How many rows a statement takes, and how it writes their places.
#[derive(Clone, Copy)]
struct Rows {
    rows: usize,
    numbered: bool,
}

/// Writes rows, whether they are there already or not. The first `keys` columns are the key.
fn upsert(table: &str, columns: &[&str], keys: usize, rows: Rows) -> String {
    let (key, values) = columns.split_at(keys);
    let values: Vec<String> = values.iter().map(|column| format!("{column} = excluded.{column}")).collect();
    let (names, key, values) = (columns.join(", "), key.join(", "), values.join(", "));
    let places = rows.places(columns.len());
    format!("INSERT INTO {table} ({names}) VALUES {places} ON CONFLICT ({key}) DO UPDATE SET {values}")
}

impl Rows {
    const ONE: Self = Self { rows: 1, numbered: true };

    /// `($1, $2), ($3, $4)` or `(?, ?), (?, ?)`
    fn places(self, columns: usize) -> String {
        let mut text = String::with_capacity(self.rows * columns * 7);
        for place in 1..=self.rows * columns {
            text.push_str(match place % columns {
                1 if place == 1 => "(",
                1 => "), (",
                _ => ", ",
            });
            if self.numbered {
                write!(text, "${place}").expect("writing into memory cannot fail");
            } else {
                text.push('?');
            }
        }
        text + ")"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_numbered_through() {
        assert_eq!(Rows { rows: 2, numbered: true }.places(3), "($1, $2, $3), ($4, $5, $6)");
        assert_eq!(Rows { rows: 2, numbered: false }.places(3), "(?, ?, ?), (?, ?, ?)");
    }

    #[test]
    fn a_row_that_is_there_is_written_over() {
        assert_eq!(
            upsert("t", &["a", "b", "c"], 2, Rows::ONE),
            "INSERT INTO t (a, b, c) VALUES ($1, $2, $3) ON CONFLICT (a, b) DO UPDATE SET c = excluded.c"
        );
    }

    #[test]
    fn no_statement_has_more_values_than_either_database_takes() {
        const MOST: usize = 32_766;
        assert!(BATCHES[0] * SCOPE.len().max(CHUNK.len()) <= MOST);
    }
}
