//! From facts to words: what a message says, in English and Chinese.
//!
//! [`script`] makes words of facts, [`compose`] makes texts within a budget of words, and each channel brings its
//! [`Markup`]. Nothing here decides whether something is said, or sends it. The same message may be put into words many
//! times (each attempt makes it anew), so nothing but the arguments counts.

pub mod compose;

mod advice;
mod certificate;
mod channel;
mod markup;
mod moments;
mod opening;
mod page;
mod phrase;
mod renewal;
mod source;
mod template;
#[cfg(test)]
mod tests;
mod title;
mod words;

pub use compose::compose;
pub use markup::{PlainText, plain};
pub use page::measure;
pub use phrase::tidy;
pub use template::{Template, TemplateError};

use self::moments::Voice;
use super::Setting;
use super::script::{Budget, Entry, Markup, Script};
use crate::domain::alert::message::{Item, Message, Tone};

/// A message, or a part of one, with the markup of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    /// One line without markup and not escaped, for subjects and previews.
    pub title: String,
    /// Everything, the title as its first line among it, escaped.
    pub text: String,
}

/// A message in words, for channels that build cards of it.
pub fn script(message: &Message, setting: &Setting<'_>) -> Script {
    let voice = Voice::of(setting);
    let entries: Vec<Entry> = message.items.iter().map(|item| entry(item, voice)).collect();
    Script {
        tone: entries.iter().map(|entry| entry.tone).max().unwrap_or(Tone::Health),
        title: title::title(message, voice),
        opening: opening::opening(message, voice),
        entries,
        left_out: message.left_out,
        closing: opening::closing(setting.external_url, voice),
        footer: opening::footer(message),
        locale: setting.locale,
    }
}

/// A message as texts within a budget: our words, or those of the operator's template.
pub fn parts(message: &Message, setting: &Setting<'_>, markup: &dyn Markup, budget: Budget) -> Vec<Composed> {
    if let Some(template) = setting.template {
        match template.compose(message, setting, markup, budget) {
            Ok(parts) => return parts,
            Err(error) => {
                let (channel, file) = (&*message.channel, template.file());
                tracing::warn!(channel, file, event = &*message.id, %error, "template failed, own words are used");
            }
        }
    }
    compose(&script(message, setting), markup, budget)
}

fn entry(item: &Item, voice: Voice) -> Entry {
    let tone = title::tone(item, voice);
    match item {
        Item::Certificate(item) => certificate::entry(item, tone, voice),
        Item::Source(item) => source::entry(item, tone, voice),
        Item::Channel(item) => channel::entry(item, tone, voice),
        Item::Renewal(item) => renewal::entry(item, tone, voice),
    }
}
