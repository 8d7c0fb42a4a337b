//! Signature V3 (`ACS3-HMAC-SHA256`) of Alibaba Cloud: request, key, time and nonce in, headers out.
//!
//! Pure: it reads no clock, draws no random number and sends nothing. What it returns goes into the request as it
//! stands. Nothing in here has a `Debug` form, because nearly everything holds a token or a signature.
//! The known answers in `tests/vectors/alibaba.json` come out of the official SDKs.

use std::borrow::Cow;
use std::fmt::Write as _;

use chrono::{DateTime, Datelike, Timelike, Utc};
use percent_encoding::utf8_percent_encode;
use secrecy::zeroize::Zeroizing;

use crate::provider::digest::{RESERVED, hmac_sha256_hex, sha256_hex};

/// The name of the algorithm, as it stands in `Authorization` and in the string to sign.
pub const ALGORITHM: &str = "ACS3-HMAC-SHA256";

/// SHA-256 of no bytes at all: nearly all of our calls carry every parameter in the query.
pub const EMPTY_PAYLOAD_HASH: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

/// The type of a body with parameters in it.
pub const FORM: &str = "application/x-www-form-urlencoded";

/// One API call as `notafter` makes it: `POST /`, parameters in the query, and no body but for what must not stand in an
/// address.
pub struct ApiCall<'a> {
    /// The value of the `host` header exactly as it will be sent, with a port that is not the default one.
    pub host: &'a str,
    /// Name of the call, `DescribeInstanceSSL` for example.
    pub action: &'a str,
    /// Version of the product's API, `2015-01-01` for example.
    pub version: &'a str,
    /// Parameters in any order, not encoded.
    pub query: &'a [(Cow<'a, str>, Cow<'a, str>)],
    /// The body, encoded ([`canonical_query`]); empty where there is none. The signature covers its hash.
    pub form: &'a str,
}

/// Who signs.
pub struct KeyRef<'a> {
    /// The access key id.
    pub id: &'a str,
    /// The access key secret.
    pub secret: &'a str,
    /// The security token, where the credentials are temporary.
    pub token: Option<&'a str>,
}

/// What to send: `POST /?query` with these headers.
pub struct SignedCall {
    /// The query, encoded.
    pub query: String,
    /// Every header that was signed, and `authorization`; without `host`, which the HTTP client writes itself.
    pub headers: Vec<(&'static str, String)>,
}

/// Signs one call. Only `host` and `x-acs-*` are signed, so a proxy that rewrites `user-agent` breaks nothing.
///
/// Date and nonce must be fresh for each try: the cloud accepts a nonce once and a date for 15 minutes.
pub fn signed_headers(call: &ApiCall<'_>, key: &KeyRef<'_>, date: DateTime<Utc>, nonce: &str) -> SignedCall {
    let query = canonical_query(call.query);
    let date = timestamp(date);
    let hash = payload_hash(call.form.as_bytes());
    let mut headers = Vec::with_capacity(9);
    if !call.form.is_empty() {
        headers.push(("content-type", FORM));
    }
    headers.push(("host", call.host));
    if key.token.is_some() {
        headers.push(("x-acs-accesskey-id", key.id));
    }
    headers.push(("x-acs-action", call.action));
    headers.push(("x-acs-content-sha256", &hash));
    headers.push(("x-acs-date", &date));
    if let Some(token) = key.token {
        headers.push(("x-acs-security-token", token));
    }
    headers.push(("x-acs-signature-nonce", nonce));
    headers.push(("x-acs-version", call.version));
    let request = SignRequest::new("POST", "/", &query, &headers, &hash);
    let authorization = request.authorization(key.id, key.secret);
    let ours = headers.iter().filter(|(name, _)| *name != "host");
    let mut sent: Vec<_> = ours.map(|&(name, value)| (name, value.to_owned())).collect();
    sent.push(("authorization", authorization));
    SignedCall { query, headers: sent }
}

/// `yyyy-MM-ddTHH:mm:ssZ`, the form of every date in these APIs.
pub fn timestamp(date: DateTime<Utc>) -> String {
    let mut text = String::with_capacity(20);
    let (day, time) = (date.date_naive(), date.time());
    let written = write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
        day.year(),
        day.month(),
        day.day(),
        time.hour(),
        time.minute(),
        time.second()
    );
    written.expect("writing to a string cannot fail");
    text
}

/// Lower-case hexadecimal SHA-256 of the body as sent.
pub fn payload_hash(body: &[u8]) -> String {
    if body.is_empty() { EMPTY_PAYLOAD_HASH.to_owned() } else { sha256_hex(body) }
}

/// The parameters sorted by name as bytes, percent-encoded, joined by `&`. An empty value keeps its `=`.
pub fn canonical_query<K: AsRef<str>, V: AsRef<str>>(pairs: &[(K, V)]) -> String {
    let mut sorted: Vec<(&str, &str)> = pairs.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
    sorted.sort_unstable();
    // exactly as much as is needed: a text that grows leaves what it had behind, and in here may be a key
    let encoded = |text| utf8_percent_encode(text, RESERVED).map(str::len).sum::<usize>();
    let length = sorted.iter().map(|(name, value)| encoded(name) + encoded(value) + 2).sum();
    let mut text = String::with_capacity(length);
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

/// A request reduced to what the signature covers. Both sides of the wire build one: we to sign, the simulated cloud
/// to check.
pub struct SignRequest<'a> {
    method: &'a str,
    path: &'a str,
    query: &'a str,
    headers: Cow<'a, [(&'a str, &'a str)]>,
    payload_hash: &'a str,
}

impl<'a> SignRequest<'a> {
    /// `query` is canonical already; `headers` are exactly those to sign, names in lower case, in any order.
    pub fn new(
        method: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a [(&'a str, &'a str)],
        payload_hash: &'a str,
    ) -> Self {
        let mut headers = Cow::Borrowed(headers);
        if !headers.is_sorted() {
            headers.to_mut().sort_unstable();
        }
        Self { method, path, query, headers, payload_hash }
    }

    /// The names of the signed headers, joined by `;`.
    pub fn signed_headers(&self) -> String {
        let mut text = String::with_capacity(160);
        self.push_names(&mut text);
        text
    }

    /// The text whose hash is signed.
    pub fn canonical_request(&self) -> String {
        let values = self.headers.iter().map(|(name, value)| 2 * name.len() + value.len() + 3).sum::<usize>();
        let mut text = String::with_capacity(self.path.len() + self.query.len() + values + 80);
        for part in [self.method, "\n", self.path, "\n", self.query, "\n"] {
            text.push_str(part);
        }
        for (name, value) in &*self.headers {
            for part in [*name, ":", value.trim(), "\n"] {
                text.push_str(part);
            }
        }
        text.push('\n');
        self.push_names(&mut text);
        text.push('\n');
        text.push_str(self.payload_hash);
        text
    }

    /// The value of the `authorization` header.
    pub fn authorization(&self, key_id: &str, secret: &str) -> String {
        let canonical = Zeroizing::new(self.canonical_request());
        let signature = hmac_sha256_hex(secret, &string_to_sign(&canonical));
        authorization(key_id, &self.signed_headers(), &signature)
    }

    fn push_names(&self, text: &mut String) {
        for (place, (name, _)) in self.headers.iter().enumerate() {
            if place > 0 {
                text.push(';');
            }
            text.push_str(name);
        }
    }
}

/// The name of the algorithm and the hash of the canonical request.
pub fn string_to_sign(canonical_request: &str) -> String {
    let mut text = String::with_capacity(ALGORITHM.len() + 65);
    text.push_str(ALGORITHM);
    text.push('\n');
    text.push_str(&sha256_hex(canonical_request.as_bytes()));
    text
}

/// Joins the parts of the `authorization` header.
pub fn authorization(key_id: &str, signed_headers: &str, signature: &str) -> String {
    [ALGORITHM, " Credential=", key_id, ",SignedHeaders=", signed_headers, ",Signature=", signature].concat()
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::prelude::BASE64_STANDARD;
    use serde_json::Value;

    use super::*;

    fn vectors() -> Vec<Value> {
        let file: Value = serde_json::from_str(include_str!("../../../tests/vectors/alibaba.json")).unwrap();
        file["v3"].as_array().unwrap().clone()
    }

    fn pairs(object: &Value) -> Vec<(&str, &str)> {
        object.as_object().unwrap().iter().map(|(k, v)| (k.as_str(), v.as_str().unwrap())).collect()
    }

    fn body(vector: &Value) -> Vec<u8> {
        match (&vector["body"], &vector["body_base64"]) {
            (Value::String(text), _) => text.clone().into_bytes(),
            (_, Value::String(text)) => BASE64_STANDARD.decode(text).unwrap(),
            _ => Vec::new(),
        }
    }

    fn check(vector: &Value) {
        let text = |name: &str| vector[name].as_str().unwrap();
        let (id, want) = (text("id"), |name: &str| vector["expect"][name].as_str().unwrap().to_owned());
        let hash = payload_hash(&body(vector));
        assert_eq!(hash, want("hashed_payload"), "{id}: payload hash");
        let (query, headers) = (canonical_query(&pairs(&vector["query"])), pairs(&vector["headers"]));
        let request = SignRequest::new(text("method"), text("path"), &query, &headers, &hash);
        let canonical = request.canonical_request();
        assert_eq!(canonical, want("canonical_request"), "{id}: canonical request");
        let to_sign = string_to_sign(&canonical);
        assert_eq!(to_sign, want("string_to_sign"), "{id}: string to sign");
        assert_eq!(request.signed_headers(), want("signed_headers"), "{id}: signed headers");
        let secret = text("access_key_secret");
        assert_eq!(hmac_sha256_hex(secret, &to_sign), want("signature"), "{id}: signature");
        let authorization = request.authorization(text("access_key_id"), secret);
        assert_eq!(authorization, want("authorization"), "{id}: authorization");
    }

    #[test]
    fn every_known_answer_of_the_sdks_comes_out() {
        let vectors = vectors();
        vectors.iter().for_each(check);
        assert_eq!(vectors.len(), 13, "vectors were added or lost");
    }

    /// Our own header set is the SDKs' without `user-agent` and `accept`; our bodies are forms.
    fn is_ours(vector: &Value) -> bool {
        let small = |name: &String| ["host", "content-type"].contains(&name.as_str()) || is_cloud(name);
        let kind = &vector["headers"]["content-type"];
        vector["method"] == "POST"
            && (vector["body"].is_null() || *kind == FORM)
            && vector["headers"].as_object().unwrap().keys().all(small)
            && vector["body_base64"].is_null()
    }

    fn is_cloud(name: &str) -> bool {
        name.starts_with("x-acs-")
    }

    #[test]
    fn a_call_of_ours_is_signed_like_the_same_call_of_the_sdk() {
        let vectors = vectors();
        let ours: Vec<_> = vectors.iter().filter(|vector| is_ours(vector)).collect();
        assert_eq!(ours.len(), 8, "vectors that our header set can be compared with");
        for vector in ours {
            let text = |name: &str| vector[name].as_str().unwrap();
            let query: Vec<_> =
                pairs(&vector["query"]).into_iter().map(|(k, v)| (k.into(), v.into())).collect();
            let call = ApiCall {
                host: text("host"),
                action: text("action"),
                version: text("version"),
                query: &query,
                form: vector["body"].as_str().unwrap_or_default(),
            };
            let token = vector["security_token"].as_str();
            let key = KeyRef { id: text("access_key_id"), secret: text("access_key_secret"), token };
            let signed = signed_headers(&call, &key, text("date").parse().unwrap(), text("nonce"));
            let mut sent: Vec<_> = signed.headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
            assert_eq!(sent.pop().unwrap().1, vector["expect"]["authorization"], "{}", text("id"));
            sent.push(("host", text("host")));
            sent.sort_unstable();
            assert_eq!(sent, pairs(&vector["headers"]), "{}: headers", text("id"));
        }
    }

    #[test]
    fn a_form_is_encoded_as_the_sdk_encodes_it_and_has_room_for_nothing_else() {
        let vectors = vectors();
        let vector = vectors.iter().find(|vector| vector["id"] == "v3-09").unwrap();
        let pairs = [
            ("DBInstanceId", "rm-uf6wjk50001"),
            ("ConnectionString", "rm-uf6wjk50001.mysql.rds.aliyuncs.com"),
            ("SSLEnabled", "1"),
            ("CAType", "aliyun"),
        ];
        assert_eq!(canonical_query(&pairs), vector["body"].as_str().unwrap());
        let pem = canonical_query(&[("ServerKey", "-----BEGIN\n+/=\n"), ("a", "b")]);
        assert_eq!(pem, "ServerKey=-----BEGIN%0A%2B%2F%3D%0A&a=b");
        assert!(pem.capacity() <= pem.len() + 2, "it never grew");
    }

    #[test]
    fn a_date_has_four_digits_of_year_and_no_fraction() {
        for (date, want) in [
            ("2026-01-02T03:04:05.999Z", "2026-01-02T03:04:05Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
            ("9999-12-31T23:59:59Z", "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(timestamp(date.parse().unwrap()), want);
        }
    }
}
