use chrono::TimeDelta;

use super::*;
use crate::domain::policy::Locale;
use crate::domain::snapshot::Snapshot;
use crate::domain::testing::{moment, scope};
use crate::web::context::testing::plain_context;
use crate::web::page::tongue::Tongue;
use crate::web::testing::renewals::board;
use crate::web::testing::small;

fn html_of(snapshot: &Snapshot, id: &str, context: &PageContext<'_>) -> String {
    let (scope, resource) =
        snapshot.resources().find(|(_, resource)| &*resource.id == id).expect("one of them");
    let entry = ledger::Entry {
        at: moment() - TimeDelta::hours(2),
        attempt: "ren_1".into(),
        state: "announced".into(),
        who: "<b>rule</b>".into(),
        rule: "".into(),
        request_id: "7F2A".into(),
        text: "a\u{202e}b".into(),
    };
    let console = Some("https://console.example/?a=1&b=2");
    let reading = Reading { scope, resource, alerts: None, ledger: &[entry], console };
    resource_page(&reading, moment(), context).render().expect("rendered")
}

#[test]
fn both_sources_of_a_date_are_told_apart() {
    let html = html_of(&small(), "d-fine", &plain_context());
    for want in [
        "<h1 id=\"title\"><bdi>订单缓存</bdi>",
        "the X.509 certificate",
        "a field of the cloud&#39;s API: 2027-12-27 08:00 UTC: 100 d apart",
        "9f86d081",
        "17 % of its life are over",
        "the customer",
        "2026-11-22 06:00 UTC",
        "Renewals: announced",
        "&#60;b&#62;rule&#60;/b&#62; · 7F2A",
        "href=\"https://console.example/?a=1&#38;b=2\"",
        "api/v1/certificates?state=all&#38;match=cloud%5Fprovider%3D%22huawei%22",
        "No channel is configured: nobody is told anything.",
    ] {
        assert!(html.contains(want), "{want}:\n{html}");
    }
    assert!(!html.contains('\u{202e}') && !html.contains("<b>rule"), "{html}");
}

#[test]
fn a_failed_look_says_what_to_do_and_foreign_names_stay_text() {
    let html = html_of(&small(), "r-denied", &plain_context());
    for want in ["last look failed 10 min ago:", "What to do: report it with the text beside this", "never"] {
        assert!(html.contains(want), "{want}:\n{html}");
    }
    let html = html_of(&small(), "r-days", &plain_context());
    assert!(html.contains("&#60;script&#62;") && !html.contains("<script"), "{html}");
}

#[test]
fn the_page_speaks_chinese_and_keeps_it_in_its_links() {
    let board = board();
    let garden = crate::web::testing::renewals::garden();
    let tongue = Tongue::of(Locale::Zh, true);
    let context = PageContext { renewals: Some(&board), tongue, ..plain_context() };
    let html = html_of(&garden.snapshot, "r-tried", &context);
    for want in [
        "<html lang=\"zh-CN\">",
        "已为此证书发出过一次，不会自动重发",
        "处理办法：在控制台检查实例",
        "lang=zh",
        ">English</a>",
    ] {
        assert!(html.contains(want), "{want}:\n{html}");
    }
    for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
        let page = link.starts_with("./") || link.starts_with("renewals/") || link.starts_with("resource");
        assert!(!page || link.contains("lang="), "{link}");
    }
}

#[test]
fn a_link_asks_for_the_same_resource() {
    let odd = Scope { project: "a&b=c".into(), ..scope("redis") };
    let key = ResourceKey::new(&odd, "r/1?#\"");
    let link = resource_link(&key);
    let asked = asked_for(link.strip_prefix("resource?"));
    assert_eq!((&*asked.resource, asked.project.as_deref()), ("r/1?#\"", Some("a&b=c")));
}

#[test]
fn what_is_not_known_is_said_and_several_are_offered() {
    let html = |found: &[ResourceKey]| {
        nothing_or_several(found, Some("id=r-1"), moment(), &plain_context()).render().expect("rendered")
    };
    assert!(html(&[]).contains("No resource of this identity is known."));
    let two = [scope("redis"), scope("rds")].map(|scope| ResourceKey::new(&scope, "r-1"));
    let html = html(&two);
    assert!(html.contains("service=rds") && html.contains("service=redis"), "{html}");
}
