//! `doctor` in words and as JSON: what works, what does not, and what would fix it. Pure: findings in, text out.

mod remedy;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use serde::Serialize;

use crate::daemon::doctor::{Diagnosis, Finding, Verdict};
use crate::domain::reason::Reason;
use crate::provider;
use crate::visible::visible;
use remedy::{Failure, found};

/// A clock that is off by more than this is worth a line; Alibaba Cloud refuses from 15 minutes on.
const SKEW_SECONDS: i64 = 60;

/// For people.
pub fn text(diagnoses: &[Diagnosis]) -> String {
    let mut out = String::new();
    for diagnosis in diagnoses {
        account(&mut out, diagnosis);
    }
    let ill = diagnoses.iter().filter(|diagnosis| !diagnosis.is_well()).count();
    let (all, less) =
        (diagnoses.len(), diagnoses.iter().filter(|diagnosis| !diagnosis.sees_everything()).count());
    let verdict = match ill {
        0 if less > 0 => format!("all {all} accounts work; {less} of them do not see everything\n"),
        0 => format!("all {all} accounts work\n"),
        ill => format!("{ill} of {all} accounts do not work completely\n"),
    };
    out + &verdict
}

/// For programs.
pub fn json(diagnoses: &[Diagnosis]) -> String {
    let accounts = diagnoses.iter().map(JsonAccount::new).collect();
    let document = Json { version: 1, ok: diagnoses.iter().all(Diagnosis::is_well), accounts };
    serde_json::to_string_pretty(&document).expect("plain values can be written")
}

fn account(out: &mut String, diagnosis: &Diagnosis) {
    let Diagnosis { account, provider, clock_ahead, findings } = diagnosis;
    let state = match () {
        () if diagnosis.sees_everything() => "works",
        () if diagnosis.is_well() => "works, and does not see everything",
        () => "does not work completely",
    };
    line(out, format_args!("{} ({provider}): {state}", visible(account)));
    if let Some(seconds) = clock_ahead.map(|ahead| ahead.num_seconds()).filter(|s| s.abs() > SKEW_SECONDS) {
        let direction = if seconds > 0 { "ahead of" } else { "behind" };
        line(
            out,
            format_args!("  clock        this machine's is {} s {direction} the cloud's", seconds.abs()),
        );
    }
    failures(out, provider, findings);
    without(out, findings);
    for (action, places) in working(findings) {
        line(out, format_args!("  {:<12} {action:<34} {}", "works", regions(&places)));
    }
    for (why, actions) in not_asked(findings) {
        line(
            out,
            format_args!(
                "  {:<12} {}: {why}",
                "not asked",
                actions.into_iter().collect::<Vec<_>>().join(", ")
            ),
        );
    }
    if let Some(policy) = provider::find(provider).and_then(|kind| kind.renew_policy) {
        line(out, format_args!("  {:<12} needs more than reading: {}", "renewal", found(policy)));
    }
    out.push('\n');
}

/// What fails, with its remedy; answers that say the same of the same call stand together.
fn failures(out: &mut String, provider: &str, findings: &[Finding]) {
    let mut groups: BTreeMap<(&str, String), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        if let Verdict::Fails { text, .. } = &finding.verdict {
            groups.entry((finding.action, without_request(text))).or_default().push(finding);
        }
    }
    for ((action, _), group) in groups {
        let Verdict::Fails { reason, key, role, text } = &group[0].verdict else { continue };
        let failure = Failure { reason: *reason, key: *key, role: *role, text };
        let places: Vec<&str> = group.iter().map(|finding| &*finding.scope.region).collect();
        line(out, format_args!("  {:<12} {action:<34} {}", reason.as_str(), regions(&places)));
        line(out, format_args!("  {:<12} {}", "", visible(text)));
        line(out, format_args!("  {:<12} → {}", "", remedy::remedy(provider, action, failure)));
    }
}

/// What is refused or fails, and is no failure: what is lost with it, and what would grant it.
fn without(out: &mut String, findings: &[Finding]) {
    let mut groups: BTreeMap<(&str, String), Vec<&Finding>> = BTreeMap::new();
    for finding in findings {
        if let Verdict::Without { text, .. } = &finding.verdict {
            groups.entry((finding.action, without_request(text))).or_default().push(finding);
        }
    }
    for ((action, _), group) in groups {
        let Verdict::Without { extra, reason, text } = &group[0].verdict else { continue };
        let places: Vec<&str> = group.iter().map(|finding| &*finding.scope.region).collect();
        line(out, format_args!("  {:<12} {action:<34} {}", "without", regions(&places)));
        line(out, format_args!("  {:<12} {}", "", visible(text)));
        line(out, format_args!("  {:<12} lost: {}", "", extra.lost));
        line(out, format_args!("  {:<12} → {}", "", remedy::of_extra(extra, *reason, text)));
    }
}

fn working(findings: &[Finding]) -> BTreeMap<&'static str, Vec<&str>> {
    let mut working: BTreeMap<_, Vec<&str>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| finding.verdict == Verdict::Works) {
        working.entry(finding.action).or_default().push(&finding.scope.region);
    }
    working
}

/// Calls that were made nowhere, by why. (That a call was not made in one region is told by what failed there.)
fn not_asked(findings: &[Finding]) -> BTreeMap<&'static str, BTreeSet<&'static str>> {
    let made: BTreeSet<&str> = findings
        .iter()
        .filter(|finding| !matches!(finding.verdict, Verdict::NotAsked(_)))
        .map(|finding| finding.action)
        .collect();
    let mut groups: BTreeMap<_, BTreeSet<_>> = BTreeMap::new();
    for finding in findings.iter().filter(|finding| !made.contains(finding.action)) {
        if let Verdict::NotAsked(why) = finding.verdict {
            groups.entry(why).or_default().insert(finding.action);
        }
    }
    groups
}

/// Two answers differ in the id of their request; what they say may be the same.
fn without_request(text: &str) -> String {
    match text.split_once("request ") {
        Some((before, rest)) => {
            let end = rest.find([')', ',']).unwrap_or(rest.len());
            format!("{before}{}", &rest[end..])
        }
        None => text.to_owned(),
    }
}

fn regions(regions: &[&str]) -> String {
    let named: BTreeSet<&str> = regions.iter().copied().filter(|region| !region.is_empty()).collect();
    let named: Vec<&str> = named.into_iter().collect();
    match named.as_slice() {
        few if few.len() <= 4 => few.join(", "),
        many => format!("{} and {} more regions", many[..3].join(", "), many.len() - 3),
    }
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    let written = writeln!(out, "{}", text.to_string().trim_end());
    written.expect("writing to a string cannot fail");
}

#[derive(Serialize)]
struct Json<'a> {
    version: u8,
    ok: bool,
    accounts: Vec<JsonAccount<'a>>,
}

#[derive(Serialize)]
struct JsonAccount<'a> {
    cloud_account: &'a str,
    cloud_provider: &'a str,
    /// Everything that watching needs works; calls with the result `without` do not count.
    ok: bool,
    clock_ahead_seconds: Option<i64>,
    read_policy: Option<&'static str>,
    renew_policy: Option<&'static str>,
    calls: Vec<JsonCall<'a>>,
}

#[derive(Serialize)]
struct JsonCall<'a> {
    action: &'static str,
    cloud_project: &'a str,
    cloud_region: &'a str,
    cloud_service: &'a str,
    result: &'static str,
    reason: Option<&'static str>,
    text: Option<&'a str>,
    /// What is not seen without it, where the account can do without.
    lost: Option<&'static str>,
    remedy: Option<String>,
}

impl<'a> JsonAccount<'a> {
    fn new(diagnosis: &'a Diagnosis) -> Self {
        let kind = provider::find(&diagnosis.provider);
        Self {
            cloud_account: &diagnosis.account,
            cloud_provider: &diagnosis.provider,
            ok: diagnosis.is_well(),
            clock_ahead_seconds: diagnosis.clock_ahead.map(|ahead| ahead.num_seconds()),
            read_policy: kind.map(|kind| kind.read_policy),
            renew_policy: kind.and_then(|kind| kind.renew_policy),
            calls: diagnosis
                .findings
                .iter()
                .map(|finding| JsonCall::new(&diagnosis.provider, finding))
                .collect(),
        }
    }
}

impl<'a> JsonCall<'a> {
    fn new(provider: &str, finding: &'a Finding) -> Self {
        let (result, reason, text, remedy) = match &finding.verdict {
            Verdict::Works => ("works", None, None, None),
            Verdict::NotAsked(why) => ("not_asked", None, Some(*why), None),
            Verdict::Fails { reason, key, role, text } => {
                let failure = Failure { reason: *reason, key: *key, role: *role, text };
                let remedy = remedy::remedy(provider, finding.action, failure);
                ("fails", Some(*reason), Some(text.as_str()), Some(remedy))
            }
            Verdict::Without { extra, reason, text } => {
                let remedy = remedy::of_extra(extra, *reason, text);
                ("without", Some(*reason), Some(text.as_str()), Some(remedy))
            }
        };
        let lost =
            if let Verdict::Without { extra, .. } = &finding.verdict { Some(extra.lost) } else { None };
        let scope = &finding.scope;
        Self {
            action: finding.action,
            cloud_project: &scope.project,
            cloud_region: &scope.region,
            cloud_service: &scope.service,
            result,
            reason: reason.map(Reason::as_str),
            text,
            lost,
            remedy,
        }
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;
    use crate::domain::identity::Scope;

    fn finding(action: &'static str, region: &str, verdict: Verdict) -> Finding {
        let scope = Scope {
            provider: "alibaba".into(),
            account: "prod".into(),
            project: "".into(),
            region: region.into(),
            service: "rds".into(),
        };
        Finding { action, scope, verdict }
    }

    fn denied(request: &str) -> Verdict {
        let text = format!("rds:ListTagResources: denied (Forbidden.RAM, request {request}): no\x1b[31m");
        Verdict::Fails { reason: Reason::Denied, key: false, role: false, text }
    }

    fn diagnosis() -> Diagnosis {
        let findings = vec![
            finding("rds:DescribeDBInstances", "cn-beijing", Verdict::Works),
            finding("rds:DescribeDBInstances", "cn-hangzhou", Verdict::Works),
            finding("rds:ListTagResources", "cn-beijing", denied("A1")),
            finding("rds:ListTagResources", "cn-hangzhou", denied("B2")),
            finding("rds:ModifyDBInstanceSSL", "", Verdict::NotAsked("it is made for a renewal only")),
        ];
        let clock_ahead = Some(TimeDelta::seconds(-90));
        Diagnosis { account: "prod".into(), provider: "alibaba".into(), clock_ahead, findings }
    }

    #[test]
    fn the_text_says_what_fails_where_and_what_mends_it() {
        let want = "\
prod (alibaba): does not work completely
  clock        this machine's is 90 s behind the cloud's
  denied       rds:ListTagResources               cn-beijing, cn-hangzhou
               rds:ListTagResources: denied (Forbidden.RAM, request A1): no\\u{1b}[31m
               → allow `rds:ListTagResources` for this key: policies/alibaba-read.json (installed: /usr/share/notafter/policies/alibaba-read.json)
  works        rds:DescribeDBInstances            cn-beijing, cn-hangzhou
  not asked    rds:ModifyDBInstanceSSL: it is made for a renewal only
  renewal      needs more than reading: policies/alibaba-renew.json (installed: /usr/share/notafter/policies/alibaba-renew.json)

1 of 1 accounts do not work completely
";
        assert_eq!(text(&[diagnosis()]), want);
    }

    #[test]
    fn programs_get_every_call_of_every_region() {
        let parsed: serde_json::Value = serde_json::from_str(&json(&[diagnosis()])).expect("JSON");
        let account = &parsed["accounts"][0];
        assert_eq!((&parsed["ok"], &account["clock_ahead_seconds"]), (&false.into(), &(-90).into()));
        assert_eq!(account["calls"].as_array().map(Vec::len), Some(5));
        assert_eq!(account["calls"][2]["result"], "fails");
        assert!(
            account["calls"][2]["remedy"].as_str().is_some_and(|text| text.contains("alibaba-read.json"))
        );
    }
}
