//! What the process brings along in which the daemon runs: where the configuration is read again, who explains, the service
//! manager and the sockets that it opened. A test, or a demonstration, brings nothing.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use crate::config::{Config, LoadError, Loaded};
use crate::systemd::Notify;
use crate::web::inside::{Explainer, Logging};

/// See the module. By default there is nothing of it.
#[derive(Default)]
pub struct Host {
    /// `None`: a reload is refused.
    pub source: Option<Source>,
    /// Makes the one who writes the texts of explanations; `None`: there are none.
    pub explainer: Option<fn(&Config) -> Explainer>,
    /// Knows and changes what is logged; `None`: the process does not say.
    pub logging: Option<Arc<dyn Logging>>,
    /// Who is told how the daemon fares.
    pub notify: Notify,
    /// Within which time the service manager wants to hear that all is well.
    pub watchdog: Option<Duration>,
    /// Listened on instead of `[web] listen`, if there are any.
    pub sockets: Vec<TcpListener>,
}

/// Where the configuration comes from. Cheap to clone.
#[derive(Clone)]
pub struct Source {
    /// Reads it.
    pub read: Arc<dyn Fn() -> Result<Loaded, LoadError> + Send + Sync>,
    /// Answers for environment variables.
    pub env: fn(&str) -> Option<String>,
}
