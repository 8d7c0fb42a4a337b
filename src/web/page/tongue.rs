//! In which language a page speaks: what its reader's browser asks for, or what the address says with `lang`.
//!
//! What the address says stays in every link of the page; what the browser asks for comes with each request anyway.

use std::convert::Infallible;

use axum::extract::FromRequestParts;
use axum::http::header::ACCEPT_LANGUAGE;
use axum::http::request::Parts;

use super::chinese::CHINESE;
use super::words::{ENGLISH, Words};
use crate::domain::policy::Locale;
use crate::web::query::pairs;

/// The language of a page.
#[derive(Debug, Clone, Copy)]
pub struct Tongue {
    /// Every text of its pages.
    pub words: &'static Words,
    /// The address said so.
    chosen: bool,
}

impl Default for Tongue {
    fn default() -> Self {
        Self::of(Locale::En, false)
    }
}

impl Tongue {
    /// A language, and whether links are to keep it.
    pub fn of(locale: Locale, chosen: bool) -> Self {
        let words = match locale {
            Locale::En => &ENGLISH,
            Locale::Zh => &CHINESE,
        };
        Self { words, chosen }
    }

    /// By the query of the address, else by the header `Accept-Language`.
    pub fn read(query: Option<&str>, accepted: &str) -> Self {
        let mut said = pairs(query).flatten().filter(|(name, _)| name == "lang");
        let said = said.find_map(|(_, value)| locale_of(&value));
        said.map_or_else(|| Self::of(preferred(accepted), false), |locale| Self::of(locale, true))
    }

    /// The value of `lang` that forms and links keep.
    pub fn kept(self) -> Option<&'static str> {
        self.chosen.then(|| self.words.locale.as_str())
    }

    /// A link to a page of ours, which then speaks the same language.
    pub fn keep(self, link: impl Into<String>) -> String {
        let link = link.into();
        self.kept().map_or(link.clone(), |lang| with_lang(&link, lang))
    }

    /// A link to a page of ours in the other language.
    pub fn turned(self, link: &str) -> String {
        with_lang(link, if self.words.locale == Locale::En { "zh" } else { "en" })
    }
}

fn with_lang(link: &str, lang: &str) -> String {
    let (link, place) = link.find('#').map_or((link, ""), |at| link.split_at(at));
    let between = match link.find('?') {
        None => "?",
        Some(at) if at + 1 == link.len() => "",
        Some(_) => "&",
    };
    format!("{link}{between}lang={lang}{place}")
}

/// Handlers of pages take it as an argument.
impl<S: Sync> FromRequestParts<S> for Tongue {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        let accepted = parts.headers.get_all(ACCEPT_LANGUAGE).iter().filter_map(|value| value.to_str().ok());
        let accepted = accepted.collect::<Vec<_>>().join(",");
        Ok(Self::read(parts.uri.query(), &accepted))
    }
}

/// What is written with traditional characters is read with more trouble than English by some, so it is not taken for
/// ours.
fn locale_of(tag: &str) -> Option<Locale> {
    let tag = tag.trim().to_ascii_lowercase();
    let mut parts = tag.split(['-', '_']);
    match parts.next()? {
        "en" => Some(Locale::En),
        "zh" => (!parts.any(|part| ["hant", "tw", "hk", "mo"].contains(&part))).then_some(Locale::Zh),
        _ => None,
    }
}

/// Of the languages that we speak the one with the highest weight, the first of several; English for whoever asks for
/// none of them (RFC 9110, 12.5.4).
fn preferred(accepted: &str) -> Locale {
    let mut best = (0.0, Locale::En);
    for choice in accepted.split(',') {
        let mut parts = choice.split(';');
        let tag = parts.next().unwrap_or_default();
        let weight = parts.find_map(|part| part.trim().strip_prefix("q=")?.trim().parse::<f32>().ok());
        let weight = weight.unwrap_or(1.0);
        if let Some(locale) = locale_of(tag).filter(|_| weight > best.0) {
            best = (weight, locale);
        }
    }
    best.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_browser_is_asked_with_its_weights() {
        for (accepted, want) in [
            ("", "en"),
            ("zh", "zh"),
            ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
            ("zh-Hans-CN", "zh"),
            ("en-US,en;q=0.9,zh-CN;q=0.8", "en"),
            ("en;q=0.5, zh-CN;q=0.7", "zh"),
            ("de-DE,de;q=0.9", "en"),
            ("de,zh;q=0.1", "zh"),
            ("zh;q=0, en;q=0.1", "en"),
            ("zh;q=0", "en"),
            ("zh-TW, zh-Hant;q=0.9", "en"),
            ("*;q=0.5", "en"),
            ("zh;q=x;;,,", "zh"),
        ] {
            assert_eq!(Tongue::read(None, accepted).words.locale.as_str(), want, "{accepted}");
        }
    }

    #[test]
    fn the_address_wins_and_stays_in_links() {
        let read = |query| Tongue::read(Some(query), "zh-CN");
        assert_eq!(read("lang=en").words.lang, "en");
        assert_eq!(Tongue::read(Some("q=x&lang=zh-CN"), "en").words.lang, "zh-CN");
        assert_eq!(read("lang=xx").words.lang, "zh-CN", "what is not spoken counts as not said");
        assert_eq!(read("lang=xx").keep("?#ends"), "?#ends");
        for (link, want) in
            [("./", "./?lang=en"), ("?#ends", "?lang=en#ends"), ("a?b=c#d", "a?b=c&lang=en#d")]
        {
            assert_eq!(read("lang=en").keep(link), want);
            assert_eq!(read("q=1").turned(link), want);
        }
    }
}
