//! The gzip form of the page, made anew only where something changed.
//!
//! For each chunk of resources and each family there is a compressed piece. They are kept by the address of the
//! chunk: a `Weak` holds the address for as long as it exists, so no other chunk can have it, but does not hold the
//! resources, so a page that nobody reads keeps no old ones in memory. After one resource changed, the pieces of its
//! chunk are made anew and the page is put together again from all of them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Weak};

use bytes::BytesMut;
use chrono::{DateTime, Utc};
use tracing::warn;

use super::deflate::{Checksum, Deflater, Piece};
use super::endings::Endings;
use super::freshness::Freshness;
use super::gzip::{GzipPage, Head, Stream};
use super::process::Usage;
use super::resources::{self, FAMILIES};
use super::scopes::{self, ScopeRow};
use super::{RateLimit, Surroundings, channels, counters, process, renewals, text};
use crate::domain::identity::Scope;
use crate::domain::policy::PollPolicy;
use crate::domain::resource::Resource;
use crate::domain::shelf::Chunk;
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::telemetry;

mod selected;

/// Room for the text of a piece.
const TEXT: usize = 64 * 1024;

/// Makes pages.
#[derive(Debug)]
pub struct Renderer {
    deflater: Deflater,
    text: BytesMut,
    /// What the lines of a piece begin with.
    head: Vec<u8>,
    headers: Vec<Piece>,
    scopes: BTreeMap<Arc<Scope>, Chunks>,
    policy: Arc<PollPolicy>,
    collisions: usize,
    counters: Option<Counters>,
}

/// What is kept of the chunks of one scope, by address.
type Chunks = HashMap<usize, Rendered>;

/// What is kept of one chunk.
#[derive(Debug)]
struct Rendered {
    /// Keeps the address from being used again.
    chunk: Weak<Chunk>,
    /// `None`: nobody asked for them yet.
    pieces: Option<Pieces>,
    freshness: Freshness,
    endings: Endings,
    collisions: usize,
}

/// The pieces of one chunk, by family.
type Pieces = [Piece; resources::COUNT];

/// What is kept of the counters.
#[derive(Debug)]
struct Counters {
    counted: Arc<telemetry::Text>,
    rate_limits: Arc<[RateLimit]>,
    piece: Piece,
}

impl Default for Renderer {
    fn default() -> Self {
        let mut deflater = Deflater::new();
        let headers = FAMILIES.iter().map(|(family, _)| {
            let mut out = BytesMut::new();
            text::header(&mut out, family);
            deflater.piece(&out)
        });
        Self {
            headers: headers.collect(),
            deflater,
            text: BytesMut::with_capacity(TEXT),
            head: Vec::new(),
            scopes: BTreeMap::new(),
            policy: Arc::default(),
            collisions: 0,
            counters: None,
        }
    }
}

impl Renderer {
    /// A whole page.
    pub fn page(&mut self, snapshot: &Snapshot, around: &Surroundings, now: DateTime<Utc>) -> GzipPage {
        let head = self.head(snapshot, &around.policy, now);
        self.with_tail(head, around)
    }

    /// The part that comes from the snapshot.
    pub(super) fn head(&mut self, snapshot: &Snapshot, policy: &Arc<PollPolicy>, now: DateTime<Utc>) -> Head {
        self.adopt(policy);
        let mut old = std::mem::take(&mut self.scopes);
        let mut rows = Vec::with_capacity(snapshot.scopes.len());
        let mut collisions = 0;
        for (scope, view) in &snapshot.scopes {
            let labels = text::scope_labels(scope);
            let chunks = self.chunks(old.remove(scope).unwrap_or_default(), view, now);
            let chunks = self.with_pieces(chunks, view, &labels);
            collisions += chunks.values().map(|rendered| rendered.collisions).sum::<usize>();
            rows.push(row(labels, view, &chunks, now));
            self.scopes.insert(Arc::clone(scope), chunks);
        }
        self.note_collisions(collisions);
        self.text.clear();
        scopes::write(&mut self.text, &rows);
        scopes::write_backlog(&mut self.text, &snapshot.backlog);
        let rest = self.deflater.piece(&self.text);
        self.assemble(snapshot, &rest)
    }

    /// The page with the part that does not come from the snapshot.
    pub(super) fn with_tail(&mut self, head: Head, around: &Surroundings) -> GzipPage {
        self.text.clear();
        channels::write(&mut self.text, &around.channels);
        renewals::write(&mut self.text, &around.renewals);
        process::write(&mut self.text, around, &Usage::now());
        let process = self.deflater.piece(&self.text);
        let counters = self.counters(around);
        let mut checksum = Checksum::default();
        checksum.add_stream(&head.checksum);
        checksum.add(counters);
        checksum.add(&process);
        let tail = [&*counters.bytes, &*process.bytes, &checksum.trailer()].concat();
        GzipPage { head, tail: tail.into() }
    }

    /// All counts of stale resources are wrong under another policy. It comes when the configuration is read again.
    fn adopt(&mut self, policy: &Arc<PollPolicy>) {
        if self.policy != *policy {
            self.scopes.clear();
            self.policy = Arc::clone(policy);
        }
    }

    /// What is known of the chunks of a scope, counted anew where that is due.
    fn chunks(&self, mut old: Chunks, view: &ScopeView, now: DateTime<Utc>) -> Chunks {
        let chunks = view.resources.chunks().map(|chunk| {
            let kept = old
                .remove(&address(chunk))
                .filter(|kept| std::ptr::eq(kept.chunk.as_ptr(), Arc::as_ptr(chunk)));
            let mut rendered = kept.unwrap_or_else(|| Rendered {
                chunk: Arc::downgrade(chunk),
                pieces: None,
                freshness: Freshness::of(chunk, &self.policy, now),
                endings: Endings::of(chunk, now),
                collisions: chunk.iter().map(|resource| resources::collisions(resource)).sum(),
            });
            if !rendered.freshness.holds(now) {
                rendered.freshness = Freshness::of(chunk, &self.policy, now);
            }
            if !rendered.endings.holds(now) {
                rendered.endings = Endings::of(chunk, now);
            }
            (address(chunk), rendered)
        });
        chunks.collect()
    }

    /// The same with the pieces that are missing.
    fn with_pieces(&mut self, mut chunks: Chunks, view: &ScopeView, labels: &[u8]) -> Chunks {
        for chunk in view.resources.chunks() {
            if let Some(rendered) = chunks.get_mut(&address(chunk)) {
                rendered.pieces.get_or_insert_with(|| self.render(chunk, labels));
            }
        }
        chunks
    }

    fn render(&mut self, resources: &[Arc<Resource>], labels: &[u8]) -> Pieces {
        std::array::from_fn(|family| {
            self.text.clear();
            resources::write(&mut self.text, &mut self.head, &FAMILIES[family], labels, resources);
            self.deflater.piece(&self.text)
        })
    }

    fn assemble(&self, snapshot: &Snapshot, rest: &Piece) -> Head {
        let chunks: Vec<&Pieces> =
            self.in_order(snapshot).filter_map(|rendered| rendered.pieces.as_ref()).collect();
        let mut stream = Stream::with_capacity(2 + FAMILIES.len() * (1 + chunks.len()));
        self.add_resources(&mut stream, &chunks);
        stream.add(rest);
        stream.finish()
    }

    /// All families of resources, of these chunks.
    fn add_resources(&self, stream: &mut Stream, chunks: &[&Pieces]) {
        for (family, header) in self.headers.iter().enumerate() {
            stream.add(header);
            for pieces in chunks {
                stream.add(&pieces[family]);
            }
        }
    }

    /// The chunks of the snapshot in the order of the page.
    fn in_order<'s>(&'s self, snapshot: &'s Snapshot) -> impl Iterator<Item = &'s Rendered> {
        let views = self.scopes.values().zip(snapshot.scopes.values());
        views.flat_map(|(chunks, view)| {
            view.resources.chunks().filter_map(|chunk| chunks.get(&address(chunk)))
        })
    }

    fn counters(&mut self, around: &Surroundings) -> &Piece {
        let counted = around.telemetry.text();
        let kept = self.counters.take().filter(|kept| {
            Arc::ptr_eq(&kept.counted, &counted) && Arc::ptr_eq(&kept.rate_limits, &around.rate_limits)
        });
        let counters = kept.unwrap_or_else(|| {
            self.text.clear();
            counters::write(&mut self.text, &counted, &around.rate_limits);
            let rate_limits = Arc::clone(&around.rate_limits);
            Counters { counted, rate_limits, piece: self.deflater.piece(&self.text) }
        });
        &self.counters.insert(counters).piece
    }

    /// Where the pieces of each chunk are in memory, in the order of the page.
    #[cfg(test)]
    pub(super) fn piece_addresses(&self, snapshot: &Snapshot) -> Vec<[*const u8; resources::COUNT]> {
        self.in_order(snapshot)
            .filter_map(|rendered| {
                Some(rendered.pieces.as_ref()?.each_ref().map(|piece| piece.bytes.as_ptr()))
            })
            .collect()
    }

    fn note_collisions(&mut self, collisions: usize) {
        if collisions > self.collisions {
            warn!(
                collisions,
                "certificates share a role within their resource; the one that ends first is shown"
            );
        }
        self.collisions = collisions;
    }
}

/// What is said of a scope, added up from its chunks.
fn row(labels: BytesMut, view: &Arc<ScopeView>, chunks: &Chunks, now: DateTime<Utc>) -> ScopeRow {
    ScopeRow {
        labels,
        view: Arc::clone(view),
        stale: chunks.values().map(|rendered| rendered.freshness.stale).sum(),
        endings: chunks.values().fold(Endings::none(now), |sum, rendered| sum.and(&rendered.endings)),
    }
}

fn address(chunk: &Arc<Chunk>) -> usize {
    Arc::as_ptr(chunk).addr()
}
