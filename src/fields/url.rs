//! Addresses. None of them is ever repeated in a message: a path, a query or a user part may be a secret.

use std::fmt;
use std::net::IpAddr;

use reqwest::Url;

use super::Item;
use super::text::Fault;
use crate::secret::{Secret, SecretSource};

/// Where plain `http` is good enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Plain {
    /// Only on this machine.
    Loopback,
    /// Anywhere, for receivers inside one's own network.
    Anywhere,
}

/// An address that can be called: `https`, or `http` where `plain` allows it.
pub fn check_url(text: &str, plain: Plain) -> Result<Url, Fault> {
    let url = absolute(text)?;
    match url.scheme() {
        "https" => {}
        "http" if plain == Plain::Anywhere || is_loopback(&url) => {}
        "http" => {
            let hint = "write https://…; plain http is for 127.0.0.1, [::1] and localhost";
            return Err(Fault::new("must be https: whatever is sent there is not for everybody", hint));
        }
        _ => return Err(Fault::new("has a scheme that cannot be called", "possible: https, http")),
    }
    Ok(url)
}

/// An address to which paths are added: nothing before the host, nothing behind the path, nothing secret.
pub fn check_base(text: &str, plain: Plain) -> Result<Url, Fault> {
    let url = check_url(text, plain)?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(Fault::new("must not hold a user name or password", "take the part before the @ away"));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(Fault::new("must not hold a ? or #", "take it and what follows away"));
    }
    Ok(url)
}

fn absolute(text: &str) -> Result<Url, Fault> {
    if text.contains(char::is_whitespace) {
        return Err(Fault::new("must not hold blanks", ""));
    }
    if !text.contains("://") {
        return Err(Fault::new("has no scheme", "an address begins with https://"));
    }
    let url = Url::parse(text).map_err(|error| Fault::new(format!("is not an address: {error}"), ""))?;
    if url.host_str().is_none_or(str::is_empty) {
        return Err(Fault::new("names no host", "https://HOST"));
    }
    Ok(url)
}

fn is_loopback(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

/// Base address of a cloud's API; `{region}` in it stands for the region.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint(String);

impl Endpoint {
    /// Reads a template such as `https://r-kvstore-vpc.{region}.aliyuncs.com`.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let filled = text.replace(REGION, "cn-hangzhou");
        if filled.contains(['{', '}']) {
            return Err(Fault::new("has a placeholder that is not known", "the only one is {region}"));
        }
        check_base(&filled, Plain::Loopback)?;
        Ok(Self(text.trim_end_matches('/').to_owned()))
    }

    /// The address for one region, without a slash at its end.
    pub fn for_region(&self, region: &str) -> String {
        self.0.replace(REGION, region)
    }

    /// As written.
    pub fn template(&self) -> &str {
        &self.0
    }
}

/// What stands for the region.
const REGION: &str = "{region}";

/// A proxy, perhaps with a user name and password in it.
#[derive(Clone)]
pub struct ProxyUrl {
    full: Secret,
    shown: String,
    has_user: bool,
}

impl ProxyUrl {
    /// Reads the address of a proxy.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut url = absolute(text)?;
        if !matches!(url.scheme(), "http" | "https") {
            let hint = "possible: http, https; that is how the proxy itself is reached";
            return Err(Fault::new("has a scheme that is none of a proxy", hint));
        }
        if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
            return Err(Fault::new("must end behind the port", EXAMPLE));
        }
        let full = Secret::new(text);
        let has_user = !url.username().is_empty() || url.password().is_some();
        let hidden = url.set_username("").and_then(|()| url.set_password(None));
        hidden.map_err(|()| Fault::new("names no host", EXAMPLE))?;
        Ok(Self { full, shown: url.as_str().trim_end_matches('/').to_owned(), has_user })
    }

    /// The whole address, for the HTTP client.
    pub fn expose(&self) -> &str {
        self.full.expose()
    }
}

const EXAMPLE: &str = "proxy = \"http://proxy.example:3128\"";

impl fmt::Display for ProxyUrl {
    /// Without user name and password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.shown)
    }
}

impl fmt::Debug for ProxyUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProxyUrl({self})")
    }
}

impl Item<'_> {
    /// A proxy. One with a user part counts as a secret that is written in the file.
    pub fn proxy(mut self) -> Option<ProxyUrl> {
        let Some(text) = self.value.as_str() else { return self.refuse_kind("text in quotes", EXAMPLE) };
        match ProxyUrl::parse(text) {
            Ok(proxy) => {
                if proxy.has_user {
                    self.note(SecretSource::Literal(proxy.full.clone()));
                }
                Some(proxy)
            }
            Err(fault) => {
                self.refuse(&fault.message, &fault.hint);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_https_or_on_this_machine() {
        for (text, want) in [
            ("https://r-kvstore-vpc.{region}.aliyuncs.com", ""),
            ("https://rds.aliyuncs.com/", ""),
            ("https://gateway.example:8443/rds", ""),
            ("http://127.0.0.1:9000", ""),
            ("http://[::1]:9000", ""),
            ("http://localhost:9000", ""),
            ("http://rds.aliyuncs.com", "must be https"),
            ("http://localhost.example", "must be https"),
            ("http://127.0.0.1.example", "must be https"),
            ("ftp://rds.aliyuncs.com", "has a scheme that cannot be called"),
            ("rds.aliyuncs.com", "has no scheme"),
            ("localhost:9000", "has no scheme"),
            ("https://", "is not an address"),
            ("https://rds aliyuncs.com", "must not hold blanks"),
            ("https://me:pw@rds.aliyuncs.com", "must not hold a user name"),
            ("https://me@rds.aliyuncs.com", "must not hold a user name"),
            ("https://rds.aliyuncs.com/?a=b", "must not hold a ?"),
            ("https://rds.aliyuncs.com/#a", "must not hold a ? or #"),
            ("https://rds.{zone}.aliyuncs.com", "has a placeholder"),
            ("https://rds.aliyuncs.com:70000", "is not an address"),
        ] {
            let found = Endpoint::parse(text).err().map_or_else(String::new, |fault| fault.message);
            assert!(found.starts_with(want) && found.is_empty() == want.is_empty(), "{text}: {found}");
        }
    }

    #[test]
    fn the_region_is_filled_in() {
        let endpoint = Endpoint::parse("https://rds-vpc.{region}.aliyuncs.com/").unwrap();
        assert_eq!(endpoint.for_region("cn-hangzhou"), "https://rds-vpc.cn-hangzhou.aliyuncs.com");
    }

    #[test]
    fn a_proxy_hides_its_user() {
        let proxy = ProxyUrl::parse("http://me:hunter2@proxy.example:3128").unwrap();
        assert_eq!(
            format!("{proxy} {proxy:?}"),
            "http://proxy.example:3128 ProxyUrl(http://proxy.example:3128)"
        );
        assert_eq!(proxy.expose(), "http://me:hunter2@proxy.example:3128");
    }

    #[test]
    fn what_is_no_proxy_is_refused_without_repeating_it() {
        for text in [
            "socks5://me:hunter2@h:1",
            "me:hunter2@h:1",
            "http://me:hunter2@h:1/path",
            "http://me:hunter2@h:x",
        ] {
            let fault = ProxyUrl::parse(text).unwrap_err();
            assert!(!format!("{fault:?}").contains("hunter2"), "{text}");
        }
    }
}
