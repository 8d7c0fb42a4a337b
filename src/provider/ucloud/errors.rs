//! What an error answer means. Business errors come with status 200 and a `RetCode`, which alone decides: messages
//! are Chinese or English, and both SDKs' own rule (above 2000 is worth a retry) is wrong for the codes that matter.

use std::borrow::Cow;
use std::time::Duration;

use serde::de::DeserializeOwned;

use super::wire::Head;
use crate::call::{CallError, CallErrorKind};
use crate::http::Answer;
use crate::provider::keys::Keys;
use crate::visible::holds_a_key;

/// The header with the id of a request, which the cloud's support asks for.
const REQUEST_ID: &str = "x-ucloud-request-uuid";

/// The key, or where it is used from, is not accepted: wrong signature, no such user, no such token, source address
/// not on the account's list, security lock.
const KEY: &[&str] = &["171", "172", "174", "294", "295"];
/// The key lacks a right: to the zone, by IAM, at the balancer.
const PERMISSION: &[&str] = &["293", "299", "4504", "4508"];
/// Nobody behind the gateway: authentication service, service itself.
const UNREACHABLE: &[&str] = &["130", "150"];
/// The project does not exist.
const NO_PROJECT: &str = "292";
/// The region is not open to the account, or does not have the product.
const NOT_OPEN: &[&str] = &["230", "4996"];

/// Whether a listing failed only because its region is not open to the account. 230 says that a parameter is not
/// available, and of those that a listing sends only the region can be that.
pub(super) fn says_not_open(error: &CallError) -> bool {
    error.code.as_deref().is_some_and(|code| NOT_OPEN.contains(&code))
}

/// Reads an answer into the call's own wire struct, or says which failure it is.
///
/// # Errors
/// The cloud's own error, or what is wrong with the answer.
pub(super) fn read<T: DeserializeOwned>(
    answer: &Answer,
    action: &'static str,
    keys: &Keys,
) -> Result<T, CallError> {
    let body = answer.body.trim_ascii();
    let is_object = body.first() == Some(&b'{');
    let head = is_object.then(|| serde_json::from_slice::<Head>(body).ok()).flatten();
    let code = head.as_ref().and_then(|head| head.RetCode.text()).filter(|code| is_code(code));
    match (code, &head) {
        (Some(code), Some(head)) if code != "0" => Err(cloud_error(answer, code, head, action, keys)),
        (Some(_), _) if answer.status.is_success() => serde_json::from_slice(body).map_err(|error| {
            let text = format!("the JSON is not of the expected form (column {})", error.column());
            foreign(CallErrorKind::Unreadable, action, &text, answer, keys)
        }),
        _ => Err(no_answer_of_the_cloud(answer, action, keys)),
    }
}

fn is_code(text: &str) -> bool {
    text.parse::<i64>().is_ok()
}

fn cloud_error(answer: &Answer, code: &str, head: &Head, action: &'static str, keys: &Keys) -> CallError {
    let message = match code {
        "171" => "the signature was not accepted: is the private key right, and is this its gateway?".into(),
        "172" => "no such user: is the public key right, and is this its gateway?".into(),
        _ => keys.censored(head.Message.text().unwrap_or_default()),
    };
    CallError::new(kind(code, answer), action, message).with_code(code, request_id(answer, keys).as_deref())
}

fn kind(code: &str, answer: &Answer) -> CallErrorKind {
    match () {
        () if code == "153" => CallErrorKind::Throttled(retry_after(answer)),
        () if code == "110" => CallErrorKind::Timeout,
        () if UNREACHABLE.contains(&code) => CallErrorKind::Unreachable,
        () if KEY.contains(&code) => CallErrorKind::KeyDenied,
        () if PERMISSION.contains(&code) => CallErrorKind::PermissionDenied,
        () if code == NO_PROJECT => CallErrorKind::NoSuchProject,
        () => CallErrorKind::Refused,
    }
}

/// What comes from in between: proxies, gateways, something else at that address.
fn no_answer_of_the_cloud(answer: &Answer, action: &'static str, keys: &Keys) -> CallError {
    let status = answer.status;
    match status.as_u16() {
        429 => foreign(CallErrorKind::Throttled(retry_after(answer)), action, "answered 429", answer, keys),
        500.. => {
            let text = format!("the server answered {status} without saying why");
            foreign(CallErrorKind::Unreachable, action, &text, answer, keys)
        }
        _ => {
            let text = format!("answered {status} with {}", what_it_is(answer));
            foreign(CallErrorKind::Unreadable, action, &text, answer, keys)
        }
    }
}

fn foreign(kind: CallErrorKind, action: &'static str, text: &str, answer: &Answer, keys: &Keys) -> CallError {
    let request_id = request_id(answer, keys).map(|id| crate::call::clean(&id));
    CallError { request_id, ..CallError::new(kind, action, text) }
}

/// Whoever sets the header may repeat in it what it was asked with.
fn request_id<'a>(answer: &'a Answer, keys: &Keys) -> Option<Cow<'a, str>> {
    let id = answer.headers.get(REQUEST_ID)?.to_str().ok()?;
    (!id.is_empty() && !holds_a_key(id)).then(|| keys.censored(id))
}

/// `Retry-After` in seconds, from whoever is in between; the cloud itself gives no hint.
fn retry_after(answer: &Answer) -> Option<Duration> {
    let seconds: u64 = answer.headers.get("retry-after")?.to_str().ok()?.trim().parse().ok()?;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

fn what_it_is(answer: &Answer) -> String {
    let body = answer.body.trim_ascii();
    match body {
        _ if answer.status.is_redirection() => "a redirect, which is never followed".to_owned(),
        [] => "an empty body".to_owned(),
        [b'<', ..] => "HTML or XML instead of JSON".to_owned(),
        [b'{', ..] => "JSON without a readable RetCode".to_owned(),
        _ => format!("{} bytes that are not the JSON expected", body.len()),
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    use super::*;
    use crate::secret::Secret;

    fn keys() -> Keys {
        Keys { id: Secret::new("public-key"), secret: Secret::new("private-key"), token: None, expires: None }
    }

    fn failure(status: u16, body: &str, headers: &[(&'static str, &str)]) -> CallError {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(HeaderName::from_static(name), HeaderValue::from_str(value).expect("header"));
        }
        let status = reqwest::StatusCode::from_u16(status).expect("status");
        let answer = Answer { status, headers: map, body: Bytes::copy_from_slice(body.as_bytes()) };
        read::<serde_json::Value>(&answer, "ulb:DescribeSSLV2", &keys()).expect_err("a failure")
    }

    #[test]
    fn whatever_is_repeated_of_the_key_is_taken_out() {
        for (name, status, body) in [
            ("by the cloud", 200, r#"{"RetCode":4111,"Message":"private-key"}"#),
            ("in between", 502, "<html>"),
        ] {
            let error = failure(status, body, &[(REQUEST_ID, "for private-key of public-key")]);
            assert_eq!(error.request_id.as_deref(), Some("for *** of ***"), "{name}");
            assert!(!format!("{error} {error:?}").contains("private-key"), "{name}");
        }
    }

    #[test]
    fn the_code_decides_as_number_and_as_text() {
        use CallErrorKind::{
            KeyDenied, NoSuchProject, PermissionDenied, Refused, Throttled, Timeout, Unreachable,
        };
        for (code, want) in [
            (110, Timeout),
            (130, Unreachable),
            (150, Unreachable),
            (153, Throttled(None)),
            (160, Refused),
            (161, Refused),
            (170, Refused),
            (171, KeyDenied),
            (172, KeyDenied),
            (174, KeyDenied),
            (220, Refused),
            (230, Refused),
            (292, NoSuchProject),
            (293, PermissionDenied),
            (294, KeyDenied),
            (295, KeyDenied),
            (299, PermissionDenied),
            (4079, Refused),
            (4504, PermissionDenied),
            (4996, Refused),
            (63072, Refused),
            (-1, Refused),
        ] {
            for body in
                [format!(r#"{{"RetCode":{code},"Message":"m"}}"#), format!(r#"{{"RetCode":"{code}"}}"#)]
            {
                let error = failure(200, &body, &[]);
                assert_eq!((error.kind, error.code), (want, Some(code.to_string())), "{body}");
            }
            let gateway = failure(502, &format!(r#"{{"RetCode":{code}}}"#), &[]);
            assert_eq!(gateway.kind, want, "{code} with another status");
        }
    }

    #[test]
    fn only_two_codes_say_that_a_region_is_not_open() {
        let says = |code: u32| says_not_open(&failure(200, &format!(r#"{{"RetCode":{code}}}"#), &[]));
        assert!(says(230) && says(4996) && !says(292) && !says(299));
    }

    #[test]
    fn the_request_id_of_the_header_is_told() {
        let error = failure(200, r#"{"RetCode":299,"Message":"no"}"#, &[("x-ucloud-request-uuid", "u-1")]);
        assert_eq!(error.to_string(), "ulb:DescribeSSLV2: denied (299, request u-1): no");
        let error = failure(200, "<html>", &[("x-ucloud-request-uuid", "u-2")]);
        assert!(error.to_string().contains("request u-2"), "{error}");
    }

    #[test]
    fn a_message_or_an_id_with_a_private_key_is_dropped() {
        let key = "-----BEGIN EC PRIVATE KEY----- PLANTED";
        let body = format!(r#"{{"RetCode":4111,"Message":"bad content {key}"}}"#);
        let error = failure(200, &body, &[("x-ucloud-request-uuid", key)]);
        assert!(!format!("{error} {error:?}").contains("PLANTED"), "{error}");
        let error = failure(200, &format!(r#"{{"RetCode":"{key}"}}"#), &[]);
        assert!(!format!("{error} {error:?}").contains("PLANTED"), "{error}");
    }

    #[test]
    fn what_is_no_answer_of_the_cloud_is_named() {
        use CallErrorKind::{Throttled, Unreachable, Unreadable};
        let soon = Some(Duration::from_secs(7));
        for (name, status, body, headers, want) in [
            ("a proxy page", 200, "<html>", &[][..], Unreadable),
            ("nothing", 200, "", &[], Unreadable),
            ("a list", 200, r#"[{"RetCode":0}]"#, &[], Unreadable),
            ("cut", 200, r#"{"RetCode":0,"DataSet":["#, &[], Unreadable),
            ("no code", 200, r#"{"DataSet":[]}"#, &[], Unreadable),
            ("null for the code", 200, r#"{"RetCode":null}"#, &[], Unreadable),
            ("a word for the code", 200, r#"{"RetCode":"fine"}"#, &[], Unreadable),
            ("a redirect", 302, "", &[], Unreadable),
            ("all is well with 500", 500, r#"{"RetCode":0}"#, &[], Unreachable),
            ("a gateway", 502, "<html>", &[], Unreachable),
            ("an empty 503", 503, "", &[], Unreachable),
            ("too many", 429, "", &[], Throttled(None)),
            ("too many, with a hint", 429, "", &[("retry-after", "7")], Throttled(soon)),
        ] {
            assert_eq!(failure(status, body, headers).kind, want, "{name}");
        }
    }
}
