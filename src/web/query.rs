//! Query strings of the API, read strictly: what is not understood is refused, with everything that is wrong at once.
//!
//! A filter that is quietly ignored shows more than was asked for, and the script behind it believes it. An empty
//! value counts as not given, so that `cursor=$NEXT` works from the first call. The page reads its own query
//! leniently (`page::query`): a person sees what is shown.

use std::borrow::Cow;
use std::time::Duration;

use percent_encoding::percent_decode_str;

use crate::domain::duration::{DurationError, parse_duration};
use crate::domain::identity::Scope;
use crate::domain::matcher::{LabelSet, Matcher};
use crate::domain::nearest::nearest;
use crate::domain::resource::TlsState;
use crate::visible::shortened;

use super::cursor::{Place, Sort, scope_of_cursor};
use super::refusal::Refusal;

/// Items in an answer unless `limit` says otherwise.
pub const LIMIT: usize = 100;
/// The most items in an answer.
pub const MOST: usize = 1000;

/// Every TLS state, in the order in which they are offered.
pub const STATES: [TlsState; 4] =
    [TlsState::Enabled, TlsState::Disabled, TlsState::Unsupported, TlsState::Unknown];

/// What `/api/v1/certificates` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificatesQuery {
    /// Only what this expression means.
    pub matcher: Option<Matcher>,
    /// Only what ends within this time, or has ended.
    pub within: Option<Duration>,
    /// Resources in these states; `None`: whatever matters (`Row::matters`).
    pub states: Option<Vec<TlsState>>,
    /// The order.
    pub sort: Sort,
    /// The most items to answer with.
    pub limit: usize,
    /// Only what comes behind this.
    pub after: Option<Place>,
}

impl CertificatesQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 6] = ["match", "state", "within", "sort", "limit", "cursor"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let sort = given.take("sort", sort).unwrap_or_default();
        let parsed = Self {
            matcher: given.take("match", |text| matcher(text, LabelSet::CERTIFICATE)),
            within: given.take("within", within),
            states: given.take("state", states),
            sort,
            limit: given.take("limit", limit).unwrap_or(LIMIT),
            after: given.take("cursor", |text| place(text, sort)),
        };
        given.finish(parsed)
    }
}

/// What `/api/v1/scopes` is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopesQuery {
    /// Only what this expression means.
    pub matcher: Option<Matcher>,
    /// The most items to answer with.
    pub limit: usize,
    /// Only what comes behind this.
    pub after: Option<Scope>,
}

impl ScopesQuery {
    /// Its parameters, as documented.
    pub const PARAMETERS: [&str; 3] = ["match", "limit", "cursor"];

    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Result<Self, Refusal> {
        let mut given = Given::read(query, &Self::PARAMETERS);
        let parsed = Self {
            matcher: given.take("match", scope_matcher),
            limit: given.take("limit", limit).unwrap_or(LIMIT),
            after: given.take("cursor", |text| scope_of_cursor(text).ok_or_else(not_a_cursor)),
        };
        given.finish(parsed)
    }
}

/// Refuses a query where none is understood.
pub fn nothing(query: Option<&str>) -> Result<(), Refusal> {
    Given::read(query, &[]).finish(())
}

/// The pairs of a query string, decoded; `Err` holds the name of a parameter that is no text.
pub fn pairs(query: Option<&str>) -> impl Iterator<Item = Result<(String, String), String>> + '_ {
    query.unwrap_or("").split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        match (decode(name), decode(value)) {
            (Some(name), Some(value)) => Ok((name, value)),
            _ => Err(name.to_owned()),
        }
    })
}

fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    percent_decode_str(&spaced).decode_utf8().ok().map(Cow::into_owned)
}

/// What was given, and what is wrong with it so far.
pub(super) struct Given {
    values: Vec<(String, String)>,
    wrong: Vec<String>,
}

impl Given {
    pub(super) fn read(query: Option<&str>, known: &[&str]) -> Self {
        Self::read_repeated(query, known, &[])
    }

    /// The same where some may be given more than once.
    pub(super) fn read_repeated(query: Option<&str>, known: &[&str], repeated: &[&str]) -> Self {
        let mut given = Self { values: Vec::new(), wrong: Vec::new() };
        for pair in pairs(query) {
            match pair {
                Err(name) => given.wrong.push(format!("parameter {} is not UTF-8 text", quoted(&name))),
                Ok((name, _)) if !known.contains(&name.as_str()) => given.wrong.push(unknown(&name, known)),
                Ok((name, _)) if !repeated.contains(&&*name) && given.has(&name) => {
                    given.wrong.push(format!("parameter `{name}` is given more than once"));
                }
                Ok(pair) => given.values.push(pair),
            }
        }
        given
    }

    fn has(&self, name: &str) -> bool {
        self.values.iter().any(|(seen, _)| seen == name)
    }

    /// Every value of a parameter that may be given more than once.
    pub(super) fn take_all<T>(&mut self, name: &str, read: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let mut taken = Vec::new();
        for (_, value) in self.values.iter().filter(|(given, value)| given == name && !value.is_empty()) {
            match read(value) {
                Ok(value) => taken.push(value),
                Err(problem) => self.wrong.push(format!("parameter `{name}` {problem}")),
            }
        }
        taken
    }

    pub(super) fn take<T>(&mut self, name: &str, read: impl FnOnce(&str) -> Result<T, String>) -> Option<T> {
        let (_, value) = self.values.iter().find(|(given, value)| given == name && !value.is_empty())?;
        let problem = match read(value) {
            Ok(value) => return Some(value),
            Err(problem) => problem,
        };
        self.wrong.push(format!("parameter `{name}` {problem}"));
        None
    }

    pub(super) fn finish<T>(self, parsed: T) -> Result<T, Refusal> {
        if self.wrong.is_empty() { Ok(parsed) } else { Err(Refusal::bad_request(self.wrong.join("; "))) }
    }
}

fn unknown(name: &str, known: &[&str]) -> String {
    let meant = nearest(name, known.iter().copied()).map(|meant| format!(", did you mean `{meant}`?"));
    let possible = if known.is_empty() { "none is possible here" } else { "possible: " };
    format!(
        "unknown parameter {}{} {possible}{}",
        quoted(name),
        meant.as_deref().unwrap_or(","),
        known.join(", ")
    )
}

pub(super) fn quoted(text: &str) -> String {
    format!("`{}`", shortened(text, 60))
}

pub(super) fn is_not(text: &str, possible: impl std::fmt::Display) -> String {
    format!("is {}, possible: {possible}", quoted(text))
}

pub(super) fn matcher(text: &str, allowed: LabelSet) -> Result<Matcher, String> {
    Matcher::parse_foreign(text, allowed)
        .map_err(|error| shortened(&format!("{error}: {}", error.hint), 600).into_owned())
}

fn scope_matcher(text: &str) -> Result<Matcher, String> {
    let matcher = matcher(text, LabelSet::RESOURCE)?;
    if let Some(label) = matcher.labels().find(|label| !label.is_of_scope()) {
        return Err(format!(
            "cannot ask for {} here: possible are cloud_provider, cloud_account, cloud_project, cloud_region, \
             cloud_service, label:KEY",
            quoted(&label.to_string())
        ));
    }
    Ok(matcher)
}

pub(super) fn within(text: &str) -> Result<Duration, String> {
    const POSSIBLE: &str = "a whole number and a unit, such as 30d, 12h, 15m, 90s";
    parse_duration(text).map_err(|error| match error {
        DurationError::Unreadable(Some(meant)) => {
            format!("is {}, did you mean `{meant}`? possible: {POSSIBLE}", quoted(text))
        }
        DurationError::Unreadable(None) => is_not(text, POSSIBLE),
        DurationError::Zero | DurationError::TooLong => {
            format!("is {}, which {error}; possible: {POSSIBLE}", quoted(text))
        }
    })
}

pub(super) fn states(text: &str) -> Result<Vec<TlsState>, String> {
    if text == "all" {
        return Ok(STATES.to_vec());
    }
    let state = |word: &str| STATES.into_iter().find(|state| state.as_str() == word);
    text.split(',').map(|word| state(word).ok_or_else(|| is_not(word, state_words()))).collect()
}

fn state_words() -> String {
    format!("all, or any of {} joined by commas", STATES.map(TlsState::as_str).join(", "))
}

fn sort(text: &str) -> Result<Sort, String> {
    Sort::ALL
        .into_iter()
        .find(|sort| sort.as_str() == text)
        .ok_or_else(|| is_not(text, Sort::ALL.map(Sort::as_str).join(", ")))
}

pub(super) fn limit(text: &str) -> Result<usize, String> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && (1..=MOST).contains(number));
    number.ok_or_else(|| is_not(text, format_args!("a whole number from 1 to {MOST}")))
}

fn place(text: &str, sort: Sort) -> Result<Place, String> {
    let place = Place::of_cursor(text).ok_or_else(not_a_cursor)?;
    if place.sort() == sort {
        return Ok(place);
    }
    let (its, asked) = (place.sort().as_str(), sort.as_str());
    Err(format!("belongs to a list with `sort={its}`, and this request says `sort={asked}`"))
}

pub(super) fn not_a_cursor() -> String {
    "is not one that was given out as `next`: leave it out to begin at the first item".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::testing::{resource, scope};
    use crate::web::rows::Row;

    const DAY: Duration = Duration::from_hours(24);

    fn nothing_asked() -> CertificatesQuery {
        CertificatesQuery {
            matcher: None,
            within: None,
            states: None,
            sort: Sort::NotAfter,
            limit: 100,
            after: None,
        }
    }

    fn redis() -> Matcher {
        Matcher::parse(r#"cloud_service="redis""#, LabelSet::CERTIFICATE).unwrap()
    }

    #[test]
    fn good_queries_are_understood() {
        let none = nothing_asked;
        for (query, want) in [
            (None, none()),
            (Some(""), none()),
            (Some("&"), none()),
            (Some("match=&within=&sort=&limit=&cursor="), none()),
            (Some("within=30d"), CertificatesQuery { within: Some(30 * DAY), ..none() }),
            (Some("within=90s"), CertificatesQuery { within: Some(Duration::from_secs(90)), ..none() }),
            (Some("sort=-not_after"), CertificatesQuery { sort: Sort::NotAfterDescending, ..none() }),
            (Some("limit=1000"), CertificatesQuery { limit: 1000, ..none() }),
            (Some("limit=1"), CertificatesQuery { limit: 1, ..none() }),
            (
                Some("state=disabled,unknown"),
                CertificatesQuery { states: Some(vec![TlsState::Disabled, TlsState::Unknown]), ..none() },
            ),
            (Some("state=all"), CertificatesQuery { states: Some(STATES.to_vec()), ..none() }),
            (
                Some("match=cloud_service%3D%22redis%22"),
                CertificatesQuery { matcher: Some(redis()), ..none() },
            ),
            (
                Some("m%61tch=+cloud_service+=+%22redis%22"),
                CertificatesQuery { matcher: Some(redis()), ..none() },
            ),
        ] {
            assert_eq!(CertificatesQuery::parse(query), Ok(want), "{query:?}");
        }
    }

    #[test]
    fn bad_queries_are_refused_with_what_is_possible() {
        let parameters = "possible: match, state, within, sort, limit, cursor";
        for (query, want) in [
            ("limt=5", &*format!("unknown parameter `limt`, did you mean `limit`? {parameters}")),
            ("zzz", &*format!("unknown parameter `zzz`, {parameters}")),
            ("%3Cb%3E%0A=1", &*format!("unknown parameter `<b>\\n`, {parameters}")),
            ("limit=5&limit=5", "parameter `limit` is given more than once"),
            ("limit=&limit=5", "parameter `limit` is given more than once"),
            ("limit=0", "parameter `limit` is `0`, possible: a whole number from 1 to 1000"),
            ("limit=1001", "parameter `limit` is `1001`, possible: a whole number from 1 to 1000"),
            ("limit=%2B5", "parameter `limit` is `+5`, possible: a whole number from 1 to 1000"),
            ("limit=ten", "parameter `limit` is `ten`, possible: a whole number from 1 to 1000"),
            (
                "within=30+days",
                "parameter `within` is `30 days`, did you mean `30d`? possible: \
                 a whole number and a unit, such as 30d, 12h, 15m, 90s",
            ),
            (
                "within=-5m",
                "parameter `within` is `-5m`, possible: a whole number and a unit, such as 30d, 12h, 15m, 90s",
            ),
            (
                "within=0d",
                "parameter `within` is `0d`, which must be more than zero; possible: \
                 a whole number and a unit, such as 30d, 12h, 15m, 90s",
            ),
            (
                "sort=name",
                "parameter `sort` is `name`, possible: not_after, -not_after, resource_id, last_seen",
            ),
            (
                "state=on",
                "parameter `state` is `on`, possible: all, or any of enabled, disabled, unsupported, unknown \
                 joined by commas",
            ),
            (
                "cursor=hello",
                "parameter `cursor` is not one that was given out as `next`: \
                 leave it out to begin at the first item",
            ),
            ("match=%FF", "parameter `match` is not UTF-8 text"),
            (
                "sort=x%E2%80%AEy&limit=0",
                "parameter `sort` is `x\\u{202e}y`, possible: not_after, -not_after, resource_id, last_seen; \
                 parameter `limit` is `0`, possible: a whole number from 1 to 1000",
            ),
        ] {
            assert_eq!(CertificatesQuery::parse(Some(query)), Err(Refusal::bad_request(want)), "{query}");
        }
    }

    #[test]
    fn a_bad_expression_is_refused_with_its_place_and_a_hint() {
        for (query, parts) in [
            (
                "match=redis",
                ["parameter `match` asks for an unknown label `redis`", "character 1", "cloud_service"],
            ),
            ("match=severity%3D%22x%22", ["cannot ask for `severity` here", "character 1", "cert_role"]),
            ("match=a%0A%3D%22x%22", ["parameter `match` ", "character ", "label"]),
        ] {
            let refusal = CertificatesQuery::parse(Some(query)).unwrap_err();
            for part in parts {
                assert!(refusal.detail.contains(part), "{query}: {}", refusal.detail);
            }
            assert!(!refusal.detail.contains('\n'), "{query}");
        }
    }

    #[test]
    fn a_cursor_of_another_order_is_refused() {
        let (scope, resource) = (scope("redis"), resource("r-1"));
        let row = Row { scope: &scope, resource: &resource, certificate: None };
        let cursor = Sort::LastSeen.key(&row).to_place(Sort::LastSeen).to_cursor();
        let refusal = CertificatesQuery::parse(Some(&format!("cursor={cursor}"))).unwrap_err();
        assert_eq!(
            refusal.detail,
            "parameter `cursor` belongs to a list with `sort=last_seen`, and this request says `sort=not_after`"
        );
        assert!(CertificatesQuery::parse(Some(&format!("cursor={cursor}&sort=last_seen"))).is_ok());
    }

    #[test]
    fn scopes_are_asked_for_by_what_they_have() {
        let asked = ScopesQuery::parse(Some("match=label:team%3D%22dba%22,cloud_service=~%22r.*%22&limit=7"));
        assert!(asked.is_ok_and(|asked| asked.matcher.is_some() && asked.limit == 7));
        let refusal = ScopesQuery::parse(Some("match=tag:a%3D%22b%22")).unwrap_err();
        assert!(refusal.detail.starts_with("parameter `match` cannot ask for `tag:a` here: "), "{refusal:?}");
        let refusal = ScopesQuery::parse(Some("sort=x")).unwrap_err();
        assert_eq!(refusal.detail, "unknown parameter `sort`, possible: match, limit, cursor");
    }

    #[test]
    fn where_nothing_can_be_asked_everything_is_refused() {
        assert_eq!(nothing(None), Ok(()));
        let refusal = nothing(Some("a=1")).unwrap_err();
        assert_eq!(refusal.detail, "unknown parameter `a`, none is possible here");
    }
}
