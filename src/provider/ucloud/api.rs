//! The only file that talks to UCloud: one function per call, answers in the cloud's own words.

use std::sync::Arc;

use reqwest::Method;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use serde::de::DeserializeOwned;

use super::errors;
use super::sign::{KeyRef, Pair, signed_form};
use super::wire::{Page, Projects, Regions, SHOWN};
use crate::call::{CallError, CallErrorKind};
use crate::http::{AccountHttp, Call, Outgoing};
use crate::provider::keys::{KeySource, Keys};
use crate::secret::{Secret, wiped};

/// One gateway serves every region.
const GATEWAY: &str = "https://api.ucloud.cn";
/// Where an address with a region in it is asked for what belongs to none.
const ANY_REGION: &str = "cn-bj2";
/// Rows asked for at once; what public clients use, the most is not documented.
pub(super) const PAGE: usize = 100;
/// The most bytes of an honest page: a hundred bundles of a key and a chain.
const LIMIT: usize = 8 * 1024 * 1024;

/// The calls by the names that policies use; also the label `action`.
pub(super) const GET_REGION: &str = "uaccount:GetRegion";
pub(super) const GET_PROJECT_LIST: &str = "uaccount:GetProjectList";
pub(super) const DESCRIBE: &str = "ulb:DescribeSSLV2";

/// The calls, for one account.
#[derive(Debug)]
pub struct Api {
    http: AccountHttp,
    keys: Arc<dyn KeySource>,
    /// In place of the usual gateway; `{region}` is filled in.
    template: Option<String>,
    /// One gateway takes the calls of an account whatever their region, and throttles the account, so all regions
    /// share one pace.
    everywhere: Arc<str>,
}

/// Where a call is about: certificates belong to one project in one region.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub project: Arc<str>,
    pub region: Arc<str>,
}

impl Api {
    /// The calls of an account with these keys.
    pub fn new(http: AccountHttp, keys: Arc<dyn KeySource>, template: Option<String>) -> Self {
        Self { http, keys, template, everywhere: "".into() }
    }

    /// Where the keys come from.
    pub(super) fn keys(&self) -> &Arc<dyn KeySource> {
        &self.keys
    }

    /// The way out, for clock and rates.
    pub(super) fn http(&self) -> &AccountHttp {
        &self.http
    }

    /// Calls per second allowed now for reading certificates.
    pub(super) fn rate(&self) -> f64 {
        self.http.rate(&self.everywhere, DESCRIBE)
    }

    /// GetRegion.
    pub(super) async fn regions(&self) -> Result<Regions, CallError> {
        self.call(GET_REGION, None, vec![]).await
    }

    /// GetProjectList.
    pub(super) async fn projects(&self) -> Result<Projects, CallError> {
        self.call(GET_PROJECT_LIST, None, vec![]).await
    }

    /// One page of DescribeSSLV2, behind so many rows.
    pub(super) async fn page(&self, place: &Place, offset: usize) -> Result<Page, CallError> {
        let paging = [("Limit".into(), PAGE.to_string()), ("Offset".into(), offset.to_string())];
        self.call(DESCRIBE, Some(place), paging.into()).await
    }

    /// DescribeSSLV2 for one certificate; an unknown one is an empty page.
    pub(super) async fn one(&self, place: &Place, id: &str) -> Result<Page, CallError> {
        self.call(DESCRIBE, Some(place), vec![("SSLId".into(), id.into())]).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        action: &'static str,
        place: Option<&Place>,
        mut params: Vec<Pair>,
    ) -> Result<T, CallError> {
        let name = action.split_once(':').map_or(action, |(_, name)| name);
        params.push(("Action".into(), name.into()));
        if let Some(Place { project, region }) = place {
            params.push(("Region".into(), (&**region).into()));
            params.push(("ProjectId".into(), (&**project).into()));
        }
        let url = self.url(place.map_or(ANY_REGION, |place| &place.region));
        let keys = self.keys.keys().await?;
        let keeping = keys.keeping(&SHOWN);
        let call = Call { action, region: &self.everywhere, limit: LIMIT, repeatable: true, keeping };
        let sign = || request(&url, params.clone(), &keys);
        let result = self.http.call(call, sign, |answer| errors::read(&answer, action, &keys)).await;
        result.inspect_err(|error| {
            if error.kind == CallErrorKind::KeyDenied {
                self.keys.refused(&keys);
            }
        })
    }

    fn url(&self, region: &str) -> String {
        let base = self.template.as_deref().unwrap_or(GATEWAY);
        format!("{}/", base.replace("{region}", region).trim_end_matches('/'))
    }
}

/// A form in a body: the kind of request that every backend takes, and texts stay out of addresses.
fn request(url: &str, params: Vec<Pair>, keys: &Keys) -> Outgoing {
    let key = KeyRef {
        public_key: keys.id.expose(),
        private_key: keys.secret.expose(),
        token: keys.token.as_ref().map(Secret::expose),
    };
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    Outgoing { method: Method::POST, url: url.to_owned(), headers, body: wiped(signed_form(params, &key)) }
}
