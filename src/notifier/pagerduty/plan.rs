//! Which incidents a message opens, calls again and closes.
//!
//! Pure. One incident for each certificate, as people acknowledge them one by one; but a pager that rings for each of
//! 500 certificates is thrown away, so many new ones at once are a single incident: see [`groups`](super::groups).

use super::groups::{Groups, Phase};
use super::key;
use crate::domain::alert::message::{
    CertificateFacts, CertificateItem, ChannelNews, Item, Kind, Message, News, Severity, SourceNews,
};
use crate::domain::finding::Stage;

/// So many certificates have an incident each; more become one.
const MOST: usize = 20;

/// What is to be done, in order.
#[derive(Debug)]
pub struct Plan<'a> {
    /// Incidents of one item each.
    pub triggers: Vec<Trigger<'a>>,
    /// Incidents of many certificates each: the key, and what it is about.
    pub groups: Vec<(String, Vec<Trigger<'a>>)>,
    /// Keys of incidents that are over.
    pub resolves: Vec<String>,
    /// What has to be remembered of the new one of them before it is opened: whoever is in it must find it again,
    /// whatever becomes of the message.
    pub begun: Vec<(String, String)>,
    /// What has to be remembered once that is done.
    pub notes: Vec<(String, String)>,
}

/// An incident to open, or to call again.
#[derive(Debug)]
pub struct Trigger<'a> {
    /// By which it is recognised.
    pub key: String,
    /// What it is about.
    pub item: &'a Item,
    phase: Phase,
}

/// What a message means for incidents; `notes` are what earlier messages left behind.
pub fn plan<'a>(message: &'a Message, notes: &dyn Fn(&str) -> Option<String>) -> Plan<'a> {
    let mut groups = Groups::new(notes);
    let mut plan = Plan {
        triggers: Vec::new(),
        groups: Vec::new(),
        resolves: Vec::new(),
        begun: Vec::new(),
        notes: Vec::new(),
    };
    let mut certificates = Vec::new();
    for item in &message.items {
        match item {
            Item::Certificate(certificate) => {
                plan.resolves.extend(over(certificate, &mut groups));
                certificates.extend(trigger(item, certificate, message.kind));
            }
            Item::Source(source) => match source.news {
                SourceNews::Blind { severity, .. } if pages(message.kind, severity) => {
                    plan.triggers.push(other(key::blind(source), item));
                }
                SourceNews::Blind { .. } => {}
                SourceNews::Recovered { .. } => plan.resolves.push(key::blind(source)),
            },
            Item::Channel(channel) => match channel.news {
                ChannelNews::Failing { .. } if pages(message.kind, item.severity()) => {
                    plan.triggers.push(other(key::channel(&channel.channel), item));
                }
                ChannelNews::Failing { .. } => {}
                ChannelNews::Recovered { .. } => plan.resolves.push(key::channel(&channel.channel)),
            },
            // incidents follow the stages of the certificate, which a renewal that failed does not hold back
            Item::Renewal(_) => {}
        }
    }
    share_out(certificates, message, &groups, &mut plan);
    let (closed, left) = groups.settled();
    plan.resolves.extend(closed);
    plan.notes.extend(left);
    plan
}

/// A digest and the first message tell of much that is no reason to call anybody.
fn pages(kind: Kind, severity: Severity) -> bool {
    kind == Kind::News || severity == Severity::Critical
}

/// The incidents that are over, of the end that was told.
fn over(certificate: &CertificateItem, groups: &mut Groups<'_>) -> Vec<String> {
    let facts = &certificate.facts;
    let old = match certificate.news {
        News::Renewed { old_not_after, .. } | News::Changed { old_not_after, .. } => old_not_after,
        News::Gone { .. } => facts.not_after,
        News::Entered { .. } | News::Reminder { .. } => return Vec::new(),
    };
    groups.leave(facts, old);
    vec![key::expiry(facts, old), key::expired(facts, old)]
}

/// The incident of the present end.
fn trigger<'a>(item: &'a Item, certificate: &CertificateItem, kind: Kind) -> Option<Trigger<'a>> {
    let stage = match certificate.news {
        News::Entered { stage, .. } | News::Reminder { stage, .. } => stage,
        News::Changed { stage, .. } => stage.max(Stage::Warning),
        News::Renewed { stage, .. } if stage >= Stage::Critical => stage,
        News::Renewed { .. } | News::Gone { .. } => return None,
    };
    let facts = &certificate.facts;
    let (key, phase) = if stage == Stage::Expired {
        (key::expired(facts, facts.not_after), Phase::Expired)
    } else {
        (key::expiry(facts, facts.not_after), Phase::Expiring)
    };
    pages(kind, Severity::of(stage)).then_some(Trigger { key, item, phase })
}

fn other(key: String, item: &Item) -> Trigger<'_> {
    Trigger { key, item, phase: Phase::Expiring }
}

/// Those that are in an incident with others stay there; of the rest, many become a new one.
fn share_out<'a>(all: Vec<Trigger<'a>>, message: &Message, groups: &Groups<'_>, plan: &mut Plan<'a>) {
    let mut alone = Vec::new();
    for trigger in all {
        let group = facts(trigger.item).and_then(|facts| groups.of(facts, trigger.phase));
        match group {
            None => alone.push(trigger),
            Some(key) => match plan.groups.iter_mut().find(|(other, _)| *other == key) {
                Some((_, members)) => members.push(trigger),
                None => plan.groups.push((key, vec![trigger])),
            },
        }
    }
    if alone.len() <= MOST {
        plan.triggers.extend(alone);
        return;
    }
    let key = key::message(&message.id);
    let members = alone.iter().filter_map(|trigger| Some((facts(trigger.item)?, trigger.phase)));
    plan.begun = Groups::begun(&key, members);
    plan.groups.push((key, alone));
}

fn facts(item: &Item) -> Option<&CertificateFacts> {
    match item {
        Item::Certificate(item) => Some(&item.facts),
        Item::Source(_) | Item::Channel(_) | Item::Renewal(_) => None,
    }
}
