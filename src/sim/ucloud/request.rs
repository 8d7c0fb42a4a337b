//! A request as it came in: its parameters, and the text that its signature must cover.

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;
use serde_json::Value;

use super::error::ApiError;
use crate::provider::ucloud::sign;

/// The parameters of a call.
pub(super) enum Received {
    /// A form in a body, or the query of a GET.
    Form(Vec<(String, String)>),
    /// A JSON body.
    Json(Value),
}

impl Received {
    /// Takes a request apart.
    pub(super) fn new(parts: &Parts, body: &[u8]) -> Result<Self, ApiError> {
        if parts.method == "GET" {
            return Ok(Self::Form(decode(parts.uri.query().unwrap_or_default())?));
        }
        let kind = parts.headers.get("content-type").and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if kind.starts_with("application/json") {
            let json = serde_json::from_slice(body).ok().filter(Value::is_object);
            return json.map(Self::Json).ok_or_else(no_parameters);
        }
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(no_parameters());
        }
        Ok(Self::Form(decode(std::str::from_utf8(body).map_err(|_| no_parameters())?)?))
    }

    /// A parameter that is a scalar; the names are the same in both encodings.
    pub(super) fn get(&self, name: &str) -> Option<String> {
        match self {
            Self::Form(pairs) => pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone()),
            Self::Json(json) => match json.get(name)? {
                Value::String(text) => Some(text.clone()),
                Value::Number(number) => Some(number.to_string()),
                _ => None,
            },
        }
    }

    /// A parameter that must be there and not be empty.
    pub(super) fn required(&self, name: &str) -> Result<String, ApiError> {
        self.get(name).filter(|value| !value.is_empty()).ok_or_else(|| ApiError::missing(name))
    }

    /// A number, or what holds where none is given.
    pub(super) fn number(&self, name: &str, otherwise: usize) -> Result<usize, ApiError> {
        match self.get(name) {
            None => Ok(otherwise),
            Some(text) => text.parse().map_err(|_| ApiError::not_available(name)),
        }
    }

    /// The signature that the parameters as received must have with this key.
    pub(super) fn signature(&self, private: &str) -> String {
        const NAME: &str = "Signature";
        match self {
            Self::Form(pairs) => {
                let covered: Vec<_> = pairs.iter().filter(|(name, _)| name != NAME).cloned().collect();
                sign::form_signature(&covered, private)
            }
            Self::Json(json) => {
                let mut covered = json.clone();
                if let Value::Object(members) = &mut covered {
                    members.remove(NAME);
                }
                sign::json_signature(&covered, private)
            }
        }
    }
}

fn no_parameters() -> ApiError {
    ApiError::new(160, "Missing Action")
}

fn decode(form: &str) -> Result<Vec<(String, String)>, ApiError> {
    let pairs = form.split('&').filter(|part| !part.is_empty());
    pairs
        .map(|part| {
            let (name, value) = part.split_once('=').unwrap_or((part, ""));
            Ok((text(name)?, text(value)?))
        })
        .collect()
}

/// A plus sign stands for a blank in a form.
fn text(encoded: &str) -> Result<String, ApiError> {
    let spaced = encoded.replace('+', " ");
    let decoded = percent_decode_str(&spaced).decode_utf8().map_err(|_| no_parameters())?;
    Ok(decoded.into_owned())
}
