//! The only file that talks to Huawei Cloud: one function per call, answers in the cloud's own words.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use reqwest::header::{HeaderMap, HeaderValue};
use reqwest::{Method, StatusCode};

use super::action;
use super::endpoints::{Base, Templates};
use super::errors::{self, Reader};
use super::hold::Hold;
use super::link::Link;
use super::sign::{ApiCall, KeyRef, signed_headers};
use super::wire::{Download, Page, Projects, Ssl, shown};
use crate::call::{CallError, CallErrorKind};
use crate::http::{AccountHttp, Answer, Call, Keeping, Outgoing, secret_header};
use crate::provider::keys::{KeySource, Keys};
use crate::provider::verdict::Verdict;
use crate::secret::Secret;

/// The most bytes of an honest answer: about one instance or about a link, a page, an archive.
const DETAIL_LIMIT: usize = 64 * 1024;
const PAGE_LIMIT: usize = 8 * 1024 * 1024;
const ARCHIVE_LIMIT: usize = 1024 * 1024;

/// The calls, for one account.
#[derive(Debug)]
pub struct Api {
    http: AccountHttp,
    keys: Arc<dyn KeySource>,
    templates: Templates,
    hold: Mutex<Hold>,
    /// Every address of the account is on this machine, so a link may lead there too.
    on_loopback: bool,
}

/// Where an instance is.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) region: Arc<str>,
    /// Id of the project.
    pub(super) project: Arc<str>,
}

/// What the SSL detail of an instance came to.
#[derive(Debug)]
pub(super) enum SslAnswer {
    /// Fields that say more.
    Detail(Ssl),
    /// No TLS information: TLS is off.
    Off,
    /// TLS is not to be had here.
    Unsupported,
    /// The instance is gone.
    Gone,
    /// It is being changed.
    Busy,
}

/// A call before it is signed.
#[derive(Clone, Copy)]
struct Request<'a> {
    action: &'static str,
    method: &'static str,
    region: &'a Arc<str>,
    project: Option<&'a str>,
    base: &'a str,
    path: &'a str,
    query: &'a [(&'a str, &'a str)],
    limit: usize,
}

impl Api {
    /// The calls of an account with these keys. `on_loopback`: every address in `templates` is on this machine.
    pub fn new(http: AccountHttp, keys: Arc<dyn KeySource>, templates: Templates, on_loopback: bool) -> Self {
        Self { http, keys, templates, hold: Mutex::default(), on_loopback }
    }

    /// The way out, for clock and rates.
    pub fn http(&self) -> &AccountHttp {
        &self.http
    }

    /// Where the keys come from.
    pub(super) fn keys(&self) -> &dyn KeySource {
        &*self.keys
    }

    /// Where calls go.
    pub(super) fn templates(&self) -> &Templates {
        &self.templates
    }

    /// `GET /v3/auth/projects` of one IAM: the projects that this key may use. Needs no permission.
    pub(super) async fn projects(&self, iam: &str) -> Result<Projects, CallError> {
        let request = Request {
            action: action::PROJECTS,
            method: "GET",
            region: &Arc::from(""),
            project: None,
            base: iam,
            path: "/v3/auth/projects",
            query: &[],
            limit: PAGE_LIMIT,
        };
        self.call(request, |answer, reader| reader.read(&answer)).await
    }

    /// One page of ListInstances; `offset` counts instances.
    pub(super) async fn page(&self, place: &Place, offset: usize, limit: usize) -> Result<Page, CallError> {
        let (offset, limit) = (offset.to_string(), limit.to_string());
        let path = format!("/v2/{}/instances", place.project);
        let request = Request {
            query: &[("offset", &offset), ("limit", &limit)],
            limit: PAGE_LIMIT,
            ..Request::about(place, action::LIST, "GET", &path, "")
        };
        self.of_dcs(request, |answer, reader| reader.read(&answer)).await
    }

    /// ShowInstanceSslDetail.
    pub(super) async fn ssl(&self, place: &Place, id: &str) -> Result<SslAnswer, CallError> {
        let path = format!("/v2/{}/instances/{id}/ssl", place.project);
        let request = Request::about(place, action::SSL, "GET", &path, "");
        self.of_dcs(request, |answer, reader| read_ssl(&answer, reader)).await
    }

    /// DownloadSslCert: makes an object in a bucket, and a link to it.
    pub(super) async fn link(&self, place: &Place, id: &str) -> Result<Link, CallError> {
        let path = format!("/v2/{}/instances/{id}/ssl-certs/download", place.project);
        let request = Request::about(place, action::DOWNLOAD, "POST", &path, "");
        let read = |answer: Answer, reader: &Reader<'_>| {
            let made: Download = reader.read(&answer)?;
            let unusable = |error: String| CallError::new(CallErrorKind::Unreadable, action::DOWNLOAD, error);
            let text = made.link.text().ok_or_else(|| unusable("the answer has no link".to_owned()))?;
            Link::check(text, self.on_loopback).map_err(|error| unusable(error.to_string()))
        };
        self.of_dcs(request, read).await
    }

    /// Fetches what is behind a link: a plain GET, whose signature would break with any header of the cloud's own and
    /// with any type of content. No key goes with it.
    pub(super) async fn fetch(&self, place: &Place, link: &Link) -> Result<Bytes, CallError> {
        let call = Call {
            action: action::FETCH,
            region: &place.region,
            limit: ARCHIVE_LIMIT,
            repeatable: true,
            keeping: Keeping::FORM,
        };
        let outgoing = || Outgoing {
            method: Method::GET,
            url: link.expose().to_owned(),
            headers: HeaderMap::new(),
            body: Bytes::new(),
        };
        let read = |answer: Answer| match answer.status {
            StatusCode::OK => Ok(answer.body),
            _ => Err(errors::of_store(&answer, action::FETCH)),
        };
        self.http.call(call, outgoing, read).await
    }

    async fn of_dcs<T>(
        &self,
        request: Request<'_>,
        read: impl FnOnce(Answer, &Reader<'_>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let base = self.templates.dcs(request.region);
        self.call(Request { base: &base, ..request }, read).await
    }

    async fn call<T>(
        &self,
        request: Request<'_>,
        read: impl FnOnce(Answer, &Reader<'_>) -> Result<T, CallError>,
    ) -> Result<T, CallError> {
        let Request { action, region, limit, .. } = request;
        let base = Base::parse(request.base).ok_or_else(|| {
            CallError::new(CallErrorKind::Refused, action, "the endpoint is not an address")
        })?;
        let keys = self.keys.keys().await?;
        let sign = || {
            self.hold().check(&keys, self.http.clock().elapsed())?;
            Ok(self.sign(&keys, &base, &request))
        };
        // None of the calls changes an instance, so each may be sent again when a kept connection is dead.
        let keeping = keys.keeping(shown(action));
        let call = Call { action, region, limit, repeatable: true, keeping };
        let read = |answer| read(answer, &Reader { action, now: self.http.clock().now(), keys: &keys });
        let result = self.http.try_call(call, sign, read).await;
        self.judge_key(&keys, result.as_ref().err());
        result
    }

    /// Remembers whether the key was accepted. Other errors may come from somebody who did not look at it.
    fn judge_key(&self, keys: &Arc<Keys>, error: Option<&CallError>) {
        let now = self.http.clock().elapsed();
        match error.map(|error| error.kind) {
            Some(CallErrorKind::KeyDenied) => {
                let error = error.expect("it has a kind");
                let mut hold = self.hold();
                if hold.check(keys, now).is_ok() {
                    self.keys.refused(keys);
                }
                hold.refused(keys, error, now);
            }
            None | Some(CallErrorKind::PermissionDenied | CallErrorKind::NoSuchProject) => {
                self.hold().accepted(keys);
            }
            Some(_) => {}
        }
    }

    fn sign(&self, keys: &Keys, base: &Base, request: &Request<'_>) -> Outgoing {
        let path = format!("{}{}", base.prefix, request.path);
        let Request { method, query, project, .. } = *request;
        let key = KeyRef {
            id: keys.id.expose(),
            secret: keys.secret.expose(),
            token: keys.token.as_ref().map(Secret::expose),
        };
        let call = ApiCall { method, host: &base.host, path: &path, query, project };
        let signed = signed_headers(&call, &key, self.http.clock().now());
        let mut headers = HeaderMap::with_capacity(signed.headers.len() + 2);
        headers.insert("accept", HeaderValue::from_static("application/json"));
        headers.insert("content-type", HeaderValue::from_static("application/json"));
        for (name, value) in signed.headers {
            headers.extend(secret_header(name, value));
        }
        let mark = if signed.query.is_empty() { "" } else { "?" };
        let url = [&base.origin, &*path, mark, &signed.query].concat();
        let method = if method == "POST" { Method::POST } else { Method::GET };
        Outgoing { method, url, headers, body: Bytes::new() }
    }

    fn hold(&self) -> MutexGuard<'_, Hold> {
        self.hold.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<'a> Request<'a> {
    /// A call that reads something of a project.
    fn about(
        place: &'a Place,
        action: &'static str,
        method: &'static str,
        path: &'a str,
        base: &'a str,
    ) -> Self {
        Self {
            action,
            method,
            region: &place.region,
            project: Some(&place.project),
            base,
            path,
            query: &[],
            limit: DETAIL_LIMIT,
        }
    }
}

/// 204 without a body says "off"; three error codes say something about the instance, and are no failures.
fn read_ssl(answer: &Answer, reader: &Reader<'_>) -> Result<SslAnswer, CallError> {
    if answer.status == StatusCode::NO_CONTENT {
        return Ok(SslAnswer::Off);
    }
    match reader.read(answer) {
        Ok(ssl) => Ok(SslAnswer::Detail(ssl)),
        Err(error) => match errors::CODES.verdict(&error) {
            Verdict::Unsupported => Ok(SslAnswer::Unsupported),
            Verdict::Gone => Ok(SslAnswer::Gone),
            Verdict::Busy => Ok(SslAnswer::Busy),
            Verdict::Failure => Err(error),
        },
    }
}
