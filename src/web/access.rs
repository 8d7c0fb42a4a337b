//! Who may change something: whoever may open the control socket, and on the web port whoever is known by name
//! (`users`). A port without users only shows.

use std::sync::Arc;

use axum::extract::FromRequestParts;
use axum::http::HeaderMap;
use axum::http::header::{HOST, ORIGIN};
use axum::http::request::Parts;

use super::refusal::Refusal;
use super::users::UserName;
use super::view::Shown;

/// Who asks over the control socket: the system has checked who may, and does not say who it was. What somebody says there
/// of themselves is followed by this in brackets; no user of the web port has a name with blanks.
pub(super) const CONTROL: &str = "control socket";

/// By which way a request came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// The web port. Who is known there has a name among the extensions of the request.
    Port,
    /// The control socket: the system has checked who may open it.
    Control,
}

/// The right to change something. A handler that takes it is not reached without.
pub(super) struct MayChange(Arc<str>);

impl MayChange {
    /// Who changes it: the name of the user, or `control socket`.
    pub(super) fn who(&self) -> &str {
        &self.0
    }
}

impl FromRequestParts<Shown> for MayChange {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, shown: &Shown) -> Result<Self, Refusal> {
        if is_foreign(&parts.headers) {
            return Err(Refusal::forbidden("a page of another site cannot change anything here"));
        }
        match (shown.access, parts.extensions.get::<UserName>()) {
            (Access::Control, _) => Ok(Self(CONTROL.into())),
            (Access::Port, Some(UserName(name))) => Ok(Self(Arc::clone(name))),
            (Access::Port, None) => Err(Refusal::forbidden(
                "changing something needs the control socket or an authenticated user, and no users are configured \
                 under [web]: use the command `notafter` on the machine of the daemon",
            )),
        }
    }
}

/// A browser sent it on behalf of another site. Programs send neither header.
fn is_foreign(headers: &HeaderMap) -> bool {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or("unreadable"));
    let elsewhere = text("sec-fetch-site").is_some_and(|site| !["same-origin", "none"].contains(&site));
    let host = text(HOST.as_str()).unwrap_or_default();
    let other = text(ORIGIN.as_str()).is_some_and(|origin| {
        origin.split_once("://").is_none_or(|(_, from)| host.is_empty() || !from.eq_ignore_ascii_case(host))
    });
    elsewhere || other
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn what_another_site_sends_is_told_apart() {
        for (name, headers, want) in [
            ("a program", &[("host", "x")][..], false),
            (
                "our own page",
                &[("host", "x:1"), ("origin", "http://x:1"), ("sec-fetch-site", "same-origin")],
                false,
            ),
            ("typed by a person", &[("host", "x"), ("sec-fetch-site", "none")], false),
            ("another site", &[("host", "x"), ("sec-fetch-site", "cross-site")], true),
            ("another name of the domain", &[("host", "x"), ("sec-fetch-site", "same-site")], true),
            ("another origin", &[("host", "x"), ("origin", "https://evil.example")], true),
            ("another port", &[("host", "x:1"), ("origin", "http://x:2")], true),
            ("nowhere", &[("host", "x"), ("origin", "null")], true),
            ("no host", &[("origin", "http://x")], true),
        ] {
            let pairs = headers
                .iter()
                .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
            assert_eq!(is_foreign(&pairs.collect()), want, "{name}");
        }
    }
}
