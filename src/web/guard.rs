//! What stands before the routes of a port: TLS, users, and what browsers are told about both.

use std::sync::Arc;

use axum::http::header::STRICT_TRANSPORT_SECURITY;
use axum::http::{HeaderValue, Request};
use axum::response::Response;

use super::peer::Peer;
use super::users::Users;
use crate::tls::Tls;

/// A year. Of this name alone: what else is below it is not ours to speak for.
const ONLY_TLS: HeaderValue = HeaderValue::from_static("max-age=31536000");

/// How a port is guarded; by default everybody may look, in plain text.
#[derive(Debug, Clone, Default)]
pub struct Guard {
    /// Our own TLS; `None`: plain HTTP.
    pub tls: Option<Arc<Tls>>,
    /// Who may come in; with nobody in it nobody is asked.
    pub users: Arc<Users>,
    /// Browsers shall reach this host name by TLS only (HSTS). That is said of every port of the name, so it takes more
    /// than a certificate: the name must be ours alone.
    pub only_tls: bool,
}

impl Guard {
    /// Whether browsers may be told to use nothing but TLS: there is TLS, and the port is reached as `https://NAME`
    /// without a port of its own. With one, the name is likely shared with other services, which this would cut off.
    pub fn may_insist(has_tls: bool, external_url: Option<&str>) -> bool {
        let name = external_url.and_then(|url| url.strip_prefix("https://"));
        let name = name.map(|rest| rest.split('/').next().unwrap_or_default());
        has_tls && name.is_some_and(|name| !name.contains(':') || name.ends_with(']'))
    }

    /// Lets a request in, or gives the answer to it. See [`Users`].
    pub(super) async fn admit<B>(&self, request: &mut Request<B>, peer: Peer) -> Result<(), Response> {
        if self.users.is_empty() {
            return Ok(());
        }
        let path = request.uri().path().to_owned();
        let mut headers = std::mem::take(request.headers_mut());
        let admitted = self.users.admit(&path, &mut headers, request.extensions_mut(), peer).await;
        *request.headers_mut() = headers;
        admitted
    }

    /// Says to browsers what they have to know of the guard.
    pub(super) fn announce(&self, mut answer: Response) -> Response {
        if self.only_tls {
            answer.headers_mut().insert(STRICT_TRANSPORT_SECURITY, ONLY_TLS);
        }
        answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn browsers_are_told_to_insist_on_tls_only_where_the_name_is_ours() {
        for (tls, url, want) in [
            (true, Some("https://notafter.example"), true),
            (true, Some("https://notafter.example/below"), true),
            (true, Some("https://[2001:db8::1]"), true),
            (true, Some("https://monitor.example:9809"), false),
            (true, Some("https://[2001:db8::1]:9809"), false),
            (true, Some("http://notafter.example"), false),
            (true, None, false),
            (false, Some("https://notafter.example"), false),
        ] {
            assert_eq!(Guard::may_insist(tls, url), want, "{tls} {url:?}");
        }
    }
}
