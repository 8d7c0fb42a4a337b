//! Explanations of single resources of a small fleet.

use std::collections::{BTreeMap, BTreeSet};

use super::*;
use crate::cli::testing::{Filled, HOSTILE, assert_expected, failure, in_days, in_seconds, mixed};
use crate::domain::alert::decide::{self, Renewal, Seen};
use crate::domain::alert::routing::{ChannelRules, Routing};
use crate::domain::finding::Stage;
use crate::domain::matcher::LabelSet;
use crate::domain::policy::{AlertPolicy, Route};
use crate::domain::reason::Reason;
use crate::domain::resource::Certificate;
use crate::domain::testing::{certificate, moment, reading};

const HOUR: Duration = Duration::from_hours(1);

fn ask(id: &str, snapshot: &Snapshot, adjust: impl FnOnce(&mut Known<'_>)) -> Result<String, String> {
    ask_with(id, snapshot, None, adjust)
}

fn ask_with(
    id: &str,
    snapshot: &Snapshot,
    alerts: Option<Alerts<'_>>,
    adjust: impl FnOnce(&mut Known<'_>),
) -> Result<String, String> {
    let overrides = [
        (matcher(r#"cloud_service="rds""#), days(90, 60, 14)),
        (matcher(r#"cloud_service="ulb", label:team="shop""#), days(120, 60, 14)),
        (matcher(r#"cloud_service="ulb""#), days(1, 1, 1)),
    ];
    let mut known = Known {
        snapshot,
        policy: &PollPolicy::default(),
        thresholds: Thresholds::default(),
        overrides: &overrides,
        account_label: &|account, key| (account == "shop" && key == "team").then_some("shop"),
        pace: &|scope| (&*scope.service != "ulb").then_some(3.0),
        uptime: Some(100 * HOUR),
        alerts,
        renewals: None,
        allow: &[],
        now: moment(),
    };
    adjust(&mut known);
    explain(id, &known)
}

fn matcher(text: &str) -> Matcher {
    Matcher::parse(text, LabelSet::CERTIFICATE).expect("good")
}

fn days(info: u64, warning: u64, critical: u64) -> Thresholds {
    let [info, warning, critical] = [info, warning, critical].map(|days| Duration::from_hours(24 * days));
    Thresholds { info, warning, critical }
}

#[test]
fn the_whole_story_of_one_resource_and_of_another() {
    let mut snapshot = mixed();
    let redis = crate::cli::testing::scope_of("alibaba/prod//cn-hangzhou/redis");
    snapshot.scope_mut(&redis).plan("r-bp1critical", 100 * HOUR + Duration::from_mins(58));
    let texts =
        ["r-bp1critical", "r-bp1silent", "ssl-1"].map(|id| ask(id, &snapshot, |_| {}).expect("known"));
    assert_expected("explain.txt", &texts.join("\n----\n\n"));
}

#[test]
fn it_says_when_the_next_look_is() {
    let mut snapshot = Snapshot::default();
    let scope = "alibaba/prod//cn-hangzhou/redis";
    Filled::new(&mut snapshot, scope, &[("r-1", "a"), ("r-2", "b")])
        .ends("r-1", in_days(40))
        .due("r-1", 100 * HOUR)
        .ends("r-2", in_days(40));
    for (name, id, uptime, want) in [
        ("due", "r-1", Some(100 * HOUR), "next         due now"),
        ("planned", "r-1", Some(95 * HOUR), "next         2026-11-22 13:00:00 UTC, in 5 h"),
        ("carried", "r-2", Some(HOUR), "next         with the next listing of its scope"),
        ("no daemon", "r-1", None, "next         a daemon would look again within 5 h"),
    ] {
        let text = ask(id, &snapshot, |known| known.uptime = uptime).expect("known");
        assert!(text.contains(want), "{name}: {text}");
    }
}

#[test]
fn the_first_override_that_matches_is_named() {
    let text = ask("ssl-1", &mixed(), |_| {}).expect("known");
    let want =
        r#"by [[alert.override]] number 2, the first that matches: cloud_service="ulb", label:team="shop""#;
    assert!(text.contains(want), "{text}");
    assert!(text.contains("stage        info: no more than 120d left"), "{text}");
}

#[test]
fn a_short_life_is_told_where_it_counts() {
    let mut snapshot = Snapshot::default();
    let short = Certificate { not_before: Some(in_days(-44)), ..certificate(in_days(3)) };
    Filled::new(&mut snapshot, "alibaba/prod//cn-hangzhou/redis", &[("r-1", "a")])
        .read("r-1", reading(vec![short]));
    let text = ask("r-1", &snapshot, |_| {}).expect("known");
    assert!(text.contains("critical: no more than 3 d left, a twelfth of its life, less than 7d"), "{text}");
}

#[test]
fn a_scope_that_is_too_large_for_its_pace_is_told() {
    let snapshot = mixed();
    for (name, pace, max_age, want) in [
        (
            "enough",
            3.0,
            6 * HOUR,
            "  one look at each takes 2 s at 3.0 calls a second (0.002 needed): max_age 6h is kept",
        ),
        ("one round fits, but some want more", 7.0 / 3600.0, HOUR, "  TOO SLOW: "),
        (
            "too slow",
            0.0001,
            6 * HOUR,
            "  TOO SLOW: one look at each takes 19 h at one call in 10000 s (0.002 needed): data gets older",
        ),
    ] {
        let policy = PollPolicy { max_age, ..PollPolicy::default() };
        let text = explain(
            "r-bp1fine",
            &Known {
                snapshot: &snapshot,
                policy: &policy,
                thresholds: Thresholds::default(),
                overrides: &[],
                account_label: &|_, _| None,
                pace: &|_| Some(pace),
                uptime: None,
                alerts: None,
                renewals: None,
                allow: &[],
                now: moment(),
            },
        );
        assert!(text.as_ref().is_ok_and(|text| text.contains(want)), "{name}: {text:?}");
    }
}

#[test]
fn an_id_in_several_scopes_is_shown_in_each() {
    let mut snapshot = Snapshot::default();
    for region in ["cn-hangzhou", "cn-beijing"] {
        Filled::new(&mut snapshot, &format!("alibaba/prod//{region}/redis"), &[("r-1", region)]);
    }
    let text = ask("r-1", &snapshot, |_| {}).expect("known");
    assert!(text.starts_with("2 scopes have a resource r-1.\n"), "{text}");
    assert_eq!(text.matches("\nResource r-1\n").count(), 2, "{text}");
}

#[test]
fn an_unknown_id_is_answered_with_near_ones_and_with_what_cannot_be_seen() {
    let snapshot = mixed();
    for (id, want) in [
        ("r-bp1critcal", "did you mean:\n  r-bp1critical (sessions) in prod/alibaba/redis/cn-hangzhou\n"),
        ("R-BP1FINE", "did you mean:\n  r-bp1fine (carts) in "),
        ("订单缓存", "did you mean:\n  r-bp1expired (订单缓存) in "),
        (
            "zzz",
            "no resource has the id zzz\nit may be in a scope that could not be read:\n  prod/alibaba/rds/cn-beijing: denied: ",
        ),
        ("a\nb", "no resource has the id a\\nb\n"),
    ] {
        let text = ask(id, &snapshot, |_| {}).expect_err("unknown");
        assert!(text.contains(want), "{id}: {text}");
    }
}

#[test]
fn what_the_operator_left_out_is_mentioned() {
    let mut snapshot = Snapshot::default();
    let scope = crate::cli::testing::scope_of("alibaba/prod//cn-hangzhou/redis");
    Filled::new(&mut snapshot, "alibaba/prod//cn-hangzhou/redis", &[]);
    snapshot.scope_mut(&scope).excluded = 2;
    let text = ask("r-1", &snapshot, |_| {}).expect_err("unknown");
    assert!(text.contains("left out by include and exclude, as 2 resources were"), "{text}");
}

#[test]
fn hostile_names_stay_on_their_line() {
    let mut snapshot = Snapshot::default();
    Filled::new(&mut snapshot, "alibaba/prod//cn-hangzhou/redis", &[(HOSTILE, HOSTILE)])
        .ends(HOSTILE, in_seconds(5))
        .fails(HOSTILE, failure(Reason::Refused, HOSTILE))
        .listing_fails(failure(Reason::Refused, HOSTILE));
    let known = ask(HOSTILE, &snapshot, |_| {}).expect("known");
    let near = ask(&format!("{HOSTILE}x"), &snapshot, |_| {}).expect_err("unknown");
    for text in [known, near] {
        assert!(!text.contains(|c| c != '\n' && crate::visible::is_invisible(c)), "{text}");
        assert!(!text.contains("\nOK"), "{text}");
    }
}

/// Two channels, one of which a route leads to.
fn with_alerts(id: &str, snapshot: &Snapshot, told: bool, remembered: bool) -> String {
    let channel = |name: &str, least| ChannelRules { name: name.into(), least, pager: false, replica: false };
    let route = |text: &str, channels: &[&str]| Route {
        matcher: Some(Matcher::parse(text, LabelSet::ALERT).expect("good")),
        channels: channels.iter().map(ToString::to_string).collect(),
        group_wait: Route::GROUP_WAIT,
        digest: None,
        quiet: None,
        thresholds: None,
        send_renewed: true,
        proceed: false,
    };
    let routing = Routing {
        channels: vec![channel("dba-slack-with-a-long-name", Stage::Info), channel("pager", Stage::Critical)],
        routes: vec![route(r#"cloud_service="redis""#, &["dba-slack-with-a-long-name"])],
    };
    let (accounts, alert, poll) = (BTreeMap::new(), AlertPolicy::default(), PollPolicy::default());
    let undelivered = BTreeSet::new();
    let world = World {
        snapshot,
        accounts: &accounts,
        alert: &alert,
        poll: &poll,
        routing: &routing,
        silences: &[],
        undelivered: &undelivered,
        renewal: &|_, _| Renewal::default(),
        console: &|_, _| None,
        now: moment(),
    };
    let mut memory = Memory::default();
    if told {
        let mut new_id = || "evt_1".into();
        let decided = decide::decide(&world, &memory, &BTreeMap::new(), &mut Seen::default(), &mut new_id);
        memory = decided.memory;
    }
    let alerts = Alerts { world: &world, memory: &memory, remembered };
    ask_with(id, snapshot, Some(alerts), |_| {}).expect("known")
}

#[test]
fn who_is_told_by_which_route_and_why_not() {
    let snapshot = mixed();
    let texts = [
        with_alerts("r-bp1critical", &snapshot, true, true),
        with_alerts("r-bp1critical", &snapshot, false, false),
        with_alerts("dcs-1", &snapshot, true, true),
        with_alerts("r-bp1off", &snapshot, true, true),
    ];
    let alerts = texts.iter().map(|text| {
        let begin = text.find("Alerts").expect("a paragraph");
        &text[begin..text.find("Renewal").expect("the last one")]
    });
    assert_expected("explain_alerts.txt", &alerts.collect::<Vec<_>>().join("----\n\n"));
}

#[test]
fn it_says_whether_and_when_it_is_renewed() {
    let garden = crate::web::testing::renewals::garden();
    let board = garden.board();
    let ids = ["r-running", "r-asked", "r-approved", "r-tried", "r-off", "r-done"];
    let paragraph = |id: &&str| {
        let known = Known {
            snapshot: &garden.snapshot,
            policy: &PollPolicy::default(),
            thresholds: Thresholds::default(),
            overrides: &[],
            account_label: &|_, _| None,
            pace: &|_| None,
            uptime: None,
            alerts: None,
            renewals: Some(&board),
            allow: &garden.policy.allow,
            now: moment(),
        };
        let text = explain(id, &known).expect("known");
        let (_, renewal) = text.split_once("\nRenewal\n").expect("the last paragraph");
        format!("{id}\n{renewal}")
    };
    assert_expected("explain_renewal.txt", &ids.iter().map(paragraph).collect::<Vec<_>>().join("\n"));
}
