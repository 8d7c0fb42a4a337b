//! A request as it came in, and what it is about, found out before anything is believed.

use std::borrow::Cow;

use hyper::http::request::Parts;
use percent_encoding::percent_decode_str;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    /// Which projects the key may use.
    Projects,
    /// Which instances a project has.
    List,
    /// Whether TLS is on.
    Ssl,
    /// A link to the CA.
    Download,
    /// What is behind it.
    Object,
    /// No such thing.
    Unknown,
}

impl Action {
    /// The name in the call log, and in [`Where`](crate::sim::alibaba::Where).
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Projects => "KeystoneListAuthProjects",
            Self::List => "ListInstances",
            Self::Ssl => "ShowInstanceSslDetail",
            Self::Download => "DownloadSslCert",
            Self::Object => "GetObject",
            Self::Unknown => "unknown",
        }
    }

    /// The permission that it needs.
    pub(super) fn permission(self) -> Option<&'static str> {
        match self {
            Self::List => Some("dcs:instance:list"),
            Self::Ssl => Some("dcs:ssl:get"),
            Self::Download => Some("dcs:ssl:modify"),
            Self::Projects | Self::Object | Self::Unknown => None,
        }
    }
}

/// A request, borrowed from the connection.
pub(super) struct Received<'a> {
    /// Method, headers, address.
    pub(super) parts: &'a Parts,
    /// Body.
    pub(super) body: &'a [u8],
    /// Parameters, decoded.
    pub(super) query: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    /// What is asked.
    pub(super) action: Action,
    /// The first part of the path stands for the region's own host.
    pub(super) region: &'a str,
    /// Project in the path.
    pub(super) project: &'a str,
    /// Instance in the path, or the object.
    pub(super) resource: &'a str,
}

impl<'a> Received<'a> {
    /// Takes a request apart: `/iam/v3/auth/projects`, `/{region}/v2/{project}/instances[/{id}/ssl…]`, `/obs/…`.
    pub(super) fn new(parts: &'a Parts, body: &'a [u8]) -> Self {
        let path = parts.uri.path();
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let method = parts.method.as_str();
        let (action, region, project, resource) = match (method, &segments[..]) {
            ("GET", ["iam", "v3", "auth", "projects"]) => (Action::Projects, "", "", ""),
            ("GET", ["obs", ..]) => (Action::Object, "", "", path.trim_start_matches("/obs/")),
            ("GET", [region, "v2", project, "instances"]) => (Action::List, *region, *project, ""),
            ("GET", [region, "v2", project, "instances", id, "ssl"]) => (Action::Ssl, *region, *project, *id),
            ("POST", [region, "v2", project, "instances", id, "ssl-certs", "download"]) => {
                (Action::Download, *region, *project, *id)
            }
            _ => (Action::Unknown, "", "", ""),
        };
        let query = decoded(parts.uri.query().unwrap_or_default());
        Self { parts, body, query, action, region, project, resource }
    }

    /// A header, empty where it is missing or not text.
    pub(super) fn header(&self, name: &str) -> &'a str {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// A parameter.
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.query.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }

    /// The AK that the request claims to come from.
    pub(super) fn key_id(&self) -> &'a str {
        let after = self.header("authorization").split_once("Access=").map_or("", |(_, rest)| rest);
        after.split(',').next().unwrap_or_default().trim()
    }
}

fn decoded(query: &str) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    let text = |encoded| percent_decode_str(encoded).decode_utf8_lossy();
    let parts = query.split('&').filter(|part| !part.is_empty());
    parts.map(|part| part.split_once('=').unwrap_or((part, ""))).map(|(k, v)| (text(k), text(v))).collect()
}
