//! What can be said of a certificate that is not there any more: only what was remembered of it.

use super::decide::World;
use super::message::{CertificateFacts, Severity};
use super::silence::About;
use crate::domain::finding::Stage;
use crate::domain::matcher::{Label, Matcher};

/// Whether a person wants to hear nothing of it, and so not that it is gone either. An expression that asks for what is
/// not known any more (tags) holds nothing back. As with other news, what was told as expired passes unless the silence
/// includes that, and an acknowledgement is about the end of a certificate only.
pub(super) fn is_silenced(facts: &CertificateFacts, told: Stage, world: &World<'_>) -> bool {
    let active = world.silences.iter().filter(|silence| silence.is_active(world.now));
    let mut reaching = active.filter(|silence| told < Stage::Expired || silence.include_expired);
    reaching.any(|silence| match &silence.about {
        About::Matching(matcher) => means(matcher, facts, told, world),
        About::Acknowledged { .. } => false,
    })
}

fn means(matcher: &Matcher, facts: &CertificateFacts, told: Stage, world: &World<'_>) -> bool {
    let forgotten = |label: &Label| matches!(label, Label::Tag(_) | Label::InUse);
    if matcher.labels().any(forgotten) {
        return false;
    }
    let account = world.accounts.get(&facts.account);
    matcher.matches(&|label| match label {
        Label::CloudProvider => Some(&facts.provider),
        Label::CloudAccount => Some(&facts.account),
        Label::CloudProject => Some(&facts.project),
        Label::CloudRegion => Some(&facts.region),
        Label::CloudService => Some(&facts.service),
        Label::ResourceId => Some(&facts.resource_id),
        Label::ResourceName => Some(&facts.resource_name),
        Label::CertRole => Some(&facts.role),
        Label::AccountLabel(key) => account?.labels.get(key).map(|value| &**value),
        Label::Severity => Some(Severity::of(told).as_str()),
        Label::Stage => Some(told.as_str()),
        Label::Type => Some("certificate.gone"),
        Label::Tag(_) | Label::InUse => None,
    })
}
