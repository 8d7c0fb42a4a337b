//! Who hears of a renewal, and who hears of its end only once.

use chrono::NaiveTime;

use super::*;
use crate::domain::alert::message::{CertificateFacts, RenewalFailure, RenewalItem, RenewalNews, Severity};
use crate::domain::alert::renewals::{Heard, Letter, Unheard, heard, letters, told_of_success};
use crate::domain::alert::silence::About;
use crate::domain::alert::{delivery, facts};
use crate::domain::identity::CertRole;
use crate::domain::policy::{Digest, EVERY_DAY, Hours, Quiet};
use crate::domain::renewal::method::Restarts;

const LEAST: &str = "the channel is told from stage critical on";

fn planned_in(hours: i64) -> RenewalNews {
    let from = moment() + TimeDelta::hours(hours);
    RenewalNews::Planned { from, until: from + TimeDelta::hours(4), asks: false, missed: None }
}

fn succeeded() -> RenewalNews {
    RenewalNews::Succeeded { new_not_after: moment() + days(365) }
}

fn failed() -> RenewalNews {
    let (how, stops) = (RenewalFailure::Unknown, false);
    RenewalNews::Failed { how, code: "".into(), request_id: "".into(), text: "".into(), stops }
}

fn every() -> [RenewalNews; 5] {
    let started = RenewalNews::Started { expected_by: moment() + TimeDelta::minutes(40) };
    [planned_in(48), started, RenewalNews::Held { text: "not now".into() }, succeeded(), failed()]
}

fn item(town: &Town, id: &str, left: TimeDelta, news: RenewalNews) -> RenewalItem {
    let known = delivery::testing::facts(id, moment() + left);
    let facts = CertificateFacts {
        fingerprint: facts::fingerprint(&town.scope, id, CertRole::Server),
        resource_name: "orders".into(),
        ..known
    };
    let attempt = format!("ren_{id}").into();
    let (who, rule, call) = ("rule".into(), r#"cloud_service="redis""#.into(), "ModifyInstanceSSL".into());
    RenewalItem { news, facts, attempt, who, rule, call, restarts: Restarts::Yes, link: None }
}

/// A town in which somebody is told of everything, and one certificate that ends in that time.
fn town(left: TimeDelta) -> Town {
    let mut town = Town::never_started().with("r-1", left);
    town.routing.channels.extend([channel("team"), pager("phone")]);
    town.routing.channels.push(ChannelRules { replica: true, ..channel("state") });
    town
}

fn written(town: &Town, items: Vec<RenewalItem>) -> Vec<Letter> {
    let mut ids = 0;
    let mut new_id = || {
        ids += 1;
        format!("evt_{ids}").into()
    };
    town.world(|world| letters(world, items, &mut new_id))
}

/// What becomes of each piece of news in the chat.
fn in_the_chat(town: &Town, left: TimeDelta) -> Vec<String> {
    let of = |news: RenewalNews| {
        let item = item(town, "r-1", left, news);
        town.world(|world| match &heard(world, &item)[0].1 {
            Heard::Told { not_before: None, .. } => "told".to_owned(),
            Heard::Told { not_before: Some(at), .. } => format!("at {}", at.format("%H:%M")),
            Heard::Unheard(why) => why.to_string(),
        })
    };
    every().map(of).into()
}

fn quiet() -> Quiet {
    let time = |hour| NaiveTime::from_hms_opt(hour, 0, 0).expect("a time");
    Quiet { hours: Some(Hours { from: time(7), to: time(20), days: EVERY_DAY.to_vec() }), dates: vec![] }
}

#[test]
fn a_renewal_takes_the_way_of_news_of_its_certificate() {
    const NO_ROUTE: &str = "no route leads it there";
    const UNWANTED: &str = "the route has send_renewed = false";
    const SILENT: &str = "silence sil_1 holds it";
    let only = |expression: &str| vec![route(expression, &["chat"])];
    let (all, none) = (["told"; 5], [NO_ROUTE; 5]);
    let digest = Digest { at: NaiveTime::MIN, days: EVERY_DAY.to_vec(), send_empty: false };
    for (name, routes, silence, left, want) in [
        ("no routes", vec![], None, 13, all),
        ("by service", only(r#"cloud_service="redis""#), None, 13, all),
        ("of another service", only(r#"cloud_service="rds""#), None, 13, none),
        ("by the name, which is read from the listing", only(r#"resource_name="orders""#), None, 13, all),
        ("by role", only(r#"cert_role="ca""#), None, 13, none),
        ("by the stage of the old end", only(r#"stage="warning""#), None, 13, all),
        ("in another stage", only(r#"stage="critical""#), None, 13, none),
        (
            "by severity",
            only(r#"severity="critical""#),
            None,
            13,
            [NO_ROUTE, NO_ROUTE, NO_ROUTE, NO_ROUTE, "told"],
        ),
        ("by type", only(r#"type=~"renewal.*d""#), None, 13, all),
        ("certificates only", only(r#"type=~"certificate.*""#), None, 13, none),
        ("the first route wins", vec![route("", &["team"]), route("", &["chat"])], None, 13, none),
        (
            "no good news",
            vec![Route { send_renewed: false, ..route("", &["chat"]) }],
            None,
            13,
            ["told", "told", "told", UNWANTED, "told"],
        ),
        (
            "a digest holds nothing",
            vec![Route { digest: Some(digest), ..route("", &["chat"]) }],
            None,
            13,
            all,
        ),
        (
            "quiet hours",
            vec![Route { quiet: Some(quiet()), ..route("", &["chat"]) }],
            None,
            13,
            ["at 20:00", "at 20:00", "at 20:00", "at 20:00", "told"],
        ),
        (
            "silenced",
            vec![],
            Some((r#"resource_id="r-1""#, false)),
            13,
            [SILENT, SILENT, SILENT, SILENT, "told"],
        ),
        (
            "silenced by type",
            vec![],
            Some((r#"type="renewal.planned""#, false)),
            13,
            [SILENT, "told", "told", "told", "told"],
        ),
        ("something else is silenced", vec![], Some((r#"resource_id="r-2""#, false)), 13, all),
        ("what is expired passes silences", vec![], Some(("", false)), -1, all),
        ("unless it does not", vec![], Some(("", true)), -1, [SILENT, SILENT, SILENT, SILENT, "told"]),
    ] {
        let mut town = town(days(left));
        town.routing.routes = routes;
        town.silences.extend(silence.map(|(expression, include_expired)| Silence {
            id: "sil_1".into(),
            about: About::Matching(matcher(if expression.is_empty() {
                r#"cloud_account="prod""#
            } else {
                expression
            })),
            starts_at: moment(),
            ends_at: moment() + days(1),
            author: "ann".into(),
            comment: "known".into(),
            include_expired,
        }));
        assert_eq!(in_the_chat(&town, days(left)), want, "{name}");
    }
}

#[test]
fn who_knows_of_the_end_is_told_what_is_done_about_it() {
    let mut town = town(days(13));
    let fingerprint = facts::fingerprint(&town.scope, "r-1", CertRole::Server);
    town.silences.push(Silence {
        id: "sil_1".into(),
        about: About::Acknowledged { fingerprint, stage: Stage::Expired },
        starts_at: moment(),
        ends_at: moment() + days(1),
        author: "ann".into(),
        comment: "known".into(),
        include_expired: true,
    });
    assert_eq!(in_the_chat(&town, days(13)), ["told"; 5]);
}

#[test]
fn what_would_be_announced_too_late_is_not_held_by_quiet_hours() {
    let mut town = town(days(13));
    town.routing.routes = vec![Route { quiet: Some(quiet()), ..route("", &["chat"]) }];
    for (name, hours, want) in [
        ("a day later", 24, Some(moment() + TimeDelta::hours(12))),
        ("right after", 13, Some(moment() + TimeDelta::hours(12))),
        ("when they end", 12, None),
        ("before they end", 2, None),
    ] {
        let [letter] = &written(&town, vec![item(&town, "r-1", days(13), planned_in(hours))])[..] else {
            panic!("{name}")
        };
        assert_eq!(letter.not_before, want, "{name}");
    }
}

#[test]
fn pagers_and_replicas_hear_nothing_and_the_others_all() {
    let town = town(days(13));
    for news in every() {
        let item = item(&town, "r-1", days(13), news);
        let of = |heard: &Heard<'_>| matches!(heard, Heard::Told { .. });
        town.world(|world| {
            let heard = heard(world, &item);
            let names: Vec<_> = heard.iter().map(|(channel, heard)| (&*channel.name, of(heard))).collect();
            assert_eq!(names, [("chat", true), ("team", true), ("phone", false), ("state", false)]);
            assert_eq!(heard[2].1, Heard::Unheard(Unheard::FollowsStages));
        });
    }
}

#[test]
fn a_channel_for_what_is_bad_hears_of_failures_and_of_good_ends() {
    let mut town = town(days(13));
    town.routing.channels[0].least = Stage::Critical;
    assert_eq!(in_the_chat(&town, days(13)), [LEAST, LEAST, LEAST, "told", "told"]);
}

#[test]
fn several_at_once_are_one_message_for_each_channel_and_route() {
    let mut town = town(days(13)).with("r-2", days(12));
    town.routing.routes = vec![
        Route { proceed: true, ..route(r#"resource_id="r-2""#, &["team"]) },
        Route { quiet: Some(quiet()), ..route("", &["chat", "team"]) },
    ];
    let items = vec![
        item(&town, "r-1", days(13), planned_in(48)),
        item(&town, "r-2", days(12), planned_in(48)),
        item(&town, "r-3", days(1), failed()),
    ];
    let letters = written(&town, items);
    let shown: Vec<_> = letters
        .iter()
        .map(|letter| (&*letter.message.route, letter.not_before.is_some(), shorten(&letter.message)))
        .collect();
    assert_eq!(
        shown,
        [
            ("route 2", false, vec!["chat: r-3 renewal failed".to_owned()]),
            (
                "route 2",
                true,
                vec!["chat: r-2 renewal planned".to_owned(), "chat: r-1 renewal planned".to_owned()]
            ),
            ("route 1", false, vec!["team: r-2 renewal planned".to_owned()]),
            ("route 2", false, vec!["team: r-3 renewal failed".to_owned()]),
            ("route 2", true, vec!["team: r-1 renewal planned".to_owned()]),
        ]
    );
    let ids: BTreeSet<_> = letters.iter().map(|letter| &letter.message.id).collect();
    assert_eq!(ids.len(), letters.len());
    assert_eq!(letters[0].message.severity(), Severity::Critical);
}

/// Written down: who was told, and the end that counts from now on.
fn renewed_by_us(town: &mut Town) -> Vec<Box<str>> {
    let item = item(town, "r-1", days(6), succeeded());
    let letters = written(town, vec![item]);
    let told = told_of_success(&letters, "ren_r-1");
    assert_eq!(told_of_success(&letters, "ren_r-2"), []);
    let told: std::sync::Arc<[Box<str>]> = told.into();
    town.renewal =
        Renewal { ours: Some(moment() + days(365)), told: Arc::clone(&told), ..Renewal::default() };
    town.read("r-1", moment() + days(365));
    told.to_vec()
}

#[test]
fn who_was_told_of_the_renewal_is_not_told_again_that_it_was_renewed() {
    let silent = |route: Route| Route { send_renewed: false, ..route };
    for (name, routes, succeeded, renewed) in [
        ("no routes", vec![], vec!["chat", "team"], vec!["phone: r-1 renewed"]),
        (
            "only certificates are for the chat",
            vec![
                Route { proceed: true, ..route(r#"type=~"certificate.*""#, &["chat", "phone"]) },
                route("", &["team"]),
            ],
            vec!["team"],
            vec!["chat: r-1 renewed", "phone: r-1 renewed"],
        ),
        (
            "the chat was told by a route that does not mean renewals",
            vec![Route { proceed: true, ..route(r#"severity="critical""#, &["chat"]) }, route("", &["team"])],
            vec!["team"],
            vec!["chat: r-1 renewed"],
        ),
        ("no good news", vec![silent(route("", &["chat"]))], vec![], vec![]),
    ] {
        let mut town = town(days(6));
        town.routing.routes = routes;
        town.round();
        assert_eq!(
            renewed_by_us(&mut town),
            succeeded.into_iter().map(Box::from).collect::<Vec<_>>(),
            "{name}"
        );
        assert_eq!(town.told(), renewed, "{name}");
        town.renewal = Renewal::default();
        assert_eq!(town.told(), [""; 0], "{name}: it stays settled");
        let again = town.wait(days(340)).told();
        assert!(again.iter().all(|line| line.contains("entered")), "{name}: the new end counts: {again:?}");
    }
}

#[test]
fn a_renewal_of_ours_that_is_too_short_is_told_as_what_it_is() {
    let mut town = town(days(2));
    town.round();
    let end = town.now + days(10);
    let told: [Box<str>; 1] = ["chat".into()];
    town.renewal = Renewal { ours: Some(end), told: Arc::new(told), ..Renewal::default() };
    town.read("r-1", end);
    let told = town.told();
    assert!(told.contains(&"chat: r-1 renewed, warning".to_owned()), "{told:?}");
}

#[test]
fn an_end_that_is_not_ours_is_told_to_everybody() {
    let mut town = town(days(6));
    town.round();
    renewed_by_us(&mut town);
    town.read("r-1", moment() + days(400));
    assert_eq!(town.evaluate(), [], "read once");
    town.wait(TimeDelta::minutes(2)).read("r-1", moment() + days(400));
    assert_eq!(town.told(), ["chat: r-1 renewed", "phone: r-1 renewed", "team: r-1 renewed"]);
}
