//! Every text of the page, so that another language is another value of [`Words`] and nothing else.
//!
//! `{}` stands for a value; which one is said where it is filled in. Values never carry words of their own.

use chrono::TimeDelta;

use super::more_words::MoreWords;
use super::renewal_words::RenewalWords;
use crate::domain::finding::Stage;
use crate::domain::policy::Locale;

/// The texts of one language.
#[derive(Debug)]
#[allow(missing_docs)] // each is explained best by its English text
pub struct Words {
    pub locale: Locale,
    pub lang: &'static str,
    pub renewal: &'static RenewalWords,
    pub more: &'static MoreWords,
    pub skip: &'static str,
    pub tagline: &'static str,
    pub up_for: &'static str,
    pub metrics: &'static str,
    pub links: &'static str,
    pub api_certificates: &'static str,
    pub api_scopes: &'static str,
    pub api_description: &'static str,
    pub health: &'static str,
    pub ready: &'static str,

    pub overview: &'static str,
    pub nothing_urgent: &'static str,
    pub nothing_known: &'static str,
    pub reload_refused: &'static str,
    pub expired_now: Counted,
    pub critical_now: Counted,
    pub blind_now: Counted,
    pub unknown_now: Counted,
    pub pending_now: Counted,
    pub late_now: &'static str,
    pub kinds: [&'static str; 8],
    pub blind_tile: &'static str,

    pub blind: &'static str,
    pub blind_explained: &'static str,
    pub since: &'static str,
    pub since_ever: &'static str,
    pub scopes_of_account: &'static str,
    pub more_blind: Counted,

    pub weeks: &'static str,
    pub weeks_explained: &'static str,
    pub later: Counted,
    pub week_from: &'static str,

    pub ends_next: &'static str,
    pub search: &'static str,
    pub search_hint: &'static str,
    pub stage: &'static str,
    pub what_matters: &'static str,
    pub everything: &'static str,
    pub show: &'static str,
    pub reset: &'static str,
    pub range: &'static str,
    pub none_found: &'static str,
    pub hidden: Counted,
    pub show_everything: &'static str,
    pub previous: &'static str,
    pub next: &'static str,
    pub pages: &'static str,
    pub left: &'static str,
    pub ends: &'static str,
    pub utc: &'static str,
    pub utc_and: &'static str,
    pub resource: &'static str,
    pub name: &'static str,
    pub id: &'static str,
    pub account: &'static str,
    pub service: &'static str,
    pub region: &'static str,
    pub role: &'static str,
    pub source: &'static str,
    pub seen: &'static str,
    pub last_seen: &'static str,
    pub no_date: &'static str,
    pub failed: &'static str,
    pub stale: &'static str,
    pub renewal_required: &'static str,
    pub disagree: &'static str,
    pub own_certificate: &'static str,
    pub in_use: &'static str,
    pub used_by: &'static str,
    pub used_by_more: &'static str,
    pub not_in_use: &'static str,
    pub owner: &'static str,

    pub scopes: &'static str,
    pub state: &'static str,
    pub state_up: &'static str,
    pub state_pending: &'static str,
    pub state_failing: &'static str,
    pub listing_fails: &'static str,
    pub looks_fail: &'static str,
    pub all_regions: &'static str,
    pub resources: &'static str,
    pub enabled: &'static str,
    pub disabled: &'static str,
    pub unsupported: &'static str,
    pub unknown: &'static str,
    pub stale_count: &'static str,
    pub excluded: &'static str,
    pub last_success: &'static str,
    pub last_failure: &'static str,
    pub empty_scopes: Counted,
    pub more_scopes: Counted,

    pub channels: &'static str,
    pub channel: &'static str,
    pub channel_up: &'static str,
    pub channel_failing: &'static str,
    pub channel_degraded: &'static str,
    pub place_down: &'static str,
    /// It is not configured, and has messages left.
    pub channel_removed: &'static str,
    /// For so many hours.
    pub channel_kept: &'static str,
    pub channels_unknown: &'static str,
    pub no_evaluation: &'static str,
    pub evaluated: &'static str,
    pub alerts_wait: &'static str,
    pub last_delivered: &'static str,
    pub queued: &'static str,
    pub dead: &'static str,
    pub error: &'static str,
    pub dead_letters: &'static str,
    pub dead_explained: &'static str,
    pub message: &'static str,
    pub attempts: Counted,
    pub silences: &'static str,
    pub silence_about: &'static str,
    pub silence_until: &'static str,
    pub silence_by: &'static str,
    pub acknowledged: &'static str,
    pub silence_active: &'static str,
    pub silence_pending: &'static str,
    pub also_expired: &'static str,
    pub told_as: &'static str,

    pub days: &'static str,
    pub hours: &'static str,
    pub minutes: &'static str,
    pub seconds: &'static str,
    pub ago: &'static str,
    pub just_now: &'static str,
    pub never: &'static str,
}

/// A text that depends on a number.
#[derive(Debug, Clone, Copy)]
pub struct Counted {
    /// For exactly one.
    pub one: &'static str,
    /// For none and for many.
    pub many: &'static str,
}

/// The page in English.
pub const ENGLISH: Words = Words {
    locale: Locale::En,
    lang: "en",
    renewal: &super::renewal_words::ENGLISH,
    more: &super::more_words::ENGLISH,
    skip: "Skip to what ends next",
    tagline: "TLS certificates of managed databases",
    up_for: "up for {}",
    metrics: "Metrics",
    links: "For programs",
    api_certificates: "Certificates as JSON",
    api_scopes: "Scopes as JSON",
    api_description: "OpenAPI",
    health: "Health",
    ready: "Readiness",

    overview: "Overview",
    nothing_urgent: "No certificate needs attention now.",
    nothing_known: "No certificate is known yet.",
    reload_refused: "The configuration was read again {} ago and refused; the one from before is used. {}",
    expired_now: Counted { one: "{} certificate has expired.", many: "{} certificates have expired." },
    critical_now: Counted {
        one: "{} certificate is about to end.",
        many: "{} certificates are about to end.",
    },
    blind_now: Counted { one: "{} scope cannot be read.", many: "{} scopes cannot be read." },
    unknown_now: Counted {
        one: "{} resource could not be read: its certificate may end unseen.",
        many: "{} resources could not be read: their certificates may end unseen.",
    },
    pending_now: Counted {
        one: "{} scope is still to be looked at for the first time.",
        many: "{} scopes are still to be looked at for the first time.",
    },
    late_now: "Polling is behind: {} looks are due, the latest for {}.",
    kinds: ["expired", "critical", "warning", "info", "fine", "unknown", "TLS off", "unsupported"],
    blind_tile: "scopes blind",

    blind: "Blind scopes",
    blind_explained: "What was known of them is still shown; what has changed since is not seen.",
    since: "since {}",
    since_ever: "never read",
    scopes_of_account: "{} of {} scopes",
    more_blind: Counted { one: "and {} more cause", many: "and {} more causes" },

    weeks: "The year ahead",
    weeks_explained: "Certificates by the week in which they end.",
    later: Counted { one: "{} ends later.", many: "{} end later." },
    week_from: "week from {}",

    ends_next: "What ends next",
    search: "Search",
    search_hint: "name, id, account, region or service",
    stage: "Stage",
    what_matters: "all that may end",
    everything: "everything",
    show: "Show",
    reset: "Reset",
    range: "{} to {} of {}",
    none_found: "Nothing is like this.",
    hidden: Counted {
        one: "{} more has nothing that ends (TLS off, unsupported or new)",
        many: "{} more have nothing that ends (TLS off, unsupported or new)",
    },
    show_everything: "show everything",
    previous: "Previous",
    next: "Next",
    pages: "Pages",
    left: "Left",
    ends: "Ends",
    utc: "UTC",
    utc_and: "UTC, {}",
    resource: "Resource",
    name: "name",
    id: "id",
    account: "Account",
    service: "Service",
    region: "Region",
    role: "Role",
    source: "Source",
    seen: "seen",
    last_seen: "Last seen",
    no_date: "no date",
    failed: "last look failed {}:",
    stale: "stale",
    renewal_required: "the cloud asks for renewal",
    disagree: "other source: {}",
    own_certificate: "customer's own",
    in_use: "in use",
    used_by: "used by {}",
    used_by_more: "used by {} and {} more",
    not_in_use: "not in use",
    owner: "owner {}",

    scopes: "Scopes",
    state: "State",
    state_up: "read well",
    state_pending: "not looked at yet",
    state_failing: "blind",
    listing_fails: "listing",
    looks_fail: "looks at resources",
    all_regions: "all regions",
    resources: "Resources",
    enabled: "{} TLS on",
    disabled: "{} off",
    unsupported: "{} unsupported",
    unknown: "{} unknown",
    stale_count: "{} stale",
    excluded: "{} excluded",
    last_success: "Last listed",
    last_failure: "Last failure",
    empty_scopes: Counted {
        one: "{} scope is read well and has no resources.",
        many: "{} scopes are read well and have no resources.",
    },
    more_scopes: Counted { one: "{} more scope is in the API.", many: "{} more scopes are in the API." },

    channels: "Channels",
    channel: "Channel",
    channel_up: "delivers",
    channel_failing: "failing",
    channel_degraded: "degraded",
    place_down: "{} does not take it: {}",
    channel_removed: "not configured",
    channel_kept: "Messages are left for it; they are given up in {} h unless it comes back.",
    channels_unknown: "How the channels are is not known: {}.",
    no_evaluation: "What is to be told was not looked at yet.",
    evaluated: "What is to be told was last looked at {}.",
    alerts_wait: "Alerts wait: {}.",
    last_delivered: "Last delivered",
    queued: "Queued",
    dead: "Given up",
    error: "Error",
    dead_letters: "Messages that were given up",
    dead_explained: "They are kept for 90 days. Users can send them again or drop them here; the control socket (API) can, too.",
    message: "Message",
    attempts: Counted { one: "{} attempt", many: "{} attempts" },
    silences: "Silences",
    silence_about: "About",
    silence_until: "Until",
    silence_by: "By",
    acknowledged: "certificate {} up to {}",
    silence_active: "holds",
    silence_pending: "to come",
    also_expired: "also what is expired",
    told_as: "{} told {}: {}",

    days: "{} d",
    hours: "{} h",
    minutes: "{} min",
    seconds: "{} s",
    ago: "{} ago",
    just_now: "just now",
    never: "never",
};

/// The pattern with its `{}` replaced, from left to right.
pub fn fill(pattern: &str, values: &[&str]) -> String {
    let mut parts = pattern.split("{}");
    let mut text = parts.next().unwrap_or("").to_owned();
    for (part, value) in parts.zip(values) {
        text.push_str(value);
        text.push_str(part);
    }
    text
}

impl Counted {
    /// The text for so many.
    pub fn of(self, count: usize) -> String {
        fill(if count == 1 { self.one } else { self.many }, &[&number(count)])
    }
}

impl Words {
    /// A length of time in its largest sensible unit, rounded down: days from 48 hours on.
    pub fn length(&self, length: TimeDelta) -> String {
        let (pattern, count) = match length.abs() {
            long if long >= TimeDelta::hours(48) => (self.days, long.num_days()),
            long if long >= TimeDelta::hours(1) => (self.hours, long.num_hours()),
            long if long >= TimeDelta::minutes(1) => (self.minutes, long.num_minutes()),
            short => (self.seconds, short.num_seconds()),
        };
        fill(pattern, &[&number(usize::try_from(count).unwrap_or_default())])
    }

    /// A stage in a word.
    pub fn stage(&self, stage: Stage) -> &'static str {
        match stage {
            Stage::Expired => self.kinds[0],
            Stage::Critical => self.kinds[1],
            Stage::Warning => self.kinds[2],
            Stage::Info => self.kinds[3],
            Stage::Ok => self.kinds[4],
        }
    }

    /// How long ago something was. What seems to lie ahead (two clocks) was just now.
    pub fn ago(&self, age: TimeDelta) -> String {
        if age < TimeDelta::minutes(1) {
            return self.just_now.to_owned();
        }
        fill(self.ago, &[&self.length(age)])
    }
}

/// A number with its thousands set apart.
pub fn number(number: usize) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        for (n, want) in
            [(0, "0"), (999, "999"), (1000, "1,000"), (100_000, "100,000"), (1_234_567, "1,234,567")]
        {
            assert_eq!(number(n), want);
        }
    }

    #[test]
    fn lengths_turn_to_hours_below_two_days() {
        for (length, want) in [
            (TimeDelta::days(90), "90 d"),
            (TimeDelta::hours(48), "2 d"),
            (TimeDelta::seconds(48 * 3600 - 1), "47 h"),
            (TimeDelta::minutes(61), "1 h"),
            (TimeDelta::seconds(3599), "59 min"),
            (TimeDelta::seconds(59), "59 s"),
            (TimeDelta::days(-3), "3 d"),
            (TimeDelta::days(2_900_000), "2,900,000 d"),
        ] {
            assert_eq!(ENGLISH.length(length), want);
        }
        assert_eq!(ENGLISH.ago(TimeDelta::minutes(-5)), "just now");
    }

    #[test]
    fn patterns_are_filled_once_from_left_to_right() {
        assert_eq!(fill("{} to {} of {}", &["1", "{}", "3"]), "1 to {} of 3");
        assert_eq!(ENGLISH.blind_now.of(1), "1 scope cannot be read.");
        assert_eq!(ENGLISH.blind_now.of(0), "0 scopes cannot be read.");
    }
}
