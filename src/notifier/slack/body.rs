//! A message as blocks: heading, sections, small print, with a bar of colour beside them.
//!
//! Pure. Every limit of Slack is kept here: the text composer leaves whole items out, never half of one, and says how
//! many; what is left to do is to lay its lines out in sections.

use serde_json::{Value, json};

use super::markup::{Mrkdwn, Simple, escape};
use crate::domain::alert::message::{Message, Tone};
use crate::notifier::script::{Budget, DETAILED, Markup, Script, Unit};
use crate::notifier::{Setting, text};

/// Characters of a heading.
const HEADER: usize = 150;
/// Characters of a section; Slack takes 3000.
const SECTION: usize = 2900;
/// Sections of a message; Slack takes 50 blocks, and some are not sections.
const SECTIONS: usize = 45;
/// Characters of all blocks; Slack refuses more than about 13,100 without saying so in its documentation.
const TOTAL: usize = 12_000;
/// Characters of the line of a push notification.
const PREVIEW: usize = 400;
/// Characters of a message in the operator's own words. It may come in parts, since its items cannot be told apart.
const WORDED: Budget = Budget { limit: 11_500, unit: Unit::Characters, parts: 3 };
/// Short plain text.
const SIMPLE: Budget = Budget { limit: 3500, unit: Unit::Characters, parts: 1 };

/// The body of a message in our words.
pub fn body(message: &Message, setting: &Setting<'_>) -> Value {
    let script = text::script(message, setting);
    let title = text::plain(&script.title);
    let heading = json!({
        "type": "header",
        "text": { "type": "plain_text", "text": cut(shown(&title), HEADER), "emoji": false },
    });
    let markup = Mrkdwn { bullets: script.entries.len() > DETAILED };
    let mut footer = String::new();
    markup.line(&script.footer, &mut footer);
    let footer = cut(&footer, SECTION);
    let mut blocks = vec![heading];
    blocks.extend(sections(&middle(&script, markup, TOTAL - HEADER - length(&footer))));
    if !footer.is_empty() {
        blocks.push(json!({ "type": "context", "elements": [mrkdwn(&footer)] }));
    }
    wrapped(&title, script.tone, &blocks)
}

/// The bodies of a message in the operator's own words.
pub fn worded(message: &Message, setting: &Setting<'_>) -> Vec<Value> {
    let composed = text::parts(message, setting, &Mrkdwn { bullets: true }, WORDED);
    composed.iter().map(|part| wrapped(&part.title, message.tone(), &sections(&part.text))).collect()
}

/// The simplest body there is.
pub fn simple(message: &Message, setting: &Setting<'_>) -> Value {
    let text = text::parts(message, setting, &Simple, SIMPLE).into_iter().next();
    let text = text.map(|part| part.text).unwrap_or_default();
    json!({ "text": shown(&text), "parse": "none", "unfurl_links": false, "unfurl_media": false })
}

/// `mrkdwn` and `parse`: nothing in the preview is styled or made into a link; the blocks have their own say.
fn wrapped(title: &str, tone: Tone, blocks: &[Value]) -> Value {
    let preview = escape(&cut(shown(title), PREVIEW));
    json!({
        "text": preview,
        "mrkdwn": false,
        "parse": "none",
        "unfurl_links": false,
        "unfurl_media": false,
        "attachments": [{ "color": colour(tone), "fallback": preview, "blocks": blocks }],
    })
}

fn colour(tone: Tone) -> &'static str {
    match tone {
        Tone::Good => "#2e7d32",
        Tone::Health => "#757575",
        Tone::Info => "#1976d2",
        Tone::Warning => "#f9a825",
        Tone::Critical | Tone::Expired => "#d32f2f",
    }
}

/// Everything between the heading and the small print, which have blocks of their own.
fn middle(script: &Script, markup: Mrkdwn, limit: usize) -> String {
    let middle = Script { title: Vec::new(), footer: Vec::new(), ..script.clone() };
    let composed = text::compose(&middle, &markup, Budget { limit, unit: Unit::Characters, parts: 1 });
    composed.into_iter().next().map(|part| part.text).unwrap_or_default()
}

/// A section for each block of a text; more than one where a block is longer than a section may be. Too many share some.
fn sections(text: &str) -> Vec<Value> {
    let mut sections: Vec<String> = Vec::new();
    for block in text.split(Mrkdwn::BLOCK_BREAK) {
        let mut open = false;
        for line in block.lines().map(|line| cut(line, SECTION)).filter(|line| !line.trim().is_empty()) {
            match sections.last_mut().filter(|last| open && length(last) + 1 + length(&line) <= SECTION) {
                Some(last) => last.extend(["\n", &line]),
                None => sections.push(line),
            }
            open = true;
        }
    }
    if sections.len() > SECTIONS {
        sections = shared(sections);
    }
    sections.iter().map(|text| json!({ "type": "section", "text": mrkdwn(text) })).collect()
}

/// As few sections as their texts need, with the same break between these as between blocks.
fn shared(sections: Vec<String>) -> Vec<String> {
    let mut shared: Vec<String> = Vec::new();
    for section in sections {
        let fits =
            |last: &&mut String| length(last) + length(Mrkdwn::BLOCK_BREAK) + length(&section) <= SECTION;
        match shared.last_mut().filter(fits) {
            Some(last) => last.extend([Mrkdwn::BLOCK_BREAK, &section]),
            None => shared.push(section),
        }
    }
    shared
}

/// `verbatim`: addresses and names of channels within names are not made into links.
fn mrkdwn(text: &str) -> Value {
    json!({ "type": "mrkdwn", "text": text, "verbatim": true })
}

/// An empty text is refused.
fn shown(text: &str) -> &str {
    if text.trim().is_empty() { "notafter" } else { text }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn cut(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    text.chars().take(most - 1).chain(['…']).collect()
}
