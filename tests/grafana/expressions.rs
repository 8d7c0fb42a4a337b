//! What stands in a PromQL expression, as far as the checks need it.

use std::collections::BTreeSet;

use regex_lite::Regex;

/// A selector: `name{label="value"}`, or the name alone.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Selector {
    /// The series.
    pub(crate) name: String,
    /// What stands between the braces.
    pub(crate) matchers: String,
    /// Whether it stands in `rate(…[…])` or `increase(…[…])`, and over which range.
    pub(crate) counted_over: Option<String>,
}

impl Selector {
    /// The labels that it names.
    pub(crate) fn labels(&self) -> BTreeSet<String> {
        let label = Regex::new(r#"([a-z_]+)\s*(?:=~|!~|!=|=)\s*""#).expect("a pattern");
        label.captures_iter(&self.matchers).map(|found| found[1].to_owned()).collect()
    }
}

/// Every selector in it of a series that notafter or one of our rules makes.
pub(crate) fn selectors(expression: &str) -> Vec<Selector> {
    let selector = Regex::new(
        r"(?:\b(rate|increase)\()?\b((?:[a-z]+:)?(?:notafter|process)[_:][a-z_:0-9]*)(?:\{([^}]*)\})?(?:\[([^\]]+)\])?",
    )
    .expect("a pattern");
    let found = selector.captures_iter(expression);
    found
        .map(|found| Selector {
            name: found[2].to_owned(),
            matchers: found.get(3).map_or("", |text| text.as_str()).to_owned(),
            counted_over: found.get(1).and(found.get(4)).map(|text| text.as_str().to_owned()),
        })
        .collect()
}

#[test]
fn selectors_are_found() {
    let of = |name: &str, matchers: &str, over: Option<&str>| Selector {
        name: name.to_owned(),
        matchers: matchers.to_owned(),
        counted_over: over.map(str::to_owned),
    };
    for (expression, want) in [
        ("absent(notafter_x)", of("notafter_x", "", None)),
        (r#"max by (a) (notafter_x{b="c", d=~"e"})"#, of("notafter_x", r#"b="c", d=~"e""#, None)),
        ("sum(rate(notafter_x_total{}[5m]))", of("notafter_x_total", "", Some("5m"))),
        ("increase(process_x[$__rate_interval])", of("process_x", "", Some("$__rate_interval"))),
        ("last_over_time(notafter_x[5m])", of("notafter_x", "", None)),
        ("scope:notafter_up:last10m == 0", of("scope:notafter_up:last10m", "", None)),
        ("scalar(notafter:limit:seconds)", of("notafter:limit:seconds", "", None)),
    ] {
        assert_eq!(selectors(expression), [want], "{expression}");
    }
    assert_eq!(
        selectors(r#"notafter_x{b="c", d=~"e"}"#)[0].labels(),
        ["b", "d"].map(str::to_owned).into_iter().collect()
    );
}
