//! The three kinds of look, and what each brings back.

use std::sync::Arc;

use crate::call::CallError;
use crate::domain::identity::{ResourceId, Scope};
use crate::domain::listing::{Inspection, Listing, ScopeList};
use crate::provider::Provider;

/// Something to ask a cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Look {
    /// Which regions (and projects) an account has.
    Regions { list: usize },
    /// What is in a scope.
    Listing { scope: usize },
    /// The state of one resource.
    Detail { scope: usize, id: ResourceId },
}

/// What came back.
#[derive(Debug)]
pub(super) enum Done {
    Regions(Result<ScopeList, CallError>),
    Listing(Result<Listing, CallError>),
    Detail(Result<Inspection, CallError>),
    /// A defect of ours; the look ended without an answer.
    Panicked,
}

pub(super) async fn regions(provider: Arc<dyn Provider>, service: &'static str) -> Done {
    Done::Regions(provider.scopes(service).await)
}

pub(super) async fn listing(provider: Arc<dyn Provider>, scope: Arc<Scope>) -> Done {
    Done::Listing(provider.discover(&scope).await)
}

pub(super) async fn detail(provider: Arc<dyn Provider>, scope: Arc<Scope>, id: ResourceId) -> Done {
    Done::Detail(provider.inspect(&scope, &id).await)
}
