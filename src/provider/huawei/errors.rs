//! What an error answer means. The gateway, DCS and IAM word theirs differently, and one meaning has an old and a new
//! code; the code decides wherever there is one.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;
use serde_json::Value;

use super::action;
use crate::call::{CallError, CallErrorKind};
use crate::http::Answer;
use crate::provider::keys::Keys;
use crate::provider::verdict::Codes;
use crate::visible::holds_a_key;

/// The key itself is not accepted: unknown, wrong, out of date, disabled.
const KEY: &[&str] = &[
    "APIGW.0301",
    "APIGW.0307",
    "DCS.1001",
    "DCS.1002",
    "DCS.1003",
    "IAM.0080",
    "IAM.0081",
    "IAM.0082",
    "IAM.0083",
];
/// The project does not belong to the key's account: deleted, most likely, for lists of projects name only own ones.
const NO_PROJECT: &str = "DCS.1004";
/// The key lacks the permission.
const PERMISSION: &[&str] =
    &["DCS.2003", "DCS.2007", "DCS.3002", "DCS.3003", "APIGW.0302", "IAM.0002", "IAM.0003"];
/// Too many calls.
const THROTTLED: &[&str] = &["APIGW.0308", "IAM.0012"];
/// This kind of instance cannot have TLS.
const UNSUPPORTED: &[&str] = &["DCS.4201"];
/// Deleted between listing and look.
const GONE: &[&str] = &["DCS.3022", "DCS.4022"];
/// In the middle of a change, or of a job that forbids one.
const BUSY: &[&str] = &[
    "DCS.4026", "DCS.4049", "DCS.4017", "DCS.4096", "DCS.4097", "DCS.4104", "DCS.4111", "DCS.4113",
    "DCS.4114", "DCS.4115", "DCS.4116", "DCS.4117", "DCS.4118", "DCS.4120", "DCS.4121", "DCS.4231",
    "DCS.4975",
];
/// No such API at this address.
const WRONG_ADDRESS: &[&str] = &["APIGW.0101", "DCS.4001"];
/// An offset that the list has not got (any more).
const BEYOND_THE_LIST: &str = "DCS.4800";

/// Which codes say something about the instance.
pub(super) const CODES: Codes = Codes { unsupported: UNSUPPORTED, gone: GONE, busy: BUSY };

/// Whether a page was asked for that lies behind the end of the list.
pub(super) fn is_beyond_the_list(error: &CallError) -> bool {
    error.code.as_deref() == Some(BEYOND_THE_LIST)
}

/// Reads the answers of one call.
pub(super) struct Reader<'a> {
    /// The call.
    pub(super) action: &'static str,
    /// When it was made.
    pub(super) now: DateTime<Utc>,
    /// With which key: clouds and proxies echo, and no part of it may get into an error.
    pub(super) keys: &'a Keys,
}

impl Reader<'_> {
    /// Reads an answer into the call's own wire struct, or says which failure it is.
    ///
    /// # Errors
    /// The cloud's own error, or what is wrong with the answer.
    pub(super) fn read<T: DeserializeOwned>(&self, answer: &Answer) -> Result<T, CallError> {
        let body = answer.body.trim_ascii();
        let said = said(body);
        match said {
            Some(said) if !answer.status.is_success() || said.message.is_some() => {
                Err(self.cloud_error(answer, &said))
            }
            _ if !answer.status.is_success() => Err(self.without_a_word(answer)),
            _ if body.first() == Some(&b'{') => serde_json::from_slice(body).map_err(|error| {
                let text = format!("the JSON is not of the expected form (column {})", error.column());
                CallError::new(CallErrorKind::Unreadable, self.action, text)
            }),
            _ => Err(self.unreadable(answer)),
        }
    }

    fn cloud_error(&self, answer: &Answer, said: &Said) -> CallError {
        let Self { action, now, keys } = *self;
        let message = keys.censored(said.message.as_deref().unwrap_or_default());
        let kind = kind(&said.code, &message, answer);
        let message = match kind {
            CallErrorKind::KeyDenied => why_the_key(&message, answer, now),
            CallErrorKind::PermissionDenied => match action::permission(action) {
                Some(permission) => format!("the key needs `{permission}`: {message}"),
                None => message.into_owned(),
            },
            _ if WRONG_ADDRESS.contains(&&*said.code) => format!("{message}; is the endpoint right?"),
            _ => message.into_owned(),
        };
        let request_id = said.request_id.as_deref().or_else(|| header(answer, "x-request-id"));
        let request_id = request_id.map(|id| keys.censored(id));
        CallError::new(kind, action, message).with_code(&keys.censored(&said.code), request_id.as_deref())
    }

    /// An error status without an error of the cloud's: somebody in between, most likely.
    fn without_a_word(&self, answer: &Answer) -> CallError {
        let status = answer.status;
        let text = format!("the server answered {status} without saying why");
        let told_to_wait = header(answer, "retry-after").is_some();
        match status.as_u16() {
            429 => CallError::new(CallErrorKind::Throttled(retry_after(answer, "")), self.action, text),
            503 if told_to_wait => {
                CallError::new(CallErrorKind::Throttled(retry_after(answer, "")), self.action, text)
            }
            500.. => CallError::new(CallErrorKind::Unreachable, self.action, text),
            _ => self.unreadable(answer),
        }
    }

    fn unreadable(&self, answer: &Answer) -> CallError {
        let text = format!("answered {} with {}", answer.status, what_it_is(answer));
        CallError::new(CallErrorKind::Unreadable, self.action, text)
    }
}

/// What the object store says about a link, in XML. Only its code is used: its messages echo what was signed.
pub(super) fn of_store(answer: &Answer, action: &'static str) -> CallError {
    let code = store_code(&answer.body);
    let kind = match (answer.status.as_u16(), code.as_deref()) {
        (429, _) | (_, Some("SlowDown")) => CallErrorKind::Throttled(retry_after(answer, "")),
        (500..=599, _) => CallErrorKind::Unreachable,
        (400..=499, _) => CallErrorKind::Refused,
        _ => CallErrorKind::Unreadable,
    };
    let Some(code) = code else {
        return CallError::new(kind, action, format!("the link was answered with {}", what_it_is(answer)));
    };
    let text = format!("the link was answered with {}", answer.status);
    CallError::new(kind, action, text).with_code(&code, header(answer, "x-obs-request-id"))
}

fn store_code(body: &[u8]) -> Option<String> {
    let body = std::str::from_utf8(body).ok()?;
    let (code, _) = body.split_once("<Code>")?.1.split_once("</Code>")?;
    let plain = code.len() <= 64 && code.bytes().all(|byte| byte.is_ascii_alphanumeric());
    plain.then(|| code.to_owned())
}

/// What an error body says, wherever it says it.
struct Said {
    code: String,
    message: Option<String>,
    request_id: Option<String>,
}

/// The shapes of DCS and the gateway, of IAM, and of other services, at the top and one level deeper.
fn said(body: &[u8]) -> Option<Said> {
    let Ok(Value::Object(top)) = serde_json::from_slice(body) else { return None };
    let deeper = top.values().filter_map(Value::as_object);
    std::iter::once(&top).chain(deeper).find_map(|object| {
        let text = |name: &str| match object.get(name)? {
            // Before blanks are taken out of codes: without them a private key would not be known as one.
            Value::String(text) => {
                Some(text.clone()).filter(|text| !text.trim().is_empty() && !holds_a_key(text))
            }
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        let pairs = [("error_code", "error_msg"), ("errorCode", "errorMsg"), ("code", "message")];
        let (code, message) = pairs.iter().find_map(|(code, message)| Some((text(code)?, text(message))))?;
        let request_id = text("request_id").or_else(|| text("requestId"));
        Some(Said { code: canonical(&code), message, request_id })
    })
}

/// Codes have stray blanks, the gateway has two prefixes, and DCS once counted in nine digits.
fn canonical(code: &str) -> String {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    let old = |prefix: &str, digit: char| {
        let rest = code.strip_prefix(prefix).filter(|_| code.len() == 9)?;
        rest.bytes().all(|byte| byte.is_ascii_digit()).then(|| format!("DCS.{digit}{rest}"))
    };
    if let Some(number) = code.strip_prefix("APIG.") {
        return format!("APIGW.{number}");
    }
    let known = [("111400", '4'), ("111401", '1'), ("111403", '2'), ("111404", '4')];
    known.into_iter().find_map(|(prefix, digit)| old(prefix, digit)).unwrap_or(code)
}

fn kind(code: &str, message: &str, answer: &Answer) -> CallErrorKind {
    match (answer.status.as_u16(), code) {
        (_, code) if THROTTLED.contains(&code) => CallErrorKind::Throttled(retry_after(answer, message)),
        (429, _) => CallErrorKind::Throttled(retry_after(answer, message)),
        (_, NO_PROJECT) => CallErrorKind::NoSuchProject,
        (_, code) if KEY.contains(&code) => CallErrorKind::KeyDenied,
        (401, _) => CallErrorKind::KeyDenied,
        (_, code) if PERMISSION.contains(&code) => CallErrorKind::PermissionDenied,
        (403, _) => CallErrorKind::PermissionDenied,
        (502..=504, _) => CallErrorKind::Unreachable,
        _ => CallErrorKind::Refused,
    }
}

/// In our own words: the cloud's may echo the request that was signed, token and all, or name the key.
fn why_the_key(message: &str, answer: &Answer, now: DateTime<Utc>) -> String {
    let says = |part: &str| message.contains(part);
    match () {
        () if says("signature expired") => clock_skew(answer, now),
        () if says("reach the limit") => {
            "the key is locked for 5 minutes, because too many signatures in a row were wrong".to_owned()
        }
        () if says("ak not exist") => {
            "the cloud does not know the access key (a temporary one needs its security token)".to_owned()
        }
        () if says("aksk signature") => "the signature was not accepted: is the secret key right?".to_owned(),
        () => "the key was not accepted".to_owned(),
    }
}

fn clock_skew(answer: &Answer, now: DateTime<Utc>) -> String {
    let theirs = header(answer, "date").and_then(|text| DateTime::parse_from_rfc2822(text).ok());
    let off = theirs.map(|theirs| (now - theirs.with_timezone(&Utc)).num_seconds());
    match off {
        Some(seconds) if seconds.abs() >= 60 => {
            let direction = if seconds < 0 { "behind" } else { "ahead of" };
            format!("the clock of this machine is {} s {direction} the cloud's", seconds.abs())
        }
        Some(_) => "the temporary key has expired".to_owned(),
        None => "the clock of this machine is wrong, or the temporary key has expired".to_owned(),
    }
}

/// The standard header; else the window that the gateway names (`limit:20,time:1 minute`), at the end of which the
/// calls that were taken do not count any more.
fn retry_after(answer: &Answer, message: &str) -> Option<Duration> {
    let seconds = header(answer, "retry-after").and_then(|text| text.trim().parse().ok()).filter(|s| *s > 0);
    seconds.map(Duration::from_secs).or_else(|| window(message))
}

fn window(message: &str) -> Option<Duration> {
    let (_, rest) = message.split_once("time:")?;
    let mut words = rest.split([' ', ',', ';']).filter(|word| !word.is_empty());
    let count: u64 = words.next()?.parse().ok()?;
    let seconds = match words.next()?.trim_end_matches('.').trim_end_matches('s') {
        "second" => 1,
        "minute" => 60,
        "hour" => 3600,
        "day" => 86_400,
        _ => return None,
    };
    Some(Duration::from_secs(count.checked_mul(seconds)?)).filter(|window| !window.is_zero())
}

fn what_it_is(answer: &Answer) -> String {
    let (status, body) = (answer.status, answer.body.trim_ascii());
    match body {
        _ if status.is_redirection() => "a redirect, which is never followed".to_owned(),
        [] => "an empty body".to_owned(),
        [b'<', ..] => format!("{status} and HTML or XML"),
        [b'{' | b'[', ..] => format!("{status} and JSON"),
        _ => format!("{status} and {} bytes of something else", body.len()),
    }
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).and_then(|value| value.to_str().ok())
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
        let keys = Keys {
            id: Secret::new("AKAKAK"),
            secret: Secret::new("s3cr3t"),
            token: Some(Secret::new("T".repeat(900))),
            expires: None,
        };
        let reader = Reader { action: action::SSL, now, keys: &keys };
        reader.read::<Value>(&answer(status, body, headers)).expect_err("a failure")
    }

    #[test]
    fn a_private_key_in_an_error_is_in_no_text() {
        let key = "-----BEGIN RSA PRIVATE KEY-----\\nPLANTED\\n-----END RSA PRIVATE KEY-----";
        for body in [
            format!(r#"{{"error_code":"DCS.5000","error_msg":"{key}"}}"#),
            format!(r#"{{"error_code":"DCS.5000","error_msg":"no","request_id":"{key}"}}"#),
            format!(r#"{{"error_code":"DCS.{key}","error_msg":"no"}}"#),
            format!(r#"{{"error":{{"code":"{key}","message":"{key}"}}}}"#),
        ] {
            let error = failure(400, &body, &[]);
            assert!(!format!("{error} {error:?}").contains("PLANTED"), "{body}: {error:?}");
        }
    }

    #[test]
    fn a_key_that_is_echoed_is_taken_out_before_the_text_is_cut() {
        let text = format!("{} {} AKAKAK s3cr3t", "x".repeat(250), "T".repeat(900));
        let body = format!(r#"{{"error_code":"Odd.AKAKAK","error_msg":"{text}","request_id":"s3cr3t"}}"#);
        let error = failure(400, &body, &[]).to_string();
        assert!(!error.contains("TT") && !error.contains("AKAK") && !error.contains("s3cr3t"), "{error}");
        assert!(error.contains("Odd.***") && error.contains("x ***"), "{error}");
    }

    fn coded(status: u16, code: &str) -> CallError {
        failure(status, &format!(r#"{{"error_code":"{code}","error_msg":"m","request_id":"R-1"}}"#), &[])
    }

    #[test]
    fn the_code_decides_where_there_is_one() {
        use CallErrorKind::{KeyDenied, NoSuchProject, PermissionDenied, Refused, Throttled, Unreachable};
        for (status, code, want) in [
            (401, "APIGW.0301", KeyDenied),
            (401, "APIG.0301", KeyDenied),
            (401, "APIGW.0307", KeyDenied),
            (401, "DCS.1001", KeyDenied),
            (401, "DCS.1004", NoSuchProject),
            (401, "111401004", NoSuchProject),
            (401, "111401002", KeyDenied),
            (401, "something.new", KeyDenied),
            (403, "IAM.0081", KeyDenied),
            (403, "DCS.2003", PermissionDenied),
            (403, "APIGW.0302", PermissionDenied),
            (403, "something.new", PermissionDenied),
            (429, "APIGW.0308", Throttled(None)),
            (429, "something.new", Throttled(None)),
            (400, "IAM.0012", Throttled(None)),
            (502, "APIGW.0201", Unreachable),
            (500, "DCS.5000", Refused),
            (404, "APIGW.0101", Refused),
            (400, "DCS.4002", Refused),
        ] {
            assert_eq!(coded(status, code).kind, want, "{status} {code}");
        }
    }

    #[test]
    fn every_shape_of_error_is_understood() {
        for (name, body) in [
            ("DCS", r#"{"error_code":"DCS.2003","error_msg":"no","error_ext_msg":null}"#),
            ("a stray blank", r#"{"error_code":"DCS. 2003","error_msg":"no"}"#),
            ("one level deeper", r#"{"error":{"error_code":"DCS.2003","error_msg":"no"}}"#),
            ("others", r#"{"errorCode":"DCS.2003","errorMsg":"no"}"#),
            ("still others", r#"{"code":"DCS.2003","message":"no"}"#),
        ] {
            let error = failure(403, body, &[("x-request-id", "R-7")]);
            let found = (error.kind, error.code.as_deref(), error.request_id.as_deref());
            assert_eq!(found, (CallErrorKind::PermissionDenied, Some("DCS.2003"), Some("R-7")), "{name}");
            assert_eq!(error.message, "the key needs `dcs:ssl:get`: no", "{name}");
        }
        let iam = failure(401, r#"{"error":{"code":401,"message":"no","title":"Unauthorized"}}"#, &[]);
        assert_eq!((iam.kind, iam.code.as_deref()), (CallErrorKind::KeyDenied, Some("401")));
        let odd = failure(200, r#"{"error_code":"DCS.2003","error_msg":"an error with a good status"}"#, &[]);
        assert_eq!(odd.kind, CallErrorKind::PermissionDenied);
    }

    #[test]
    fn three_kinds_of_code_are_findings_about_the_instance() {
        for (code, want) in [
            ("DCS.4201", Verdict::Unsupported),
            ("111400201", Verdict::Unsupported),
            ("DCS.3022", Verdict::Gone),
            ("111404022", Verdict::Gone),
            ("DCS.4049", Verdict::Busy),
            ("111400026", Verdict::Busy),
            ("DCS.4001", Verdict::Failure),
            ("DCS.5010", Verdict::Failure),
        ] {
            assert_eq!(CODES.verdict(&coded(400, code)), want, "{code}");
        }
        assert!(is_beyond_the_list(&coded(400, "DCS.4800")));
    }

    #[test]
    fn why_a_key_is_refused_is_told_in_our_own_words() {
        let said = |message: &str, date: &str| {
            let body = format!(
                r#"{{"error_code":"APIGW.0301","error_msg":"Incorrect IAM authentication information: {message}"}}"#
            );
            failure(401, &body, &[("date", date)]).message
        };
        let (same, later) = ("Sun, 22 Nov 2026 08:20:01 GMT", "Sun, 22 Nov 2026 08:40:00 GMT");
        for (message, date, want) in [
            ("verify aksk signature fail", same, "is the secret key right?"),
            (
                "verify aksk signature fail, canonicalRequest:GET|x-security-token:TOKEN",
                same,
                "secret key right?",
            ),
            ("Get secretKey failed,ak:AKAK,err:ak not exist", same, "does not know the access key"),
            ("AK access failed to reach the limit,forbidden", same, "locked for 5 minutes"),
            ("calc ak sk signature fail:signature expired", same, "the temporary key has expired"),
            ("calc ak sk signature fail:signature expired", later, "1200 s behind the cloud's"),
            ("decrypt token fail", same, "the key was not accepted"),
        ] {
            let told = said(message, date);
            assert!(told.contains(want), "{message}: {told}");
            assert!(!told.contains("TOKEN") && !told.contains("AKAK"), "{told}");
        }
    }

    #[test]
    fn how_long_to_wait_is_read_from_the_header_or_from_the_message() {
        let policy = |span: &str| {
            format!(
                "The throttling threshold has been reached: policy user over ratelimit,limit:20,time:{span}"
            )
        };
        for (name, message, header, want) in [
            ("a minute", policy("1 minute"), None, Some(60)),
            ("a second", policy("1 second"), None, Some(1)),
            ("many", policy("30 seconds."), None, Some(30)),
            ("the header wins", policy("1 minute"), Some("7"), Some(7)),
            ("a header of none", policy("1 minute"), Some("0"), Some(60)),
            ("a unit of its own", policy("1 fortnight"), None, None),
            ("nothing", "too many".to_owned(), None, None),
            ("too large", policy("99999999999999999999 minute"), None, None),
        ] {
            let body = format!(r#"{{"error_code":"APIGW.0308","error_msg":"{message}"}}"#);
            let headers: Vec<_> = header.into_iter().map(|value| ("retry-after", value)).collect();
            let want = CallErrorKind::Throttled(want.map(Duration::from_secs));
            assert_eq!(failure(429, &body, &headers).kind, want, "{name}");
        }
    }

    #[test]
    fn what_is_no_answer_of_the_cloud_is_named() {
        use CallErrorKind::{Throttled, Unreachable, Unreadable};
        for (name, status, body, want) in [
            ("a proxy page", 200, "<html>", Unreadable),
            ("XML where JSON is due", 200, "<?xml version='1.0'?><Error/>", Unreadable),
            ("nothing", 200, "", Unreadable),
            ("a list", 200, "[]", Unreadable),
            ("cut", 200, r#"{"instances":["#, Unreadable),
            ("a redirect", 302, "", Unreadable),
            ("a gateway", 502, "<html>", Unreachable),
            ("an empty 503", 503, "", Unreachable),
            ("a bare 429", 429, "", Throttled(None)),
            ("a 429 of a proxy", 429, "slow down", Throttled(None)),
            ("a WAF", 403, "<html>", Unreadable),
        ] {
            assert_eq!(failure(status, body, &[]).kind, want, "{name}");
        }
    }

    #[test]
    fn a_gateway_that_asks_for_patience_gets_it() {
        let error = failure(503, "busy", &[("retry-after", "9")]);
        assert_eq!(error.kind, CallErrorKind::Throttled(Some(Duration::from_secs(9))));
    }

    #[test]
    fn the_store_is_asked_for_its_code_only() {
        let body = "<Error><Code>SignatureDoesNotMatch</Code><StringToSign>PLANTED</StringToSign></Error>";
        let error = of_store(&answer(403, body, &[("x-obs-request-id", "O-1")]), action::FETCH);
        assert_eq!(
            error.to_string(),
            "obs:GetObject: refused (SignatureDoesNotMatch, request O-1): the link was answered with 403 Forbidden"
        );
        for (name, status, body, want) in [
            ("JSON where XML is due", 403, r#"{"error_code":"x"}"#, CallErrorKind::Refused),
            ("a hostile code", 404, "<Code>a b <script></Code>", CallErrorKind::Refused),
            ("slow down", 503, "<Error><Code>SlowDown</Code></Error>", CallErrorKind::Throttled(None)),
            ("a redirect", 301, "", CallErrorKind::Unreadable),
            ("a defect", 500, "", CallErrorKind::Unreachable),
        ] {
            let error = of_store(&answer(status, body, &[]), action::FETCH);
            assert_eq!(error.kind, want, "{name}");
            assert!(!error.to_string().contains("script"), "{name}");
        }
    }
}
