//! The address behind which a CA certificate waits to be fetched: checked before anybody goes there.
//!
//! It comes out of a cloud's answer and is not trusted: only `https`, no user part, no address of this machine or of a
//! private network. Names are not resolved here: whoever answers must prove the name by its TLS certificate, which
//! no metadata service does. The query carries a signature, so the whole link is a secret until it expires.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use reqwest::Url;

use crate::secret::Secret;

/// No honest link is longer.
const LONGEST: usize = 8 * 1024;

/// A link that may be followed.
#[derive(Debug, Clone)]
pub(super) struct Link(Secret);

/// Why a link is not followed. Never says where it leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum LinkError {
    /// Empty, too long, or not an address.
    #[error("the link is not an address")]
    NoAddress,
    /// Neither `https` nor, on this machine, `http`.
    #[error("the link is not https")]
    Scheme,
    /// A name or a password before the host.
    #[error("the link has a user part")]
    User,
    /// Leads to this machine, to a private network or to a metadata service.
    #[error("the link leads to an address that is not public")]
    NotPublic,
}

impl Link {
    /// Checks a link. `on_loopback`: the account's own addresses are on this machine, so the link may be too.
    pub(super) fn check(text: &str, on_loopback: bool) -> Result<Self, LinkError> {
        if text.len() > LONGEST {
            return Err(LinkError::NoAddress);
        }
        let url = Url::parse(text).map_err(|_| LinkError::NoAddress)?;
        let place = place(&url)?;
        let local = on_loopback && place == Place::Loopback;
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            _ => return Err(LinkError::Scheme),
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LinkError::User);
        }
        if place != Place::Public && !local {
            return Err(LinkError::NotPublic);
        }
        Ok(Self(Secret::new(text)))
    }

    /// The link itself, for the one place that follows it.
    pub(super) fn expose(&self) -> &str {
        self.0.expose()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Public,
    Loopback,
    Inside,
}

fn place(url: &Url) -> Result<Place, LinkError> {
    let host = url.host_str().filter(|host| !host.is_empty()).ok_or(match url.scheme() {
        "http" | "https" => LinkError::NoAddress,
        _ => LinkError::Scheme,
    })?;
    let name = host.trim_matches(['[', ']']).trim_end_matches('.');
    Ok(match name.parse::<IpAddr>() {
        Ok(IpAddr::V4(address)) => of_v4(address),
        Ok(IpAddr::V6(address)) => of_v6(address),
        Err(_) if name == "localhost" || name.ends_with(".localhost") => Place::Loopback,
        // A name without a dot is one of the local network.
        Err(_) if !name.contains('.') => Place::Inside,
        Err(_) => Place::Public,
    })
}

/// Everything but public addresses (RFC 6890), shared ones (100.64.0.0/10) among them: clouds keep services there.
fn of_v4(address: Ipv4Addr) -> Place {
    let inside = match address.octets() {
        [127, ..] => return Place::Loopback,
        [0 | 10, ..] | [169, 254, ..] | [192, 168, ..] | [192, 0, 0, _] => true,
        [100, second, ..] => second & 0xc0 == 64,
        [172, second, ..] => second & 0xf0 == 16,
        [198, second, ..] => second & 0xfe == 18,
        [first, ..] => first >= 224,
    };
    if inside { Place::Inside } else { Place::Public }
}

fn of_v6(address: Ipv6Addr) -> Place {
    if address.is_loopback() {
        return Place::Loopback;
    }
    let [first, second, .., high, low] = address.segments();
    let embedded = || of_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)));
    match (first, second) {
        // IPv4 in IPv6: mapped and compatible, behind a translator, in a tunnel.
        (0, _) | (0x64, 0xff9b) if embedded() == Place::Public => Place::Public,
        (0x2002, high) => {
            let [_, _, low, ..] = address.segments();
            of_v4(Ipv4Addr::from_bits(u32::from(high) << 16 | u32::from(low)))
        }
        // 2000::/3 is what is handed out publicly.
        (first, _) if first & 0xe000 == 0x2000 => Place::Public,
        _ => Place::Inside,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, on_loopback: bool) -> Option<LinkError> {
        Link::check(text, on_loopback).err()
    }

    #[test]
    fn only_public_https_is_followed() {
        use LinkError::{NoAddress, NotPublic, Scheme, User};
        let honest =
            "https://bucket.obs.cn-north-4.myhuaweicloud.com:443/ssl-1/CA-1.zip?Signature=a%2Bb%2F%3D";
        for (text, want) in [
            (honest, None),
            ("https://8.8.8.8/x", None),
            ("https://[2606:4700::1111]/x", None),
            ("", Some(NoAddress)),
            ("CA-1.zip", Some(NoAddress)),
            ("//bucket.example/CA-1.zip", Some(NoAddress)),
            ("https://", Some(NoAddress)),
            ("http://bucket.obs.example.com/x", Some(Scheme)),
            ("file:///etc/passwd", Some(Scheme)),
            ("file://host/share", Some(Scheme)),
            ("ftp://bucket.example.com/x", Some(Scheme)),
            ("gopher://127.0.0.1:6379/_FLUSHALL", Some(Scheme)),
            ("data:text/plain,x", Some(Scheme)),
            ("http://127.0.0.1/x", Some(Scheme)),
            ("https://me@bucket.example.com/x", Some(User)),
            ("https://me:pw@bucket.example.com/x", Some(User)),
            ("https://bucket.example.com@169.254.169.254/x", Some(User)),
            ("https://169.254.169.254/latest/meta-data", Some(NotPublic)),
            ("https://2852039166/latest", Some(NotPublic)),
            ("https://0xa9fea9fe/latest", Some(NotPublic)),
            ("https://100.100.100.200/latest", Some(NotPublic)),
            ("https://100.125.1.250/", Some(NotPublic)),
            ("https://10.0.0.1/", Some(NotPublic)),
            ("https://172.31.255.1/", Some(NotPublic)),
            ("https://192.168.1.1/", Some(NotPublic)),
            ("https://127.0.0.1/", Some(NotPublic)),
            ("https://127.1/", Some(NotPublic)),
            ("https://0.0.0.0/", Some(NotPublic)),
            ("https://224.0.0.1/", Some(NotPublic)),
            ("https://localhost/", Some(NotPublic)),
            ("https://localhost./", Some(NotPublic)),
            ("https://metadata/", Some(NotPublic)),
            ("https://[::1]/", Some(NotPublic)),
            ("https://[::]/", Some(NotPublic)),
            ("https://[fe80::1]/", Some(NotPublic)),
            ("https://[fd00:ec2::254]/", Some(NotPublic)),
            ("https://[::ffff:169.254.169.254]/", Some(NotPublic)),
            ("https://[64:ff9b::a9fe:a9fe]/", Some(NotPublic)),
            ("https://[2002:a9fe:a9fe::1]/", Some(NotPublic)),
        ] {
            assert_eq!(refused(text, false), want, "{text}");
        }
        assert_eq!(refused(&format!("https://a.example/{}", "x".repeat(9000)), false), Some(NoAddress));
    }

    #[test]
    fn this_machine_is_good_only_where_the_whole_account_is_on_it() {
        for (text, want) in [
            ("http://127.0.0.1:8080/obs/x?Signature=a", None),
            ("http://[::1]:8080/x", None),
            ("http://localhost:8080/x", None),
            ("http://bucket.example.com/x", Some(LinkError::Scheme)),
            ("http://169.254.169.254/x", Some(LinkError::Scheme)),
            ("https://169.254.169.254/x", Some(LinkError::NotPublic)),
            ("file:///etc/passwd", Some(LinkError::Scheme)),
        ] {
            assert_eq!(refused(text, true), want, "{text}");
        }
    }

    #[test]
    fn nothing_shows_a_link() {
        let link = Link::check("https://a.example/x?Signature=PLANTED", false).unwrap();
        assert_eq!((format!("{link:?}"), link.expose().len()), ("Link([REDACTED])".to_owned(), 37));
    }
}
