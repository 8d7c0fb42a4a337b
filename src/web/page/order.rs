//! The page on which a renewal is ordered by hand: which resource, what would be called, why it is not planned, a button.

use std::fmt::Write as _;

use chrono::{DateTime, Utc};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::renewal::{Form, Notice, RenewalPage, Viewer, about, empty, facts, text_of, user};
use super::renewals::row;
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::snapshot::Snapshot;
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::planned::{Entry, entries};
use crate::web::query::pairs;

/// So many of those that share an id are offered.
const CHOICES: usize = 20;

/// Which resource is meant: its id, and as much of its scope as tells it apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OrderQuery {
    /// The cloud's id.
    pub resource: String,
    /// Code of the cloud.
    pub provider: Option<String>,
    /// Name of the account.
    pub account: Option<String>,
    /// The cloud's id of the project, or empty.
    pub project: Option<String>,
    /// The cloud's id of the region.
    pub region: Option<String>,
    /// Product of the cloud.
    pub service: Option<String>,
}

impl OrderQuery {
    /// Reads what stands behind the `?`; what is not understood counts as not asked.
    pub fn read(query: Option<&str>) -> Self {
        let given: Vec<(String, String)> = pairs(query).flatten().collect();
        let value =
            |name: &str| given.iter().find(|(given, _)| given == name).map(|(_, value)| value.clone());
        Self::of_form(&|name| value(name).unwrap_or_default())
    }

    /// From the fields of a form.
    pub fn of_form(field: &dyn Fn(&str) -> String) -> Self {
        let some = |name: &str| Some(field(name)).filter(|value| !value.is_empty());
        Self {
            resource: field("resource"),
            provider: some("provider"),
            account: some("account"),
            project: some("project"),
            region: some("region"),
            service: some("service"),
        }
    }

    /// Every resource that may be meant.
    pub fn found(&self, snapshot: &Snapshot) -> Vec<ResourceKey> {
        let is = |asked: &Option<String>, value: &str| asked.as_ref().is_none_or(|asked| asked == value);
        let scopes = snapshot.scopes.iter().filter(|(scope, _)| {
            is(&self.provider, &scope.provider)
                && is(&self.account, &scope.account)
                && is(&self.project, &scope.project)
                && is(&self.region, &scope.region)
                && is(&self.service, &scope.service)
        });
        let found = scopes.filter_map(|(scope, view)| {
            view.resources.get(&self.resource).map(|resource| ResourceKey::new(scope, &resource.id))
        });
        found.collect()
    }
}

/// The page for one resource, as a link from its neighbours.
pub fn order_link(key: &ResourceKey) -> String {
    asking("order", fields(key).into_iter())
}

/// The page of one resource, as a link from the overview.
pub fn resource_link(key: &ResourceKey) -> String {
    let fields = fields(key).into_iter();
    asking("resource", fields.map(|(name, value)| (if name == "resource" { "id" } else { name }, value)))
}

fn asking(page: &str, fields: impl Iterator<Item = (&'static str, String)>) -> String {
    let mut link = page.to_owned();
    for (number, (name, value)) in fields.enumerate() {
        let before = if number == 0 { '?' } else { '&' };
        // writing to a String cannot fail
        let _ = write!(link, "{before}{name}={}", utf8_percent_encode(&value, NON_ALPHANUMERIC));
    }
    link
}

/// The resource as fields of a form.
pub(super) fn fields(key: &ResourceKey) -> Vec<(&'static str, String)> {
    let ResourceKey { provider, account, project, region, service, resource_id } = key;
    let all = [
        ("resource", resource_id),
        ("provider", provider),
        ("account", account),
        ("project", project),
        ("region", region),
        ("service", service),
    ];
    let given = all.into_iter().filter(|(_, value)| !value.is_empty());
    given.map(|(name, value)| (name, value.to_string())).collect()
}

/// What the page is made of.
pub struct Ordering<'a> {
    /// What was asked for.
    pub asked: &'a OrderQuery,
    /// What that may mean; at least one.
    pub found: &'a [ResourceKey],
    /// Who looks.
    pub viewer: &'a Viewer,
    /// Seals a form.
    pub token: &'a dyn Fn(&[&str]) -> String,
}

/// Builds the page.
pub fn order_page(
    ordering: &Ordering<'_>,
    notice: Option<Notice>,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> RenewalPage {
    let words = context.tongue.words;
    let here = ordering.found.first().map(order_link);
    let page = RenewalPage {
        title: words.renewal.order_title.to_owned(),
        notice: notice.map(|notice| ("critical", text_of(&notice, words))),
        ..empty(here.as_deref().unwrap_or("order"), now, context)
    };
    let [key] = ordering.found else {
        let choices = choices(ordering.found, context);
        return RenewalPage { choices, lead: Some(words.renewal.order_which), ..page };
    };
    let planned = |entry: &Entry<'_>| entry.step.is_some() && entry.resource() == Some(key);
    match context.renewals.and_then(|board| entries(board).find(planned)) {
        Some(entry) => planned_page(&entry, key, ordering, page, now, context),
        None => RenewalPage { notice: Some(("critical", words.renewal.not_planned.to_owned())), ..page },
    }
}

fn choices(found: &[ResourceKey], context: &PageContext<'_>) -> Vec<(String, String)> {
    let choice = |key: &ResourceKey| {
        (context.tongue.keep(order_link(key)), shortened(&key.to_string(), 200).into_owned())
    };
    found.iter().take(CHOICES).map(choice).collect()
}

/// The page of a resource that has a place in the plan.
fn planned_page(
    entry: &Entry<'_>,
    key: &ResourceKey,
    ordering: &Ordering<'_>,
    page: RenewalPage,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
) -> RenewalPage {
    let words = context.tongue.words;
    let r = words.renewal;
    let row = row(entry, now, context, words);
    let resource = context.tongue.keep(format!("../{}", resource_link(key)));
    let can = entry.can_order();
    let may = *ordering.viewer != Viewer::Reader;
    let about = about(entry);
    let token = ("token", (ordering.token)(&about.each_ref().map(String::as_str)));
    let form = || Form {
        title: r.decide,
        action: context.tongue.keep("order"),
        hidden: fields(key).into_iter().chain([token]).collect(),
        user: user(ordering.viewer),
        now: true,
        buttons: vec![("order", r.order)],
    };
    RenewalPage {
        resource: Some(resource),
        chip: Some((row.class, row.state)),
        lead: Some(r.order_explained),
        why: row.why,
        facts: facts(entry, context, words),
        form: (can && may).then(form),
        command: (can && !may).then(|| format!("notafter renew {}", quoted(&key.resource_id))),
        ..page
    }
}

/// As a shell takes it.
fn quoted(id: &str) -> String {
    let plain = |character: char| character.is_ascii_alphanumeric() || "-_.:/".contains(character);
    if !id.is_empty() && !id.starts_with('-') && id.chars().all(plain) {
        return id.to_owned();
    }
    format!("'{}'", shortened(id, 200).replace('\'', "'\\''"))
}
