//! `[[account]]`: one set of credentials, what of it is watched, and how fast.

use std::collections::BTreeMap;

use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::nearest::nearest;
use crate::fields::{Fault, Fields, Item, ProxyUrl};
use crate::problem::quoted;
use crate::provider::{self, AccountSettings, PROVIDERS, ProviderKind};

use super::names::{Names, id, unique};

/// One set of credentials with a name.
#[derive(Debug)]
pub struct Account {
    /// Unique; value of the label `cloud_account`.
    pub name: String,
    /// Its cloud.
    pub provider: &'static ProviderKind,
    /// What is watched; in documented order, never empty.
    pub services: Vec<&'static str>,
    /// `None`: those that the cloud lists for the account.
    pub regions: Option<Vec<String>>,
    /// `None`: those that the cloud lists, or no such thing as a project.
    pub projects: Option<Vec<String>>,
    /// A resource that matches any of these is kept; all are, where there is none.
    pub include: Vec<Matcher>,
    /// A resource that matches any of these is left out.
    pub exclude: Vec<Matcher>,
    /// Go into messages and the webhook body; `label:KEY` in an expression.
    pub labels: BTreeMap<String, String>,
    /// The tag of a resource that names its owner.
    pub owner_tag: Option<String>,
    /// Calls per second for each API and region. `None`: found out, carefully.
    pub rate_limit: Option<f64>,
    /// On the way to the cloud.
    pub proxy: Option<ProxyUrl>,
    /// What only its cloud understands: credentials, roles, addresses.
    pub settings: Box<dyn AccountSettings>,
    /// The same number as long as the same is written about how the cloud is asked, and with what keys.
    pub mark: u64,
}

/// Keys that have no bearing on how the cloud is asked.
const ASIDE: [&str; 5] = ["services", "include", "exclude", "labels", "owner_tag"];

/// Reads every account.
pub(super) fn read_all(fields: &mut Fields<'_>) -> Vec<Account> {
    let mut names = Names::default();
    fields.tables("account", |number, fields| read(number, &mut names, fields))
}

fn read(number: usize, names: &mut Names, fields: &mut Fields<'_>) -> Option<Account> {
    let mark = fields.fingerprint(&ASIDE);
    let name = names.claim("account", number, fields);
    let kind = provider(fields);
    let services = services(fields, kind);
    let regions = ids_or_all(fields, "regions", region, "regions = [\"cn-hangzhou\"], or \"all\"");
    let projects = projects(fields, kind);
    let include = matchers(fields, "include");
    let exclude = matchers(fields, "exclude");
    let labels = fields.item("labels").and_then(|item| item.map(label)).unwrap_or_default();
    let owner_tag = fields.string("owner_tag");
    let rate_limit = fields.positive("rate_limit");
    let settings = settings(fields, kind);
    let proxy = fields.item("proxy").and_then(Item::proxy);
    Some(Account {
        name: name?,
        provider: kind?,
        services: services?,
        regions,
        projects,
        include,
        exclude,
        labels,
        owner_tag,
        rate_limit,
        proxy,
        settings: settings?,
        mark,
    })
}

fn provider(fields: &mut Fields<'_>) -> Option<&'static ProviderKind> {
    let names: Vec<_> = PROVIDERS.iter().map(|kind| kind.name).collect();
    let example = format!("provider = \"{}\"; possible: {}", names[0], names.join(", "));
    let kind = provider::find(fields.require("provider", &example).choice("provider", &names)?)?;
    if kind.build.is_none() {
        let built: Vec<_> =
            PROVIDERS.iter().filter(|kind| kind.build.is_some()).map(|kind| kind.name).collect();
        fields.not_built(
            "provider",
            Some(kind.name),
            &format!("possible in this version: {}", built.join(", ")),
        );
    }
    Some(kind)
}

/// The services of an account in the cloud's order; all of them where none is named.
fn services(fields: &mut Fields<'_>, kind: Option<&'static ProviderKind>) -> Option<Vec<&'static str>> {
    let Some(kind) = kind else {
        fields.skip("services");
        return None;
    };
    if !fields.has("services") {
        fields.skip("services");
        return Some(kind.services.to_vec());
    }
    let named = fields.list("services", unique(|text| service(text, kind)))?;
    Some(kind.services.iter().copied().filter(|service| named.contains(service)).collect())
}

fn service(text: &str, kind: &ProviderKind) -> Result<&'static str, Fault> {
    if let Some(service) = kind.services.iter().find(|service| **service == text) {
        return Ok(service);
    }
    let other = PROVIDERS.iter().find(|other| other.services.contains(&text));
    let (provider, possible) = (kind.name, kind.services.join(", "));
    let meant = nearest(text, kind.services.iter().copied());
    let lead = match (other, meant) {
        (Some(other), _) => format!("that is a service of provider `{}`; ", other.name),
        (None, Some(meant)) => format!("did you mean \"{meant}\"? "),
        (None, None) => String::new(),
    };
    let message = format!("cannot be {} for provider `{provider}`", quoted(text));
    Err(Fault::new(message, format!("{lead}possible: {possible}")))
}

/// A list of ids, or `"all"`, which is what leaving it out means.
fn ids_or_all(
    fields: &mut Fields<'_>,
    key: &'static str,
    parse: fn(&str) -> Result<String, Fault>,
    example: &str,
) -> Option<Vec<String>> {
    let mut item = fields.item(key)?;
    match item.as_text() {
        Some("all") => None,
        Some(text) => {
            let predicate = format!("must be a list or \"all\", found {}", quoted(text));
            item.refuse(&predicate, example);
            None
        }
        None if item.is_empty_list() => {
            item.refuse("must name at least one", example);
            None
        }
        None => {
            let mut parse = unique(|text| match text {
                "all" => Err(Fault::new("cannot hold \"all\"", example)),
                _ => parse(text),
            });
            item.list(|element| element.parsed(&mut parse))
        }
    }
}

/// The clouds write the ids of their regions in small letters; another spelling would never be found.
fn region(text: &str) -> Result<String, Fault> {
    let small = text.to_ascii_lowercase();
    match id(text) {
        Ok(id) if id == small => Ok(id),
        Ok(_) => Err(Fault::new(
            format!("has capitals: found {}", quoted(text)),
            format!("write {}", quoted(&small)),
        )),
        refused => refused,
    }
}

fn projects(fields: &mut Fields<'_>, kind: Option<&'static ProviderKind>) -> Option<Vec<String>> {
    match kind {
        Some(kind) if !kind.has_projects => {
            if fields.has("projects") {
                fields.skip("projects");
                let predicate = format!("has no meaning for provider `{}`, which has no projects", kind.name);
                fields.problem("projects", &predicate, "leave it out");
            }
            None
        }
        _ => ids_or_all(fields, "projects", id, "projects = [\"ID\"], or \"all\""),
    }
}

fn matchers(fields: &mut Fields<'_>, key: &'static str) -> Vec<Matcher> {
    fields.list(key, |text| Ok(Matcher::parse(text, LabelSet::RESOURCE)?)).unwrap_or_default()
}

/// Names that messages and series already use for something else.
const TAKEN: [&str; 13] = [
    "alertname",
    "cert_role",
    "cloud_account",
    "cloud_project",
    "cloud_provider",
    "cloud_region",
    "cloud_service",
    "resource_id",
    "resource_name",
    "severity",
    "stage",
    "status",
    "type",
];

/// A label of the account; its name must be one that Alertmanager takes.
fn label(name: &str, mut value: Item<'_>) -> Option<String> {
    let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    if !begins_well || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        value.refuse("is not the name of a label", "letters, digits and `_`, not beginning with a digit");
        return None;
    }
    if TAKEN.contains(&name) {
        value.refuse("has a name that every message already uses", "choose another name");
        return None;
    }
    value.string()
}

fn settings(
    fields: &mut Fields<'_>,
    kind: Option<&'static ProviderKind>,
) -> Option<Box<dyn AccountSettings>> {
    if let Some(kind) = kind {
        return (kind.settings)(fields);
    }
    // without its cloud nobody can say what they mean
    for key in ["credentials", "assume_role", "endpoints"] {
        fields.skip(key);
    }
    None
}
