//! A request as it came in: parameters decoded, and what it is about found out before anything is believed.

use std::borrow::Cow;

use hyper::HeaderMap;
use percent_encoding::percent_decode_str;

use super::error::ApiError;
use super::ledger::Parameter;
use super::product::Product;
use crate::provider::alibaba::sign;

/// A decoded parameter.
type Pair<'a> = (Cow<'a, str>, Cow<'a, str>);

/// A request, borrowed from the connection.
pub(super) struct Received<'a> {
    /// `POST` or `GET`.
    pub(super) method: &'a str,
    /// Path as sent.
    pub(super) path: &'a str,
    /// Headers.
    pub(super) headers: &'a HeaderMap,
    /// Body.
    pub(super) body: &'a [u8],
    /// Parameters of the query: these are signed one by one.
    pub(super) query: Vec<Pair<'a>>,
    form: Vec<Pair<'a>>,
}

impl<'a> Received<'a> {
    /// Decodes the parameters of query and form body.
    pub(super) fn new(
        method: &'a str,
        path: &'a str,
        query: &'a str,
        headers: &'a HeaderMap,
        body: &'a [u8],
    ) -> Result<Self, ApiError> {
        let is_form =
            header(headers, "content-type").is_some_and(|kind| kind.contains("x-www-form-urlencoded"));
        let form = if is_form { std::str::from_utf8(body).map_err(|_| malformed())? } else { "" };
        Ok(Self { method, path, headers, body, query: decode(query)?, form: decode(form)? })
    }

    /// A header, empty where it is missing or not text.
    pub(super) fn header(&self, name: &str) -> &'a str {
        header(self.headers, name).unwrap_or_default()
    }

    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter().chain(&self.form);
        pairs.find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// Every parameter, as the ledger keeps them: private keys as their hashes.
    pub(super) fn parameters(&self) -> Vec<Parameter> {
        let both = [(&self.query, false), (&self.form, true)].into_iter();
        let pairs = both.flat_map(|(pairs, in_body)| pairs.iter().map(move |pair| (pair, in_body)));
        let kept = |value: &str| {
            let is_key = value.contains("PRIVATE KEY");
            if is_key { sign::payload_hash(value.as_bytes()).into() } else { value.into() }
        };
        pairs
            .map(|((name, value), in_body)| Parameter { name: (&**name).into(), value: kept(value), in_body })
            .collect()
    }

    /// A parameter that must be there and not be empty.
    pub(super) fn required(&self, name: &str) -> Result<&str, ApiError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing(name))
    }

    /// The elements of a flattened list: `Name.1`, `Name.2`, or with a field, `Name.1.Key`.
    pub(super) fn numbered(&self, name: &str, field: &str) -> Vec<&str> {
        let values = (1..).map(|n| self.get(&format!("{name}.{n}{field}")));
        values.map_while(|value| value).collect()
    }

    /// The tags asked for, with or without a value.
    pub(super) fn tags(&self) -> Vec<(&str, Option<&str>)> {
        let keys = self.numbered("Tag", ".Key").into_iter().enumerate();
        keys.map(|(n, key)| (key, self.get(&format!("Tag.{}.Value", n + 1)))).collect()
    }

    /// The access key id that the request claims to come from.
    pub(super) fn key_id(&self) -> &'a str {
        let after = self.header("authorization").split_once("Credential=").map_or("", |(_, rest)| rest);
        after.split(',').next().unwrap_or_default().trim()
    }

    /// The name of the call: a header where it is signed, a parameter where it is not.
    pub(super) fn action_name(&self) -> &str {
        match self.header("x-acs-action") {
            "" => self.get("Action").unwrap_or_default(),
            name => name,
        }
    }

    /// The product whose API version is named.
    pub(super) fn product(&self) -> Option<Product> {
        let version = self.header("x-acs-version");
        Product::ALL.into_iter().find(|product| product.version() == version)
    }
}

/// What can be asked, across the products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Which regions there are.
    Regions,
    /// Which instances there are.
    List,
    /// Details of one.
    Attribute,
    /// Its certificate.
    Ssl,
    /// Change its certificate.
    ModifySsl,
    /// Tags of several.
    Tags,
}

/// The names of the calls.
const ACTIONS: [(Product, &str, Action); 16] = [
    (Product::Redis, "DescribeInstanceSSL", Action::Ssl),
    (Product::Rds, "DescribeDBInstanceSSL", Action::Ssl),
    (Product::MongoDb, "DescribeDBInstanceSSL", Action::Ssl),
    (Product::Redis, "DescribeInstances", Action::List),
    (Product::Rds, "DescribeDBInstances", Action::List),
    (Product::MongoDb, "DescribeDBInstances", Action::List),
    (Product::Redis, "DescribeRegions", Action::Regions),
    (Product::Rds, "DescribeRegions", Action::Regions),
    (Product::MongoDb, "DescribeRegions", Action::Regions),
    (Product::Redis, "DescribeInstanceAttribute", Action::Attribute),
    (Product::Rds, "DescribeDBInstanceAttribute", Action::Attribute),
    (Product::MongoDb, "DescribeDBInstanceAttribute", Action::Attribute),
    (Product::Redis, "ModifyInstanceSSL", Action::ModifySsl),
    (Product::Rds, "ModifyDBInstanceSSL", Action::ModifySsl),
    (Product::MongoDb, "ModifyDBInstanceSSL", Action::ModifySsl),
    (Product::Rds, "ListTagResources", Action::Tags),
];

/// The call with this name, and the name with a life of its own.
pub(super) fn action(product: Product, name: &str) -> Option<(Action, &'static str)> {
    let found = ACTIONS.iter().find(|(of, known, _)| *of == product && *known == name);
    found.map(|&(_, name, action)| (action, name))
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}

fn decode(query: &str) -> Result<Vec<Pair<'_>>, ApiError> {
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts
        .map(|part| part.split_once('=').unwrap_or((part, "")))
        .map(|(k, v)| Ok((text(k)?, text(v)?)))
        .collect()
}

/// One name or value; a plus sign stands for a blank, as some clients send it.
fn text(encoded: &str) -> Result<Cow<'_, str>, ApiError> {
    if encoded.contains('+') {
        let spaced = encoded.replace('+', " ");
        let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| malformed())?;
        return Ok(Cow::Owned(decoded.into_owned()));
    }
    percent_decode_str(encoded).decode_utf8().map_err(|_| malformed())
}

fn malformed() -> ApiError {
    ApiError::new(400, "InvalidParameter", "The parameters are not UTF-8 text.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_like_the_cloud_does() {
        let headers = HeaderMap::new();
        let query = "Tag.1.Key=a+b&Tag.1.Value=%E8%AE%A2&Tag.2.Key=c%2Bd&Empty=&Flag";
        let received = Received::new("POST", "/", query, &headers, b"").unwrap();
        assert_eq!(received.tags(), [("a b", Some("订")), ("c+d", None)]);
        assert_eq!(
            (received.get("Empty"), received.get("Flag"), received.get("No")),
            (Some(""), Some(""), None)
        );
        assert_eq!(received.required("Empty").unwrap_err().code, "MissingEmpty");
    }

    #[test]
    fn bytes_that_are_no_text_are_refused() {
        let headers = HeaderMap::new();
        let refused = Received::new("POST", "/", "a=%FF", &headers, b"");
        assert_eq!(refused.err().unwrap().code, "InvalidParameter");
    }
}
