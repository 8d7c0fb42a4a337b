//! The clouds: one folder each, one list of all of them.
//!
//! [`PROVIDERS`] is the whole truth; nothing registers itself from afar. A cloud reads its own keys of the account
//! table here, so that `config` never names a cloud.

pub mod alibaba;
pub mod huawei;
pub mod settings;
pub mod ucloud;

use crate::fields::Fields;

pub use settings::AccountSettings;

/// A cloud, as far as the configuration has to know it.
#[derive(Debug)]
pub struct ProviderKind {
    /// Value of `provider` and of the label `cloud_provider`.
    pub name: &'static str,
    /// Its services, values of the label `cloud_service`; all of them unless an account names some.
    pub services: &'static [&'static str],
    /// Whether scopes have a project.
    pub has_projects: bool,
    /// Keys of the table `endpoints`.
    pub endpoint_keys: &'static [&'static str],
    /// Whether an account of it can be watched in this version.
    pub built: bool,
    /// Reads its own keys of an account table; reports what is wrong to the fields.
    pub settings: fn(&mut Fields<'_>) -> Option<Box<dyn AccountSettings>>,
}

/// Every cloud, in documented order.
pub const PROVIDERS: &[ProviderKind] = &[alibaba::KIND, ucloud::KIND, huawei::KIND];

/// The cloud of that name.
pub fn find(name: &str) -> Option<&'static ProviderKind> {
    PROVIDERS.iter().find(|kind| kind.name == name)
}
