//! Who is who: the names by which scopes, resources and certificates are told apart everywhere.

use std::fmt;
use std::sync::Arc;

/// What is listed, fails and goes stale as one: account × project × region × service.
///
/// The order of the fields is the order of the labels in every series of a scope or a resource (`docs/metrics.md`), and
/// the order in which scopes are shown.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Scope {
    /// Code of the cloud, `alibaba` for example.
    pub provider: Arc<str>,
    /// Name of the account as configured.
    pub account: Arc<str>,
    /// The cloud's id of the project; empty where the cloud has none.
    pub project: Arc<str>,
    /// The cloud's id of the region; empty while the regions of an account are not known yet.
    pub region: Arc<str>,
    /// Product of the cloud, `redis` for example.
    pub service: Arc<str>,
}

impl Scope {
    /// Names and values of its labels, in their order.
    pub fn labels(&self) -> [(&'static str, &str); 5] {
        let Self { provider, account, project, region, service } = self;
        [
            ("cloud_provider", provider),
            ("cloud_account", account),
            ("cloud_project", project),
            ("cloud_region", region),
            ("cloud_service", service),
        ]
    }

    /// A stand-in scope, shown while the regions (and projects) of an account could not be listed yet, so that a
    /// refused key is visible from the first minute.
    pub fn is_placeholder(&self) -> bool {
        self.region.is_empty()
    }
}

impl fmt::Display for Scope {
    /// `prod/alibaba/rds/cn-hangzhou`, with the project behind the region where there is one.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { provider, account, project, region, service } = self;
        let region: &str = if region.is_empty() { "(all regions)" } else { region };
        write!(f, "{account}/{provider}/{service}/{region}")?;
        if project.is_empty() { Ok(()) } else { write!(f, "/{project}") }
    }
}

/// The cloud's own id of a resource, unique within its scope. Cheap to clone.
pub type ResourceId = Arc<str>;

/// What a certificate is to those who connect.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CertRole {
    /// Shown to clients by the server.
    Server,
    /// What clients must trust, as downloaded from the cloud.
    Ca,
    /// The earliest-ending issuer in a bundle.
    Chain,
}

impl CertRole {
    /// Every role, in label order.
    pub const ALL: [Self; 3] = [Self::Server, Self::Ca, Self::Chain];

    /// The value of the label `cert_role`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Server => "server",
            Self::Ca => "ca",
            Self::Chain => "chain",
        }
    }
}
