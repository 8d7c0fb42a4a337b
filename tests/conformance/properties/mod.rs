//! What must be true of every service. Each property is a function that takes the service.

mod answers;
mod conditions;
mod isolation;
mod pages;
mod rights;
mod secrets;

use chrono::{DateTime, Utc};
use notafter::domain::reason::Reason;
use notafter::domain::snapshot::Snapshot;

use crate::common::find;
use crate::service::{BoxFuture, Service};

/// A property, as the list has it.
pub(crate) type Property = fn(&'static Service) -> BoxFuture<()>;

/// Makes the list, and from it a test in the module of each service. Those that take longest stand first.
macro_rules! properties {
    ($($module:ident::$property:ident),+ $(,)?) => {
        /// Every property by its name.
        pub(crate) const PROPERTIES: &[(&str, Property)] =
            &[$((stringify!($property), |service| Box::pin($module::$property(service)))),+];

        macro_rules! each_property {
            (test) => {
                $(
                    #[test]
                    fn $property() {
                        crate::cell::holds(SERVICE, stringify!($property));
                    }
                )+
            };
        }
        pub(crate) use each_property;
    };
}

properties! {
    rights::denied,
    rights::a_refused_key_is_used_once,
    answers::throttled,
    answers::timeout,
    answers::recovery_after_each,
    answers::unreadable,
    answers::unreachable,
    answers::too_large,
    answers::refused_by_the_server,
    answers::not_worth_noticing,
    answers::nothing_removed_by_a_bad_answer,
    isolation::no_other_account_stalled,
    isolation::no_other_region_stalled,
    secrets::no_secret_anywhere,
    conditions::exact_dates,
    pages::more_than_one_page,
    pages::a_total_that_shrinks,
    pages::an_empty_page,
    conditions::changes_are_seen,
    conditions::off,
    conditions::unsupported,
    conditions::gone,
    conditions::busy,
}

/// The end of the server's certificate of a resource, as it is known.
fn end(snapshot: &Snapshot, id: &str) -> Option<DateTime<Utc>> {
    find(snapshot, id)?.certificates().first().map(|certificate| certificate.not_after)
}

/// Why the last look at a resource failed.
fn reason_of(snapshot: &Snapshot, id: &str) -> Option<Reason> {
    find(snapshot, id).and_then(|resource| resource.failure.as_ref()).map(|failure| failure.reason)
}

/// So many ids.
fn ids(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|n| format!("res-{n:04}"))
}
