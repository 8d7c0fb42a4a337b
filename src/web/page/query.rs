//! What the page was asked to show, read leniently: what is not understood counts as not asked.

use std::fmt::Write as _;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::kind::Kind;
use crate::visible::is_invisible;
use crate::web::query::pairs;

/// A longer search text is cut.
const LONGEST: usize = 200;

/// What the page was asked to show.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PageQuery {
    /// Free text; every word has to occur.
    pub text: String,
    /// Which rows.
    pub show: Show,
    /// In which order.
    pub order: Order,
    /// The other way round.
    pub descending: bool,
    /// Pages before the one that is shown.
    pub page: usize,
}

/// Which rows are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Show {
    /// What ends or may end unseen.
    #[default]
    Matters,
    /// Also what is off, not possible, or not looked at yet.
    Everything,
    /// One kind only.
    Only(Kind),
}

/// What the table is sorted by; ties go by end, then by identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// End of validity, nothing known last.
    #[default]
    Ends,
    /// Most urgent first.
    Stage,
    /// Name.
    Name,
    /// The cloud's id.
    Id,
    /// Account.
    Account,
    /// Service.
    Service,
    /// Region.
    Region,
    /// Seen longest ago first.
    Seen,
}

impl Order {
    /// Every order.
    pub const ALL: [Self; 8] = [
        Self::Ends,
        Self::Stage,
        Self::Name,
        Self::Id,
        Self::Account,
        Self::Service,
        Self::Region,
        Self::Seen,
    ];

    /// The value of `sort`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ends => "ends",
            Self::Stage => "stage",
            Self::Name => "name",
            Self::Id => "id",
            Self::Account => "account",
            Self::Service => "service",
            Self::Region => "region",
            Self::Seen => "seen",
        }
    }
}

impl PageQuery {
    /// Reads what stands behind the `?`.
    pub fn parse(query: Option<&str>) -> Self {
        let mut asked = Self::default();
        for (name, value) in pairs(query).flatten() {
            match name.as_str() {
                "q" => asked.text = search_text(&value),
                "stage" => asked.show = show(&value),
                "sort" => (asked.order, asked.descending) = order(&value),
                "page" => asked.page = value.parse::<usize>().unwrap_or(1).saturating_sub(1),
                _ => {}
            }
        }
        asked
    }

    /// The value of `sort`.
    pub fn sort(&self) -> String {
        format!("{}{}", if self.descending { "-" } else { "" }, self.order.as_str())
    }

    /// The value of `stage`; empty by default.
    pub fn stage(&self) -> &'static str {
        match self.show {
            Show::Matters => "",
            Show::Everything => "all",
            Show::Only(kind) => kind.as_str(),
        }
    }

    /// A link that asks for this.
    pub fn link(&self) -> String {
        let mut link = String::from("?");
        let usual = self.order == Order::default() && !self.descending;
        let sort = if usual { String::new() } else { self.sort() };
        let page = if self.page == 0 { String::new() } else { (self.page + 1).to_string() };
        for (name, value) in [("q", &*self.text), ("stage", self.stage()), ("sort", &sort), ("page", &page)] {
            if value.is_empty() {
                continue;
            }
            let between = if link.len() > 1 { "&" } else { "" };
            write!(link, "{between}{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC))
                .expect("writing to a String cannot fail");
        }
        link + "#ends"
    }

    /// A link to the same from its first page in another order; the order it already has is turned round.
    pub fn sorted_by(&self, order: Order) -> String {
        let descending = self.order == order && !self.descending;
        Self { order, descending, page: 0, ..self.clone() }.link()
    }
}

/// A value as a query string takes it.
pub(super) fn encoded(value: &str) -> String {
    utf8_percent_encode(value, NON_ALPHANUMERIC).to_string()
}

/// What cannot be seen cannot be meant.
fn search_text(value: &str) -> String {
    value.trim().chars().filter(|character| !is_invisible(*character)).take(LONGEST).collect()
}

fn show(value: &str) -> Show {
    match Kind::ALL.into_iter().find(|kind| kind.as_str() == value) {
        Some(kind) => Show::Only(kind),
        None if value == "all" => Show::Everything,
        None => Show::Matters,
    }
}

fn order(value: &str) -> (Order, bool) {
    let (descending, name) = value.strip_prefix('-').map_or((false, value), |name| (true, name));
    match Order::ALL.into_iter().find(|order| order.as_str() == name) {
        Some(order) => (order, descending),
        None => (Order::default(), false),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_not_understood_is_not_asked() {
        let plain = PageQuery::default;
        for (query, want) in [
            (None, plain()),
            (Some("x=1&stage=purple&sort=colour&page=0"), plain()),
            (Some("page=-1"), plain()),
            (Some("page=3"), PageQuery { page: 2, ..plain() }),
            (Some("q=+a%20b+"), PageQuery { text: "a b".into(), ..plain() }),
            (Some("q=a%E2%80%AEb%0A"), PageQuery { text: "ab".into(), ..plain() }),
            (Some("q=%FF&stage=off"), PageQuery { show: Show::Only(Kind::Off), ..plain() }),
            (Some("stage=all"), PageQuery { show: Show::Everything, ..plain() }),
            (Some("sort=-name"), PageQuery { order: Order::Name, descending: true, ..plain() }),
        ] {
            assert_eq!(PageQuery::parse(query), want, "{query:?}");
        }
    }

    #[test]
    fn a_link_says_only_what_is_special() {
        assert_eq!(PageQuery::default().link(), "?#ends");
        assert_eq!(PageQuery::default().sorted_by(Order::Ends), "?sort=%2Dends#ends");
        let asked = PageQuery::parse(Some("q=%22%3E%3Cb%3E&page=4&sort=-name"));
        assert_eq!(asked.link(), "?q=%22%3E%3Cb%3E&sort=%2Dname&page=4#ends");
        assert_eq!(asked.sorted_by(Order::Name), "?q=%22%3E%3Cb%3E&sort=name#ends");
        assert_eq!(asked.sorted_by(Order::Seen), "?q=%22%3E%3Cb%3E&sort=seen#ends");
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_link_asks_for_the_same(text in "\\PC{0,20}", page in 0..50_usize, order in 0..8_usize, descending: bool) {
            let text = search_text(&text);
            let text = text.trim().to_owned();
            let asked = PageQuery { text, page, order: Order::ALL[order], descending, show: Show::Everything };
            let link = asked.link();
            let query = link.trim_start_matches('?').trim_end_matches("#ends");
            prop_assert_eq!(PageQuery::parse(Some(query)), asked);
        }
    }
}
