//! What a person can do about a failure.

use crate::domain::reason::Reason;
use crate::provider::{self, Extra};

/// A failure, as far as its way out depends on it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failure<'f> {
    pub(super) reason: Reason,
    /// The key itself is refused.
    pub(super) key: bool,
    /// The key is accepted, and the role that was asked for with it is not given.
    pub(super) role: bool,
    /// The whole story.
    pub(super) text: &'f str,
}

/// The way out, in one line.
pub(super) fn remedy(provider: &str, action: &str, failure: Failure<'_>) -> String {
    let Failure { reason, key, role, text } = failure;
    let kind = provider::find(provider);
    let roles = kind.filter(|_| role).into_iter().flat_map(|kind| kind.roles);
    if let Some(role) = roles.into_iter().find(|role| role.action == action) {
        return role.way_out.to_owned();
    }
    match reason {
        Reason::Denied if key => key_remedy(text),
        Reason::Denied => {
            let policy = kind.map(|kind| found(kind.read_policy));
            let policy = policy.unwrap_or_else(|| "the cloud's console".to_owned());
            format!("allow `{action}` for this key: {policy}")
        }
        reason => of_reason(reason, text),
    }
}

/// The way out where the account can do without, in one line.
pub(super) fn of_extra(extra: &Extra, reason: Reason, text: &str) -> String {
    let Extra { action, permission, policy, mind, .. } = *extra;
    if reason != Reason::Denied {
        return of_reason(reason, text);
    }
    let mind = if mind.is_empty() { String::new() } else { format!("; mind: {mind}") };
    format!("to see it, allow `{}` for this key: {}{mind}", permission.unwrap_or(action), found(policy))
}

/// Where a policy is: its place in the sources, and the one where packages put it.
pub(super) fn found(policy: &str) -> String {
    let installed =
        policy.strip_prefix("policies/").map(|_| format!(" (installed: /usr/share/notafter/{policy})"));
    format!("{policy}{}", installed.unwrap_or_default())
}

fn of_reason(reason: Reason, text: &str) -> String {
    match reason {
        Reason::Denied => key_remedy(text),
        Reason::Throttled => {
            "other programs use the same quota; wait, or set `rate_limit` of the account lower".to_owned()
        }
        Reason::Unreachable => unreachable_remedy(text),
        Reason::Timeout => {
            "the way is open but slow or swallowed: look at firewall and `proxy`, or raise `[poll] timeout`"
                .to_owned()
        }
        Reason::Refused => "the cloud's own words say why; name `regions` to leave one out".to_owned(),
        Reason::Unreadable | Reason::TooLarge => {
            "something else than the cloud answered: look at `endpoints` and `proxy`".to_owned()
        }
        Reason::Internal => "this is a defect of notafter; please report it with the log".to_owned(),
    }
}

fn key_remedy(text: &str) -> String {
    if text.contains("clock") {
        return "set the clock of this machine (NTP)".to_owned();
    }
    "look at the credentials of the account: is the key right, active, and of this cloud?".to_owned()
}

fn unreachable_remedy(text: &str) -> String {
    let text = text.to_ascii_lowercase();
    match () {
        () if text.contains("dns") || text.contains("resolve") || text.contains("lookup") => {
            "the name cannot be resolved: look at DNS and `endpoints` (VPC names exist only inside their VPC)"
                .to_owned()
        }
        () if text.contains("proxy") || text.contains("tunnel") => {
            "the proxy does not let it pass: look at `proxy`".to_owned()
        }
        () if text.contains("certificate") || text.contains("tls") => {
            "somebody in between shows a certificate of their own: add their CA to the system's".to_owned()
        }
        () => "nobody answers there: look at firewall, `proxy` and `endpoints`".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_failure_has_a_way_out_that_fits() {
        for (name, reason, key, text, want) in [
            (
                "permission",
                Reason::Denied,
                false,
                "Forbidden.RAM",
                "allow `rds:X` for this key: policies/alibaba-read.json (installed: /usr/share/notafter/policies/alibaba-read.json)",
            ),
            ("key", Reason::Denied, true, "InvalidAccessKeyId.NotFound", "credentials"),
            ("clock", Reason::Denied, true, "the clock of this machine is 1200 s behind the cloud's", "NTP"),
            ("DNS", Reason::Unreachable, false, "error sending request: dns error", "DNS"),
            ("proxy", Reason::Unreachable, false, "tunnel error: unsuccessful", "`proxy`"),
            ("TLS", Reason::Unreachable, false, "invalid peer certificate: UnknownIssuer", "CA"),
            ("firewall", Reason::Unreachable, false, "Connection refused", "firewall"),
            ("quota", Reason::Throttled, false, "Throttling.User", "rate_limit"),
        ] {
            let remedy = remedy("alibaba", "rds:X", Failure { reason, key, role: false, text });
            assert!(remedy.contains(want), "{name}: {remedy}");
        }
    }

    #[test]
    fn a_refused_role_is_mended_at_the_role_and_a_refused_key_at_the_key() {
        let role = ["`assume_role`", "`role_arn`", "trust policy", "`external_id`", "`sts:AssumeRole`"];
        let agency = ["`assume_role`", "`agency`", "`domain`", "trust", "`Agent Operator`"];
        for (name, cloud, action, role, reason, want) in [
            ("STS", "alibaba", "sts:AssumeRole", true, Reason::Denied, &role[..]),
            ("STS, a parameter", "alibaba", "sts:AssumeRole", true, Reason::Refused, &role),
            (
                "the key that asks STS",
                "alibaba",
                "sts:AssumeRole",
                false,
                Reason::Denied,
                &["the credentials"],
            ),
            (
                "a token",
                "alibaba",
                "sts:AssumeRoleWithOIDC",
                true,
                Reason::Denied,
                &["audience", "trust policy"],
            ),
            ("a machine", "alibaba", "ecs-metadata:Role", true, Reason::Denied, &["RAM role"]),
            ("an agency", "huawei", "iam:SecurityTokens", true, Reason::Denied, &agency),
            (
                "the key that asks IAM",
                "huawei",
                "iam:SecurityTokens",
                false,
                Reason::Denied,
                &["the credentials"],
            ),
            ("a machine's agency", "huawei", "ecs-metadata:SecurityKey", true, Reason::Denied, &["agency"]),
            ("a machine at UCloud", "ucloud", "metadata:Role", true, Reason::Denied, &["role"]),
            (
                "a lender without a row",
                "alibaba",
                "credentials-uri:Get",
                true,
                Reason::Denied,
                &["credentials"],
            ),
        ] {
            let failure = Failure { reason, key: reason == Reason::Denied, role, text: "refused" };
            let remedy = remedy(cloud, action, failure);
            for want in want {
                assert!(remedy.contains(want), "{name}: {want}: {remedy}");
            }
        }
    }

    #[test]
    fn what_can_be_spared_names_the_permission_its_policy_and_what_else_it_allows() {
        let extra = Extra {
            action: "dcs:DownloadSslCert",
            permission: Some("dcs:ssl:modify"),
            policy: "policies/huawei-ca.json",
            lost: "the CA",
            mind: "it restarts",
        };
        for (name, reason, extra, want) in [
            (
                "refused",
                Reason::Denied,
                extra,
                "to see it, allow `dcs:ssl:modify` for this key: policies/huawei-ca.json (installed: /usr/share/notafter/policies/huawei-ca.json); mind: it restarts",
            ),
            (
                "nothing to mind",
                Reason::Denied,
                Extra { permission: None, mind: "", ..extra },
                "to see it, allow `dcs:DownloadSslCert` for this key: policies/huawei-ca.json (installed: /usr/share/notafter/policies/huawei-ca.json)",
            ),
            (
                "out of reach",
                Reason::Unreachable,
                extra,
                "nobody answers there: look at firewall, `proxy` and `endpoints`",
            ),
        ] {
            assert_eq!(of_extra(&extra, reason, "Connection refused"), want, "{name}");
        }
    }
}
