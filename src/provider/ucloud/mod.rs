//! UCloud: certificates of load balancers.

pub mod credentials;
pub mod settings;

use super::{Calls, ProviderKind};

/// Its entry in the list of clouds.
pub(super) const KIND: ProviderKind = ProviderKind {
    name: "ucloud",
    services: &["ulb"],
    has_projects: true,
    endpoint_keys: settings::ENDPOINTS,
    calls: |_| Calls::default(),
    read_policy: "policies/ucloud-read.json",
    renew_policy: None,
    settings: settings::read,
    build: None,
};
