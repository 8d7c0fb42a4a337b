//! Signature `SDK-HMAC-SHA256` of Huawei Cloud: request, key and time in, headers out.
//!
//! Pure: it reads no clock and sends nothing. What it returns goes into the request as it stands. Nothing in here has
//! a `Debug` form, because nearly everything holds a token or a signature.
//! The known answers in `tests/vectors/huawei.json` come out of the official SDK.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use percent_encoding::{percent_decode_str, percent_encode, utf8_percent_encode};
use secrecy::zeroize::Zeroizing;

use crate::provider::digest::{RESERVED, hmac_sha256_hex, sha256_hex};

/// The name of the algorithm, as it stands in `Authorization` and in the string to sign.
pub const ALGORITHM: &str = "SDK-HMAC-SHA256";

/// SHA-256 of no bytes at all: none of our calls has a body.
pub const EMPTY_PAYLOAD_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// Stands for the hash of a body that is not JSON.
pub const UNSIGNED_PAYLOAD: &str = "UNSIGNED-PAYLOAD";

/// One API call as `notafter` makes it: no body, everything in path and query.
pub struct ApiCall<'a> {
    /// `GET` or `POST`.
    pub method: &'a str,
    /// The value of the `host` header exactly as it will be sent, with a port that is not the default one.
    pub host: &'a str,
    /// The path as it stands in the address.
    pub path: &'a str,
    /// Parameters in any order, not encoded.
    pub query: &'a [(&'a str, &'a str)],
    /// The project, for calls of a regional service.
    pub project: Option<&'a str>,
}

/// Who signs.
pub struct KeyRef<'a> {
    /// The access key (AK).
    pub id: &'a str,
    /// The secret key (SK).
    pub secret: &'a str,
    /// The security token, where the key is temporary.
    pub token: Option<&'a str>,
}

/// What to send beside the method and the path.
pub struct SignedCall {
    /// The query, encoded; empty where there is none.
    pub query: String,
    /// Every header that was signed, and `authorization`; without `host`, which the HTTP client writes itself.
    pub headers: Vec<(&'static str, String)>,
}

/// Signs one call. Only what no HTTP library or proxy rewrites is signed: host, date, project and token.
///
/// The date must be fresh for each try: the cloud accepts one for 15 minutes.
pub fn signed_headers(call: &ApiCall<'_>, key: &KeyRef<'_>, date: DateTime<Utc>) -> SignedCall {
    let query = canonical_query(call.query);
    let date = timestamp(date);
    let optional = [("x-project-id", call.project), ("x-security-token", key.token)];
    let optional = optional.into_iter().filter_map(|(name, value)| Some((name, value?)));
    let headers: Vec<_> = [("host", call.host), ("x-sdk-date", &*date)].into_iter().chain(optional).collect();
    let request = SignRequest::new(call.method, call.path, &query, &headers, EMPTY_PAYLOAD_HASH);
    let authorization = request.authorization(key.id, key.secret, &date);
    let mut sent: Vec<_> = headers[1..].iter().map(|&(name, value)| (name, value.to_owned())).collect();
    sent.push(("authorization", authorization));
    SignedCall { query, headers: sent }
}

/// `YYYYMMDDTHHMMSSZ`, the form of `x-sdk-date`.
pub fn timestamp(date: DateTime<Utc>) -> String {
    date.format("%Y%m%dT%H%M%SZ").to_string()
}

/// What stands for the body in the canonical request: the hash of JSON as sent, a fixed word for anything else.
pub fn payload_hash(content_type: Option<&str>, body: &[u8]) -> String {
    let is_json = |kind: &str| kind.to_ascii_lowercase().contains("application/json");
    if content_type.is_some_and(|kind| !is_json(kind)) {
        return UNSIGNED_PAYLOAD.to_owned();
    }
    if body.is_empty() { EMPTY_PAYLOAD_HASH.to_owned() } else { sha256_hex(body) }
}

/// The parameters sorted by name and then by value as bytes, percent-encoded, joined by `&`; an empty value keeps
/// its `=`. This is also the form in which the query is sent.
pub fn canonical_query<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let mut sorted: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
    sorted.sort_unstable();
    let mut text = String::with_capacity(sorted.iter().map(|(k, v)| k.len() + v.len() + 2).sum());
    for (name, value) in sorted {
        if !text.is_empty() {
            text.push('&');
        }
        text.extend(utf8_percent_encode(name, RESERVED));
        text.push('=');
        text.extend(utf8_percent_encode(value, RESERVED));
    }
    text
}

/// The path decoded once, each part encoded anew, with a slash at its end that the address itself need not have.
pub fn canonical_path(path: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    let parts: Vec<String> =
        decoded.split(|byte| *byte == b'/').map(|part| percent_encode(part, RESERVED).to_string()).collect();
    let mut text = parts.join("/");
    if !text.ends_with('/') {
        text.push('/');
    }
    text
}

/// A request reduced to what the signature covers. Both sides of the wire build one: we to sign, the simulated cloud
/// to check.
pub struct SignRequest<'a> {
    method: &'a str,
    path: String,
    query: &'a str,
    headers: Vec<(Cow<'a, str>, &'a str)>,
    payload_hash: &'a str,
}

impl<'a> SignRequest<'a> {
    /// `query` is canonical already; `headers` are those to sign, in any order and case. One with an underscore in
    /// its name is never signed: gateways drop such headers or rewrite them.
    pub fn new(
        method: &'a str,
        path: &str,
        query: &'a str,
        headers: &[(&'a str, &'a str)],
        payload_hash: &'a str,
    ) -> Self {
        let lower = |name: &'a str| -> Cow<'a, str> {
            if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
                name.to_ascii_lowercase().into()
            } else {
                name.into()
            }
        };
        let signed = headers.iter().filter(|(name, _)| !name.contains('_'));
        let mut headers: Vec<_> = signed.map(|&(name, value)| (lower(name), value.trim())).collect();
        headers.sort_unstable();
        Self { method, path: canonical_path(path), query, headers, payload_hash }
    }

    /// The names of the signed headers, joined by `;`.
    pub fn signed_headers(&self) -> String {
        self.headers.iter().map(|(name, _)| &**name).collect::<Vec<_>>().join(";")
    }

    /// The text whose hash is signed.
    pub fn canonical_request(&self) -> String {
        let mut text = [self.method, "\n", &self.path, "\n", self.query, "\n"].concat();
        for (name, value) in &self.headers {
            for part in [&**name, ":", *value, "\n"] {
                text.push_str(part);
            }
        }
        for part in ["\n", &*self.signed_headers(), "\n", self.payload_hash] {
            text.push_str(part);
        }
        text
    }

    /// The value of the `authorization` header; `date` as in `x-sdk-date`.
    pub fn authorization(&self, key_id: &str, secret: &str, date: &str) -> String {
        let canonical = Zeroizing::new(self.canonical_request());
        let signature = hmac_sha256_hex(secret, &string_to_sign(&canonical, date));
        let names = self.signed_headers();
        [ALGORITHM, " Access=", key_id, ", SignedHeaders=", &names, ", Signature=", &signature].concat()
    }
}

/// The name of the algorithm, the date and the hash of the canonical request.
pub fn string_to_sign(canonical_request: &str, date: &str) -> String {
    [ALGORITHM, "\n", date, "\n", &sha256_hex(canonical_request.as_bytes())].concat()
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::*;

    fn cases() -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/huawei.json")).unwrap();
        file["cases"].as_array().unwrap().clone()
    }

    fn text<'v>(object: &'v Value, name: &str) -> &'v str {
        object[name].as_str().unwrap_or_default()
    }

    fn pairs(request: &Value) -> Vec<(&str, &str)> {
        request["query"].as_array().unwrap().iter().map(|pair| (text_at(pair, 0), text_at(pair, 1))).collect()
    }

    fn text_at(list: &Value, place: usize) -> &str {
        list[place].as_str().unwrap()
    }

    /// The headers as the SDK sets them: the caller's, the host, those of the credentials, the mark of a foreign body.
    fn headers(case: &Value, unsigned_body: bool) -> Vec<(&str, &str)> {
        let (request, credentials) = (&case["request"], &case["credentials"]);
        let own: &Map<String, Value> = request["headers"].as_object().unwrap();
        let mut headers: Vec<_> =
            own.iter().map(|(name, value)| (&**name, value.as_str().unwrap())).collect();
        headers.push(("Host", text(request, "host")));
        for (name, field) in [
            ("X-Project-Id", "project_id"),
            ("X-Domain-Id", "domain_id"),
            ("X-Security-Token", "security_token"),
        ] {
            headers.extend(credentials[field].as_str().map(|value| (name, value)));
        }
        headers.extend(unsigned_body.then_some(("X-Sdk-Content-Sha256", UNSIGNED_PAYLOAD)));
        headers
    }

    fn check(case: &Value) {
        let (name, request, want) = (text(case, "name"), &case["request"], &case["expected"]);
        let (pairs, kind) = (pairs(request), request["headers"]["Content-Type"].as_str());
        let (query, hash) = (canonical_query(&pairs), payload_hash(kind, text(request, "body").as_bytes()));
        let headers = headers(case, hash == UNSIGNED_PAYLOAD);
        let path = text(request, "path");
        let mark = if query.is_empty() { "" } else { "?" };
        let url = [text(request, "scheme"), "://", text(request, "host"), path, mark, &query].concat();
        assert_eq!(url, text(want, "url"), "{name}: address");
        assert_eq!(headers.len(), want["headers"].as_object().unwrap().len(), "{name}: headers sent");
        let signed = SignRequest::new(text(request, "method"), path, &query, &headers, &hash);
        assert_eq!(hash, text(want, "payload_hash"), "{name}: payload hash");
        assert_eq!(signed.signed_headers(), text(want, "signed_headers"), "{name}: signed headers");
        let canonical = signed.canonical_request();
        assert_eq!(canonical, text(want, "canonical_request"), "{name}: canonical request");
        let date = text(&request["headers"], "X-Sdk-Date");
        let to_sign = string_to_sign(&canonical, date);
        assert_eq!(to_sign, text(want, "string_to_sign"), "{name}: string to sign");
        let (id, secret) = (text(&case["credentials"], "ak"), text(&case["credentials"], "sk"));
        assert_eq!(hmac_sha256_hex(secret, &to_sign), text(want, "signature"), "{name}: signature");
        assert_eq!(signed.authorization(id, secret, date), text(want, "authorization"), "{name}");
    }

    #[test]
    fn every_known_answer_of_the_sdk_comes_out() {
        let cases = cases();
        for case in &cases {
            check(case);
        }
        assert_eq!(cases.len(), 18, "vectors were added or lost");
    }

    #[test]
    fn a_changed_byte_changes_the_signature() {
        for case in cases() {
            let want = text(&case["expected"], "signature");
            let to_sign = text(&case["expected"], "string_to_sign");
            let secret = text(&case["credentials"], "sk");
            assert_ne!(hmac_sha256_hex(&format!("{secret}x"), to_sign), want, "another secret");
            assert_ne!(hmac_sha256_hex(secret, &to_sign.replacen('2', "3", 1)), want, "another text");
        }
    }

    /// Our own header set: no content type, no body, no domain, no headers of the caller's but the date.
    fn is_ours(case: &Value) -> bool {
        case["request"]["headers"].as_object().unwrap().len() == 1
            && text(&case["request"], "body").is_empty()
            && case["credentials"]["domain_id"].is_null()
    }

    #[test]
    fn a_call_of_ours_is_signed_like_the_same_call_of_the_sdk() {
        let cases = cases();
        let ours: Vec<_> = cases.iter().filter(|case| is_ours(case)).collect();
        assert_eq!(ours.len(), 9, "vectors that our header set can be compared with");
        for case in ours {
            let (request, credentials) = (&case["request"], &case["credentials"]);
            let (method, host, path) =
                (text(request, "method"), text(request, "host"), text(request, "path"));
            let (query, project) = (pairs(request), credentials["project_id"].as_str());
            let call = ApiCall { method, host, path, query: &query, project };
            let key = KeyRef { id: text(credentials, "ak"), secret: text(credentials, "sk"), token: None };
            let date = "2025-11-22T12:00:00Z".parse().unwrap();
            let mut signed = signed_headers(&call, &key, date);
            let authorization = signed.headers.pop().unwrap().1;
            assert_eq!(authorization, case["expected"]["authorization"], "{}", text(case, "name"));
            assert_eq!(signed.headers.len(), 1 + usize::from(project.is_some()));
        }
    }

    #[test]
    fn a_token_is_sent_and_signed() {
        let call = ApiCall { method: "GET", host: "h", path: "/", query: &[], project: Some("p") };
        let key = KeyRef { id: "a", secret: "s", token: Some("TOKEN") };
        let signed = signed_headers(&call, &key, DateTime::UNIX_EPOCH);
        let find =
            |wanted| signed.headers.iter().find(|(name, _)| *name == wanted).map(|(_, value)| &**value);
        assert_eq!((find("x-security-token"), find("x-sdk-date")), (Some("TOKEN"), Some("19700101T000000Z")));
        assert!(
            find("authorization")
                .unwrap()
                .contains("SignedHeaders=host;x-project-id;x-sdk-date;x-security-token,")
        );
    }

    #[test]
    fn the_documented_example_holds() {
        let hash = "b25362e603ee30f4f25e7858e8a7160fd36e803bb2dfe206278659d71a9bcd7a";
        let to_sign = [ALGORITHM, "\n20191115T033655Z\n", hash].concat();
        let signature = hmac_sha256_hex("MFyfvK41ba2giqM7Uio6PznpdUKGpownRZlmVmHc", &to_sign);
        assert_eq!(signature, "7be6668032f70418fcc22abc52071e57aff61b84a1d2381bb430d6870f4f6ebe");
    }
}
