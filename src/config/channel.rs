//! `[[channel]]`: the places where messages can go.

use std::path::PathBuf;

pub use crate::domain::policy::Locale;
use crate::fields::{Fields, Item, ProxyUrl};
use crate::notifier::{self, ChannelSettings, NOTIFIERS, NotifierKind};

use super::names::Names;

/// A place where messages can go.
#[derive(Debug)]
pub struct Channel {
    /// Unique.
    pub name: String,
    /// How it is spoken to.
    pub kind: &'static NotifierKind,
    /// The language of its messages.
    pub locale: Locale,
    /// On the way there.
    pub proxy: Option<ProxyUrl>,
    /// A file with words of the operator's own.
    pub template: Option<PathBuf>,
    /// Messages per minute at most, in place of what suits the type.
    pub rate: Option<f64>,
    /// What only its type understands.
    pub settings: Box<dyn ChannelSettings>,
}

/// Reads every channel, and all names that were given, also to channels with problems.
pub(super) fn read_all(fields: &mut Fields<'_>) -> (Vec<Channel>, Names) {
    let mut names = Names::default();
    let channels = fields.tables("channel", |number, fields| read(number, &mut names, fields));
    (channels, names)
}

fn read(number: usize, names: &mut Names, fields: &mut Fields<'_>) -> Option<Channel> {
    let name = names.claim("channel", number, fields);
    let types: Vec<_> = NOTIFIERS.iter().map(|kind| kind.name).collect();
    let example = format!("type = \"{}\"; possible: {}", types[0], types.join(", "));
    let kind = fields.require("type", &example).choice("type", &types).and_then(notifier::find);
    let Some(kind) = kind else {
        fields.skip_rest();
        return None;
    };
    let locale = match fields.choice("locale", &[Locale::En.as_str(), Locale::Zh.as_str()]) {
        Some("zh") => Locale::Zh,
        _ => Locale::En,
    };
    let proxy = fields.item("proxy").and_then(Item::proxy);
    let template = fields.string("template").map(PathBuf::from);
    let rate = fields.positive("rate");
    let settings = (kind.settings)(fields);
    Some(Channel { name: name?, kind, locale, proxy, template, rate, settings: settings? })
}
