//! `[web]`: our own address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::fields::{Fault, Fields, Item, Plain, check_base};
use crate::problem::quoted;
use crate::secret::Secret;

use super::names::unique;

/// Where and to whom we answer.
#[derive(Debug)]
pub struct Web {
    /// Addresses to listen on; at least one.
    pub listen: Vec<SocketAddr>,
    /// TLS of our own; plain HTTP where there is none.
    pub tls: Option<WebTls>,
    /// Names and bcrypt hashes; where there are any, nearly every path asks for one.
    pub users: BTreeMap<String, Secret>,
    /// How others reach the page; links in messages begin with it.
    pub external_url: Option<String>,
    /// The socket of the commands; `None` is the usual place.
    pub control_socket: Option<PathBuf>,
}

/// Files of our own TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WebTls {
    /// PEM, leaf first.
    pub cert_file: PathBuf,
    /// PEM.
    pub key_file: PathBuf,
    /// Who may connect at all: clients must show a certificate of one of these authorities.
    pub client_ca_file: Option<PathBuf>,
}

/// Free in the community's list of exporter ports.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9809);

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: vec![USUAL],
            tls: None,
            users: BTreeMap::new(),
            external_url: None,
            control_socket: None,
        }
    }
}

/// Reads the table.
pub(super) fn read(fields: &mut Fields<'_>) -> Web {
    let listen = fields.list("listen", unique(listen)).unwrap_or_else(|| vec![USUAL]);
    let tls = fields.table("tls", tls);
    fields.not_built("tls", None, "leave it out, and put a proxy that speaks TLS in front");
    let users = fields.item("users").and_then(|item| item.map(user)).unwrap_or_default();
    fields.not_built("users", None, "leave it out, and listen on 127.0.0.1 or behind a proxy that asks");
    let external_url = fields.parsed("external_url", external_url);
    let control_socket = fields.string("control_socket").map(PathBuf::from);
    Web { listen, tls, users, external_url, control_socket }
}

fn listen(text: &str) -> Result<SocketAddr, Fault> {
    let found = quoted(text);
    match text.parse::<SocketAddr>() {
        // a port of chance would change the label `instance` with every start
        Ok(address) if address.port() == 0 => {
            Err(Fault::new(format!("needs a fixed port: found {found}"), LISTEN))
        }
        Ok(address) => Ok(address),
        Err(_) => Err(Fault::new(format!("is not an address with a port: found {found}"), LISTEN)),
    }
}

const LISTEN: &str = "numbers only: \"127.0.0.1:9809\" for this machine, \"0.0.0.0:9809\" or \"[::]:9809\" for every address; ports are 1 to 65535";

fn tls(fields: &mut Fields<'_>) -> Option<WebTls> {
    let example = "tls = { cert_file = \"PATH\", key_file = \"PATH\" }";
    let cert_file = fields.require("cert_file", example).string("cert_file").map(PathBuf::from);
    let key_file = fields.require("key_file", example).string("key_file").map(PathBuf::from);
    let client_ca_file = fields.string("client_ca_file").map(PathBuf::from);
    Some(WebTls { cert_file: cert_file?, key_file: key_file?, client_ca_file })
}

fn user(name: &str, mut hash: Item<'_>) -> Option<Secret> {
    if name.is_empty() || name.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control()) {
        hash.refuse("is not the name of a user", "no blanks and no colon");
        return None;
    }
    hash.parsed(bcrypt).map(Secret::new)
}

/// `$2y$`, two digits of cost, `$`, 53 characters. Not repeated: it may be the password itself.
fn bcrypt(text: &str) -> Result<String, Fault> {
    let parts: Vec<_> = text.split('$').collect();
    let known = match parts[..] {
        ["", kind, cost, rest] => {
            ["2a", "2b", "2y"].contains(&kind)
                && cost.len() == 2
                && cost.parse().is_ok_and(|cost: u8| (4..=31).contains(&cost))
                && rest.len() == 53
                && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"./".contains(&byte))
        }
        _ => false,
    };
    if known {
        return Ok(text.to_owned());
    }
    Err(Fault::new("must be a bcrypt hash of the password", "htpasswd -nBC 10 NAME"))
}

fn external_url(text: &str) -> Result<String, Fault> {
    check_base(text, Plain::Anywhere)?;
    Ok(text.trim_end_matches('/').to_owned())
}
