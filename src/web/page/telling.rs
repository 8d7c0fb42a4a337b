//! What is told: channels and how they are, messages that were given up, silences, and who was told of a certificate.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::quiet::{Hands, about_letter, about_silence, sealed};
use super::times::Stamp;
use super::words::{Words, fill, number};
use crate::domain::alert::facts::fingerprint;
use crate::domain::alert::outbox::Row as Letter;
use crate::domain::alert::silence::SilenceRow;
use crate::domain::finding::Stage;
use crate::notifier::desk::ChannelStatus;
use crate::visible::shortened;
use crate::web::api::silences::state_of;
use crate::web::context::{PageContext, Telling};
use crate::web::rows::Row;

/// Names are cut behind so many characters.
const NAME: usize = 80;
/// Stories and comments are cut behind so many.
const STORY: usize = 300;
/// The most silences in the table.
const SILENCES: usize = 50;
/// The most channels that are named beside a certificate.
const CHANNELS: usize = 4;

/// All that the page says of what is told.
#[derive(Debug)]
pub struct Told {
    /// When that was looked at, and why nothing can be told.
    pub state: Vec<String>,
    /// In the order of the configuration.
    pub channels: Vec<ChannelRow>,
    /// The youngest first.
    pub dead: Vec<DeadLetter>,
    /// Those that hold and those to come.
    pub silences: Vec<SilenceView>,
    /// What became of a form: class and text.
    pub done: Option<(&'static str, &'static str)>,
    /// Whether its rows have forms.
    pub forms: bool,
    /// What the address says of the language.
    pub lang: Option<&'static str>,
}

/// A channel.
#[derive(Debug)]
#[allow(missing_docs)] // named as the columns
pub struct ChannelRow {
    pub name: String,
    pub type_name: &'static str,
    pub place: String,
    /// `failing` or `up`: the class in the style sheet.
    pub class: &'static str,
    pub state: &'static str,
    pub delivered: String,
    pub queued: String,
    pub dead: String,
    pub error: Option<String>,
}

/// A message that was given up.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct DeadLetter {
    pub id: String,
    pub channel: String,
    pub type_name: &'static str,
    pub at: Stamp,
    pub attempts: String,
    pub error: String,
    /// The seal of the form that settles it.
    pub token: Option<String>,
}

/// A silence.
#[derive(Debug)]
#[allow(missing_docs)]
pub struct SilenceView {
    pub id: String,
    /// `info` or `pending`: the class in the style sheet.
    pub class: &'static str,
    pub state: &'static str,
    pub about: String,
    pub until: Stamp,
    pub author: String,
    pub comment: String,
    pub also_expired: bool,
    /// The seal of the form that ends it.
    pub token: Option<String>,
}

/// Builds what the page says of what is told.
pub fn told(telling: &Telling, now: DateTime<Utc>, context: &PageContext<'_>, words: &'static Words) -> Told {
    let board = &*telling.board;
    let looked = board
        .at
        .map_or_else(|| words.no_evaluation.to_owned(), |at| fill(words.evaluated, &[&words.ago(now - at)]));
    let waits =
        board.trouble.as_deref().map(|trouble| fill(words.alerts_wait, &[&shortened(trouble, STORY)]));
    let unknown =
        telling.channels.as_ref().err().map(|error| fill(words.channels_unknown, &[&error.to_string()]));
    let channels = telling.channels.as_deref().unwrap_or_default();
    let silences = board.silences.iter().filter(|row| state_of(row, now) != "ended").take(SILENCES);
    Told {
        state: [Some(looked), waits, unknown].into_iter().flatten().collect(),
        channels: channels.iter().map(|channel| channel_row(channel, now, words)).collect(),
        dead: telling.dead.iter().map(|letter| dead_letter(letter, context, words)).collect(),
        silences: silences.map(|row| silence(row, now, context, words)).collect(),
        done: context.hands.filter(Hands::may_change).and_then(|hands| Some(hands.done?.said(words.more))),
        lang: context.tongue.kept(),
        forms: context.hands.as_ref().is_some_and(Hands::may_change),
    }
}

/// Who was told of a certificate, and as what: a note for each stage that was told, the deepest first.
pub fn notes(row: &Row<'_>, now: DateTime<Utc>, context: &PageContext<'_>, words: &Words) -> Vec<String> {
    let told = || {
        let fingerprint = fingerprint(row.scope, &row.resource.id, row.certificate?.role);
        let past = context.told?.board.memory.certificates.get(&fingerprint)?;
        let mut by_stage: BTreeMap<Reverse<Stage>, (Vec<&str>, DateTime<Utc>)> = BTreeMap::new();
        for (channel, told) in &past.told {
            let Some(here) = told.iter().find(|told| Some(told.not_after) == row.not_after()) else {
                continue;
            };
            let (channels, last) = by_stage.entry(Reverse(here.stage)).or_insert((Vec::new(), here.at));
            channels.push(channel);
            *last = here.at.max(*last);
        }
        let note = |(Reverse(stage), (channels, last)): (Reverse<Stage>, (Vec<&str>, DateTime<Utc>))| {
            fill(words.told_as, &[&several(&channels), &words.ago(now - last), words.stage(stage)])
        };
        Some(by_stage.into_iter().map(note).collect())
    };
    told().unwrap_or_default()
}

/// The first of them by name, and how many more there are.
fn several(channels: &[&str]) -> String {
    let named: Vec<_> = channels.iter().take(CHANNELS).map(|channel| shortened(channel, NAME)).collect();
    let more = channels.len() - named.len();
    if more == 0 { named.join(", ") } else { format!("{} +{more}", named.join(", ")) }
}

fn channel_row(status: &ChannelStatus, now: DateTime<Utc>, words: &'static Words) -> ChannelRow {
    let name = |text: &str| shortened(text, NAME).into_owned();
    let (class, state) = match status {
        ChannelStatus { removed: Some(_), .. } => ("failing", words.channel_removed),
        ChannelStatus { failing: true, .. } => ("failing", words.channel_failing),
        ChannelStatus { down, .. } if !down.is_empty() => ("failing", words.channel_degraded),
        _ => ("up", words.channel_up),
    };
    let given_up_at = status.removed.and_then(|removal| removal.given_up_at);
    let removed = given_up_at.map(|at| {
        let hours = (at - now).num_minutes().max(0).unsigned_abs().div_ceil(60);
        fill(words.channel_kept, &[&hours.to_string()])
    });
    let last = status.health.last_success;
    let down = status.down.iter().map(|(place, error)| fill(words.place_down, &[place, error]));
    let error = Some(status.health.error.to_string()).filter(|error| !error.is_empty());
    let story = error.into_iter().chain(down).collect::<Vec<_>>().join(" ");
    ChannelRow {
        name: name(&status.name),
        type_name: status.type_name,
        place: name(&status.place),
        class,
        state,
        delivered: last.map_or_else(|| words.never.to_owned(), |at| words.ago(now - at)),
        queued: number(status.queued),
        dead: number(status.dead),
        error: removed.or_else(|| (!story.is_empty()).then(|| shortened(&story, STORY).into_owned())),
    }
}

fn dead_letter(letter: &Letter, context: &PageContext<'_>, words: &Words) -> DeadLetter {
    let message = &letter.message;
    DeadLetter {
        id: shortened(&message.id, NAME).into_owned(),
        channel: shortened(&message.channel, NAME).into_owned(),
        type_name: message.type_name(),
        at: Stamp::new(message.at, context.timezone),
        attempts: words.attempts.of(letter.attempts as usize),
        error: shortened(letter.last_error.as_deref().unwrap_or_default(), STORY).into_owned(),
        token: token(context, &about_letter(letter)),
    }
}

fn silence(
    row: &SilenceRow,
    now: DateTime<Utc>,
    context: &PageContext<'_>,
    words: &'static Words,
) -> SilenceView {
    let about = match (&row.matcher, row.fingerprint, row.stage) {
        (_, Some(fingerprint), Some(stage)) => {
            fill(words.acknowledged, &[&fingerprint.to_string(), words.stage(stage)])
        }
        (matcher, ..) => shortened(matcher.as_deref().unwrap_or_default(), STORY).into_owned(),
    };
    let holds = state_of(row, now) == "active";
    SilenceView {
        id: shortened(&row.id, NAME).into_owned(),
        class: if holds { "info" } else { "pending" },
        state: if holds { words.silence_active } else { words.silence_pending },
        about,
        until: Stamp::new(row.ends_at, context.timezone),
        author: shortened(&row.author, NAME).into_owned(),
        comment: shortened(&row.comment, STORY).into_owned(),
        also_expired: row.include_expired,
        token: token(context, &about_silence(&row.id, row.ends_at)),
    }
}

fn token(context: &PageContext<'_>, about: &[String]) -> Option<String> {
    context.hands.filter(Hands::may_change).map(|hands| sealed(&hands, about))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use askama::Template as _;
    use chrono::TimeDelta;

    use crate::domain::alert::board::Board;
    use crate::domain::alert::delivery::health::Health;
    use crate::domain::alert::memory::{Memory, Past, Told};
    use crate::domain::alert::message::{Kind, Message};
    use crate::domain::alert::outbox::{Row, State};
    use crate::domain::alert::silence::SilenceRow;
    use crate::domain::finding::Stage;
    use crate::domain::testing::moment;
    use crate::notifier::desk::{ChannelStatus, DeskError};
    use crate::notifier::samples;
    use crate::web::context::testing::plain_context;
    use crate::web::context::{PageContext, Telling};
    use crate::web::page::page;
    use crate::web::page::query::PageQuery;
    use crate::web::rows::rows;
    use crate::web::testing::small;

    fn channel() -> ChannelStatus {
        let health = Health {
            failures: 3,
            since: Some(moment() - TimeDelta::hours(1)),
            error: "HTTP 403: <b>archived</b>".into(),
            last_success: Some(moment() - TimeDelta::hours(2)),
            ..Health::default()
        };
        ChannelStatus {
            name: "dba-slack".into(),
            type_name: "slack",
            place: "https://hooks.example".into(),
            replica: false,
            failing: true,
            health,
            queued: 2,
            dead: 1,
            removed: None,
            down: Vec::new(),
        }
    }

    fn letter() -> Row {
        let message = Message {
            id: "evt_1".into(),
            channel: "dba-slack".into(),
            kind: Kind::Test,
            route: "".into(),
            at: moment() - TimeDelta::days(3),
            items: Vec::new(),
            left_out: 0,
            overview: None,
        };
        Row {
            message,
            state: State::Dead,
            attempts: 12,
            parts_done: 0,
            next_at: moment(),
            last_error: Some("HTTP 500: no".into()),
            unanswered: false,
            settled_at: Some(moment()),
        }
    }

    fn silence() -> SilenceRow {
        SilenceRow {
            id: "sil_1".into(),
            matcher: Some(r#"cloud_service="rds""#.into()),
            fingerprint: None,
            stage: None,
            starts_at: moment() - TimeDelta::days(1),
            ends_at: moment() + TimeDelta::days(1),
            author: "alice".into(),
            comment: "<i>moving</i>".into(),
            include_expired: true,
        }
    }

    fn html(telling: &Telling) -> String {
        let context = PageContext { told: Some(telling), ..plain_context() };
        page(&small(), &PageQuery::default(), moment(), &context).render().expect("rendered")
    }

    #[test]
    fn channels_dead_letters_silences_and_who_was_told_are_shown() {
        let snapshot = small();
        let row = rows(&snapshot).find(|row| row.certificate.is_some()).expect("one");
        let certificate = row.certificate.expect("found by that");
        let told = Told {
            not_after: certificate.not_after,
            stage: Stage::Critical,
            at: moment() - TimeDelta::hours(5),
        };
        let past = Past {
            facts: samples::facts("a", "r-1", TimeDelta::days(1)),
            epoch: certificate.not_after,
            doubt: None,
            missing: None,
            told: ["a", "b", "c", "d", "dba-slack"].map(|name| (name.into(), vec![told])).into(),
        };
        let fingerprint =
            crate::domain::alert::facts::fingerprint(row.scope, &row.resource.id, certificate.role);
        let mut memory = Memory::default();
        memory.certificates.insert(fingerprint, Arc::new(past));
        let board = Board {
            memory: Arc::new(memory),
            silences: [silence()].into(),
            at: Some(moment() - TimeDelta::minutes(2)),
            ..Board::default()
        };
        let html =
            html(&Telling { channels: Ok(vec![channel()]), dead: vec![letter()], board: Arc::new(board) });
        for want in [
            "<h2 id=\"channels\">Channels</h2>",
            "What is to be told was last looked at 2 min ago.",
            "dba-slack",
            "HTTP 403: &#60;b&#62;archived&#60;/b&#62;",
            "<code>evt_1</code>",
            "12 attempts",
            "cloud_service=&#34;rds&#34;",
            "&#60;i&#62;moving&#60;/i&#62;",
            "also what is expired",
            "<li>a, b, c, d +1 told 5 h ago: critical</li>",
        ] {
            assert!(html.contains(want), "{want}:\n{html}");
        }
        assert!(!html.contains("<i>") && !html.contains("<b>archived"), "{html}");
    }

    #[test]
    fn an_instance_that_is_down_is_said_although_another_one_delivers() {
        let down = vec![("http://am-2.example".to_owned(), "connection <refused>".to_owned())];
        let (health, failing) = (Health::default(), false);
        let channels = Ok(vec![ChannelStatus { failing, health, down, ..channel() }]);
        let html = html(&Telling { channels, dead: Vec::new(), board: Arc::default() });
        for want in ["degraded", "http://am-2.example does not take it: connection &#60;refused&#62;"] {
            assert!(html.contains(want), "{want}:\n{html}");
        }
    }

    #[test]
    fn a_store_that_is_away_is_said() {
        let board = Board { trouble: Some("the store cannot be used".into()), ..Board::default() };
        let html =
            html(&Telling { channels: Err(DeskError::StoreAway), dead: Vec::new(), board: Arc::new(board) });
        for want in [
            "What is to be told was not looked at yet.",
            "Alerts wait: the store cannot be used.",
            "How the channels are is not known: the store cannot be used at the moment.",
        ] {
            assert!(html.contains(want), "{want}:\n{html}");
        }
    }
}
