//! Who is told of a resource: a paragraph for each certificate, a row for each channel. The judge of the alerts is asked.

use super::paragraphs::Paragraph;
use super::{Alerts, Found, Known};
use crate::domain::alert::board::{Line, lines};
use crate::domain::alert::judge::{Hold, Verdict};
use crate::domain::resource::{Certificate, TlsState};
use crate::visible::visible;

pub(super) fn of(found: Found<'_>, known: &Known<'_>) -> Vec<Paragraph> {
    let Some(alerts) = known.alerts else {
        let mut paragraph = Paragraph::titled("Alerts");
        paragraph.say("nobody", "no channel is configured: nobody is told anything");
        return vec![paragraph];
    };
    let certificates = found.resource.certificates();
    if certificates.is_empty() || found.resource.state() != TlsState::Enabled {
        let mut paragraph = Paragraph::titled("Alerts");
        paragraph.say("nobody", "no certificate is known: there is nothing to tell");
        return vec![paragraph];
    }
    certificates.iter().map(|certificate| self::certificate(certificate, found, alerts)).collect()
}

fn certificate(certificate: &Certificate, found: Found<'_>, alerts: Alerts<'_>) -> Paragraph {
    let mut paragraph = Paragraph::titled(&format!("Alerts, role {}", certificate.role.as_str()));
    for line in lines(alerts.world, alerts.memory, found.scope, found.resource, certificate) {
        let name = visible(&line.channel.name);
        paragraph.say(&format!("{name}: "), &sentence(&line, alerts.remembered));
    }
    if !alerts.remembered {
        paragraph.say("note", "no daemon answered: what was told before is not known, nor any silence");
    }
    paragraph
}

fn sentence(line: &Line<'_>, remembered: bool) -> String {
    let way = match line.way {
        Some(way) if way.number.is_some() => format!("by {}, ", way.name()),
        _ => String::new(),
    };
    let stage = line.stage.as_str();
    let said = match &line.verdict {
        Verdict::Tell(tell) if remembered => format!("is to be told of {stage}, {}", tell.when.as_text()),
        Verdict::Tell(_) => format!("would be told of {stage}"),
        Verdict::Hold(Hold::Replica) => format!("{}; now {stage}", Hold::Replica),
        Verdict::Settle(hold) | Verdict::Hold(hold) => hold.to_string(),
    };
    let before = line.told.filter(|_| !matches!(line.verdict, Verdict::Hold(Hold::Known { .. })));
    let before = before.map_or_else(String::new, |told| {
        format!("; told as {} on {}", told.stage.as_str(), told.at.format("%Y-%m-%d %H:%M UTC"))
    });
    format!("{way}{said}{before}")
}
