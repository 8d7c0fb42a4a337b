//! `docs/metrics.md`, made from the catalogue.

use std::fmt::Write;

use super::catalogue::{Family, catalogue};
use crate::domain::identity::CertRole;
use crate::domain::reason::Reason;
use crate::domain::renewal::refusal::Refusal;
use crate::domain::resource::{DateSource, ManagedBy};
use crate::telemetry::renewals::FAILURES;

const INTRODUCTION: &str = "\
# Metrics

<!-- Made from the catalogue in src/metrics/catalogue.rs; `UPDATE_EXPECT=1 cargo test metrics` writes it anew. -->

`GET /metrics` answers in the text format of Prometheus, version 0.0.4, with gzip where the reader accepts it.

The daemon asks the clouds in the background, at its own pace, and a scrape only shows what is known: it never causes
a call. How old a value is, `notafter_certificate_last_seen_timestamp_seconds` and
`notafter_scope_last_success_timestamp_seconds` say. A failed look takes nothing off the page; a resource leaves it
when a complete listing no longer has it. What is not known has no line: there are no zeros or minus ones that stand
for something else, and a date that has passed stays what it was.

A certificate has 3 to 5 series and a resource up to 2 more; a scope has 16 and its counters 9. Counters of
renewals are there where something may be renewed. The gzip form of the page is made at most once a second.

Labels are named here in the order in which the page has them. In what the daemon counts about itself, its counters
and its histogram, that is by name.

";

/// Behind the introduction: what a large fleet needs. The configuration in it is checked by promtool.
const PARTS: &str = "\
## Parts of the page

| parameter | what it does |
|---|---|
| `part` | `resources` (series of certificates and resources), `scopes` (series with the labels of a scope and no `resource_id`), `daemon` (everything else); one or several, all by default |
| `match` | only what the expression means: `cloud_service=\"redis\"`, `label:team=\"dba\", resource_id=~\"r-[0-7].*\"`; labels and operators are those of the [API](alerts.md), but for `cert_role` |

Both may be given several times: then any of the expressions has to hold; within one, joined by commas, everything has to. What is not
understood is answered with 400 and what is possible.

- **Every series is in exactly one part**, and an expression chooses whole resources and whole scopes. So jobs that ask for different
  parts, or whose expressions exclude each other, never read a series twice.
- With `match` the part `daemon` is left out, as it is the same for all. Where an expression asks for what only a resource has
  (`resource_id`, `resource_name`, `in_use`, `tag:…`), so are the scopes, whose numbers would count more than it chose.
- A part is kept for a second like the page itself, and is made of the same pieces: an expression over scopes (cloud, account, project,
  region, service, label of the account) costs nothing but these, one over resources compares each of them at most once a second.
- Any visitor may ask for any part, so there is a limit: while parts of together more than 192 MiB (gzip) are being read, or 64 readers
  wait for theirs, further ones are answered with 503. The page itself is never held up by parts.

## How to live with 1,000,000

A scrape of a million certificates has some four million series: it takes Prometheus seconds of a processor and several GiB. So:

1. **Alert by messages.** The daemon's own alerts ([alerts.md](alerts.md)) need no scrape at all, and name each certificate.
2. **Scrape what adds up.** The parts `scopes` and `daemon` have some 25 series for each scope, however many certificates it has:
   `notafter_scope_certificates` says how many have expired or end within 7, 30 and 90 days, `notafter_scope_earliest_not_after_timestamp_seconds` when
   the first one ends.
3. **Scrape certificates by several jobs**, less often, and only those that a query needs. Jobs of 100,000 certificates or fewer stay well
   within the usual limits of time and size.

```yaml
global:
  scrape_interval: 1m
scrape_configs:
  - job_name: notafter
    params:
      part: [scopes, daemon]
    static_configs:
      - targets: [\"notafter.example:9809\"]

  - job_name: notafter-redis
    scrape_interval: 4m
    scrape_timeout: 1m
    params:
      part: [resources]
      match: ['cloud_service=\"redis\"']
    static_configs:
      - targets: [\"notafter.example:9809\"]

  - job_name: notafter-others
    scrape_interval: 4m
    scrape_timeout: 1m
    params:
      part: [resources]
      match: ['cloud_service!=\"redis\"']
    static_configs:
      - targets: [\"notafter.example:9809\"]
```

An interval of four minutes still fits twice into the ten minutes over which the rules of [grafana.md](grafana.md) bridge missing scrapes. Two
alerts for those who scrape no certificates:

```yaml
groups:
  - name: notafter-large
    rules:
      - alert: NotafterScopeHasExpired
        expr: max without (instance, pod) (last_over_time(notafter_scope_certificates{left=\"expired\"}[10m])) > 0
        labels: { severity: critical }
      - alert: NotafterScopeEndsSoon
        expr: |
          max without (instance, pod) (last_over_time(notafter_scope_earliest_not_after_timestamp_seconds[10m])) - time() < 30 * 86400
        labels: { severity: warning }
```

";

/// The whole text.
pub fn reference() -> String {
    let mut out = String::from(INTRODUCTION) + PARTS;
    for (title, prefix) in [
        ("Certificates and resources", &["notafter_certificate_", "notafter_resource_"][..]),
        ("Scopes and polling", &["notafter_scope_", "notafter_poll_"]),
        ("Calls to clouds", &["notafter_api_"]),
        (
            "Messages",
            &["notafter_notification", "notafter_channel_", "notafter_outbox_", "notafter_heartbeat_"],
        ),
        ("Renewals", &["notafter_renewal"]),
        (
            "The daemon",
            &["notafter_build_", "notafter_config_", "notafter_store_", "notafter_tasks", "process_"],
        ),
    ] {
        section(&mut out, title, |family| prefix.iter().any(|prefix| family.name.starts_with(prefix)));
    }
    values(&mut out);
    out
}

fn section(out: &mut String, title: &str, belongs: impl Fn(&Family) -> bool) {
    line(out, format_args!("## {title}\n"));
    for family in catalogue().iter().filter(|family| belongs(family)) {
        let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
        let labels = if labels.is_empty() { "none".to_owned() } else { labels.join(", ") };
        line(out, format_args!("### `{}`\n", family.name));
        line(out, format_args!("{}\n", family.help));
        line(out, format_args!("Type: {}. Labels: {labels}.\n", family.kind.as_str()));
    }
}

fn values(out: &mut String) {
    line(out, format_args!("## Values of labels\n"));
    line(out, format_args!("| label | values |\n|---|---|"));
    for (label, values) in [
        ("cert_role", CertRole::ALL.map(CertRole::as_str).to_vec()),
        ("source", [DateSource::Api, DateSource::X509].map(DateSource::as_str).to_vec()),
        ("managed_by", [ManagedBy::Cloud, ManagedBy::Customer].map(ManagedBy::as_str).to_vec()),
        ("left", super::endings::LEFT.to_vec()),
        ("state", [&super::scopes::STATES[..], &super::channels::STATES].concat()),
        ("reason", Reason::ALL.map(Reason::as_str).to_vec()),
        ("reason` of `notafter_renewals_failed_total", FAILURES.map(|(_, word)| word).to_vec()),
        ("reason` of `notafter_renewals_refused_total", Refusal::ALL.iter().map(|why| why.code()).collect()),
    ] {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        line(out, format_args!("| `{label}` | {} |", values.join(", ")));
    }
    out.push('\n');
    out.push_str("`cloud_project` is empty where the cloud has no projects, `managed_by` where the cloud does not say.\n");
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    writeln!(out, "{text}").expect("writing into memory cannot fail");
}
