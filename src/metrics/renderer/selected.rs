//! A part of the page, made of the same pieces as the whole: only chunks of which some resources are wanted and others
//! not are written anew, and those are not kept.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::{Chunk, Pieces, Renderer, ScopeRow, address, row};
use crate::domain::identity::Scope;
use crate::domain::policy::PollPolicy;
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::resource::Resource;
use crate::domain::snapshot::{ScopeView, Snapshot};
use crate::metrics::deflate::{Checksum, Piece};
use crate::metrics::gzip::{Head, Stream};
use crate::metrics::process::Usage;
use crate::metrics::selection::{Choice, Part, Selection};
use crate::metrics::{GzipPage, Surroundings, channels, counters, process, renewals, scopes, text};

/// Where the pieces of some wanted resources are.
enum Source {
    /// Kept with the chunk.
    Kept(Arc<Scope>, usize),
    /// Made for this page.
    Own(Box<Pieces>),
}

impl Renderer {
    /// What a selection has of the snapshot.
    pub(in crate::metrics) fn selected_head(
        &mut self,
        snapshot: &Snapshot,
        selection: &Selection,
        policy: &Arc<PollPolicy>,
        now: DateTime<Utc>,
    ) -> Head {
        self.adopt(policy);
        self.scopes.retain(|scope, _| snapshot.scopes.contains_key(scope));
        let (mut sources, mut rows) = (Vec::new(), Vec::new());
        for (scope, view) in &snapshot.scopes {
            match selection.choice(scope) {
                Choice::None => {}
                Choice::All => rows.push(self.whole_scope(scope, view, selection, &mut sources, now)),
                Choice::Some => self.some_of(scope, view, selection, &mut sources, now),
            }
        }
        self.put_together(selection, &sources, &rows)
    }

    /// The page with what does not come from the snapshot.
    pub(in crate::metrics) fn selected_with_tail(
        &mut self,
        head: Head,
        snapshot: &Snapshot,
        selection: &Selection,
        around: &Surroundings,
    ) -> GzipPage {
        let counted = around.telemetry.text();
        let is_wanted = |scope: &Scope| selection.choice(scope) == Choice::All;
        self.text.clear();
        if selection.has(Part::Resources) {
            renewals::write_planned(&mut self.text, &around.renewals, |key| {
                is_planned_wanted(key, snapshot, selection)
            });
        }
        if selection.has(Part::Scopes) {
            let wanted = snapshot.scopes.keys().map(|scope| &**scope).filter(|scope| is_wanted(scope));
            counters::write_of_scopes(&mut self.text, &counted, wanted);
            renewals::write_in_progress(&mut self.text, &around.renewals, is_wanted);
        }
        if selection.has(Part::Daemon) {
            scopes::write_backlog(&mut self.text, &snapshot.backlog);
            counters::write_of_daemon(&mut self.text, &counted, &around.rate_limits);
            channels::write(&mut self.text, &around.channels);
            process::write(&mut self.text, around, &Usage::now());
        }
        let rest = self.deflater.piece(&self.text);
        let mut checksum = Checksum::default();
        checksum.add_stream(&head.checksum);
        checksum.add(&rest);
        GzipPage { head, tail: [&*rest.bytes, &checksum.trailer()].concat().into() }
    }

    fn whole_scope(
        &mut self,
        scope: &Arc<Scope>,
        view: &Arc<ScopeView>,
        selection: &Selection,
        sources: &mut Vec<Source>,
        now: DateTime<Utc>,
    ) -> ScopeRow {
        let labels = text::scope_labels(scope);
        let mut chunks = self.scopes.remove(scope).unwrap_or_default();
        chunks = self.chunks(chunks, view, now);
        if selection.has(Part::Resources) {
            chunks = self.with_pieces(chunks, view, &labels);
            let kept = |chunk| Source::Kept(Arc::clone(scope), address(chunk));
            sources.extend(view.resources.chunks().map(kept));
        }
        let row = row(labels, view, &chunks, now);
        self.scopes.insert(Arc::clone(scope), chunks);
        row
    }

    /// Chunks that are wanted whole are kept like those of a whole scope.
    fn some_of(
        &mut self,
        scope: &Arc<Scope>,
        view: &ScopeView,
        selection: &Selection,
        sources: &mut Vec<Source>,
        now: DateTime<Utc>,
    ) {
        let labels = text::scope_labels(scope);
        let old = self.scopes.remove(scope).unwrap_or_default();
        let mut chunks = self.chunks(old, view, now);
        for chunk in view.resources.chunks() {
            let wanted = wanted(chunk, scope, selection);
            if wanted.is_empty() {
                continue;
            }
            sources.push(match (&wanted, chunks.get_mut(&address(chunk))) {
                (Cow::Borrowed(_), Some(rendered)) => {
                    rendered.pieces.get_or_insert_with(|| self.render(chunk, &labels));
                    Source::Kept(Arc::clone(scope), address(chunk))
                }
                _ => Source::Own(Box::new(self.render(&wanted, &labels))),
            });
        }
        self.scopes.insert(Arc::clone(scope), chunks);
    }

    fn put_together(&mut self, selection: &Selection, sources: &[Source], rows: &[ScopeRow]) -> Head {
        let scopes = self.scopes_piece(selection, rows);
        let pieces: Vec<&Pieces> = sources
            .iter()
            .filter_map(|source| match source {
                Source::Kept(scope, address) => self.scopes.get(scope)?.get(address)?.pieces.as_ref(),
                Source::Own(pieces) => Some(&**pieces),
            })
            .collect();
        let mut stream = Stream::with_capacity(2 + self.headers.len() * (1 + pieces.len()));
        if selection.has(Part::Resources) {
            self.add_resources(&mut stream, &pieces);
        }
        stream.add(&scopes);
        stream.finish()
    }

    fn scopes_piece(&mut self, selection: &Selection, rows: &[ScopeRow]) -> Piece {
        self.text.clear();
        if selection.has(Part::Scopes) {
            scopes::write(&mut self.text, rows);
        }
        self.deflater.piece(&self.text)
    }
}

/// A plan may still tell of a resource that has just gone.
fn is_planned_wanted(key: &ResourceKey, snapshot: &Snapshot, selection: &Selection) -> bool {
    let scope = key.scope();
    let resource = snapshot.scopes.get(&scope).and_then(|view| view.resources.get(&key.resource_id));
    match resource {
        Some(resource) => selection.is_wanted(&scope, resource),
        None => selection.is_wanted_by_id(&scope, &key.resource_id),
    }
}

/// Those of a chunk that are wanted; the chunk itself where all are.
fn wanted<'c>(chunk: &'c Chunk, scope: &Scope, selection: &Selection) -> Cow<'c, [Arc<Resource>]> {
    let is_wanted = |resource: &&Arc<Resource>| selection.is_wanted(scope, resource);
    let Some(first) = chunk.iter().position(|resource| !is_wanted(&resource)) else {
        return Cow::Borrowed(chunk);
    };
    let rest = chunk[first..].iter().filter(is_wanted);
    Cow::Owned(chunk[..first].iter().chain(rest).cloned().collect())
}
