//! The calls that are made, and the permissions they need.
//!
//! A call goes by the name of its permission where it has one of its own, else by the name of the API.

use crate::provider::{Calls, Extra};

/// Which projects the key may use (`GET /v3/auth/projects`); every key may ask.
pub(super) const PROJECTS: &str = "iam:KeystoneListAuthProjects";
/// Which instances a project has (ListInstances).
pub(super) const LIST: &str = "dcs:instance:list";
/// Whether TLS is on at one instance, and until when (ShowInstanceSslDetail).
pub(super) const SSL: &str = "dcs:ssl:get";
/// A link to the CA certificate of one instance. Its permission is that of the switch, so it is not its name.
pub(super) const DOWNLOAD: &str = "dcs:DownloadSslCert";
/// The object behind that link; nobody signs for it.
pub(super) const FETCH: &str = "obs:GetObject";

/// The permission of the switch.
const MODIFY: &str = "dcs:ssl:modify";
const LOST: &str =
    "only the certificate of role `ca`; the end of the server's certificate is watched all the same";

/// The calls that every account needs, and the download, which is tried beside them and may be refused.
pub(super) const CALLS: Calls = Calls {
    scopes: &[PROJECTS],
    listing: &[LIST],
    detail: &[SSL],
    beside: &[
        Extra {
            action: DOWNLOAD,
            permission: Some(MODIFY),
            policy: "policies/huawei-ca.json",
            lost: LOST,
            mind: "it may also switch TLS on and off, which restarts an instance",
        },
        Extra { action: FETCH, permission: None, policy: "policies/huawei-ca.json", lost: LOST, mind: "" },
    ],
    renewal: &[],
};

/// What a policy must allow for a call; nothing where none is needed. The download needs the permission of the
/// switch: a key that may fetch certificates may also restart instances.
pub(super) fn permission(action: &str) -> Option<&str> {
    match action {
        LIST | SSL => Some(action),
        DOWNLOAD => Some(MODIFY),
        _ => None,
    }
}
