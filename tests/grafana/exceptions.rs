//! What the demonstration does not show, or the page does not have yet, each with its reason.
//!
//! Nothing here is skipped: every query is still asked and must be understood.

/// Beginnings of the names of series that dashboard and rules are ready for, before they are exported. Once one is on the page
/// (and so in `docs/metrics.md`) its row here has no effect any more: it is held to everything then, and can go.
pub(crate) const AWAITED: [(&str, &str); 0] = [];

/// Panels without data in the demonstration, by title; with one of a panel's queries, all of them may be.
pub(crate) const MAY_BE_EMPTY: [(&str, &str); 10] = [
    ("Channels", "the demonstration needs no channel"),
    ("Last delivered", "the demonstration needs no channel"),
    ("Attempts", "the demonstration needs no channel"),
    ("Failed attempts", "the demonstration needs no channel, and none of it would fail"),
    ("Messages that wait or were given up", "the demonstration needs no channel"),
    ("Instances that take nothing", "the demonstration needs no channel"),
    ("Renewals", "the demonstration renews nothing"),
    ("Under way", "the demonstration renews nothing"),
    ("Planned", "the demonstration renews nothing"),
    ("Store", "the demonstration keeps nothing, so there is no store to be up"),
];

/// Alerts that have something to say in the demonstration, at once or after their `for`.
pub(crate) const HEARD: [(&str, &str); 5] = [
    ("NotafterWatchdog", "it always fires"),
    ("NotafterCertificateExpiresSoon", "the fleets have certificates of every age"),
    ("NotafterCertificateExpiryCritical", "the fleets have certificates of every age"),
    ("NotafterRenewalRequired", "a cache at Huawei Cloud waits for its renewal"),
    ("NotafterScopeFailing", "an account has a refused key and a region refuses, on purpose"),
];

/// Alerts that have nothing to say in the demonstration.
pub(crate) const QUIET: [(&str, &str); 10] = [
    ("NotafterAbsent", "it is scraped"),
    ("NotafterScopeStale", "it is younger than three hours"),
    ("NotafterCoverageShrank", "it has no yesterday"),
    ("NotafterPollingLate", "its clouds are fast"),
    ("NotafterNotificationsFailing", "no channel of it fails"),
    ("NotafterMessagesDead", "no channel of it fails"),
    ("NotafterRenewalFailed", "it renews nothing"),
    ("NotafterRenewalOverdue", "it renews nothing"),
    ("NotafterConfigReloadFailed", "its configuration is good"),
    ("NotafterStoreDown", "it keeps nothing"),
];

/// Alerts that have something to say at one moment and not at another.
pub(crate) const EITHER: [(&str, &str); 1] = [(
    "NotafterDataStale",
    "data is stale after a minute, and some resources of the demonstration cannot be read",
)];

/// Whether a series is not on the page yet, for a reason.
pub(crate) fn awaited(name: &str) -> bool {
    AWAITED.iter().any(|(beginning, _)| name.starts_with(beginning))
}
