//! Floor 3: the clouds, each in a folder of its own. Nothing above this floor knows a cloud by name.

use std::fmt::Debug;
use std::future::Future;
use std::pin::Pin;

use crate::call::CallError;
use crate::domain::identity::Scope;
use crate::domain::listing::{Inspection, Listing};
use crate::http::Rate;

pub mod alibaba;
pub mod x509;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One account of one cloud, ready to be asked. Nothing in here repeats a failed call: the next look is the retry.
pub trait Provider: Debug + Send + Sync {
    /// The scopes of one service, where the configuration names them all and nobody has to be asked.
    fn configured_scopes(&self, service: &str) -> Option<Vec<Scope>>;

    /// The scopes of one service: regions (and projects) as the cloud lists them for the account.
    fn scopes<'a>(&'a self, service: &'a str) -> BoxFuture<'a, Result<Vec<Scope>, CallError>>;

    /// What is in a scope.
    fn discover<'a>(&'a self, scope: &'a Scope) -> BoxFuture<'a, Result<Listing, CallError>>;

    /// The state and the certificates of one resource.
    fn inspect<'a>(&'a self, scope: &'a Scope, id: &'a str) -> BoxFuture<'a, Result<Inspection, CallError>>;

    /// Every call that may be made, by the cloud's own name, so that counters exist from the start.
    fn actions(&self) -> Vec<&'static str>;

    /// What each call may be used for now.
    fn rates(&self) -> Vec<Rate>;

    /// How many looks a second a scope allows now.
    fn inspect_rate(&self, scope: &Scope) -> f64;
}
