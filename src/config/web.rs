//! `[web]`: our own address.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use crate::domain::person::is_taken;
use crate::fields::{Fault, Fields, Item, Plain, check_base};
use crate::problem::{Position, quoted};
use crate::secret::Secret;
use crate::tls::TlsFiles;

use super::names::unique;

/// Where and to whom we answer.
#[derive(Debug)]
pub struct Web {
    /// Addresses to listen on; at least one.
    pub listen: Vec<SocketAddr>,
    /// TLS of our own; plain HTTP where there is none.
    pub tls: Option<TlsFiles>,
    /// Names and bcrypt hashes; where there are any, nearly every path asks for one.
    pub users: BTreeMap<String, Secret>,
    /// Where `tls` and `users` are written.
    pub positions: WebPositions,
    /// How others reach the page; links in messages begin with it.
    pub external_url: Option<String>,
    /// The socket of the commands; `None` is the usual place.
    pub control_socket: Option<PathBuf>,
}

/// Where things stand in the file, for problems that show only with the files they name.
#[derive(Debug, Clone, Copy, Default)]
pub struct WebPositions {
    /// Of `tls`.
    pub tls: Position,
    /// Of `users`.
    pub users: Position,
}

/// Free in the community's list of exporter ports.
const USUAL: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9809);

impl Default for Web {
    fn default() -> Self {
        Self {
            listen: vec![USUAL],
            tls: None,
            users: BTreeMap::new(),
            positions: WebPositions::default(),
            external_url: None,
            control_socket: None,
        }
    }
}

/// Reads the table.
pub(super) fn read(fields: &mut Fields<'_>) -> Web {
    let listen = fields.list("listen", unique(listen)).unwrap_or_else(|| vec![USUAL]);
    let tls = fields.table("tls", tls);
    let users = fields.item("users").and_then(|item| item.map(user));
    if users.as_ref().is_some_and(BTreeMap::is_empty) {
        // written by somebody who wants to be asked
        fields.problem("users", "must name at least one user", "leave the key out if everybody may look");
    }
    let external_url = fields.parsed("external_url", external_url);
    let control_socket = fields.string("control_socket").map(PathBuf::from);
    let positions = WebPositions { tls: fields.position("tls"), users: fields.position("users") };
    Web { listen, tls, users: users.unwrap_or_default(), positions, external_url, control_socket }
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

fn tls(fields: &mut Fields<'_>) -> Option<TlsFiles> {
    let example = "tls = { cert_file = \"PATH\", key_file = \"PATH\" }";
    let cert_file = fields.require("cert_file", example).string("cert_file").map(PathBuf::from);
    let key_file = fields.require("key_file", example).string("key_file").map(PathBuf::from);
    let client_ca_file = fields.string("client_ca_file").map(PathBuf::from);
    Some(TlsFiles { cert_file: cert_file?, key_file: key_file?, client_ca_file })
}

fn user(name: &str, mut hash: Item<'_>) -> Option<Secret> {
    if name.is_empty() || name.contains(|c: char| c == ':' || c.is_whitespace() || c.is_control()) {
        hash.refuse("is not the name of a user", "no blanks and no colon");
        return None;
    }
    if is_taken(name) {
        let hint = "give the user another name: what is written down as done by it is done by a program";
        hash.refuse("is a word that notafter uses for itself", hint);
        return None;
    }
    hash.parsed(bcrypt).map(Secret::new)
}

/// What a hash may cost to check: some seconds. Each step doubles it, and 31 would take days.
const MOST: u32 = 16;

const HASH: &str =
    "htpasswd -nBC 10 \"\" | tr -d ':\\n' asks for the password and prints its hash (Debian: apache2-utils)";

/// `$2y$`, two digits of cost, `$`, 53 characters. Not repeated: it may be the password itself.
fn bcrypt(text: &str) -> Result<String, Fault> {
    let kind = ["$2a$", "$2b$", "$2y$"].into_iter().any(|kind| text.starts_with(kind));
    match text.parse::<bcrypt::HashParts>() {
        Ok(parts) if kind && text.len() == 60 => match parts.get_cost() {
            0..=MOST => Ok(text.to_owned()),
            cost => {
                let message = format!("has the cost {cost}: checking one password would take too long");
                Err(Fault::new(message, format!("costs up to {MOST} are taken, 10 is usual: {HASH}")))
            }
        },
        _ => Err(Fault::new("must be a bcrypt hash of the password", HASH)),
    }
}

fn external_url(text: &str) -> Result<String, Fault> {
    check_base(text, Plain::Anywhere)?;
    Ok(text.trim_end_matches('/').to_owned())
}
