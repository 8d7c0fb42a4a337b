//! The forms that keep alerts quiet or settle messages: what each offers, and what it is sealed with.
//!
//! A form carries the id that its silence is going to have. So one that is sent twice makes one silence, and one that was
//! sent counts no more.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::more_words::MoreWords;
use super::renewal::{Viewer, user};
use super::words::fill;
use crate::domain::alert::board::lines;
use crate::domain::alert::decide::World;
use crate::domain::alert::memory::Memory;
use crate::domain::alert::message::Fingerprint;
use crate::domain::alert::outbox::Row;
use crate::domain::alert::silence::About;
use crate::domain::finding::Stage;
use crate::domain::identity::{CertRole, Scope};
use crate::domain::renewal::attempt::ResourceKey;
use crate::domain::resource::{Certificate, Resource};
use crate::web::context::PageContext;
use crate::web::form::Seal;

/// For how long a silence can be: value and hours.
pub const LENGTHS: [(&str, u64); 6] =
    [("4h", 4), ("1d", 24), ("3d", 72), ("7d", 168), ("30d", 720), ("90d", 2160)];
/// The one that is offered first.
const USUAL: &str = "1d";
/// What is expired has no later stage: it is acknowledged for so long.
const EXPIRED_FOR: TimeDelta = TimeDelta::days(30);

/// Who looks, and may change something from a page.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// Who it is.
    pub viewer: &'a Viewer,
    /// Seals a form.
    pub(in crate::web) seal: &'a Seal,
    /// What became of the last form; `None`: none was sent.
    pub done: Option<Done>,
    /// The id that the next silence has.
    pub next_silence: &'a str,
}

impl Hands<'_> {
    /// Whether anything may be changed.
    pub fn may_change(&self) -> bool {
        *self.viewer != Viewer::Reader
    }
}

/// What became of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Done {
    /// A certificate was acknowledged.
    Acknowledged,
    /// A silence was added.
    Silenced,
    /// A silence was ended.
    Ended,
    /// A message goes out again.
    Retried,
    /// A message was dropped.
    Dropped,
    /// It was filled in before something changed.
    Stale,
    /// Nothing says why.
    Unexplained,
    /// The store is away.
    Away,
}

impl Done {
    const ALL: [Self; 8] = [
        Self::Acknowledged,
        Self::Silenced,
        Self::Ended,
        Self::Retried,
        Self::Dropped,
        Self::Stale,
        Self::Unexplained,
        Self::Away,
    ];

    /// The word in the address.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Acknowledged => "acknowledged",
            Self::Silenced => "silenced",
            Self::Ended => "ended",
            Self::Retried => "retried",
            Self::Dropped => "dropped",
            Self::Stale => "stale",
            Self::Unexplained => "unexplained",
            Self::Away => "away",
        }
    }

    /// Reads the value of `done`.
    pub fn read(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|done| done.as_str() == word)
    }

    /// The class in the style sheet, and what is said.
    pub fn said(self, m: &MoreWords) -> (&'static str, &'static str) {
        match self {
            Self::Acknowledged => ("ok", m.done_acknowledged),
            Self::Silenced => ("ok", m.done_silenced),
            Self::Ended => ("ok", m.done_ended),
            Self::Retried => ("ok", m.done_retried),
            Self::Dropped => ("ok", m.done_dropped),
            Self::Stale => ("critical", m.done_stale),
            Self::Unexplained => ("critical", m.done_unexplained),
            Self::Away => ("critical", m.done_away),
        }
    }
}

/// A certificate that somebody may say they know about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Acknowledgement {
    /// Its role.
    pub role: CertRole,
    /// Its identity.
    pub fingerprint: Fingerprint,
    /// The deepest stage that a channel has it in.
    pub stage: Stage,
    /// Its end, so that a later one is not acknowledged unseen.
    pub not_after: DateTime<Utc>,
    /// When it ends at the latest.
    pub until: DateTime<Utc>,
}

/// Every certificate of a resource of which a channel was told, and which nobody acknowledged as it is now.
pub fn acknowledgements(
    world: &World<'_>,
    memory: &Memory,
    scope: &std::sync::Arc<Scope>,
    resource: &Resource,
) -> Vec<Acknowledgement> {
    let of = |certificate: &Certificate| {
        let lines = lines(world, memory, scope, resource, certificate);
        let told = lines.iter().filter(|line| {
            line.stage > Stage::Ok && line.told.is_some_and(|told| told.not_after == certificate.not_after)
        });
        let deepest = told.max_by_key(|line| line.stage)?;
        let (fingerprint, stage) = (deepest.fingerprint, deepest.stage);
        let known = world.silences.iter().any(|silence| {
            let about = matches!(&silence.about, About::Acknowledged { fingerprint: of, stage: to }
                if *of == fingerprint && *to >= stage);
            about && silence.starts_at <= world.now && world.now < silence.ends_at
        });
        let not_after = certificate.not_after;
        let until = if not_after > world.now { not_after } else { world.now + EXPIRED_FOR };
        let found = Acknowledgement { role: certificate.role, fingerprint, stage, not_after, until };
        (!known).then_some(found)
    };
    resource.certificates().iter().filter_map(of).collect()
}

/// What a form about a resource is sealed with: it counts as long as these are the same.
pub fn about(key: &ResourceKey, id: &str, acknowledgements: &[Acknowledgement]) -> Vec<String> {
    let each = acknowledgements
        .iter()
        .map(|one| format!("{} {} {}", one.fingerprint, one.stage.as_str(), one.not_after.timestamp()));
    ["quiet".to_owned(), key.to_string(), id.to_owned()].into_iter().chain(each).collect()
}

/// What the form that ends a silence is sealed with.
pub fn about_silence(id: &str, ends_at: DateTime<Utc>) -> [String; 3] {
    ["silence".to_owned(), id.to_owned(), ends_at.timestamp_millis().to_string()]
}

/// What the form that settles a message is sealed with.
pub fn about_letter(letter: &Row) -> [String; 3] {
    // attempts begin anew with each retry, the moment at which it was given up does not come again
    let given_up = letter.settled_at.map_or(0, |at| at.timestamp_millis());
    ["letter".to_owned(), letter.message.id.to_string(), given_up.to_string()]
}

/// A seal over parts that are texts.
pub fn sealed(hands: &Hands<'_>, parts: &[String]) -> String {
    hands.seal.token(&parts.iter().map(String::as_str).collect::<Vec<_>>())
}

/// How long a silence is to be, as the form says it.
pub fn length(value: &str) -> Option<Duration> {
    let (_, hours) = LENGTHS.into_iter().find(|(known, _)| *known == value)?;
    Some(Duration::from_hours(hours))
}

/// The form about a resource.
#[derive(Debug)]
pub struct QuietForm {
    /// Names and values.
    pub hidden: Vec<(&'static str, String)>,
    /// `None`: who it is is asked for.
    pub user: Option<String>,
    /// Value and text of a button for each certificate.
    pub acknowledge: Vec<(String, String)>,
    /// Value, text, and whether it is offered first.
    pub lengths: Vec<(&'static str, String, bool)>,
}

/// Builds the form about a resource; `None`: who looks may not change anything.
pub fn quiet_form(
    key: &ResourceKey,
    fields: Vec<(&'static str, String)>,
    acknowledgements: &[Acknowledgement],
    context: &PageContext<'_>,
) -> Option<QuietForm> {
    let hands = context.hands.filter(Hands::may_change)?;
    let (w, m) = (context.tongue.words, context.tongue.words.more);
    let token = sealed(&hands, &about(key, hands.next_silence, acknowledgements));
    let own = [("id", hands.next_silence.to_owned()), ("token", token)];
    let button = |one: &Acknowledgement| {
        let next = Stage::ALL.into_iter().find(|stage| *stage > one.stage);
        let text = match next {
            Some(next) => fill(m.acknowledge, &[m.role(one.role), w.stage(next)]),
            None => fill(m.acknowledge_expired, &[m.role(one.role)]),
        };
        (one.role.as_str().to_owned(), text)
    };
    let length = |(value, hours): (&'static str, u64)| {
        let length = TimeDelta::hours(i64::try_from(hours).unwrap_or_default());
        (value, w.length(length), value == USUAL)
    };
    Some(QuietForm {
        hidden: fields.into_iter().chain(own).collect(),
        user: user(hands.viewer),
        acknowledge: acknowledgements.iter().map(button).collect(),
        lengths: LENGTHS.into_iter().map(length).collect(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_became_of_a_form_is_a_word_in_the_address() {
        for done in Done::ALL {
            assert_eq!(Done::read(done.as_str()), Some(done));
        }
        assert_eq!(Done::read("approved"), None);
    }

    #[test]
    fn lengths_are_what_they_say() {
        for (value, hours) in LENGTHS {
            assert_eq!(length(value), Some(Duration::from_hours(hours)));
            let said = crate::domain::duration::parse_duration(value).expect("a duration");
            assert_eq!(length(value), Some(said), "{value}");
        }
        assert!(length("5h").is_none() && LENGTHS.iter().any(|(value, _)| *value == USUAL));
    }

    #[test]
    fn a_seal_is_broken_by_whatever_its_reader_did_not_see() {
        let key = ResourceKey::new(&crate::domain::testing::scope("redis"), "r-1");
        let one = |stage| Acknowledgement {
            role: CertRole::Server,
            fingerprint: Fingerprint(7),
            stage,
            not_after: DateTime::UNIX_EPOCH,
            until: DateTime::UNIX_EPOCH,
        };
        let seen = about(&key, "sil_1", &[one(Stage::Warning)]);
        assert_ne!(seen, about(&key, "sil_1", &[one(Stage::Critical)]), "a deeper stage");
        assert_ne!(seen, about(&key, "sil_2", &[one(Stage::Warning)]), "another form");
        assert_ne!(seen, about(&key, "sil_1", &[]), "nothing to acknowledge");
        let renewed = Acknowledgement { not_after: DateTime::<Utc>::MAX_UTC, ..one(Stage::Warning) };
        assert_ne!(seen, about(&key, "sil_1", &[renewed]), "another end");
    }
}
