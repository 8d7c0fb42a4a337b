//! What an error answer means. Decided by the code alone: the same code comes with different statuses, and an unknown
//! key is a 404 just like an instance that is gone.

use std::time::Duration;

use chrono::{DateTime, Utc};
use reqwest::StatusCode;
use reqwest::header::RETRY_AFTER;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::call::{CallError, CallErrorKind};
use crate::http::Answer;
use crate::provider::alibaba::wire::Loose;
use crate::provider::keys::Keys;
use crate::provider::verdict::Codes;

/// This kind of instance cannot have TLS (the cloud's own misspelling included).
const UNSUPPORTED: &[&str] = &[
    "IncorrectEngineVersion",
    "IncorrectCharacterType",
    "InvalidRedisVersionPattern",
    "InstanceType.NotSupport",
    "EnabledSSLNotSupport",
    "InvaildEngineInRegion.ValueNotSupported",
    "InstanceEngineType.NotSupport",
    "OperationDenied.DBInstanceType",
    "IncorrectDBInstanceType",
    "InvalidDBInstanceEngineType.Format",
    "IncorrectMinorVersion",
    "Api.NotSupport",
    "StorageTypeOrInstanceTypeNotSupported",
    "SingleNodeNotSupport",
];
/// Deleted between listing and look.
const GONE: &[&str] = &[
    "InvalidInstanceId.NotFound",
    "InvalidDBInstance.NotFound",
    "InvalidDbInstanceId.NotFound",
    "InvalidDBInstanceId.NotFound",
    "InvalidDBInstanceName.NotFound",
];
/// In the middle of a change.
const BUSY: &[&str] = &["IncorrectDBInstanceState", "InvalideStatus.Format"];
/// The key itself is not accepted.
const KEY: &[&str] = &[
    "SignatureDoesNotMatch",
    "IncompleteSignature",
    "SignatureNonceUsed",
    "MissingSecurityToken",
    "Forbidden.AccessKeyDisabled",
];
const KEY_PREFIXES: &[&str] = &["InvalidAccessKeyId", "InvalidTimeStamp", "InvalidSecurityToken"];
/// The key lacks the permission.
const PERMISSION: &[&str] = &["Forbidden.RAM", "Forbidden", "NoPermission"];
/// Too many calls.
const THROTTLED: &[&str] = &["ServiceUnavailable", "ConcurrentLimit", "ServerBusy"];
/// Codes whose message echoes the string to sign, and with it a security token.
const ECHOING: &[&str] = &["SignatureDoesNotMatch", "IncompleteSignature"];

/// Which codes say something about the instance.
pub(super) const CODES: Codes = Codes { unsupported: UNSUPPORTED, gone: GONE, busy: BUSY };

/// Whether a code says of an instance that it is gone, or cannot have TLS.
pub(super) fn is_about_the_instance(code: &str) -> bool {
    GONE.contains(&code) || UNSUPPORTED.contains(&code)
}

/// Reads an answer into the call's own wire struct, or says which failure it is. Fields that the struct does not name
/// (a private key among them) are skipped by the parser: no reading has them. (What is
/// kept for a support bundle is cleaned before in `http/kept`.)
///
/// # Errors
/// The cloud's own error, or what is wrong with the answer.
pub(super) fn read<T: DeserializeOwned>(
    answer: &Answer,
    action: &'static str,
    now: DateTime<Utc>,
    keys: &Keys,
) -> Result<T, CallError> {
    let status = answer.status;
    let body = answer.body.trim_ascii();
    let is_object = body.first() == Some(&b'{');
    let shape = is_object.then(|| serde_json::from_slice::<ErrorShape>(body).ok()).flatten();
    match shape {
        Some(shape) if shape.code.text().or(shape.lower_code.text()).is_some() => {
            Err(cloud_error(answer, &shape, action, now, keys))
        }
        Some(_) if status.is_success() => serde_json::from_slice(body).map_err(|error| {
            let text = format!("the JSON is not of the expected form (column {})", error.column());
            CallError::new(CallErrorKind::Unreadable, action, text)
        }),
        _ if is_told_to_wait(answer) => {
            let text = format!("answered {status} without a word of the cloud");
            Err(CallError::new(CallErrorKind::Throttled(retry_after(answer)), action, text))
        }
        _ if status.is_server_error() => {
            let text = format!("the server answered {status} without saying why");
            Err(CallError::new(CallErrorKind::Unreachable, action, text))
        }
        _ => {
            let text = format!("answered {status} with {}", what_it_is(answer));
            Err(CallError::new(CallErrorKind::Unreadable, action, text))
        }
    }
}

#[derive(Deserialize)]
struct ErrorShape {
    #[serde(default, rename = "Code")]
    code: Loose,
    #[serde(default, rename = "code")]
    lower_code: Loose,
    #[serde(default, rename = "Message")]
    message: Loose,
    #[serde(default, rename = "message")]
    lower_message: Loose,
    #[serde(default, rename = "RequestId")]
    request_id: Loose,
    #[serde(default, rename = "requestId")]
    lower_request_id: Loose,
}

fn cloud_error(
    answer: &Answer,
    shape: &ErrorShape,
    action: &'static str,
    now: DateTime<Utc>,
    keys: &Keys,
) -> CallError {
    let code = shape.code.text().or(shape.lower_code.text()).unwrap_or_default();
    let message = if ECHOING.contains(&code) {
        "the signature was not accepted: is the access key secret right?".into()
    } else if code.starts_with("InvalidTimeStamp") {
        clock_skew(answer, now).into()
    } else {
        keys.censored(shape.message.text().or(shape.lower_message.text()).unwrap_or_default())
    };
    let request_id = shape.request_id.text().or(shape.lower_request_id.text()).map(|id| keys.censored(id));
    CallError::new(kind(code, answer), action, message).with_code(&keys.censored(code), request_id.as_deref())
}

fn kind(code: &str, answer: &Answer) -> CallErrorKind {
    let throttled =
        code.starts_with("Throttling") || code.ends_with("Throttling") || THROTTLED.contains(&code);
    match () {
        () if throttled => CallErrorKind::Throttled(retry_after(answer)),
        () if KEY.contains(&code) => CallErrorKind::KeyDenied,
        () if KEY_PREFIXES.iter().any(|prefix| code.starts_with(prefix)) => CallErrorKind::KeyDenied,
        () if PERMISSION.contains(&code) => CallErrorKind::PermissionDenied,
        () => CallErrorKind::Refused,
    }
}

/// A gateway in between says so by the status alone.
fn is_told_to_wait(answer: &Answer) -> bool {
    let too_many = answer.status == StatusCode::TOO_MANY_REQUESTS;
    too_many || answer.status == StatusCode::SERVICE_UNAVAILABLE && answer.headers.contains_key(RETRY_AFTER)
}

/// `Retry-After` of gateways, seconds; of the cloud `x-acs-retry-after`, milliseconds; older gateways write it into `x-ratelimit-user-api: …,TimeLeft:<ms>,…`.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok());
    let time_left = |text: &str| {
        let value = text.split(',').find_map(|part| part.trim().strip_prefix("TimeLeft:"))?;
        value.trim().parse().ok()
    };
    let milliseconds: u64 = header("x-acs-retry-after")
        .and_then(|text| text.trim().parse().ok())
        .or_else(|| header("x-ratelimit-user-api").and_then(time_left))
        .or_else(|| header("x-ratelimit-user").and_then(time_left))
        .or_else(|| {
            header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse::<u64>().ok()?.checked_mul(1000))
        })?;
    (milliseconds > 0).then(|| Duration::from_millis(milliseconds))
}

fn clock_skew(answer: &Answer, now: DateTime<Utc>) -> String {
    let theirs = answer.headers.get("date").and_then(|value| value.to_str().ok());
    let theirs = theirs.and_then(|text| DateTime::parse_from_rfc2822(text).ok());
    let Some(theirs) = theirs else {
        return "the cloud does not accept the time of this machine's clock".to_owned();
    };
    let seconds = (now - theirs.with_timezone(&Utc)).num_seconds();
    let direction = if seconds < 0 { "behind" } else { "ahead of" };
    format!("the clock of this machine is {} s {direction} the cloud's", seconds.abs())
}

fn what_it_is(answer: &Answer) -> String {
    let body = answer.body.trim_ascii();
    match body {
        [] => "an empty body".to_owned(),
        [b'<', ..] => "HTML or XML instead of JSON".to_owned(),
        _ if answer.status.is_redirection() => "a redirect, which is never followed".to_owned(),
        _ => format!("{} bytes that are not the JSON expected", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::TimeZone;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::provider::verdict::Verdict;
    use crate::secret::Secret;

    fn answer(status: u16, body: &str, headers: &[(&'static str, &str)]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("header"));
        }
        let status = reqwest::StatusCode::from_u16(status).expect("status");
        Answer { status, headers: map, body: Bytes::copy_from_slice(body.as_bytes()) }
    }

    fn failure(status: u16, body: &str, headers: &[(&'static str, &str)]) -> CallError {
        let now = Utc.with_ymd_and_hms(2026, 11, 22, 8, 20, 0).single().expect("date");
        read::<serde_json::Value>(&answer(status, body, headers), "rds:DescribeDBInstances", now, &keys())
            .expect_err("a failure")
    }

    fn keys() -> Keys {
        let token = Some(Secret::new("T".repeat(900)));
        Keys { id: Secret::new("LTAI-id"), secret: Secret::new("s3cr3t"), token, expires: None }
    }

    #[test]
    fn a_key_that_is_echoed_is_taken_out_before_the_text_is_cut() {
        let text = format!("{} {} LTAI-id s3cr3t", "x".repeat(250), "T".repeat(900));
        let body = format!(r#"{{"Code":"Odd.LTAI-id","Message":"{text}","RequestId":"s3cr3t"}}"#);
        let error = failure(400, &body, &[]).to_string();
        assert!(!error.contains("TT") && !error.contains("LTAI") && !error.contains("s3cr3t"), "{error}");
        assert!(error.contains("Odd.***") && error.contains("x ***"), "{error}");
    }

    fn code(code: &str) -> CallError {
        failure(400, &format!(r#"{{"Code":"{code}","Message":"m","RequestId":"R-1"}}"#), &[])
    }

    #[test]
    fn the_code_decides_whatever_the_status() {
        use CallErrorKind::{KeyDenied, PermissionDenied, Refused, Throttled};
        for (name, want) in [
            ("Throttling", Throttled(None)),
            ("Throttling.User", Throttled(None)),
            ("Throttling.Api", Throttled(None)),
            ("Rejected.Throttling", Throttled(None)),
            ("ServiceUnavailable", Throttled(None)),
            ("ServerBusy", Throttled(None)),
            ("InvalidAccessKeyId.NotFound", KeyDenied),
            ("InvalidAccessKeyId.Inactive", KeyDenied),
            ("SignatureDoesNotMatch", KeyDenied),
            ("InvalidTimeStamp.Expired", KeyDenied),
            ("InvalidSecurityToken.Expired", KeyDenied),
            ("Forbidden.RAM", PermissionDenied),
            ("NoPermission", PermissionDenied),
            ("InternalError", Refused),
            ("InvalidRegionId.NotFound", Refused),
        ] {
            assert_eq!(code(name).kind, want, "{name}");
        }
    }

    #[test]
    fn three_kinds_of_code_are_findings_about_the_instance() {
        for (name, want) in [
            ("InvaildEngineInRegion.ValueNotSupported", Verdict::Unsupported),
            ("InstanceType.NotSupport", Verdict::Unsupported),
            ("InvalidDBInstanceId.NotFound", Verdict::Gone),
            ("IncorrectDBInstanceState", Verdict::Busy),
            ("InvalidAccessKeyId.NotFound", Verdict::Failure),
        ] {
            assert_eq!(CODES.verdict(&code(name)), want, "{name}");
        }
    }

    #[test]
    fn an_echoed_string_to_sign_never_gets_out() {
        let echo = r#"{"Code":"SignatureDoesNotMatch","Message":"server StringToSign is [x-acs-security-token:TOKEN]"}"#;
        assert!(!failure(400, echo, &[]).to_string().contains("TOKEN"));
        assert!(!format!("{:?}", failure(400, echo, &[])).contains("TOKEN"));
    }

    #[test]
    fn lower_case_keys_are_read_too() {
        let error = failure(403, r#"{"code":"Forbidden.RAM","message":"no","requestId":"R-2"}"#, &[]);
        assert_eq!(
            (error.code.as_deref(), error.request_id.as_deref()),
            (Some("Forbidden.RAM"), Some("R-2"))
        );
    }

    #[test]
    fn the_hint_how_long_to_wait_is_read_from_either_header() {
        let body = r#"{"Code":"Throttling.User"}"#;
        for (name, headers, want) in [
            ("current", [("x-acs-retry-after", "1500")], Some(1500)),
            ("zero", [("x-acs-retry-after", "0")], None),
            ("older", [("x-ratelimit-user-api", "Limit:10,TimeLeft:800,Remain:0")], Some(800)),
            ("nonsense", [("x-acs-retry-after", "soon")], None),
        ] {
            let want = CallErrorKind::Throttled(want.map(Duration::from_millis));
            assert_eq!(failure(400, body, &headers).kind, want, "{name}");
        }
    }

    #[test]
    fn a_wrong_clock_is_told_with_the_difference() {
        let body = r#"{"Code":"InvalidTimeStamp.Expired","Message":"m"}"#;
        let error = failure(400, body, &[("date", "Sun, 22 Nov 2026 08:40:00 GMT")]);
        assert!(error.message.contains("1200 s behind"), "{error}");
    }

    #[test]
    fn what_is_no_answer_of_the_cloud_is_named() {
        for (name, status, body, want) in [
            ("a proxy page", 200, "<html>", CallErrorKind::Unreadable),
            ("nothing", 200, "", CallErrorKind::Unreadable),
            ("a list", 200, "[]", CallErrorKind::Unreadable),
            ("cut", 200, r#"{"Items":{"#, CallErrorKind::Unreadable),
            ("a redirect", 302, "", CallErrorKind::Unreadable),
            ("a gateway", 502, "<html>", CallErrorKind::Unreachable),
            ("an empty 503", 503, "", CallErrorKind::Unreachable),
            ("a gateway that is asked too often", 429, "slow down", CallErrorKind::Throttled(None)),
            ("not found by a proxy", 404, "nope", CallErrorKind::Unreadable),
        ] {
            assert_eq!(failure(status, body, &[]).kind, want, "{name}");
        }
    }
}
