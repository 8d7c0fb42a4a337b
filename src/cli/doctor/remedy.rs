//! What a person can do about a failure.

use crate::domain::reason::Reason;
use crate::provider;

/// The way out, in one line.
pub(super) fn remedy(provider: &str, action: &str, reason: Reason, key: bool, text: &str) -> String {
    match reason {
        Reason::Denied if key => key_remedy(text),
        Reason::Denied => {
            let policy = provider::find(provider).map_or("the cloud's console", |kind| kind.read_policy);
            format!("allow `{action}` for this key: {policy}")
        }
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
                "allow `rds:X` for this key: policies/alibaba-read.json",
            ),
            ("key", Reason::Denied, true, "InvalidAccessKeyId.NotFound", "credentials"),
            ("clock", Reason::Denied, true, "the clock of this machine is 1200 s behind the cloud's", "NTP"),
            ("DNS", Reason::Unreachable, false, "error sending request: dns error", "DNS"),
            ("proxy", Reason::Unreachable, false, "tunnel error: unsuccessful", "`proxy`"),
            ("TLS", Reason::Unreachable, false, "invalid peer certificate: UnknownIssuer", "CA"),
            ("firewall", Reason::Unreachable, false, "Connection refused", "firewall"),
            ("quota", Reason::Throttled, false, "Throttling.User", "rate_limit"),
        ] {
            let remedy = remedy("alibaba", "rds:X", reason, key, text);
            assert!(remedy.contains(want), "{name}: {remedy}");
        }
    }
}
