//! Every family of the page: name, type, labels and meaning.
//!
//! Writers take names and help from here and `docs/metrics.md` is made from here; a test holds the page against it.

use crate::telemetry::series::{self, Series};

/// What is declared of a family.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// The name, base unit included.
    pub name: &'static str,
    /// Its type.
    pub kind: Kind,
    /// Label names, in the order in which they are written.
    pub labels: &'static [&'static str],
    /// One sentence: what the value means, and how old it may be.
    pub help: &'static str,
}

/// Types of families.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Goes up and down.
    Gauge,
    /// Only goes up, from 0 at the start of the process.
    Counter,
    /// Counts durations in buckets.
    Histogram,
}

impl Kind {
    /// The word behind `# TYPE`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gauge => "gauge",
            Self::Counter => "counter",
            Self::Histogram => "histogram",
        }
    }
}

/// Every family, in the order of the page.
pub fn catalogue() -> &'static [Family] {
    &CATALOGUE
}

static CATALOGUE: [Family; 44] = [
    NOT_AFTER,
    NOT_BEFORE,
    LAST_SEEN,
    INFO,
    DATES_DISAGREE,
    TLS_ENABLED,
    RENEWAL_REQUIRED,
    SCOPE_UP,
    SCOPE_LAST_SUCCESS,
    SCOPE_DISCOVERY_DURATION,
    SCOPE_RESOURCES,
    SCOPE_CERTIFICATES,
    SCOPE_EARLIEST,
    POLL_DUE,
    POLL_LAG,
    SCOPE_ROUNDS,
    SCOPE_ERRORS,
    API_REQUESTS,
    API_ERRORS,
    API_DURATION,
    API_RATE_LIMIT,
    NOTIFICATIONS,
    NOTIFICATIONS_FAILED,
    HEARTBEAT_FAILURES,
    RENEWALS,
    RENEWALS_FAILED,
    RENEWALS_REFUSED,
    CHANNEL_UP,
    CHANNEL_PLACES_DOWN,
    NOTIFICATION_LAST_SUCCESS,
    OUTBOX_MESSAGES,
    RENEWALS_IN_PROGRESS,
    RENEWAL_PLANNED,
    BUILD_INFO,
    CONFIG_SUCCESSFUL,
    CONFIG_SUCCESS_TIME,
    STORE_UP,
    TASKS,
    PROCESS_CPU,
    PROCESS_RESIDENT,
    PROCESS_VIRTUAL,
    PROCESS_OPEN_FDS,
    PROCESS_MAX_FDS,
    PROCESS_START,
];

const SCOPE: &[&str] = &["cloud_provider", "cloud_account", "cloud_project", "cloud_region", "cloud_service"];
const RESOURCE: &[&str] =
    &["cloud_provider", "cloud_account", "cloud_project", "cloud_region", "cloud_service", "resource_id"];
const CERTIFICATE: &[&str] = &[
    "cloud_provider",
    "cloud_account",
    "cloud_project",
    "cloud_region",
    "cloud_service",
    "resource_id",
    "cert_role",
];

/// A family that `telemetry` counts and writes; its writer orders labels by name.
const fn counted(series: Series, kind: Kind, labels: &'static [&'static str]) -> Family {
    Family { name: series.name, kind, labels, help: series.help }
}

pub(super) const NOT_AFTER: Family = Family {
    name: "notafter_certificate_not_after_timestamp_seconds",
    kind: Kind::Gauge,
    labels: CERTIFICATE,
    help: "End of validity of the certificate in unix seconds, as last read in the background; a past one stays.",
};
pub(super) const NOT_BEFORE: Family = Family {
    name: "notafter_certificate_not_before_timestamp_seconds",
    kind: Kind::Gauge,
    labels: CERTIFICATE,
    help: "Begin of validity of the certificate in unix seconds, as last read in the background; absent where neither the cloud nor a certificate says it.",
};
pub(super) const LAST_SEEN: Family = Family {
    name: "notafter_certificate_last_seen_timestamp_seconds",
    kind: Kind::Gauge,
    labels: CERTIFICATE,
    help: "When the certificate was last read from the cloud in the background, in unix seconds.",
};
pub(super) const INFO: Family = Family {
    name: "notafter_certificate_info",
    kind: Kind::Gauge,
    labels: &[
        "cloud_provider",
        "cloud_account",
        "cloud_project",
        "cloud_region",
        "cloud_service",
        "resource_id",
        "cert_role",
        "resource_name",
        "common_name",
        "issuer",
        "serial",
        "sha256",
        "key",
        "source",
        "managed_by",
    ],
    help: "What makes the certificate recognisable, as last read in the background; always 1, labels are empty where nothing is known.",
};
pub(super) const DATES_DISAGREE: Family = Family {
    name: "notafter_certificate_dates_disagree",
    kind: Kind::Gauge,
    labels: CERTIFICATE,
    help: "Whether the end according to the API and the end in the certificate differ by more than a day, as last read in the background; absent where only one of them is known.",
};
pub(super) const TLS_ENABLED: Family = Family {
    name: "notafter_resource_tls_enabled",
    kind: Kind::Gauge,
    labels: RESOURCE,
    help: "Whether TLS is on, as last read in the background; absent while it is unsupported or unknown.",
};
pub(super) const RENEWAL_REQUIRED: Family = Family {
    name: "notafter_resource_renewal_required",
    kind: Kind::Gauge,
    labels: RESOURCE,
    help: "Whether the cloud itself asks for a renewal, as last read in the background; absent where it does not say.",
};
pub(super) const SCOPE_UP: Family = Family {
    name: "notafter_scope_up",
    kind: Kind::Gauge,
    labels: SCOPE,
    help: "Whether the scope could be read at the last attempt in the background; absent before the first one.",
};
pub(super) const SCOPE_LAST_SUCCESS: Family = Family {
    name: "notafter_scope_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    labels: SCOPE,
    help: "When the scope was last listed completely in the background, in unix seconds; absent before the first time.",
};
pub(super) const SCOPE_DISCOVERY_DURATION: Family = Family {
    name: "notafter_scope_discovery_duration_seconds",
    kind: Kind::Gauge,
    labels: SCOPE,
    help: "How long the last listing of the scope in the background took; absent before the first one.",
};
pub(super) const SCOPE_RESOURCES: Family = Family {
    name: "notafter_scope_resources",
    kind: Kind::Gauge,
    labels: &["cloud_provider", "cloud_account", "cloud_project", "cloud_region", "cloud_service", "state"],
    help: "Resources of the scope by state, as last read in the background: discovered is the sum of enabled, disabled, unsupported and unknown, where what was never read is unknown; stale are those among them whose data is older than promised; excluded were left out by configuration; absent before the first listing.",
};
pub(super) const SCOPE_CERTIFICATES: Family = Family {
    name: "notafter_scope_certificates",
    kind: Kind::Gauge,
    labels: &["cloud_provider", "cloud_account", "cloud_project", "cloud_region", "cloud_service", "left"],
    help: "Certificates of the scope by the time they have left, as last read in the background: expired, at most 7, 30 or 90 days, or later, each counted once; absent before the first listing.",
};
pub(super) const SCOPE_EARLIEST: Family = Family {
    name: "notafter_scope_earliest_not_after_timestamp_seconds",
    kind: Kind::Gauge,
    labels: SCOPE,
    help: "Soonest end of validity among the certificates of the scope in unix seconds, as last read in the background; a past one stays; absent where no certificate is known.",
};
pub(super) const POLL_DUE: Family = Family {
    name: "notafter_poll_due_resources",
    kind: Kind::Gauge,
    labels: &[],
    help: "How many looks are due and not begun, as of the last step of the background polling.",
};
pub(super) const POLL_LAG: Family = Family {
    name: "notafter_poll_lag_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "How late the latest look that is due is, as of the last step of the background polling.",
};
pub(super) const SCOPE_ROUNDS: Family = counted(
    series::SCOPE_ROUNDS,
    Kind::Counter,
    &["cloud_account", "cloud_project", "cloud_provider", "cloud_region", "cloud_service"],
);
pub(super) const SCOPE_ERRORS: Family = counted(
    series::SCOPE_ERRORS,
    Kind::Counter,
    &["cloud_account", "cloud_project", "cloud_provider", "cloud_region", "cloud_service", "reason"],
);
pub(super) const API_REQUESTS: Family =
    counted(series::API_REQUESTS, Kind::Counter, &["action", "cloud_account", "cloud_provider"]);
pub(super) const API_ERRORS: Family =
    counted(series::API_ERRORS, Kind::Counter, &["action", "cloud_account", "cloud_provider", "reason"]);
pub(super) const API_DURATION: Family =
    counted(series::API_DURATION, Kind::Histogram, &["action", "cloud_provider"]);
pub(super) const API_RATE_LIMIT: Family = Family {
    name: "notafter_api_rate_limit_per_second",
    kind: Kind::Gauge,
    labels: &["cloud_provider", "cloud_account", "cloud_region", "action"],
    help: "How many calls a second the background polling allows itself now.",
};
pub(super) const NOTIFICATIONS: Family = counted(series::NOTIFICATIONS, Kind::Counter, &["channel"]);
pub(super) const NOTIFICATIONS_FAILED: Family =
    counted(series::NOTIFICATIONS_FAILED, Kind::Counter, &["channel", "reason"]);
pub(super) const HEARTBEAT_FAILURES: Family = counted(series::HEARTBEAT_FAILURES, Kind::Counter, &[]);
pub(super) const RENEWALS: Family = counted(
    series::RENEWALS,
    Kind::Counter,
    &["cloud_account", "cloud_project", "cloud_provider", "cloud_region", "cloud_service"],
);
pub(super) const RENEWALS_FAILED: Family = counted(
    series::RENEWALS_FAILED,
    Kind::Counter,
    &["cloud_account", "cloud_project", "cloud_provider", "cloud_region", "cloud_service", "reason"],
);
pub(super) const RENEWALS_REFUSED: Family = counted(
    series::RENEWALS_REFUSED,
    Kind::Counter,
    &["cloud_account", "cloud_project", "cloud_provider", "cloud_region", "cloud_service", "reason"],
);
pub(super) const CHANNEL_UP: Family = Family {
    name: "notafter_channel_up",
    kind: Kind::Gauge,
    labels: &["channel"],
    help: "Whether the channel delivers: 0 from the first refusal on, or after 3 failures over 15 minutes, until something is delivered.",
};
pub(super) const CHANNEL_PLACES_DOWN: Family = Family {
    name: "notafter_channel_places_down",
    kind: Kind::Gauge,
    labels: &["channel"],
    help: "Instances of the Alertmanager channel that did not take the last state although another one did; absent for other types.",
};
pub(super) const NOTIFICATION_LAST_SUCCESS: Family = Family {
    name: "notafter_notification_last_success_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &["channel"],
    help: "When something was last delivered through the channel, in unix seconds; absent before the first time.",
};
pub(super) const OUTBOX_MESSAGES: Family = Family {
    name: "notafter_outbox_messages",
    kind: Kind::Gauge,
    labels: &["channel", "state"],
    help: "Messages that wait (queued) or were given up (dead), as last counted in the store.",
};
pub(super) const RENEWALS_IN_PROGRESS: Family = Family {
    name: "notafter_renewals_in_progress",
    kind: Kind::Gauge,
    labels: SCOPE,
    help: "Renewals of the scope that were begun and have not ended, as of the last plan; absent where no rule allows any.",
};
pub(super) const RENEWAL_PLANNED: Family = Family {
    name: "notafter_renewal_planned_timestamp_seconds",
    kind: Kind::Gauge,
    labels: RESOURCE,
    help: "When the certificate of the resource is to be renewed, in unix seconds, as of the last plan: the begin of its window, or the end of one that passed without a call; a past one stays until it is renewed, rejected, or found to have failed.",
};
pub(super) const BUILD_INFO: Family = Family {
    name: "notafter_build_info",
    kind: Kind::Gauge,
    labels: &["version", "revision", "rustversion"],
    help: "From what the running program was built; always 1.",
};
pub(super) const CONFIG_SUCCESSFUL: Family = Family {
    name: "notafter_config_last_reload_successful",
    kind: Kind::Gauge,
    labels: &[],
    help: "Whether the configuration could be used when it was last read, and files of channels when they last changed.",
};
pub(super) const CONFIG_SUCCESS_TIME: Family = Family {
    name: "notafter_config_last_reload_success_timestamp_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "When the configuration in use was read, in unix seconds.",
};
pub(super) const STORE_UP: Family = Family {
    name: "notafter_store_up",
    kind: Kind::Gauge,
    labels: &[],
    help: "Whether what is known is being kept over a restart; absent where no store is wanted.",
};
pub(super) const TASKS: Family = Family {
    name: "notafter_tasks",
    kind: Kind::Gauge,
    labels: &[],
    help: "How many tasks of the daemon are alive: loops, calls, connections; one that only ever grows is a defect.",
};
pub(super) const PROCESS_CPU: Family = Family {
    name: "process_cpu_seconds_total",
    kind: Kind::Counter,
    labels: &[],
    help: "User and system time that the process used.",
};
pub(super) const PROCESS_RESIDENT: Family = Family {
    name: "process_resident_memory_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "Memory of the process that is in RAM now.",
};
pub(super) const PROCESS_VIRTUAL: Family = Family {
    name: "process_virtual_memory_bytes",
    kind: Kind::Gauge,
    labels: &[],
    help: "Address space of the process.",
};
pub(super) const PROCESS_OPEN_FDS: Family = Family {
    name: "process_open_fds",
    kind: Kind::Gauge,
    labels: &[],
    help: "How many files and sockets the process has open.",
};
pub(super) const PROCESS_MAX_FDS: Family = Family {
    name: "process_max_fds",
    kind: Kind::Gauge,
    labels: &[],
    help: "How many files and sockets the process may have open.",
};
pub(super) const PROCESS_START: Family = Family {
    name: "process_start_time_seconds",
    kind: Kind::Gauge,
    labels: &[],
    help: "When the process started, in unix seconds.",
};
