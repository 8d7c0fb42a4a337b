//! What the two describes of one instance say on the way to its renewal. Pure; decides nothing.

use chrono::{DateTime, Utc};

use super::errors::CODES;
use super::mapping::{is_locked, managed_by, state, time};
use super::wire::{Attribute, Ssl};
use crate::call::{CallError, clean};
use crate::domain::renewal::method::Detail;
use crate::domain::resource::TlsState;
use crate::provider::verdict::Verdict;
use crate::provider::{Examination, hosts};

/// Longest name of a host.
const LONGEST_HOST: usize = 253;

/// What one describe says.
enum Found<T> {
    Read(T),
    /// It does not say: in the middle of a change, or there is no TLS here.
    Silent,
    /// There is no such instance, in these words.
    Gone(CallError),
}

/// Puts together what DescribeInstanceAttribute and DescribeInstanceSSL answered; both came after `at`.
///
/// # Errors
/// A failure of either; one that says "gone" while the other does not.
pub(super) fn examination(
    attribute: Result<Attribute, CallError>,
    ssl: Result<Ssl, CallError>,
    at: DateTime<Utc>,
) -> Result<Examination, CallError> {
    let (attribute, ssl) = match (found(attribute)?, found(ssl)?) {
        (Found::Gone(_), Found::Gone(_)) => return Ok(Examination { gone: true, ..silent(at) }),
        (Found::Gone(error), _) | (_, Found::Gone(error)) => return Err(error),
        (attribute, ssl) => (attribute.read(), ssl.read().map(Ssl::unwrap_items).unwrap_or_default()),
    };
    let attribute = attribute.unwrap_or_default();
    let detail = Detail {
        status: attribute.DBInstanceStatus.text().map(|status| clean(status).into()),
        host: host(&attribute, &ssl),
        window: window(&attribute),
        managed_by: managed_by(&ssl),
        locked: attribute.LockMode.text().map(is_locked),
        ..silent(at).detail
    };
    let not_after = ssl.ends().text().and_then(time).filter(|_| state(&ssl) == Some(TlsState::Enabled));
    Ok(Examination { detail, not_after, failed: failed(&ssl), gone: false })
}

impl<T> Found<T> {
    fn read(self) -> Option<T> {
        if let Self::Read(answer) = self { Some(answer) } else { None }
    }
}

fn found<T>(answer: Result<T, CallError>) -> Result<Found<T>, CallError> {
    let error = match answer {
        Ok(answer) => return Ok(Found::Read(answer)),
        Err(error) => error,
    };
    match CODES.verdict(&error) {
        Verdict::Gone => Ok(Found::Gone(error)),
        Verdict::Busy | Verdict::Unsupported => Ok(Found::Silent),
        Verdict::Failure => Err(error),
    }
}

/// Nothing is known. Whether the cloud renews by itself is in no answer of these APIs.
fn silent(at: DateTime<Utc>) -> Examination {
    let detail = Detail::silent(at);
    Examination { detail, not_after: None, failed: None, gone: false }
}

/// The protected host: the one that DescribeDBInstanceSSL names. An instance has several, so another one among its
/// attributes is no contradiction; it stands in only where the first answer names none. A certificate of the cloud's that is
/// for other hosts is one. (The customer's own may be for a name that the cloud does not know.)
fn host(attribute: &Attribute, ssl: &Ssl) -> Option<Box<str>> {
    let host = ssl.host().text().or_else(|| attribute.ConnectionString.text())?;
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_host = host.len() <= LONGEST_HOST && host.bytes().all(fits);
    let is_own = ssl.CAType.text().is_some_and(|word| word.eq_ignore_ascii_case("custom"));
    let shown = ssl.ServerCert.text().filter(|_| !is_own);
    let contradicts = shown.is_some_and(|pem| hosts::are_others(pem, host));
    (is_host && !contradicts).then(|| host.into())
}

/// As reported, `18:00Z-22:00Z`: RDS writes it so, the others in two fields. Whether it can be believed is for the
/// planner to say, which shows it otherwise.
fn window(attribute: &Attribute) -> Option<Box<str>> {
    let two =
        || Some(format!("{}-{}", attribute.MaintainStartTime.text()?, attribute.MaintainEndTime.text()?));
    let window = attribute.MaintainTime.text().map(str::to_owned).or_else(two)?;
    Some(clean(&window).into())
}

/// RDS PostgreSQL alone says that a change failed after it was accepted.
fn failed(ssl: &Ssl) -> Option<Box<str>> {
    ssl.LastModifyStatus.text().filter(|word| word.eq_ignore_ascii_case("failed"))?;
    let reason = ssl.ModifyStatusReason.text().map(clean);
    Some(reason.unwrap_or_else(|| "the cloud does not say why".to_owned()).into())
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::super::wire::Attributes;
    use super::*;
    use crate::call::CallErrorKind;
    use crate::domain::renewal::method::Material;
    use crate::domain::testing::moment;

    fn of(attribute: &Value, ssl: &Value) -> Examination {
        let attributes: Attributes = serde_json::from_value(attribute.clone()).expect("readable");
        let attribute = attributes.of("ID").expect("the one row");
        examination(Ok(attribute), Ok(serde_json::from_value(ssl.clone()).expect("readable")), moment())
            .expect("no failure")
    }

    fn rds(row: &Value) -> Value {
        let mut row = row.clone();
        row["DBInstanceId"] = "ID".into();
        json!({"Items": {"DBInstanceAttribute": [row]}})
    }

    fn refused(code: &str) -> CallError {
        CallError::new(CallErrorKind::Refused, "a", "").with_code(code, None)
    }

    #[test]
    fn each_product_is_read_in_its_own_spelling() {
        let end = "2027-01-02T03:04:05Z";
        let redis = json!({"Instances": {"DBInstanceAttribute": [
            {"InstanceId": "ID", "InstanceStatus": "Normal", "MaintainStartTime": "18:00Z", "MaintainEndTime": "22:00Z"}]}});
        let dds = json!({"DBInstances": {"DBInstance": [{"DBInstanceId": "ID", "DBInstanceStatus": "Running",
            "MaintainStartTime": "22:00Z", "MaintainEndTime": "02:00Z"}]}});
        let attribute = rds(&json!({"DBInstanceStatus": "Running", "MaintainTime": "00:00Z-02:00Z"}));
        for (name, attribute, ssl, want) in [
            (
                "redis",
                redis,
                json!({"SSLEnabled": "Enable", "SSLExpiredTime": end, "CertCommonName": "r.example"}),
                ("Normal", "18:00Z-22:00Z", "r.example"),
            ),
            (
                "rds",
                attribute,
                json!({"SSLEnabled": "Yes", "SSLExpireTime": end, "ConnectionString": "rm.example"}),
                ("Running", "00:00Z-02:00Z", "rm.example"),
            ),
            (
                "mongodb",
                dds,
                json!({"SSLStatus": "Open", "SSLExpiredTime": end, "CertCommonName": "dds.example"}),
                ("Running", "22:00Z-02:00Z", "dds.example"),
            ),
        ] {
            let Examination { detail, not_after, failed, gone } = of(&attribute, &ssl);
            let found = (detail.status.as_deref(), detail.window.as_deref(), detail.host.as_deref());
            assert_eq!(found, (Some(want.0), Some(want.1), Some(want.2)), "{name}");
            assert_eq!((not_after, failed, gone), (time(end), None, false), "{name}");
            assert_eq!((detail.at, detail.rotation, detail.material), (moment(), None, Material::Unread));
        }
    }

    #[test]
    fn the_host_is_the_protected_one_or_unknown() {
        let own =
            rcgen::generate_simple_self_signed(vec!["other.example".into()]).expect("signed").cert.pem();
        let on = |host: &str| json!({"SSLEnabled": "on", "ConnectionString": host});
        let with = |ca: &str| json!({"SSLEnabled": "on", "ConnectionString": "a.example", "CAType": ca, "ServerCert": own});
        for (name, attribute, ssl, want) in [
            ("both the same", "a.example", on("a.example"), Some("a.example")),
            ("the protected one is another than the usual", "b.example", on("a.example"), Some("a.example")),
            ("the protected one alone", "", on("a.example"), Some("a.example")),
            ("the usual one stands in", "b.example", on(""), Some("b.example")),
            ("neither", "", on("-"), None),
            ("no name of a host", "", on("a.example; b"), None),
            ("the cloud's certificate is for another", "", with("aliyun"), None),
            ("the customer's is for another", "", with("custom"), Some("a.example")),
            (
                "one level deeper",
                "",
                json!({"items": [{"ConnectionString": "a.example"}]}),
                Some("a.example"),
            ),
        ] {
            let found = of(&rds(&json!({"ConnectionString": attribute})), &ssl);
            assert_eq!(found.detail.host.as_deref(), want, "{name}");
        }
    }

    #[test]
    fn an_end_counts_only_while_tls_is_on() {
        for (name, ssl, known) in [
            ("on", json!({"SSLEnabled": "Yes", "SSLExpireTime": "2027-01-02T03:04:05Z"}), true),
            ("off", json!({"SSLEnabled": "No", "SSLExpireTime": "2027-01-02T03:04:05Z"}), false),
            ("not a time", json!({"SSLEnabled": "Yes", "SSLExpireTime": "soon"}), false),
            ("not said", json!({}), false),
        ] {
            assert_eq!(of(&rds(&json!({})), &ssl).not_after.is_some(), known, "{name}");
        }
    }

    #[test]
    fn a_window_is_passed_on_as_it_was_reported() {
        for (row, want) in [
            (json!({"MaintainTime": "18:00Z-22:00Z"}), Some("18:00Z-22:00Z")),
            (json!({"MaintainTime": "02:00-06:00"}), Some("02:00-06:00")),
            (json!({"MaintainStartTime": "18:00Z"}), None),
            (json!({"MaintainTime": "-"}), None),
            (json!({"MaintainTime": ["18:00Z"]}), None),
        ] {
            assert_eq!(of(&rds(&row), &json!({})).detail.window.as_deref(), want, "{row}");
        }
    }

    #[test]
    fn a_change_that_failed_is_told_with_its_reason() {
        for (status, reason, want) in [
            ("failed", "disk full\n", Some("disk full")),
            ("failed", "", Some("the cloud does not say why")),
            ("failed", "-----BEGIN RSA PRIVATE KEY-----", Some("the cloud does not say why")),
            ("success", "disk full", None),
            ("setting", "", None),
            ("", "", None),
        ] {
            let ssl = json!({"LastModifyStatus": status, "ModifyStatusReason": reason});
            assert_eq!(of(&rds(&json!({})), &ssl).failed.as_deref(), want, "{status} {reason}");
        }
    }

    #[test]
    fn gone_is_only_what_both_calls_say_is_gone() {
        let gone = || refused("InvalidDBInstanceId.NotFound");
        let there = || Ok(Attribute::default());
        let examined = |attribute, ssl| examination(attribute, ssl, moment());
        assert!(examined(Err(gone()), Err(gone())).expect("gone").gone);
        assert_eq!(examined(there(), Err(gone())), Err(gone()), "it is there");
        assert_eq!(examined(Err(gone()), Ok(Ssl::default())), Err(gone()), "its certificate is there");
        let unknown_key = || refused("InvalidAccessKeyId.NotFound");
        assert_eq!(examined(Err(unknown_key()), Err(unknown_key())), Err(unknown_key()));
    }

    #[test]
    fn a_change_under_way_is_no_failure() {
        for code in ["IncorrectDBInstanceState", "SingleNodeNotSupport"] {
            let attribute = Attribute { DBInstanceStatus: text("SSLModifying"), ..Attribute::default() };
            let found = examination(Ok(attribute), Err(refused(code)), moment()).expect("busy");
            assert_eq!(
                (found.detail.status.as_deref(), found.not_after),
                (Some("SSLModifying"), None),
                "{code}"
            );
        }
    }

    fn text(text: &str) -> super::super::wire::Loose {
        super::super::wire::Loose::Text(text.to_owned())
    }
}
