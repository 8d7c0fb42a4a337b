use super::*;

fn blind_lines(messages: &[Message]) -> Vec<(&'static str, String)> {
    let items = messages.iter().flat_map(|message| &message.items);
    let of = |item: &Item| match item {
        Item::Source(source) => Some((item.type_name(), format!("{}/{}", source.account, source.reason))),
        _ => None,
    };
    items.filter_map(of).collect()
}

fn hour() -> TimeDelta {
    TimeDelta::hours(1)
}

#[test]
fn a_source_is_blind_after_three_rounds_and_an_hour() {
    let mut town = Town::new().with("r-1", days(300));
    for (minute, told) in [(0, 0), (10, 0), (20, 0), (30, 0), (70, 1), (80, 0)] {
        town.now = moment() + hour() + TimeDelta::minutes(minute);
        town.fail(Reason::Timeout);
        assert_eq!(blind_lines(&town.round()).len(), told, "minute {minute}");
    }
}

#[test]
fn an_hour_with_one_failure_is_not_blind() {
    let mut town = Town::new().with("r-1", days(300));
    town.fail(Reason::Timeout);
    for _ in 0..3 {
        assert!(blind_lines(&town.wait(hour()).round()).is_empty());
    }
}

#[test]
fn a_refused_key_counts_after_two_rounds() {
    let mut town = Town::new().with("r-1", days(300));
    town.fail(Reason::Denied);
    assert!(blind_lines(&town.round()).is_empty());
    town.fail(Reason::Denied);
    assert_eq!(blind_lines(&town.round()), [("source.blind", "prod/denied".to_owned())]);
}

fn blind_town() -> Town {
    let mut town = Town::new().with("r-1", days(300));
    for _ in 0..2 {
        town.fail(Reason::Denied);
        town.round();
    }
    town
}

#[test]
fn recovery_is_told_once_with_its_length() {
    let mut town = blind_town();
    let since = moment() + COMPANY;
    town.wait(hour() * 5).list(&["r-1"]);
    let until = town.now;
    let messages = town.round();
    let Some(Item::Source(item)) = messages.first().and_then(|message| message.items.first()) else {
        panic!("{messages:?}")
    };
    assert_eq!(item.news, super::super::message::SourceNews::Recovered { since, until, unwatched: false });
    assert!(blind_lines(&town.round()).is_empty());
    assert!(town.memory.blind.is_empty());
}

#[test]
fn stages_go_on_while_nobody_can_look() {
    let mut town = Town::new().with("r-1", days(8));
    town.round();
    for _ in 0..2 {
        town.fail(Reason::Denied);
        town.round();
    }
    town.wait(days(2)).fail(Reason::Denied);
    let messages = town.round();
    let lines: Vec<String> = messages.iter().flat_map(shorten).collect();
    assert!(lines.iter().any(|line| line == "chat: r-1 entered critical from warning"), "{lines:?}");
    let Some(Item::Certificate(item)) =
        messages[0].items.iter().find(|item| matches!(item, Item::Certificate(_)))
    else {
        panic!("{messages:?}")
    };
    assert!(item.facts.stale, "and say that it was not seen lately");
}

#[test]
fn a_blind_source_becomes_critical_with_what_is_behind_it() {
    let mut town = blind_town();
    assert_eq!(blind_lines(&town.wait(hour() * 12).round()).len(), 0);
    let messages = town.wait(hour() * 13).round();
    let severities: Vec<_> = messages.iter().map(Message::severity).collect();
    assert_eq!(severities, [super::super::message::Severity::Critical], "after a day");
    assert_eq!(blind_lines(&town.wait(hour()).round()).len(), 0);
    assert_eq!(blind_lines(&town.wait(hour() * 24).round()).len(), 1, "a reminder a day later");
}

#[test]
fn another_reason_of_the_same_scope_is_no_second_message() {
    let mut town = blind_town();
    for reason in [Reason::Timeout, Reason::Unreachable, Reason::Denied] {
        for _ in 0..4 {
            town.wait(TimeDelta::minutes(20)).fail(reason);
            assert!(blind_lines(&town.round()).is_empty(), "{reason:?}");
        }
    }
}

fn regions_fail(town: &mut Town, regions: &[&str]) -> Vec<Message> {
    for _ in 0..2 {
        for region in regions {
            let scope = Arc::new(Scope { region: (*region).into(), ..scope("redis") });
            let failure = Failure { reason: Reason::Denied, text: "no".into(), at: town.now };
            town.snapshot.scope_mut(&scope).listing_failed(failure);
        }
        town.wait(TimeDelta::minutes(1));
        let _ = town.evaluate();
    }
    town.round()
}

#[test]
fn a_silence_about_one_region_hides_no_blind_account() {
    for (regions, told) in [(&["cn-beijing", "cn-shanghai"][..], 1), (&["cn-beijing"][..], 0), (&[""][..], 1)]
    {
        let mut town = Town::new();
        let about = super::super::silence::About::Matching(matcher(r#"cloud_region="cn-beijing""#));
        town.silences = vec![Silence {
            id: "sil_1".into(),
            about,
            starts_at: town.now,
            ends_at: town.now + days(7),
            author: "ada".into(),
            comment: "moving".into(),
            include_expired: false,
        }];
        assert_eq!(blind_lines(&regions_fail(&mut town, regions)).len(), told, "{regions:?}");
    }
}

/// How the ends of blind sources were told.
fn ends(messages: &[Message]) -> Vec<&'static str> {
    use super::super::message::SourceNews;
    let items = messages.iter().flat_map(|message| &message.items);
    let of = |item: &Item| match item {
        Item::Source(source) => match source.news {
            SourceNews::Recovered { unwatched: false, .. } => Some("readable"),
            SourceNews::Recovered { unwatched: true, .. } => Some("not watched"),
            SourceNews::Blind { .. } => Some("blind"),
        },
        _ => None,
    };
    items.filter_map(of).collect()
}

/// What becomes of the scopes of a blind source, one step after the other; and what is told at each.
type Course = &'static [(&'static str, &'static [&'static str])];

#[test]
fn only_what_is_read_well_can_be_read_again() {
    let cases: &[(&str, &[&str], Course)] = &[
        ("all of it is read", &["a"], &[("list a", &["readable"])]),
        ("half of it is read", &["a", "b"], &[("list a", &[]), ("list b", &["readable"])]),
        ("all of it is taken out", &["a", "b"], &[("remove a", &[]), ("remove b", &["not watched"])]),
        ("half is taken out, half is read", &["a", "b"], &[("remove a", &[]), ("list b", &["readable"])]),
        ("another region was always read", &["a"], &[("list b", &[]), ("remove a", &["not watched"])]),
        ("another service is there", &["a"], &[("list rds", &[]), ("remove a", &["not watched"])]),
        ("another account is there", &["a"], &[("list other", &[]), ("remove a", &["not watched"])]),
        ("it comes back anew", &["a"], &[("renew a", &[]), ("list a", &["readable"])]),
        (
            "its regions are asked for anew",
            &["a"],
            &[("new (all)", &[]), ("remove a", &[]), ("new b", &[]), ("remove (all)", &["not watched"])],
        ),
        (
            "the key is mended before the regions are known",
            &["(all)"],
            &[("new a", &[]), ("remove (all)", &[]), ("list a", &["readable"])],
        ),
        (
            "the key is mended, and a region fails",
            &["(all)"],
            &[("new a", &[]), ("remove (all)", &[]), ("fail a", &[])],
        ),
        (
            "the account is taken out before its regions are known",
            &["(all)"],
            &[("remove (all)", &["not watched"])],
        ),
    ];
    for (name, blind, course) in cases {
        let mut town = Town::new();
        let own = Arc::clone(&town.scope);
        town.snapshot.remove_scope(&own);
        let regions: Vec<_> = blind.iter().map(|region| region.trim_matches(['(', ')'])).collect();
        let regions: Vec<_> =
            regions.iter().map(|region| if *region == "all" { "" } else { region }).collect();
        assert_eq!(ends(&regions_fail(&mut town, &regions)), ["blind"], "{name}");
        for (step, told) in *course {
            town.wait(hour());
            go(&mut town, step);
            assert_eq!(ends(&town.round()), *told, "{name}: {step}");
        }
    }
}

/// `list a`, `remove a`, `new a`, `renew a`, `fail a`.
fn go(town: &mut Town, step: &str) {
    let (verb, name) = step.split_once(' ').expect("two words");
    let scope = Arc::new(match name {
        "(all)" => Scope { region: "".into(), ..scope("redis") },
        "rds" => scope("rds"),
        "other" => Scope { account: "other".into(), ..scope("redis") },
        region => Scope { region: region.into(), ..scope("redis") },
    });
    let now = town.now;
    match verb {
        "remove" => town.snapshot.remove_scope(&scope),
        "new" => drop(town.snapshot.scope_mut(&scope)),
        "renew" => drop(town.snapshot.scopes.insert(scope, Arc::default())),
        "fail" => {
            let failure = Failure { reason: Reason::Timeout, text: "slow".into(), at: now };
            town.snapshot.scope_mut(&scope).listing_failed(failure);
        }
        _ => {
            let view = town.snapshot.scope_mut(&scope);
            view.absorb_listing(listing(&["r-9"]), Duration::from_secs(1), now);
        }
    }
}

#[test]
fn how_bad_a_blind_source_is_goes_by_the_thresholds_of_those_who_hear_of_it() {
    use crate::domain::policy::Thresholds;
    let day = |days: u64| Duration::from_hours(24 * days);
    let wide = Thresholds { info: day(90), warning: day(60), critical: day(30) };
    for (name, by_override, by_route, want) in [
        ("the usual ones", None, None, Severity::Warning),
        ("an override", Some(r#"cloud_service="redis""#), None, Severity::Critical),
        ("an override for others", Some(r#"cloud_service="rds""#), None, Severity::Warning),
        ("those of the route", None, Some(wide), Severity::Critical),
    ] {
        let mut town = Town::new().with("r-1", days(20));
        town.alert.overrides =
            by_override.map(|expression| (matcher(expression), wide)).into_iter().collect();
        town.routing.channels.push(ChannelRules { replica: true, ..channel("state") });
        town.routing.routes = vec![Route { thresholds: by_route, ..route("", &["chat", "state"]) }];
        let mut told = Vec::new();
        for _ in 0..2 {
            town.wait(TimeDelta::minutes(1)).fail(Reason::Denied);
            told.extend(town.round());
        }
        let items = || told.iter().flat_map(|message| &message.items);
        let severities: Vec<_> =
            items().filter(|item| matches!(item, Item::Source(_))).map(Item::severity).collect();
        assert_eq!(severities, [want], "{name}");
        let state = town.state("state", None);
        let open = state.open.iter().filter(|open| matches!(open.item, Item::Source(_)));
        assert_eq!(open.map(|open| open.item.severity()).collect::<Vec<_>>(), [want], "{name}");
    }
}

#[test]
fn what_gets_worse_waits_for_no_digest() {
    let mut town = Town::new();
    let digest = Some(crate::domain::policy::Digest {
        at: crate::domain::policy::Digest::default_time(),
        days: vec![chrono::Weekday::Mon],
        send_empty: false,
    });
    town.routing.routes = vec![Route { digest, ..route("", &["chat"]) }];
    town.now += days(2);
    town.round();
    let mut town = town.with("r-1", days(300));
    for _ in 0..2 {
        town.fail(Reason::Denied);
        town.round();
    }
    let messages = town.wait(hour() * 25).round();
    assert_eq!(blind_lines(&messages).len(), 1, "critical after a day");
}

#[test]
fn every_region_of_an_account_is_one_message() {
    let mut town = Town::new();
    let regions = ["cn-beijing", "cn-shanghai", "eu-central-1"];
    let scopes = regions.map(|region| Arc::new(Scope { region: region.into(), ..scope("redis") }));
    for _ in 0..2 {
        for scope in &scopes {
            let failure = Failure { reason: Reason::Denied, text: "no".into(), at: town.now };
            town.snapshot.scope_mut(scope).listing_failed(failure);
        }
        town.wait(TimeDelta::minutes(1));
        let _ = town.evaluate();
    }
    let messages = town.round();
    let Some(Item::Source(item)) = messages.first().and_then(|message| message.items.first()) else {
        panic!("{messages:?}")
    };
    assert_eq!(blind_lines(&messages).len(), 1);
    assert_eq!(item.regions, regions.map(Box::<str>::from));
}
