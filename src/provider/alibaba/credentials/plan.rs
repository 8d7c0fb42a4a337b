//! Where keys are to come from, once environment and files have been read: data, nothing fetched yet.

use std::path::PathBuf;

use crate::secret::Secret;

/// Life of a session unless something else is written, in seconds. The most that a chained role may have.
pub(super) const SESSION: u32 = 3600;

/// A source of keys.
#[derive(Debug, Clone)]
pub(super) enum Plan {
    /// These.
    Keys {
        /// Names the key.
        id: Secret,
        /// Signs.
        secret: Secret,
        /// Of a temporary key.
        token: Option<Secret>,
        /// Where they were found, for people.
        origin: String,
    },
    /// A role, taken on with the keys of another plan.
    Role {
        /// Whose keys sign the request for the role.
        base: Box<Plan>,
        /// The role.
        role: Role,
    },
    /// A role, taken on with a token of an identity provider.
    Oidc {
        /// `acs:ram::<account id>:oidc-provider/<name>`.
        provider_arn: String,
        /// Read anew for each request.
        token_file: PathBuf,
        /// The role.
        role: Role,
    },
    /// The role of the machine.
    Instance {
        /// Its name; `None`: the metadata service is asked.
        role: Option<String>,
        /// Version 1 of the metadata service is good enough.
        v1: bool,
    },
    /// An address that hands out keys.
    Uri(Secret),
    /// The first of these that answers; each lends by itself.
    FirstOf(Vec<Plan>),
}

/// A role to take on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    /// `acs:ram::<account id>:role/<name>`.
    pub(super) arn: String,
    /// Shown in the cloud's audit log.
    pub(super) session_name: String,
    /// What the role's trust policy may ask for.
    pub(super) external_id: Option<String>,
    /// Narrows what the session may do.
    pub(super) policy: Option<String>,
    /// Life of a session, in seconds.
    pub(super) seconds: u32,
    /// Who is asked for it.
    pub(super) sts: StsHost,
}

/// Which host hands out the role, unless the configuration names one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct StsHost {
    /// A region's own host; `None`: the central one.
    pub(super) region: Option<String>,
    /// The one inside the cloud's network.
    pub(super) vpc: bool,
}
