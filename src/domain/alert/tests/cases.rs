use chrono::{NaiveTime, Weekday};

use super::*;
use crate::domain::alert::message::{By, RenewalNote, Severity};
use crate::domain::alert::silence::About;
use crate::domain::policy::{Digest, EVERY_DAY, Hours, Quiet, Thresholds};
use crate::domain::resource::TlsState;

const NONE: [&str; 0] = [];

fn time(hour: u32, minute: u32) -> NaiveTime {
    NaiveTime::from_hms_opt(hour, minute, 0).expect("a time")
}

fn daily(hour: u32, minute: u32) -> Digest {
    Digest { at: time(hour, minute), days: EVERY_DAY.to_vec(), send_empty: false }
}

#[test]
fn each_stage_is_told_once_and_then_only_reminded() {
    let mut town = Town::new().with("r-1", days(31));
    assert_eq!(town.told(), NONE, "31 days");
    for (name, wait, want) in [
        ("30 days", days(1), vec!["chat: r-1 entered info"]),
        ("29 days: info is never repeated", days(1), vec![]),
        ("14 days", days(15), vec!["chat: r-1 entered warning from info"]),
        ("a day later", days(1), vec![]),
        ("three days after it was told", days(2), vec!["chat: r-1 still warning"]),
        ("7 days", days(4), vec!["chat: r-1 entered critical from warning"]),
        ("the next day", days(1), vec!["chat: r-1 still critical"]),
        ("the end", days(6), vec!["chat: r-1 entered expired from critical"]),
        ("a day after", days(1), vec!["chat: r-1 still expired"]),
        ("twelve hours later", TimeDelta::hours(12), vec![]),
        ("a fortnight after", days(14), vec!["chat: r-1 still expired"]),
        ("then weekly", days(6), vec![]),
        ("a week later", days(1), vec!["chat: r-1 still expired"]),
    ] {
        assert_eq!(town.wait(wait).told(), want, "{name}");
        assert_eq!(town.told(), NONE, "{name}, a minute later");
    }
}

#[test]
fn several_thresholds_at_once_are_one_message_of_the_deepest() {
    let mut town = Town::new().with("r-1", days(40));
    town.round();
    assert_eq!(town.wait(days(34)).told(), ["chat: r-1 entered critical"]);
}

#[test]
fn the_first_message_tells_how_things_stand() {
    let mut town = Town::never_started().with("r-1", days(3)).with("r-2", days(-1)).with("r-3", days(300));
    let messages = town.evaluate();
    let [first] = &messages[..] else { panic!("{messages:?}") };
    assert_eq!(shorten(first), ["first chat: r-2 entered expired", "first chat: r-1 entered critical"]);
    let overview = first.overview.as_ref().expect("numbers");
    assert_eq!(overview.stages[&Stage::Ok], 1);
    assert_eq!(overview.services["redis"], 2);
    assert_eq!(town.told(), NONE, "nothing is told twice");
}

#[test]
fn a_channel_that_is_new_hears_how_things_stand_and_the_others_nothing() {
    let mut town = Town::new().with("r-1", days(3));
    town.round();
    town.routing.channels.push(channel("new"));
    assert_eq!(town.told(), ["first new: r-1 entered critical"]);
}

#[test]
fn nothing_wrong_at_the_start_is_no_message() {
    assert!(Town::never_started().with("r-1", days(300)).round().is_empty());
}

#[test]
fn a_renewal_is_told_when_it_was_read_twice() {
    let mut town = Town::new().with("r-1", days(6));
    town.round();
    let renewed = town.now + days(365);
    town.read("r-1", renewed);
    assert_eq!(town.wait(days(1)).told(), NONE, "read once; reminders wait as well");
    town.read("r-1", renewed);
    let messages = town.round();
    assert_eq!(messages.iter().flat_map(shorten).collect::<Vec<_>>(), ["chat: r-1 renewed"]);
    let Item::Certificate(item) = &messages[0].items[0] else { panic!() };
    let News::Renewed { old_not_after, by, told, .. } = item.news else { panic!() };
    assert_eq!((old_not_after, by, told), (moment() + COMPANY + days(6), By::External, Stage::Critical));
    assert_eq!(town.wait(days(30)).told(), NONE);
}

#[test]
fn our_own_renewal_is_believed_at_once() {
    let mut town = Town::new().with("r-1", days(6));
    town.round();
    town.renewal.ours = Some(town.now + days(365));
    town.read("r-1", town.now + days(365));
    assert_eq!(town.told(), ["chat: r-1 renewed"]);
}

#[test]
fn an_end_that_goes_back_and_forth_is_not_told_again_and_again() {
    let mut town = Town::new().with("r-1", days(6));
    let old = town.now + days(6);
    town.round();
    let new = town.now + days(365);
    let mut told = Vec::new();
    for _ in 0..20 {
        for end in [new, old] {
            town.read("r-1", end);
            told.extend(town.wait(TimeDelta::minutes(2)).told());
        }
    }
    assert_eq!(told, NONE, "no end was ever read twice in a row");
    for end in [new, new, old, old, new, new, old, old] {
        town.read("r-1", end);
        told.extend(town.wait(TimeDelta::minutes(2)).told());
    }
    assert_eq!(told, ["chat: r-1 renewed"], "each end is told once");
}

#[test]
fn the_old_certificate_that_comes_back_is_reminded_of() {
    let mut town = Town::new().with("r-1", days(6));
    let old = town.now + days(6);
    town.round();
    town.read_twice("r-1", moment() + days(365));
    assert_eq!(town.told(), ["chat: r-1 renewed"]);
    town.wait(days(2)).read_twice("r-1", old);
    let mut told = town.told();
    told.extend(town.wait(days(1)).told());
    assert!(told.iter().any(|line| line == "chat: r-1 still critical"), "{told:?}");
}

#[test]
fn a_renewal_that_is_short_says_so_and_is_not_told_twice() {
    let mut town = Town::new().with("r-1", days(2));
    town.round();
    let renewed = town.now + days(10);
    town.read_twice("r-1", renewed);
    assert_eq!(town.told(), ["chat: r-1 renewed, warning"]);
    assert_eq!(town.told(), NONE);
    assert_eq!(town.wait(days(4)).told(), ["chat: r-1 entered critical from warning"]);
}

#[test]
fn who_was_never_told_of_the_old_one_is_not_told_of_the_new_one() {
    let mut town = Town::new().with("r-1", days(60));
    town.routing.channels.push(channel("other"));
    town.routing.routes =
        vec![Route { proceed: true, ..route(r#"severity="critical""#, &["chat"]) }, route("", &["other"])];
    town.round();
    town.wait(days(40)).round();
    let renewed = town.now + days(365);
    town.read_twice("r-1", renewed);
    assert_eq!(town.told(), ["other: r-1 renewed"]);
}

#[test]
fn what_was_never_delivered_is_not_told_as_renewed() {
    let mut town = Town::new().with("r-1", days(6));
    let old = town.now + days(6);
    town.round();
    let key = crate::domain::alert::facts::fingerprint(
        &town.scope,
        "r-1",
        crate::domain::identity::CertRole::Server,
    );
    town.undelivered.insert(("chat".into(), key, old));
    let renewed = town.now + days(365);
    town.read_twice("r-1", renewed);
    assert_eq!(town.told(), NONE);
    town.undelivered.clear();
    assert_eq!(town.told(), NONE, "it stays settled");
    assert_eq!(town.wait(days(352)).told(), ["chat: r-1 entered warning"], "the new end counts");
}

#[test]
fn of_an_end_that_was_never_heard_the_one_before_is_what_people_know() {
    let hours = TimeDelta::hours;
    for (name, undelivered, want) in [
        ("all was heard", &[][..], &["chat: r-1 renewed from 48"][..]),
        ("the change never arrived", &[48], &["chat: r-1 renewed from 144"]),
        ("nothing arrived", &[144, 48], &[]),
        ("the first word never arrived", &[144], &["chat: r-1 renewed from 48"]),
    ] {
        let mut town = Town::new().with("r-1", hours(144));
        let start = town.now;
        assert_eq!(town.told(), ["chat: r-1 entered critical"], "{name}");
        town.read_twice("r-1", start + hours(48));
        assert_eq!(town.told(), ["chat: r-1 changed, critical"], "{name}");
        let key = crate::domain::alert::facts::fingerprint(
            &town.scope,
            "r-1",
            crate::domain::identity::CertRole::Server,
        );
        town.undelivered = undelivered.iter().map(|end| ("chat".into(), key, start + hours(*end))).collect();
        town.read_twice("r-1", start + days(365));
        let mut messages = town.evaluate();
        // from the moment on in which the new end is believed, a courier drops the warnings of the old one
        town.undelivered.clear();
        messages.extend(town.round());
        let items = messages.iter().flat_map(|message| &message.items);
        let told: Vec<String> = items.map(|item| renewed_from(item, start)).collect();
        assert_eq!(told, want, "{name}");
        assert_eq!(town.told(), NONE, "{name}: once");
    }
}

/// `chat: r-1 renewed from 144`, by the hours that the old end was away.
fn renewed_from(item: &Item, start: DateTime<Utc>) -> String {
    let Item::Certificate(item) = item else { panic!("a certificate") };
    let News::Renewed { old_not_after, .. } = item.news else { panic!("{:?}", item.news) };
    format!("chat: {} renewed from {}", item.facts.resource_id, (old_not_after - start).num_hours())
}

#[test]
fn who_knows_a_later_end_hears_of_the_one_that_it_became() {
    let mut town = Town::new().with("r-1", days(6));
    let start = town.now;
    town.round();
    town.read_twice("r-1", start + days(300));
    assert_eq!(town.told(), ["chat: r-1 renewed"]);
    town.read_twice("r-1", start + days(2));
    assert_eq!(town.told(), ["chat: r-1 changed, critical"]);
    let key = town.memory.certificates.keys().next().copied().expect("told");
    town.undelivered.insert(("chat".into(), key, start + days(2)));
    town.read_twice("r-1", start + days(100));
    assert_eq!(town.told(), ["chat: r-1 changed, ok"], "the last that they know of are 300 days");
}

#[test]
fn an_end_that_moves_forward_is_a_change() {
    let mut town = Town::new().with("r-1", days(300));
    town.round();
    let sooner = town.now + days(100);
    town.read("r-1", sooner);
    assert_eq!(town.told(), NONE, "read once");
    town.read("r-1", sooner);
    assert_eq!(town.told(), ["chat: r-1 changed, ok"]);
    assert_eq!(town.told(), NONE);
}

#[test]
fn the_same_end_from_another_source_is_no_news() {
    let mut town = Town::new().with("r-1", days(6));
    let end = town.now + days(6);
    town.round();
    for _ in 0..3 {
        town.read("r-1", end + TimeDelta::hours(8));
        assert_eq!(town.wait(TimeDelta::minutes(2)).told(), NONE);
    }
}

#[test]
fn gone_is_told_once_two_listings_agree() {
    let mut town = Town::new().with("r-1", days(6)).with("r-2", days(300)).with("r-3", days(300));
    town.round();
    town.list(&["r-2", "r-3"]);
    assert_eq!(town.wait(days(1)).told(), NONE, "one listing; no reminder either");
    town.list(&["r-2", "r-3"]);
    assert_eq!(town.told(), ["chat: r-1 gone NotListed"]);
    assert!(town.memory.certificates.is_empty());
}

#[test]
fn gone_is_never_told_because_nobody_could_look() {
    let mut town = Town::new().with("r-1", days(6)).with("r-2", days(300)).with("r-3", days(300));
    town.round();
    town.list(&["r-2", "r-3"]);
    town.round();
    for _ in 0..5 {
        town.wait(TimeDelta::hours(1)).fail(Reason::Timeout);
        assert!(town.told().iter().all(|line| !line.contains("gone")));
    }
    town.read("r-1", moment() + COMPANY + days(6));
    assert!(town.told().iter().all(|line| !line.contains("gone")));
}

#[test]
fn tls_that_was_switched_off_is_told_as_such() {
    let mut town = Town::new().with("r-1", days(6));
    town.round();
    for want in [&NONE[..], &["chat: r-1 gone TlsOff"][..]] {
        let off = Reading { state: TlsState::Disabled, at: town.now, ..reading(Vec::new()) };
        town.look("r-1", off);
        assert_eq!(town.told(), want);
    }
}

#[test]
fn routes_are_asked_in_order_and_the_first_wins() {
    let mut town = Town::new().with("r-1", days(20)).with("r-2", days(3));
    town.routing.channels = vec![channel("chat"), channel("night"), channel("all")];
    town.memory = Memory::default();
    town.evaluate();
    town.memory.certificates.clear();
    town.routing.routes = vec![
        Route { proceed: true, ..route(r#"severity="critical""#, &["night"]) },
        route(r#"resource_id="r-2""#, &["chat"]),
        route("", &["all"]),
    ];
    let mut told = town.told();
    told.sort();
    assert_eq!(told, ["all: r-1 entered info", "chat: r-2 entered critical", "night: r-2 entered critical"]);
}

#[test]
fn a_route_may_have_thresholds_of_its_own() {
    let mut town = Town::new().with("r-1", days(50));
    let thresholds = Thresholds {
        info: Duration::from_hours(24 * 90),
        warning: Duration::from_hours(24 * 60),
        critical: Duration::from_hours(24 * 10),
    };
    town.routing.routes = vec![Route { thresholds: Some(thresholds), ..route("", &["chat"]) }];
    assert_eq!(town.told(), ["chat: r-1 entered warning"]);
}

#[test]
fn a_pager_is_told_from_critical_on_and_always_of_the_end() {
    let mut town = Town::new().with("r-1", days(20));
    town.routing.channels = vec![pager("pager")];
    town.routing.routes = vec![Route { send_renewed: false, ..route("", &["pager"]) }];
    assert_eq!(town.told(), NONE);
    assert_eq!(town.wait(days(14)).told(), ["pager: r-1 entered critical"]);
    let renewed = town.now + days(365);
    town.read_twice("r-1", renewed);
    assert_eq!(town.told(), ["pager: r-1 renewed"], "an incident must be closed");
}

#[test]
fn quiet_hours_hold_what_can_wait() {
    let night = Hours { from: time(22, 0), to: time(7, 0), days: EVERY_DAY.to_vec() };
    let quiet = Some(Quiet { hours: Some(night), dates: Vec::new() });
    let mut town = Town::new();
    town.routing.routes = vec![Route { quiet, ..route("", &["chat"]) }];
    town.now = moment() + TimeDelta::hours(15);
    let mut town = town.with("r-1", days(14)).with("r-2", days(3));
    assert_eq!(town.told(), ["chat: r-2 entered critical"], "at 23:00");
    assert_eq!(town.wait(TimeDelta::hours(7)).told(), NONE, "at 06:00");
    assert_eq!(town.wait(TimeDelta::hours(1)).told(), ["chat: r-1 entered warning"], "after 07:00");
}

#[test]
fn a_digest_collects_what_can_wait() {
    let mut town = Town::new();
    town.routing.routes = vec![Route { digest: Some(daily(9, 37)), ..route("", &["chat"]) }];
    town.round();
    let mut town = town.with("r-1", days(25)).with("r-2", days(12)).with("r-3", days(26));
    assert_eq!(town.told(), ["chat: r-2 entered warning"], "at 08:04");
    let want = ["digest chat: r-1 entered info", "digest chat: r-3 entered info"];
    assert_eq!(town.wait(TimeDelta::hours(2)).told(), want, "at 10:06");
    for (day, want) in [(1, &NONE[..]), (2, &NONE[..]), (3, &["digest chat: r-2 still warning"][..])] {
        assert_eq!(town.wait(days(1)).told(), want, "day {day}");
    }
}

#[test]
fn a_digest_that_was_slept_through_comes_late_and_once() {
    let mut town = Town::new();
    town.routing.routes = vec![Route { digest: Some(daily(9, 37)), ..route("", &["chat"]) }];
    town.round();
    let mut town = town.with("r-1", days(25));
    assert_eq!(town.wait(days(5)).told(), ["digest chat: r-1 entered info"]);
    assert_eq!(town.told(), NONE);
}

#[test]
fn a_time_that_is_new_or_changed_waits_for_its_next_moment() {
    let digest =
        |at: Digest| vec![Route { digest: Some(Digest { send_empty: true, ..at }), ..route("", &["chat"]) }];
    let (early, late) = (daily(9, 37), daily(10, 0));
    for (name, what, change) in [
        ("digest", "digest chat: nothing", (|town, at, digest| town.routing.routes = digest(at)) as Change),
        ("test", "test chat: nothing", |town, at, _| town.alert.test = Some(at)),
    ] {
        let mut town = Town::new();
        let noon = moment() + TimeDelta::hours(4);
        town.now = noon + days(3);
        assert_eq!(town.told(), NONE, "{name}");
        for (day, at, want) in [
            (3, Some(&early), &NONE[..]),
            (4, None, &[what]),
            (4, Some(&late), &NONE),
            (5, None, &[what]),
            (6, None, &[what]),
            (6, Some(&early), &NONE),
            (7, None, &[what]),
        ] {
            town.now = (noon + days(day)).max(town.now);
            if let Some(at) = at {
                change(&mut town, at.clone(), &digest);
            }
            assert_eq!(town.told(), want, "{name}: day {day}, {at:?}");
        }
    }
}

/// Sets a time of day.
type Change = fn(&mut Town, Digest, &dyn Fn(Digest) -> Vec<Route>);

#[test]
fn an_empty_digest_is_sent_only_where_it_is_wanted() {
    for (send_empty, want) in [(false, &NONE[..]), (true, &["digest chat: nothing"][..])] {
        let mut town = Town::new().with("r-1", days(300));
        let digest = Some(Digest { send_empty, ..daily(9, 37) });
        town.routing.routes = vec![Route { digest, ..route("", &["chat"]) }];
        town.round();
        assert_eq!(town.wait(TimeDelta::hours(2)).told(), want);
    }
}

#[test]
fn a_test_comes_at_its_time_and_calls_no_pager() {
    let mut town = Town::new().with("r-1", days(300));
    town.routing.channels.push(pager("pager"));
    town.alert.test = Some(Digest { days: vec![Weekday::Mon], ..daily(10, 17) });
    town.round();
    for (name, wait, want) in [
        ("Sunday", TimeDelta::hours(4), &NONE[..]),
        ("Monday", days(1), &["test chat: nothing"][..]),
        ("Tuesday", days(1), &NONE[..]),
        ("two Mondays later, the daemon was off", days(14), &["test chat: nothing"][..]),
    ] {
        assert_eq!(town.wait(wait).told(), want, "{name}");
    }
}

#[test]
fn a_weekly_digest_does_not_slow_down_what_is_urgent() {
    let mut town = Town::new();
    let digest = Some(Digest { at: time(9, 37), days: vec![Weekday::Mon], send_empty: false });
    town.routing.routes = vec![Route { digest, ..route("", &["chat"]) }];
    town.now += days(2); // a Tuesday
    town.round();
    let mut town = town.with("r-1", days(3));
    assert_eq!(town.told(), ["chat: r-1 entered critical"]);
    assert_eq!(town.wait(days(1)).told(), ["chat: r-1 still critical"]);
}

#[test]
fn reminders_travel_together() {
    let mut town = Town::new().with("r-1", days(3));
    town.round();
    town.wait(TimeDelta::hours(4));
    let mut town = town.with("r-2", days(3));
    town.round();
    let told = town.wait(TimeDelta::hours(20)).round();
    let [message] = &told[..] else { panic!("{told:?}") };
    assert_eq!(message.items.len(), 2, "the second one is nearly due");
}

#[test]
fn news_of_one_round_is_one_message() {
    let mut town = Town::new();
    for n in 0..500 {
        town.read(&format!("r-{n:03}"), town.now + days(14) + TimeDelta::minutes(10));
    }
    town.round();
    let messages = town.wait(TimeDelta::hours(1)).round();
    assert_eq!(messages.len(), 1);
    assert_eq!(messages[0].items.len(), 500);
}

#[test]
fn news_waits_for_company() {
    let mut town = Town::new().with("r-1", days(3));
    assert!(town.evaluate().is_empty());
    town.now += TimeDelta::seconds(30);
    let mut town = town.with("r-2", days(3));
    assert!(town.evaluate().is_empty());
    town.now += TimeDelta::seconds(31);
    let messages = town.evaluate();
    assert_eq!(messages.iter().map(|message| message.items.len()).collect::<Vec<_>>(), [2]);
}

#[test]
fn what_ended_while_it_waited_is_not_told() {
    let mut town = Town::new().with("r-1", days(3));
    assert!(town.evaluate().is_empty());
    town.read("r-1", town.now + days(365));
    assert_eq!(town.told(), NONE);
}

fn silence(about: About, town: &Town, length: TimeDelta) -> Silence {
    Silence {
        id: "sil_1".into(),
        about,
        starts_at: town.now,
        ends_at: town.now + length,
        author: "ada".into(),
        comment: "moving".into(),
        include_expired: false,
    }
}

#[test]
fn a_silence_holds_and_its_end_catches_up() {
    let mut town = Town::new().with("r-1", days(16)).with("r-2", days(6));
    let about = || About::Matching(matcher(r#"resource_id=~"r-.*""#));
    town.silences = vec![silence(about(), &town, days(5))];
    assert_eq!(town.told(), NONE);
    assert_eq!(town.wait(days(4)).told(), NONE);
    assert_eq!(
        town.wait(days(1)).told(),
        ["chat: r-2 entered critical", "chat: r-1 entered warning"],
        "one message with how things stand then"
    );
    town.silences = vec![silence(about(), &town, days(30))];
    assert_eq!(town.wait(days(2)).told(), ["chat: r-2 entered expired from critical"], "expired passes");
    town.silences[0].include_expired = true;
    assert_eq!(town.wait(days(2)).told(), NONE, "unless it is meant as well");
}

#[test]
fn what_was_renewed_under_a_silence_is_not_told() {
    let mut town = Town::new().with("r-1", days(16));
    town.round();
    town.silences = vec![silence(About::Matching(matcher(r#"resource_id="r-1""#)), &town, days(5))];
    let renewed = town.now + days(365);
    for _ in 0..2 {
        town.read("r-1", renewed);
        town.wait(TimeDelta::minutes(2)).round();
    }
    assert_eq!(town.wait(days(6)).told(), NONE);
}

#[test]
fn an_acknowledged_certificate_is_quiet_until_it_gets_worse() {
    let mut town = Town::new().with("r-1", days(13));
    town.round();
    let fingerprint = *town.memory.certificates.keys().next().expect("told");
    town.silences =
        vec![silence(About::Acknowledged { fingerprint, stage: Stage::Warning }, &town, days(100))];
    assert_eq!(town.wait(days(4)).told(), NONE, "no reminder");
    assert_eq!(town.wait(days(3)).told(), ["chat: r-1 entered critical from warning"]);
}

#[test]
fn an_acknowledgement_ends_with_the_certificate_that_it_was_about() {
    let mut town = Town::new().with("r-1", days(6));
    town.round();
    let fingerprint = *town.memory.certificates.keys().next().expect("told");
    let about = About::Acknowledged { fingerprint, stage: Stage::Critical };
    town.silences = vec![silence(about, &town, days(300))];
    town.read_twice("r-1", town.now + days(90));
    assert_eq!(town.told(), ["chat: r-1 renewed"]);
    assert_eq!(town.wait(days(85)).told(), ["chat: r-1 entered critical"]);
}

#[test]
fn what_was_renewed_under_a_silence_joins_the_digest() {
    let mut town = Town::new();
    town.routing.routes = vec![Route { digest: Some(daily(9, 37)), ..route("", &["chat"]) }];
    town.round();
    let mut town = town.with("r-1", days(6));
    town.round();
    town.silences = vec![silence(About::Matching(matcher(r#"resource_id="r-1""#)), &town, days(5))];
    town.read_twice("r-1", town.now + days(365));
    assert_eq!(town.told(), NONE);
    assert_eq!(town.wait(days(1)).told(), ["digest chat: r-1 renewed"]);
}

#[test]
fn a_digest_in_quiet_hours_comes_when_they_end() {
    let night = Hours { from: time(22, 0), to: time(12, 0), days: EVERY_DAY.to_vec() };
    let quiet = Some(Quiet { hours: Some(night), dates: Vec::new() });
    let mut town = Town::new();
    town.routing.routes = vec![Route { quiet, digest: Some(daily(9, 37)), ..route("", &["chat"]) }];
    town.round();
    let mut town = town.with("r-1", days(25));
    assert_eq!(town.wait(TimeDelta::hours(2)).told(), NONE, "at 10:04");
    assert_eq!(town.wait(TimeDelta::hours(2)).told(), ["digest chat: r-1 entered info"], "after 12:00");
}

#[test]
fn a_clock_that_was_ahead_for_a_while_silences_nothing() {
    let mut town = Town::new().with("r-1", days(20));
    town.round();
    town.wait(days(400)).round();
    town.now -= days(400);
    town.waiting.clear();
    assert_eq!(town.wait(days(7)).told(), ["chat: r-1 entered warning"]);
    assert_eq!(town.wait(days(7)).told(), ["chat: r-1 entered critical from warning"]);
    assert_eq!(town.wait(days(1)).told(), ["chat: r-1 still critical"]);
}

#[test]
fn a_clock_that_was_set_back_makes_nothing_wait_longer() {
    let mut town = Town::new().with("r-1", days(3));
    assert!(town.evaluate().is_empty());
    town.now -= TimeDelta::hours(8);
    assert_eq!(town.told(), ["chat: r-1 entered critical"]);
}

#[test]
fn who_was_told_hears_of_the_end_although_the_routes_changed() {
    let mut town = Town::new().with("r-1", days(3));
    town.routing.channels = vec![pager("pager"), channel("chat")];
    town.memory = Memory::default();
    town.round();
    town.routing.routes = vec![route("", &["chat"])];
    town.read_twice("r-1", town.now + days(365));
    let mut told = town.told();
    told.sort();
    assert_eq!(told, ["chat: r-1 renewed", "pager: r-1 renewed"]);
}

#[test]
fn a_pager_hears_of_the_end_of_what_it_may_have_got() {
    let mut town = Town::new();
    town.routing.channels = vec![pager("pager")];
    town.round();
    let mut town = town.with("r-1", days(3));
    let end = town.now + days(3);
    town.round();
    let fingerprint = *town.memory.certificates.keys().next().expect("told");
    town.undelivered.insert(("pager".into(), fingerprint, end));
    town.read_twice("r-1", town.now + days(365));
    assert_eq!(town.told(), ["pager: r-1 renewed"]);
}

#[test]
fn what_goes_while_the_warning_is_under_way_is_taken_back_later() {
    let mut town = Town::new().with("r-1", days(3)).with("r-2", days(300)).with("r-3", days(300));
    let end = town.now + days(3);
    town.round();
    let fingerprint = *town.memory.certificates.keys().next().expect("told");
    town.undelivered.insert(("chat".into(), fingerprint, end));
    for _ in 0..3 {
        town.list(&["r-2", "r-3"]);
        assert_eq!(town.told(), NONE);
    }
    town.undelivered.clear();
    assert_eq!(town.told(), ["chat: r-1 gone NotListed"]);
}

#[test]
fn a_scope_that_is_not_watched_any_more_leaves_nothing_open() {
    let mut town = Town::new().with("r-1", days(30));
    town.round();
    town.snapshot.remove_scope(&Arc::clone(&town.scope));
    assert_eq!(town.wait(days(1)).told(), NONE);
    assert_eq!(town.wait(days(3)).told(), ["chat: r-1 gone NotWatched"]);
    assert!(town.memory.certificates.is_empty());
}

#[test]
fn a_change_back_and_forth_that_was_spoken_of_is_told_to_its_end() {
    let mut town = Town::new().with("r-1", days(6));
    let old = town.now + days(6);
    let new = town.now + days(365);
    town.round();
    town.read_twice("r-1", new);
    assert_eq!(town.told(), ["chat: r-1 renewed"]);
    town.wait(days(2)).read_twice("r-1", old);
    assert_eq!(town.told(), ["chat: r-1 still critical"], "rolled back");
    town.read_twice("r-1", new);
    assert_eq!(town.told(), ["chat: r-1 renewed"], "and mended");
}

#[test]
fn numbers_count_what_earlier_routes_may_take() {
    let mut town = Town::never_started().with("r-1", days(3)).with("r-2", days(300));
    town.routing.channels = vec![pager("pager"), channel("chat")];
    town.routing.routes =
        vec![Route { proceed: true, ..route(r#"severity="critical""#, &["pager"]) }, route("", &["chat"])];
    let messages = town.evaluate();
    let chat = messages.iter().find(|message| &*message.channel == "chat").expect("told");
    let overview = chat.overview.as_ref().expect("numbers");
    assert_eq!((overview.stages[&Stage::Ok], overview.stages[&Stage::Critical]), (1, 1));
}

#[test]
fn a_planned_renewal_holds_reminders_and_no_crossing() {
    let mut town = Town::new().with("r-1", days(10));
    town.round();
    town.renewal.note = RenewalNote::Planned { at: town.now + days(8) };
    assert_eq!(town.wait(days(3)).told(), ["chat: r-1 entered critical from warning"]);
    assert_eq!(town.wait(days(1)).told(), NONE);
    town.renewal.note = RenewalNote::Planned { at: town.now + days(30) };
    assert_eq!(town.told(), ["chat: r-1 still critical"], "planned too late");
}

#[test]
fn a_replica_gets_no_messages() {
    let mut town = Town::new().with("r-1", days(3));
    town.routing.channels = vec![ChannelRules { replica: true, ..channel("state") }];
    assert_eq!(town.told(), NONE);
    let channel = &town.routing.channels[0];
    let next = |world: &World<'_>| crate::domain::alert::standing::next(None, world, &town.memory, channel);
    let open = town.world(next).open;
    let [open] = &open[..] else { panic!("{open:?}") };
    assert_eq!(open.item.severity(), Severity::Critical);
    assert!(open.since <= town.now);
}

#[test]
fn memory_comes_back_from_its_rows() {
    let mut town = Town::new().with("r-1", days(6)).with("r-2", days(300));
    town.round();
    town.read("r-1", town.now + days(365));
    town.fail(Reason::Denied);
    town.round();
    let mut copy = Memory::default();
    for row in town.memory.rows_since(&Memory::default()) {
        copy.take_in(row.kind, &row.key, &row.value.expect("nothing was taken away")).expect("own row");
    }
    assert_eq!(copy, town.memory);
    assert!(town.memory.rows_since(&copy).is_empty());
    assert!(!town.memory.certificates.is_empty() && !town.memory.troubles.is_empty());
}

#[test]
fn nobody_hears_that_something_is_gone_which_nobody_wants_to_hear_of() {
    for (name, expression, left, include_expired, held) in [
        ("by id", r#"resource_id="r-1""#, 5, false, true),
        ("another", r#"resource_id="r-2""#, 5, false, false),
        ("by its stage", r#"stage="critical""#, 5, false, true),
        ("by what is told", r#"type="certificate.gone""#, 5, false, true),
        ("by a tag that nobody knows any more", r#"tag:env!="prod""#, 5, false, false),
        ("expired", r#"resource_id="r-1""#, -1, false, false),
        ("expired, and that is included", r#"resource_id="r-1""#, -1, true, true),
    ] {
        let mut town = Town::new().with("r-1", days(left)).with("r-2", days(300)).with("r-3", days(300));
        town.routing.channels.push(pager("pager"));
        town.round();
        let about = About::Matching(matcher(expression));
        town.silences.push(Silence { include_expired, ..silence(about, &town, days(9)) });
        let mut gone = Vec::new();
        for _ in 0..2 {
            town.wait(TimeDelta::hours(1)).list(&["r-2", "r-3"]);
            gone.extend(town.told());
        }
        let chat = gone.iter().filter(|told| told.starts_with("chat: r-1 gone")).count();
        let pager = gone.iter().filter(|told| told.starts_with("pager: r-1 gone")).count();
        assert_eq!((chat, pager), (usize::from(!held), 1), "{name}: {gone:?}");
        town.silences.clear();
        assert_eq!(town.wait(days(1)).told(), NONE, "{name}: nor later");
    }
}
