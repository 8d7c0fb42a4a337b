//! One file for each type of channel; a type with two ways in has two entries.

mod alertmanager;
mod dingtalk;
mod email;
mod feishu;
mod pagerduty;
mod slack;
mod teams;
mod telegram;
mod webhook;
mod wecom;

use std::sync::Arc;
use std::time::Duration;

use notafter::notifier::Refusal;
use notafter::sim::receivers::{Answer, Receiver, Request};

/// Everything that the list has to know about a channel.
pub(crate) struct Channel {
    /// Value of `type`.
    pub(crate) kind: &'static str,
    /// Folder of its golden bodies; unique.
    pub(crate) name: &'static str,
    /// Its keys beside `name` and `type`, as lines of TOML. `{base}`, `{host}` and `{port}` stand for the receiver's.
    pub(crate) settings: &'static str,
    /// Every value, and every part of one, that must never be seen.
    pub(crate) secrets: &'static [&'static str],
    /// Who is there.
    pub(crate) far: Far,
    /// Whether its bodies are kept; another entry may have the same ones.
    pub(crate) keeps_bodies: bool,
    /// No body is longer, in bytes.
    pub(crate) budget: usize,
    /// So many requests at most for 500 items.
    pub(crate) most_requests: usize,
    /// Samples that hold nothing for it: it posts nothing, and says that all is well.
    pub(crate) quiet: &'static [&'static str],
    /// How the hostile name looks on the other side, where the channel must replace some of its characters.
    pub(crate) hostile: &'static str,
    /// What becomes of a fault where that is not the usual.
    pub(crate) faults: &'static [(&'static str, Want)],
    /// The vendor's own errors.
    pub(crate) codes: Vec<Code>,
    /// What must be the same in a repeat, beside the event id: the key by which the other side recognises it.
    pub(crate) same: fn(&Request) -> Vec<String>,
    /// What must be new in a repeat: timestamp and signature. Empty where there is none.
    pub(crate) fresh: fn(&Request) -> Vec<String>,
}

impl Channel {
    /// With nothing out of the ordinary.
    pub(crate) fn new(kind: &'static str, far: Far) -> Self {
        Self {
            kind,
            name: kind,
            settings: "url = \"{base}/\"\n",
            secrets: &[],
            far,
            keeps_bodies: true,
            budget: 18_000,
            most_requests: 3,
            quiet: &[],
            hostile: HOSTILE,
            faults: &[],
            codes: Vec::new(),
            same: |_| Vec::new(),
            fresh: |_| Vec::new(),
        }
    }
}

/// A name that somebody chose to do harm with, without the newline at its end.
pub(crate) const HOSTILE: &str = "<!channel> & </b> [x](http://e) *a* | <at id=all></at> \"q\"";

/// Who is on the other side.
pub(crate) enum Far {
    /// A receiver over HTTP.
    Http(fn() -> Arc<dyn Receiver>),
    /// A mail server that knows this user and password.
    Mail(&'static str, &'static str),
}

/// What must become of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Want {
    /// It counts as delivered.
    Delivered,
    /// Once more, after the usual time.
    Retry,
    /// Once more, after this time (give or take what the test itself needs).
    RetryAfter(Duration),
    /// Not like this.
    Refused(Refusal),
}

/// An error of the vendor's own.
pub(crate) struct Code {
    /// What to call it when it goes wrong.
    pub(crate) name: &'static str,
    /// What the vendor says.
    pub(crate) answer: Answer,
    /// To how many requests; then the receiver judges by itself. `None`: to all.
    pub(crate) times: Option<usize>,
    /// What must become of it.
    pub(crate) want: Want,
}

impl Code {
    /// Said to every request.
    pub(crate) fn new(name: &'static str, answer: Answer, want: Want) -> Self {
        Self { name, answer, times: None, want }
    }

    /// Said once: the channel tries in another way at once.
    pub(crate) fn once(name: &'static str, answer: Answer, want: Want) -> Self {
        Self { times: Some(1), ..Self::new(name, answer, want) }
    }
}

/// Every entry.
pub(crate) fn all() -> Vec<Channel> {
    [
        slack::entries(),
        webhook::entries(),
        dingtalk::entries(),
        feishu::entries(),
        wecom::entries(),
        teams::entries(),
        telegram::entries(),
        pagerduty::entries(),
        alertmanager::entries(),
        email::entries(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
