//! `EXPR`: which resources, certificates or alerts are meant.
//!
//! ```text
//! cloud_service="redis", tag:env=~"prod|staging", resource_name!~"tmp-.*"
//! ```
//!
//! A list of `label OP "value"` joined by commas; all must hold. `=~` and `!~` take a regular expression that must
//! match the whole value. Inside the quotes `\"` and `\\` stand for `"` and `\`; a backslash before anything else
//! stands for itself, so that `\d` can be written as it is. **A label that is absent counts as the empty text**, as
//! in PromQL: `tag:env=""` finds what has no such tag, and `tag:env!="prod"` finds it too.

mod label;
mod read;

use std::fmt;

use regex_lite::Regex;

use label::Quoted;
use read::{Limit, Reader};

pub use label::{Label, LabelSet};
pub use read::MatcherError;

/// A value as it stands in an expression.
pub fn value_in_quotes(value: &str) -> String {
    Quoted(value).to_string()
}

/// How a label is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `=`
    Is,
    /// `!=`
    IsNot,
    /// `=~`
    Like,
    /// `!~`
    NotLike,
}

impl Op {
    /// As written.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Is => "=",
            Self::IsNot => "!=",
            Self::Like => "=~",
            Self::NotLike => "!~",
        }
    }
}

/// `label OP "value"`.
#[derive(Clone)]
struct Term {
    label: Label,
    op: Op,
    value: Box<str>,
    pattern: Option<Regex>,
}

impl Term {
    fn holds(&self, actual: &str) -> bool {
        let like = || self.pattern.as_ref().is_some_and(|pattern| pattern.is_match(actual));
        match self.op {
            Op::Is => actual == &*self.value,
            Op::IsNot => actual != &*self.value,
            Op::Like => like(),
            Op::NotLike => !like(),
        }
    }
}

/// What is known of a label.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known<'v> {
    /// Its value; `None` where it has none, which counts as the empty text.
    Value(Option<&'v str>),
    /// It may have any value.
    NotYet,
}

impl<'v> Known<'v> {
    /// The value, where there is one and it is known.
    pub fn value(self) -> Option<&'v str> {
        match self {
            Self::Value(value) => value,
            Self::NotYet => None,
        }
    }
}

/// An expression that was understood.
#[derive(Clone)]
pub struct Matcher {
    terms: Vec<Term>,
}

/// Of the operator's own expressions: what nobody writes by hand is a mistake.
const OWN: Limit = Limit { text: 64 * 1024, patterns: 1000, pattern: 1024 * 1024 };
/// Of those of visitors: a hundred names in one pattern, and a few of them.
const FOREIGN: Limit = Limit { text: 4 * 1024, patterns: 8, pattern: 32 * 1024 };

impl Matcher {
    /// Reads an expression; only labels of `allowed` may stand in it.
    pub fn parse(text: &str, allowed: LabelSet) -> Result<Self, MatcherError> {
        Reader::new(text, allowed, OWN).matcher()
    }

    /// The same for what comes over the network, from whom nobody may know: it may cost little to keep and to match.
    pub fn parse_foreign(text: &str, allowed: LabelSet) -> Result<Self, MatcherError> {
        Reader::new(text, allowed, FOREIGN).matcher()
    }

    /// How many patterns it has: each may have to be matched with everything that is known.
    pub fn patterns(&self) -> usize {
        self.terms.iter().filter(|term| term.pattern.is_some()).count()
    }

    /// Whether all its parts hold. `lookup` answers for a label; `None` counts as the empty text.
    pub fn matches<'v>(&self, lookup: &dyn Fn(&Label) -> Option<&'v str>) -> bool {
        self.terms.iter().all(|term| term.holds(lookup(&term.label).unwrap_or("")))
    }

    /// Whether it may hold while not everything is known: no part that can be judged fails.
    pub fn may_match<'v>(&self, lookup: &dyn Fn(&Label) -> Known<'v>) -> bool {
        self.terms.iter().all(|term| match lookup(&term.label) {
            Known::Value(value) => term.holds(value.unwrap_or("")),
            Known::NotYet => true,
        })
    }

    /// The labels it asks for, so that a cloud is asked for tags only where they matter.
    pub fn labels(&self) -> impl Iterator<Item = &Label> {
        self.terms.iter().map(|term| &term.label)
    }
}

impl PartialEq for Matcher {
    fn eq(&self, other: &Self) -> bool {
        let key = |term: &Term| (term.label.clone(), term.op, term.value.clone());
        self.terms.iter().map(key).eq(other.terms.iter().map(key))
    }
}

impl Eq for Matcher {}

impl fmt::Display for Matcher {
    /// The expression in its plainest form; reading it again gives an equal matcher.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, Term { label, op, value, .. }) in self.terms.iter().enumerate() {
            let comma = if number == 0 { "" } else { ", " };
            write!(f, "{comma}{label}{}{}", op.as_str(), Quoted(value))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Matcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Matcher({self})")
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::label::WORDS;
    use super::*;

    #[test]
    fn what_comes_over_the_network_may_cost_little() {
        let parse = |text: &str| Matcher::parse_foreign(text, LabelSet::RESOURCE);
        let long = format!("resource_id=\"{}\"", "x".repeat(5000));
        let many = [r#"resource_id=~"a""#; 9].join(", ");
        for (name, text, says) in [
            ("a small text for a large machine", r#"resource_id=~"a{200000}""#, "cannot be read"),
            ("every state at each character", r#"resource_id=~"(.?){5000}""#, "cannot be read"),
            ("a long text", &long, "too long"),
            ("many patterns", &many, "too many patterns"),
        ] {
            let error = parse(text).expect_err(name);
            assert!(error.to_string().contains(says), "{name}: {error}");
        }
        let names: Vec<_> = (0..40).map(|number| format!("r-bp1zxszhcgatnx{number:04}")).collect();
        let usual = format!("resource_id=~\"{}\", cloud_service=\"redis\"", names.join("|"));
        assert_eq!(parse(&usual).expect("of use").patterns(), 1);
    }

    fn redis(label: &Label) -> Option<&'static str> {
        match label {
            Label::CloudService => Some("redis"),
            Label::ResourceName => Some("订单-redis"),
            Label::ResourceId => Some("r-bp1\"x\\y"),
            Label::Tag(key) if &**key == "env" => Some("prod"),
            Label::Tag(key) if &**key == "a b=" => Some("odd"),
            Label::AccountLabel(key) if &**key == "team" => Some("dba"),
            _ => None,
        }
    }

    #[test]
    fn a_part_that_cannot_be_judged_yet_rules_nothing_out() {
        for (expression, want) in [
            (r#"cloud_service="redis", tag:env="x""#, true),
            (r#"tag:env="x", cloud_service="rds""#, false),
            (r#"tag:env!="x""#, true),
            (r#"cloud_region="""#, true),
            (r#"cloud_region!="""#, false),
            (r#"tag:"a,\"b\\"="\\\",", cloud_service="rds""#, false),
            (r#"tag:env="a, cloud_service=\"rds\"", cloud_service=~"r.*s""#, true),
        ] {
            let matcher = Matcher::parse(expression, LabelSet::ALERT).expect(expression);
            let known = |label: &Label| match label {
                Label::CloudService => Known::Value(Some("redis")),
                Label::CloudRegion => Known::Value(None),
                _ => Known::NotYet,
            };
            assert_eq!(matcher.may_match(&known), want, "{expression}");
        }
    }

    #[test]
    fn all_parts_must_hold() {
        for (text, want) in [
            (r#"cloud_service="redis""#, true),
            (r#"cloud_service="rds""#, false),
            (r#"cloud_service!="rds""#, true),
            (r#" cloud_service = "redis" , tag:env = "prod" "#, true),
            (r#"cloud_service="redis",tag:env="staging""#, false),
            (r#"cloud_service=~"redis|rds""#, true),
            (r#"cloud_service=~"red""#, false),
            (r#"cloud_service=~"red.*""#, true),
            (r#"cloud_service!~"red""#, true),
            (r#"cloud_service!~"red.*""#, false),
            (r#"resource_name=~"订单-\w+""#, true),
            (r#"resource_name=~"订单-\\w+""#, true),
            (r#"resource_id="r-bp1\"x\\y""#, true),
            (r#"label:team="dba""#, true),
            (r#"tag:"a b="="odd""#, true),
            (r#"tag:none="""#, true),
            (r#"tag:none!="x""#, true),
            (r#"tag:none=~".+""#, false),
            (r#"tag:none=~".*""#, true),
            (r#"tag:env!="""#, true),
            (r#"severity="""#, true),
        ] {
            let matcher = Matcher::parse(text, LabelSet::ALERT).unwrap();
            assert_eq!(matcher.matches(&redis), want, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_read_says_where_and_why() {
        for (text, column, message) in [
            ("", 1, "is empty"),
            ("   ", 4, "is empty"),
            ("redis", 1, "unknown label `redis`"),
            (r#"cloud_servce="redis""#, 1, "unknown label `cloud_servce`"),
            (r"cloud_service=redis", 15, "without double quotes"),
            (r"cloud_service='redis'", 15, "without double quotes"),
            (r#"cloud_service=="redis""#, 14, "has `==`"),
            (r#"cloud_service "redis""#, 15, "has no `=`"),
            (r#"cloud_service~"redis""#, 14, "has no `=`"),
            (r#"cloud_service="redis" tag:a="b""#, 23, "no comma"),
            (r#"cloud_service="redis" and tag:a="b""#, 23, "no comma"),
            (r#"cloud_service="redis","#, 23, "ends with a comma"),
            (",", 1, "no label"),
            (r#"cloud_service="redis"#, 15, "not closed"),
            (r#"cloud_service="redis\""#, 15, "not closed"),
            (r#"tag:="x""#, 5, "names no key"),
            (r#"cloud_service=~"(""#, 16, "cannot be read"),
            (r#"cloud_service=~"a)(b""#, 16, "cannot be read"),
            (r#"resource_name="订单", x="y""#, 21, "unknown label `x`"),
            (r#"cert_role="ca""#, 1, "cannot ask for `cert_role` here"),
            (r#"severity="critical""#, 1, "cannot ask for `severity` here"),
        ] {
            let error = Matcher::parse(text, LabelSet::RESOURCE).unwrap_err();
            assert!(error.message.contains(message), "{text}: {error}");
            assert_eq!(error.column, column, "{text}: {error}");
        }
    }

    #[test]
    fn a_wrong_label_is_answered_with_the_right_one() {
        let error = Matcher::parse(r#"cloud_servce="redis""#, LabelSet::RESOURCE).unwrap_err();
        assert!(error.hint.starts_with("did you mean `cloud_service`? possible here: cloud_provider, "));
        assert!(!error.hint.contains("severity"), "not possible here");
    }

    #[test]
    fn it_says_which_labels_it_needs() {
        let matcher = Matcher::parse(r#"cloud_service="redis", tag:env="x""#, LabelSet::RESOURCE).unwrap();
        let labels: Vec<_> = matcher.labels().cloned().collect();
        assert_eq!(labels, [Label::CloudService, Label::Tag("env".into())]);
    }

    #[test]
    fn every_word_is_written_as_it_is_read() {
        for (word, label) in WORDS {
            assert_eq!(label.to_string(), word);
        }
    }

    fn any_label() -> impl Strategy<Value = String> {
        let words = WORDS.map(|(word, _)| word.to_owned());
        prop_oneof![
            proptest::sample::select(words.to_vec()),
            any::<String>().prop_map(|key| format!("tag:{}", Quoted(&key))),
            "[a-z]{1,9}".prop_map(|key| format!("label:{key}")),
        ]
    }

    fn any_term() -> impl Strategy<Value = String> {
        prop_oneof![
            (any_label(), "!?=", any::<String>())
                .prop_map(|(l, op, value)| format!("{l}{op}{}", Quoted(&value))),
            (any_label(), "[=!]~", "[a-z.*|\\\\w\" ]{0,12}")
                .prop_map(|(l, op, value)| format!("{l}{op}{}", Quoted(&value))),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn what_is_written_is_read_back(terms in proptest::collection::vec(any_term(), 1..5)) {
            if let Ok(matcher) = Matcher::parse(&terms.join(", "), LabelSet::ALERT) {
                prop_assert_eq!(Matcher::parse(&matcher.to_string(), LabelSet::ALERT).unwrap(), matcher);
            }
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = Matcher::parse(&text, LabelSet::ALERT);
        }

        #[test]
        fn no_nearly_right_text_panics(text in "(tag:|label:|cloud_service|=|!=|=~|\"|\\\\|,| |订|\\(|\\[){0,12}") {
            let _ = Matcher::parse(&text, LabelSet::ALERT);
        }
    }
}
