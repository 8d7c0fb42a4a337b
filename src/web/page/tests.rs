use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use chrono::TimeDelta;
use chrono_tz::Tz;
use proptest::prelude::*;

use super::*;
use crate::domain::reason::Reason;
use crate::domain::testing::{moment, scope};
use crate::web::context::AccountInfo;
use crate::web::context::testing::plain_context;
use crate::web::testing::{ending_in, fleet, in_scope, small};

fn html(snapshot: &Snapshot, query: &str) -> String {
    page(snapshot, &PageQuery::parse(Some(query)), moment(), &plain_context()).render().unwrap()
}

#[test]
fn the_page_is_the_expected_one() {
    let context = PageContext { timezone: Tz::Asia__Shanghai, ..plain_context() };
    let html = page(&small(), &PageQuery::default(), moment(), &context).render().unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/expected/page.html");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&path, &html).unwrap();
    }
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        html == expected,
        "the page differs from {}; UPDATE_EXPECT=1 rewrites it:\n{html}",
        path.display()
    );
}

#[test]
fn the_headline_says_the_worst_and_the_blind() {
    let texts = |snapshot: &Snapshot| {
        let page = page(snapshot, &PageQuery::default(), moment(), &plain_context());
        page.news.into_iter().map(|news| news.text).collect::<Vec<_>>()
    };
    assert_eq!(
        texts(&small()),
        [
            "1 certificate has expired.",
            "2 certificates are about to end.",
            "1 scope cannot be read.",
            "2 resources could not be read: their certificates may end unseen.",
            "1 scope is still to be looked at for the first time.",
        ]
    );
    assert_eq!(texts(&Snapshot::default()), ["No certificate is known yet."]);
    let mut fine = Snapshot::default();
    in_scope(&mut fine, scope("redis")).listed(&[("r-1", "")]).read("r-1", ending_in(TimeDelta::days(90)));
    assert_eq!(texts(&fine), ["No certificate needs attention now."]);
    fine.backlog.due = 1234;
    fine.backlog.lag = std::time::Duration::from_mins(90);
    assert_eq!(texts(&fine)[1], "Polling is behind: 1,234 looks are due, the latest for 1 h.");
}

#[test]
fn scopes_that_fail_for_one_reason_are_told_once() {
    let mut snapshot = Snapshot::default();
    for region in ["cn-a", "cn-b", "cn-c"] {
        let scope = crate::domain::identity::Scope { region: region.into(), ..scope("rds") };
        let built = in_scope(&mut snapshot, scope);
        let built = if region == "cn-b" { built } else { built.listed(&[]) };
        built.listing_failed(Reason::Denied, &format!("list {region}: denied"));
    }
    in_scope(&mut snapshot, scope("redis")).listed(&[]);
    let page = page(&snapshot, &PageQuery::default(), moment(), &plain_context());
    let [cause] = &page.scopes.causes[..] else { panic!("{:?}", page.scopes.causes) };
    assert_eq!(cause.what, "3 of 4 scopes");
    assert_eq!(
        (&*cause.since, &cause.age),
        ("never read", &None),
        "the one that is blind for longest speaks"
    );
    assert_eq!(cause.text, "list cn-b: denied");
    assert_eq!(page.scopes.empty.as_deref(), Some("1 scope is read well and has no resources."));
}

#[test]
fn looks_that_fail_make_a_scope_blind_since_its_last_good_look() {
    let mut snapshot = Snapshot::default();
    in_scope(&mut snapshot, scope("redis"))
        .listed(&[("r-1", ""), ("r-2", "")])
        .read("r-1", ending_in(TimeDelta::days(90)))
        .look_failed("r-2", Reason::Denied, "no");
    let page = page(&snapshot, &PageQuery::default(), moment() + TimeDelta::hours(3), &plain_context());
    assert_eq!(page.scopes.causes[0].since, "since 2026-11-22 08:00 UTC");
    assert_eq!(page.scopes.causes[0].age.as_deref(), Some("3 h ago"));
    assert_eq!(page.scopes.rows[0].failures[0].what, "looks at resources");
}

#[test]
fn an_owner_is_shown_where_the_account_names_a_tag() {
    let mut snapshot = Snapshot::default();
    let mut listing = crate::domain::testing::listing(&["r-1"]);
    listing.resources[0].facts.tags = [("owner".into(), "dba\u{202e}<i>".into())].into();
    listing.resources[0].reading = Some(ending_in(TimeDelta::days(90)));
    let scope = Arc::new(scope("redis"));
    snapshot.scope_mut(&scope).absorb_listing(listing, std::time::Duration::ZERO, moment());
    let accounts =
        BTreeMap::from([("prod", AccountInfo { owner_tag: Some("owner".into()), ..AccountInfo::default() })]);
    let context = PageContext { account: &|name| accounts.get(name), ..plain_context() };
    let html = page(&snapshot, &PageQuery::default(), moment(), &context).render().unwrap();
    assert!(html.contains("owner dba\\u{202e}&#60;i&#62;"), "{html}");
}

#[test]
fn a_certificate_in_use_says_by_whom() {
    for (name, in_use, users, want) in [
        ("not told", None, vec![], None),
        ("nobody", Some(false), vec![], Some("not in use")),
        ("no names", Some(true), vec![], Some("in use")),
        ("one", Some(true), vec!["web/https<i>"], Some("used by web/https&#60;i&#62;")),
        ("many", Some(true), vec!["a", "b", "c", "d", "e"], Some("used by a, b, c and 2 more")),
    ] {
        let mut snapshot = Snapshot::default();
        let mut listing = crate::domain::testing::listing(&["ssl-1"]);
        listing.resources[0].facts.in_use = in_use;
        listing.resources[0].facts.used_by = users.into_iter().map(Into::into).collect();
        listing.resources[0].reading = Some(ending_in(TimeDelta::days(90)));
        let scope = Arc::new(scope("ulb"));
        snapshot.scope_mut(&scope).absorb_listing(listing, std::time::Duration::ZERO, moment());
        let html = html(&snapshot, "");
        match want {
            Some(want) => assert!(html.contains(&format!("<li>{want}</li>")), "{name}: {html}"),
            None => assert!(!html.contains("in use") && !html.contains("used by"), "{name}: {html}"),
        }
    }
}

#[test]
fn the_page_speaks_chinese_and_keeps_it_in_its_links() {
    let tongue = Tongue::of(crate::domain::policy::Locale::Zh, true);
    let board = crate::web::testing::renewals::board();
    let context = PageContext { tongue, renewals: Some(&board), ..plain_context() };
    let query = PageQuery::parse(Some("q=redis&stage=critical"));
    let html = page(&small(), &query, moment(), &context).render().unwrap();
    for want in [
        "<html lang=\"zh-CN\">",
        "<title>1 已过期 · notafter</title>",
        "1 张证书已过期。",
        "<input type=\"hidden\" name=\"lang\" value=\"zh\">",
        "href=\"?q=redis&#38;stage=critical&#38;lang=en#ends\" lang=\"en\" hreflang=\"en\">English</a>",
        "处理办法：运行 <code>notafter doctor</code>",
        "已为此证书发出过一次，不会自动重发",
        "12月",
    ] {
        assert!(html.contains(want), "{want}:\n{html}");
    }
    for english in
        ["Overview", "Ends", "Scopes", "expired", " ago", "What ", "Search", "week from", "None", "the "]
    {
        let found = html.split('>').skip(1).filter_map(|rest| rest.split('<').next());
        let found = found
            .filter(|text| text.contains(english) && !text.contains("refused") && !text.contains("inspect"));
        assert_eq!(found.collect::<Vec<_>>(), Vec::<&str>::new(), "{english}");
    }
    let own = |link: &&str| {
        link.starts_with('?') || ["./", "resource", "renewals/"].iter().any(|page| link.starts_with(page))
    };
    let links = html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next());
    for link in links.filter(own) {
        assert!(link.contains("lang="), "{link}");
    }
}

#[test]
fn what_is_long_is_folded_and_what_matters_is_not() {
    let mut snapshot = Snapshot::default();
    for number in 0..7 {
        let (account, region) = (format!("team-{number}").into(), format!("cn-{number}").into());
        let scope = crate::domain::identity::Scope { account, region, ..scope("rds") };
        in_scope(&mut snapshot, scope).listing_failed(Reason::Denied, "no");
    }
    let html = html(&snapshot, "");
    let (causes, rest) = html.split_once("<summary>and 4 more causes</summary>").expect("some are folded");
    let count = |html: &str| html.matches("<p class=\"remedy\">").count();
    assert_eq!((count(causes), count(rest)), (3, 4));
    assert!(
        rest.contains("<details class=\"well\"><summary>Blind, or not looked at yet: 7</summary>"),
        "{rest}"
    );
    let few = self::html(&small(), "");
    assert!(!few.contains("more causes") && !few.contains("not looked at yet: "), "{few}");
}

#[test]
fn searching_says_what_the_choice_of_rows_hides() {
    let html = html(&small(), "q=scratch");
    assert!(html.contains("Nothing is like this."), "{html}");
    assert!(html.contains("<a href=\"?q=scratch&#38;stage=all#ends\">show everything</a>"), "{html}");
    assert!(self::html(&small(), "q=scratch&stage=all").contains("d-off"));
}

#[test]
fn a_hundred_thousand_certificates_make_a_small_page_quickly() {
    let snapshot = fleet(100_000);
    let started = std::time::Instant::now();
    let html = html(&snapshot, "");
    let took = started.elapsed();
    assert!(html.len() < 300_000, "{} bytes", html.len());
    // far below in a release build; this only notices a sort or a copy of everything
    assert!(took.as_secs() < 3, "{took:?}");
    println!("{} bytes in {took:?}", html.len());
    let last = self::html(&snapshot, "page=5000&sort=-seen");
    assert!(last.contains("99,976 to 100,000 of 100,000"), "the last page");
}

fn hostile(text: &str) -> String {
    let mut snapshot = Snapshot::default();
    let hostile = crate::domain::identity::Scope {
        account: text.into(),
        project: text.into(),
        region: text.into(),
        ..scope(text)
    };
    in_scope(&mut snapshot, hostile)
        .listed(&[(text, text), ("r-2", text)])
        .read("r-2", ending_in(TimeDelta::days(1)))
        .look_failed(text, Reason::Denied, text)
        .listing_failed(Reason::Denied, text);
    // found or not must not depend on the text, or the pages could not be compared
    let asked = PageQuery { text: format!("{text} nowhere"), ..PageQuery::default() }.link();
    let query = asked.trim_start_matches('?').trim_end_matches("#ends");
    html(&snapshot, query) + &html(&snapshot, "")
}

/// The elements, in order.
fn tags(html: &str) -> Vec<String> {
    html.split('<').skip(1).map(|rest| rest.split([' ', '>', '\n']).next().unwrap_or("").to_owned()).collect()
}

#[test]
fn hostile_names_are_harmless() {
    let plain = tags(&hostile("word"));
    for name in [
        "<script>alert(1)</script>",
        "\"><img src=x onerror=alert(1)>",
        "' autofocus onfocus=alert(1) x='",
        "</title></style><svg/onload=alert(1)>",
        "javascript:alert(1)",
        "a\u{202e}b\u{2066}c\nd\re\tf\u{0}g\u{200b}h",
        "{{ 7 * 7 }}{% raw %}",
        "&lt;b&gt;",
    ] {
        let html = hostile(name);
        assert!(tags(&html) == plain, "{name:?} adds or removes an element");
        assert!(!html.chars().any(|c| c != '\n' && crate::visible::is_invisible(c)), "{name:?}");
        for attribute in [" onerror=", " onfocus=", " onload=", "=javascript:", "\"javascript:"] {
            let inside_tag =
                html.split('<').any(|part| part.split('>').next().unwrap_or("").contains(attribute));
            let escaped =
                !html.contains(&format!("\"{attribute}")) && !html.contains(&format!("'{attribute}"));
            assert!(!inside_tag || escaped, "{name:?}: {attribute}");
        }
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere_and_every_link_is_relative() {
    let html = html(&small(), "");
    for (attribute, value) in ["href", "src", "action"].into_iter().flat_map(|attribute| {
        let marker = format!(" {attribute}=\"");
        let values = html.split(&*marker).skip(1).map(|rest| rest.split('"').next().unwrap_or(""));
        values.map(|value| (attribute, value.to_owned())).collect::<Vec<_>>()
    }) {
        assert!(
            !value.contains("//") && !value.starts_with('/') && !value.contains("script"),
            "{attribute}={value}"
        );
    }
    assert!(!html.contains("<script") && !html.contains(" style="));
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}

#[test]
fn every_class_that_colours_has_its_colours() {
    for kind in Kind::ALL {
        assert!(STYLE.contains(&format!(".{}", kind.as_str())), "{}", kind.as_str());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn no_name_adds_an_element(name in any::<String>()) {
        let name = format!("x{name}");
        prop_assert!(tags(&hostile(&name)) == tags(&hostile("xyz")));
    }
}
