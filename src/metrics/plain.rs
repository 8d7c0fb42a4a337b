//! The plain form of the page, written while it is being read.
//!
//! Nothing of it is kept: a page of 100 MB costs one block of memory. The block is handed out, and once the reader
//! has let go of it the next one takes its place in the same memory.

use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};

use super::blocks::Blocks;
use super::endings::Endings;
use super::freshness::Freshness;
use super::process::Usage;
use super::resources::{self, FAMILIES};
use super::scopes::{self, ScopeRow};
use super::{Surroundings, channels, counters, process, renewals, text};
use crate::domain::snapshot::Snapshot;
use crate::telemetry::Text;

/// About this many bytes are handed out at once.
const BLOCK: usize = 64 * 1024;
/// How much a block may get longer than that: what one step writes, in nearly all cases.
const OVERHANG: usize = 32 * 1024;
/// So many resources are written in one step.
const RUN: usize = 64;

/// The page as an iterator over its blocks.
#[derive(Debug)]
pub struct PlainPage {
    snapshot: Arc<Snapshot>,
    around: Surroundings,
    counted: Arc<Text>,
    now: DateTime<Utc>,
    rows: Vec<ScopeRow>,
    blocks: Blocks,
    /// What the lines of a run begin with.
    head: Vec<u8>,
    next: Step,
}

/// What is written next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Header { family: usize },
    Run { family: usize, at: Position },
    Scopes,
    Rest,
    Done,
}

/// A run of resources: of which scope, of which of its chunks, from which one on.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    scope: usize,
    chunk: usize,
    slot: usize,
}

impl PlainPage {
    /// The page of this snapshot, and of these counters.
    pub fn new(
        snapshot: Arc<Snapshot>,
        around: Surroundings,
        counted: Arc<Text>,
        now: DateTime<Utc>,
    ) -> Self {
        let labels = text::labels_of_scopes(snapshot.scopes.keys());
        let rows = labels.zip(snapshot.scopes.values());
        let row = |(labels, view): (_, &Arc<_>)| ScopeRow {
            labels,
            view: Arc::clone(view),
            stale: 0,
            endings: Endings::none(now),
        };
        let rows = rows.map(row);
        let rows = rows.collect();
        let (blocks, head, next) = (Blocks::default(), Vec::new(), Step::Header { family: 0 });
        Self { snapshot, around, counted, now, rows, blocks, head, next }
    }

    fn step(&mut self) {
        self.next = match self.next {
            Step::Header { family } if family == FAMILIES.len() => Step::Scopes,
            Step::Header { family } => {
                text::header(self.blocks.current(), &FAMILIES[family].0);
                Step::Run { family, at: Position::default() }
            }
            Step::Run { family, at } => match self.run(family, at) {
                Some(at) => Step::Run { family, at },
                None => Step::Header { family: family + 1 },
            },
            Step::Scopes => {
                scopes::write(self.blocks.current(), &self.rows);
                scopes::write_backlog(self.blocks.current(), &self.snapshot.backlog);
                Step::Rest
            }
            Step::Rest => {
                counters::write(self.blocks.current(), &self.counted, &self.around.rate_limits);
                channels::write(self.blocks.current(), &self.around.channels);
                renewals::write(self.blocks.current(), &self.around.renewals);
                process::write(self.blocks.current(), &self.around, &Usage::now());
                Step::Done
            }
            Step::Done => Step::Done,
        };
    }

    /// Writes a run of resources; says where the next one begins.
    fn run(&mut self, family: usize, at: Position) -> Option<Position> {
        let row = self.rows.get_mut(at.scope)?;
        let Some(chunk) = row.view.resources.chunk(at.chunk) else {
            return Some(Position { scope: at.scope + 1, ..Position::default() });
        };
        let end = chunk.len().min(at.slot + RUN);
        let run = &chunk[at.slot..end];
        resources::write(self.blocks.current(), &mut self.head, &FAMILIES[family], &row.labels, run);
        if family == 0 {
            // Counted on the way, where each resource is visited anyway; the families of scopes come later.
            row.stale += Freshness::of(run, &self.around.policy, self.now).stale;
            row.endings = row.endings.and(&Endings::of(run, self.now));
        }
        Some(if end == chunk.len() {
            Position { chunk: at.chunk + 1, slot: 0, ..at }
        } else {
            Position { slot: end, ..at }
        })
    }
}

impl Iterator for PlainPage {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        self.blocks.begin(BLOCK + OVERHANG);
        while self.blocks.current().len() < BLOCK && !matches!(self.next, Step::Done) {
            self.step();
        }
        self.blocks.finish()
    }
}
