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

use std::fmt::{self, Write as _};

use regex_lite::Regex;

use super::nearest::nearest;

/// A name that can be asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Label {
    /// Code of the cloud.
    CloudProvider,
    /// Name of the account as configured.
    CloudAccount,
    /// The cloud's id of the project.
    CloudProject,
    /// The cloud's id of the region.
    CloudRegion,
    /// Product of the cloud.
    CloudService,
    /// The cloud's id of the resource.
    ResourceId,
    /// `server`, `ca` or `chain`.
    CertRole,
    /// Display name of the resource.
    ResourceName,
    /// A tag of the resource, `tag:KEY`.
    Tag(Box<str>),
    /// A label of the account, `label:KEY`.
    AccountLabel(Box<str>),
    /// How bad an alert is.
    Severity,
    /// How close to its end a certificate is.
    Stage,
    /// What an alert tells, `certificate.expiring` for example.
    Type,
}

/// The labels that are one word.
const WORDS: [(&str, Label); 11] = [
    ("cloud_provider", Label::CloudProvider),
    ("cloud_account", Label::CloudAccount),
    ("cloud_project", Label::CloudProject),
    ("cloud_region", Label::CloudRegion),
    ("cloud_service", Label::CloudService),
    ("resource_id", Label::ResourceId),
    ("resource_name", Label::ResourceName),
    ("cert_role", Label::CertRole),
    ("severity", Label::Severity),
    ("stage", Label::Stage),
    ("type", Label::Type),
];

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tag(key) => write!(f, "tag:{}", Key(key)),
            Self::AccountLabel(key) => write!(f, "label:{}", Key(key)),
            word => {
                let name = WORDS.iter().find(|(_, label)| label == word).map(|(name, _)| *name);
                f.write_str(name.expect("every label without a key is a word"))
            }
        }
    }
}

/// Which labels make sense where an expression stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LabelSet {
    certificate: bool,
    alert: bool,
}

impl LabelSet {
    /// Before anything was looked at: all but `cert_role` and what only an alert has.
    pub const RESOURCE: Self = Self { certificate: false, alert: false };
    /// Of a certificate that is known.
    pub const CERTIFICATE: Self = Self { certificate: true, alert: false };
    /// Of an alert: also `severity`, `stage` and `type`.
    pub const ALERT: Self = Self { certificate: true, alert: true };

    /// Whether `label` may be asked for.
    pub fn contains(self, label: &Label) -> bool {
        match label {
            Label::CertRole => self.certificate,
            Label::Severity | Label::Stage | Label::Type => self.alert,
            _ => true,
        }
    }

    fn words(self) -> impl Iterator<Item = &'static str> {
        WORDS.iter().filter(move |(_, label)| self.contains(label)).map(|(name, _)| *name)
    }
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

/// An expression that was understood.
#[derive(Clone)]
pub struct Matcher {
    terms: Vec<Term>,
}

impl Matcher {
    /// Reads an expression; only labels of `allowed` may stand in it.
    pub fn parse(text: &str, allowed: LabelSet) -> Result<Self, MatcherError> {
        Reader { text, at: 0, allowed }.matcher()
    }

    /// Whether all its parts hold. `lookup` answers for a label; `None` counts as the empty text.
    pub fn matches<'v>(&self, lookup: &dyn Fn(&Label) -> Option<&'v str>) -> bool {
        self.terms.iter().all(|term| term.holds(lookup(&term.label).unwrap_or("")))
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

/// A text in double quotes, escaped.
struct Quoted<'t>(&'t str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_char('"')?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_char('\\')?;
            }
            f.write_char(character)?;
        }
        f.write_char('"')
    }
}

/// The key of a tag or label, in quotes only where it needs them.
struct Key<'t>(&'t str);

impl fmt::Display for Key<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.chars().all(is_bare) { f.write_str(self.0) } else { write!(f, "{}", Quoted(self.0)) }
    }
}

/// May stand in a label or a key without quotes.
fn is_bare(character: char) -> bool {
    character.is_alphanumeric() || "_-.:/@+#%&*".contains(character)
}

/// Why a text is no expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message} (character {column} of the expression)")]
pub struct MatcherError {
    /// Character of the text it is about, from 1.
    pub column: usize,
    /// What is wrong; reads well behind "the expression".
    pub message: String,
    /// A way out.
    pub hint: String,
}

const SHAPE: &str = r#"label OP "value", joined by commas; OP is one of = != =~ !~, for example cloud_service="redis", tag:env=~"prod|staging""#;

/// Walks over the text once, from left to right.
struct Reader<'t> {
    text: &'t str,
    at: usize,
    allowed: LabelSet,
}

impl<'t> Reader<'t> {
    fn matcher(mut self) -> Result<Matcher, MatcherError> {
        let mut terms = Vec::new();
        self.skip_blanks();
        if self.rest().is_empty() {
            return Err(self.error("is empty", SHAPE));
        }
        loop {
            terms.push(self.term()?);
            self.skip_blanks();
            if self.rest().is_empty() {
                return Ok(Matcher { terms });
            }
            if !self.take(",") {
                return Err(self.error("has something behind a value that is no comma", SHAPE));
            }
            self.skip_blanks();
            if self.rest().is_empty() {
                return Err(self.error("ends with a comma", "take the last comma away"));
            }
        }
    }

    fn term(&mut self) -> Result<Term, MatcherError> {
        let label = self.label()?;
        self.skip_blanks();
        let op = self.op()?;
        self.skip_blanks();
        let start = self.at;
        let value = self.quoted(&label, op)?;
        let pattern = match op {
            Op::Is | Op::IsNot => None,
            Op::Like | Op::NotLike => Some(whole(&value).map_err(|why| self.error_at(start, why.0, why.1))?),
        };
        Ok(Term { label, op, value: value.into(), pattern })
    }

    fn label(&mut self) -> Result<Label, MatcherError> {
        let start = self.at;
        let name = self.word();
        let label = match name.split_once(':') {
            Some(("tag", _)) => Label::Tag(self.key(start + "tag:".len())?.into()),
            Some(("label", _)) => Label::AccountLabel(self.key(start + "label:".len())?.into()),
            _ => self.plain_label(start, name)?,
        };
        if self.allowed.contains(&label) {
            return Ok(label);
        }
        let hint = format!("possible here: {}", self.possible());
        Err(self.error_at(start, format!("cannot ask for `{label}` here"), hint))
    }

    fn plain_label(&self, start: usize, name: &str) -> Result<Label, MatcherError> {
        if name.is_empty() {
            return Err(self.error_at(start, "has no label where one is expected", SHAPE));
        }
        if let Some((_, label)) = WORDS.iter().find(|(word, _)| *word == name) {
            return Ok(label.clone());
        }
        let close = nearest(name, self.allowed.words());
        let meant = close.map_or_else(String::new, |word| format!("did you mean `{word}`? "));
        let shown: String = name.chars().take(40).collect();
        let hint = format!("{meant}possible here: {}", self.possible());
        Err(self.error_at(start, format!("asks for an unknown label `{shown}`"), hint))
    }

    fn possible(&self) -> String {
        let words: Vec<_> = self.allowed.words().chain(["tag:KEY", "label:KEY"]).collect();
        words.join(", ")
    }

    /// The key that begins at `start`, behind `tag:` or `label:`.
    fn key(&mut self, start: usize) -> Result<String, MatcherError> {
        let key = if self.text[start..].starts_with('"') {
            self.at = start;
            self.between_quotes()?
        } else {
            self.text[start..self.at].to_owned()
        };
        let hint = "tag:KEY or label:KEY, for example tag:env=\"prod\"";
        if key.is_empty() { Err(self.error_at(start, "names no key", hint)) } else { Ok(key) }
    }

    fn op(&mut self) -> Result<Op, MatcherError> {
        if self.rest().starts_with("==") {
            return Err(self.error("has `==`", "one `=` is enough"));
        }
        let known = [Op::Like, Op::NotLike, Op::IsNot, Op::Is];
        let found = known.into_iter().find(|op| self.take(op.as_str()));
        found.ok_or_else(|| self.error("has no `=`, `!=`, `=~` or `!~` behind a label", SHAPE))
    }

    fn quoted(&mut self, label: &Label, op: Op) -> Result<String, MatcherError> {
        if self.rest().starts_with('"') {
            return self.between_quotes();
        }
        let hint = format!("{label}{}\"…\"", op.as_str());
        Err(self.error("has a value without double quotes", hint))
    }

    fn between_quotes(&mut self) -> Result<String, MatcherError> {
        let start = self.at;
        let mut text = String::new();
        let mut characters = self.text[start + 1..].char_indices().peekable();
        while let Some((offset, character)) = characters.next() {
            match (character, characters.peek()) {
                ('"', _) => {
                    self.at = start + 1 + offset + 1;
                    return Ok(text);
                }
                ('\\', Some(&(_, escaped @ ('"' | '\\')))) => {
                    text.push(escaped);
                    characters.next();
                }
                _ => text.push(character),
            }
        }
        Err(self.error_at(start, "has a quote that is not closed", r#"a quote inside a value is written \""#))
    }

    /// What may be a label, as far as it goes.
    fn word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|c| !is_bare(c)).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn rest(&self) -> &'t str {
        &self.text[self.at..]
    }

    fn error(&self, message: impl Into<String>, hint: impl Into<String>) -> MatcherError {
        self.error_at(self.at, message, hint)
    }

    fn error_at(&self, at: usize, message: impl Into<String>, hint: impl Into<String>) -> MatcherError {
        let column = self.text[..at].chars().count() + 1;
        MatcherError { column, message: message.into(), hint: hint.into() }
    }
}

/// A pattern that matches whole values only, or what is wrong with it and a way out.
fn whole(pattern: &str) -> Result<Regex, (String, String)> {
    let refused = |error: regex_lite::Error| {
        let hint = "write a plain character of that kind with a backslash in front: \\. \\( \\*";
        (format!("has a regular expression that cannot be read: {error}"), hint.to_owned())
    };
    // alone first: inside the group, `a)(b` would be read as something else
    Regex::new(pattern).map_err(refused)?;
    Regex::new(&format!("^(?:{pattern})$")).map_err(refused)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
