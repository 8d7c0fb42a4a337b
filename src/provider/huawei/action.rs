//! The calls that are made: their names as the official SDK spells them, and the permissions they need.

/// Which projects the key may use.
pub(super) const PROJECTS: &str = "iam:KeystoneListAuthProjects";
/// Which instances a project has.
pub(super) const LIST: &str = "dcs:ListInstances";
/// Whether TLS is on at one instance, and until when.
pub(super) const SSL: &str = "dcs:ShowInstanceSslDetail";
/// A link to the CA certificate of one instance.
pub(super) const DOWNLOAD: &str = "dcs:DownloadSslCert";
/// The object behind that link; nobody signs for it.
pub(super) const FETCH: &str = "obs:GetObject";

/// Every call.
pub(super) const ALL: &[&str] = &[PROJECTS, LIST, SSL, DOWNLOAD, FETCH];

/// What a policy must allow for a call; nothing where none is needed. The download needs the permission of the
/// switch: a key that may fetch certificates may also restart instances.
pub(super) fn permission(action: &str) -> Option<&'static str> {
    match action {
        LIST => Some("dcs:instance:list"),
        SSL => Some("dcs:ssl:get"),
        DOWNLOAD => Some("dcs:ssl:modify"),
        _ => None,
    }
}
