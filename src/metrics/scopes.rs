//! The families of scopes, and how far behind polling is.

use std::sync::Arc;

use bytes::BytesMut;

use super::catalogue::{
    Family, POLL_DUE, POLL_LAG, SCOPE_CERTIFICATES, SCOPE_DISCOVERY_DURATION, SCOPE_EARLIEST,
    SCOPE_LAST_SUCCESS, SCOPE_RESOURCES, SCOPE_UP,
};
use super::endings::{Endings, LEFT};
use super::text;
use crate::domain::due::Backlog;
use crate::domain::resource::TlsState;
use crate::domain::snapshot::ScopeView;

/// Values of the label `state`.
pub(super) const STATES: [&str; 7] =
    ["discovered", "enabled", "disabled", "unsupported", "unknown", "stale", "excluded"];

/// What is said of a scope.
#[derive(Debug)]
pub(super) struct ScopeRow {
    /// Its labels, without braces.
    pub(super) labels: BytesMut,
    pub(super) view: Arc<ScopeView>,
    pub(super) stale: usize,
    pub(super) endings: Endings,
}

/// Writes all families of scopes.
pub(super) fn write(out: &mut BytesMut, rows: &[ScopeRow]) {
    family(out, &SCOPE_UP, rows, |line, view| {
        if view.attempted_at.or(view.listed_at).is_some() {
            line.end(|out| text::boolean(out, view.is_up()));
        }
    });
    family(out, &SCOPE_LAST_SUCCESS, rows, |line, view| {
        if let Some(at) = view.listed_at {
            line.end(|out| text::timestamp(out, at));
        }
    });
    family(out, &SCOPE_DISCOVERY_DURATION, rows, |line, view| {
        if let Some(took) = view.listing_took {
            line.end(|out| text::seconds(out, took));
        }
    });
    resources(out, rows);
    certificates(out, rows);
}

/// Writes how far behind polling is.
pub(super) fn write_backlog(out: &mut BytesMut, backlog: &Backlog) {
    text::single(out, &POLL_DUE, |out| text::integer(out, backlog.due as u64));
    text::single(out, &POLL_LAG, |out| text::seconds(out, backlog.lag));
}

struct Line<'a> {
    out: &'a mut BytesMut,
    family: &'a Family,
    scope: &'a [u8],
}

impl Line<'_> {
    fn end(&mut self, value: impl FnOnce(&mut BytesMut)) {
        self.end_with(None, value);
    }

    fn end_with(&mut self, more: Option<(&str, &str)>, value: impl FnOnce(&mut BytesMut)) {
        self.out.extend_from_slice(self.family.name.as_bytes());
        self.out.extend_from_slice(b"{");
        self.out.extend_from_slice(self.scope);
        if let Some((name, value)) = more {
            self.out.extend_from_slice(b",");
            text::label(self.out, name, value);
        }
        self.out.extend_from_slice(b"} ");
        value(self.out);
        self.out.extend_from_slice(b"\n");
    }
}

fn family(out: &mut BytesMut, family: &Family, rows: &[ScopeRow], write: impl Fn(&mut Line<'_>, &ScopeView)) {
    text::header(out, family);
    for row in rows {
        write(&mut Line { out, family, scope: &row.labels }, &row.view);
    }
}

fn resources(out: &mut BytesMut, rows: &[ScopeRow]) {
    text::header(out, &SCOPE_RESOURCES);
    for row in rows.iter().filter(|row| was_listed(row)) {
        let mut line = Line { out, family: &SCOPE_RESOURCES, scope: &row.labels };
        for (state, count) in STATES.into_iter().zip(counts(row)) {
            line.end_with(Some(("state", state)), |out| text::integer(out, count as u64));
        }
    }
}

fn certificates(out: &mut BytesMut, rows: &[ScopeRow]) {
    text::header(out, &SCOPE_CERTIFICATES);
    for row in rows.iter().filter(|row| was_listed(row)) {
        let mut line = Line { out, family: &SCOPE_CERTIFICATES, scope: &row.labels };
        for (left, count) in LEFT.into_iter().zip(row.endings.counts) {
            line.end_with(Some(("left", left)), |out| text::integer(out, count as u64));
        }
    }
    text::header(out, &SCOPE_EARLIEST);
    for row in rows {
        if let Some(end) = row.endings.earliest {
            let mut line = Line { out, family: &SCOPE_EARLIEST, scope: &row.labels };
            line.end(|out| text::timestamp(out, end));
        }
    }
}

fn was_listed(row: &ScopeRow) -> bool {
    row.view.listed_at.is_some() || !row.view.resources.is_empty()
}

/// In the order of [`STATES`].
fn counts(row: &ScopeRow) -> [usize; 7] {
    let of = |state: TlsState| row.view.counts.of(state);
    [
        row.view.resources.len(),
        of(TlsState::Enabled),
        of(TlsState::Disabled),
        of(TlsState::Unsupported),
        of(TlsState::Unknown),
        row.stale,
        row.view.excluded,
    ]
}
