//! Renewals as the running daemon tells of them, for people.

use chrono::{DateTime, Utc};

use super::text::{left, plural, utc};
use crate::visible::visible;
use crate::web::api::renewals::{
    AttemptMember, CallMember, EntryMember, ReasonMember, RenewalDetail, RenewalItem, WindowMember,
};
use crate::web::api::status::RenewalsStatus;
use crate::web::json::List;

/// The row `renewals` of `status`, and one for each that is under way.
pub(super) fn status(renewals: &RenewalsStatus, now: DateTime<Utc>) -> (String, Vec<String>) {
    if renewals.mode == "off" {
        return ("off".to_owned(), Vec::new());
    }
    let planned = renewals.planned_at.map_or_else(
        || "not planned yet".to_owned(),
        |at| format!("planned {}", left((at.0 - now).min(chrono::TimeDelta::zero()))),
    );
    let trouble = renewals.trouble.as_deref();
    let trouble =
        trouble.map_or_else(String::new, |trouble| format!("; NOTHING IS BEGUN: {}", visible(trouble)));
    let RenewalsStatus { waiting, unapproved, refused, under_way, .. } = renewals;
    let approval = if *unapproved > 0 { format!(" ({unapproved} for approval)") } else { String::new() };
    let line = format!(
        "mode {}, {planned}{trouble}; {} under way, {waiting} waiting{approval}, {refused} refused",
        visible(&renewals.mode),
        under_way.len()
    );
    (line, under_way.iter().map(|item| format!("  {}: {}", name(item), situation(item))).collect())
}

/// Everything that a list has.
pub(super) fn list(list: &List<RenewalItem>) -> String {
    if list.items.is_empty() {
        return "nothing is planned, and nothing was done\n".to_owned();
    }
    let rows =
        list.items.iter().map(|item| format!("{}  {}\n    {}\n", item.id, name(item), situation(item)));
    let mut text = rows.collect::<Vec<_>>().concat();
    if list.next.is_some() {
        text.push_str("there are more: GET /api/v1/renewals\n");
    }
    text
}

/// One renewal, its call, and how it came there.
pub(super) fn detail(detail: &RenewalDetail) -> String {
    let mut text = item(&detail.item);
    if !detail.history.is_empty() {
        text.push_str("history\n");
    }
    text.extend(detail.history.iter().map(happened));
    text
}

fn happened(entry: &EntryMember) -> String {
    let request = entry.request_id.as_ref().map(|id| format!("request {id}"));
    let more: Vec<String> = [entry.text.clone(), request].into_iter().flatten().collect();
    let more =
        if more.is_empty() { String::new() } else { visible(&format!(": {}", more.join(", "))).into_owned() };
    format!("  {}  {} by {}{more}\n", utc(entry.at.0), visible(&entry.state), visible(&entry.who))
}

/// What is to be decided about.
pub(super) fn item(item: &RenewalItem) -> String {
    let mut rows = vec![name(item)];
    let mut row = |word: &str, said: &str| rows.push(format!("  {word:<9} {said}"));
    row("id", &visible(&item.id));
    if let Some(end) = &item.not_after {
        row("ends", &utc(end.0));
    }
    row("now", &situation(item));
    if let Some(reason) = item.reason.as_ref().filter(|_| item.decision.as_deref() == Some("refuse")) {
        row("to do", &visible(&reason.advice));
    }
    if let Some(window) = &item.window {
        row("window", &self::window(window));
    }
    if let Some(call) = &item.call {
        row("call", &called(call));
        row("effect", effect(call));
    }
    if let Some(attempt) = &item.attempt {
        row("attempt", &self::attempt(attempt));
    }
    rows.join("\n") + "\n"
}

/// `prod/alibaba/redis/cn-hangzhou r-1 (orders)`.
pub(super) fn name(item: &RenewalItem) -> String {
    let RenewalItem { cloud_account, cloud_provider, cloud_service, cloud_region, cloud_project, .. } = item;
    let project = if cloud_project.is_empty() { String::new() } else { format!("/{cloud_project}") };
    let shown = item.resource_name.as_deref().map_or_else(String::new, |name| format!(" ({name})"));
    let id = &item.resource_id;
    visible(&format!("{cloud_account}/{cloud_provider}/{cloud_service}/{cloud_region}{project} {id}{shown}"))
        .into_owned()
}

/// What is the case, in one line.
pub(super) fn situation(item: &RenewalItem) -> String {
    let state = item.attempt.as_ref().map(|attempt| attempt.state.as_str());
    let overdue = item.attempt.as_ref().is_some_and(|attempt| attempt.overdue);
    let until =
        item.until.as_ref().map_or_else(String::new, |until| format!(", not before {}", utc(until.0)));
    let reason = item.reason.as_ref().map(because).unwrap_or_default();
    match item.decision.as_deref() {
        Some("under_way") if overdue => {
            format!("{}, and it takes longer than it should", state.unwrap_or("under way"))
        }
        Some("under_way") => format!("under way: {}", state.unwrap_or("ordered")),
        Some("renew") => "renewed now".to_owned(),
        Some("wait") => format!("waits: {reason}{until}"),
        Some("refuse") => format!("refused, {reason}"),
        _ => item.attempt.as_ref().map_or_else(|| "nothing".to_owned(), outcome),
    }
}

fn because(reason: &ReasonMember) -> String {
    let detail = reason.detail.as_deref().map_or_else(String::new, |detail| format!(" ({detail})"));
    visible(&format!("{}: {}{detail}", reason.code, reason.text)).into_owned()
}

/// What became of an attempt.
pub(super) fn outcome(attempt: &AttemptMember) -> String {
    let end = attempt.new_not_after.as_ref().map(|end| format!("ends {} now", utc(end.0)));
    let request = attempt.request_id.as_ref().map(|id| format!("request {id}"));
    let more = [end, attempt.code.clone(), attempt.text.clone(), request];
    let more: Vec<String> = more.into_iter().flatten().collect();
    let more = if more.is_empty() { String::new() } else { format!(": {}", more.join(", ")) };
    visible(&format!("{}{more}", attempt.state)).into_owned()
}

fn attempt(attempt: &AttemptMember) -> String {
    let approval = attempt.approval.as_ref().map(|approval| {
        let at_once = if approval.at_once { ", at once" } else { "" };
        format!("; approved by {} until {}{at_once}", visible(&approval.by), utc(approval.until.0))
    });
    let (number, since) = (attempt.number, utc(attempt.changed_at.0));
    let said =
        format!("number {number}, wanted by {}, {} since {since}", visible(&attempt.by), outcome(attempt));
    said + &approval.unwrap_or_default()
}

fn window(window: &WindowMember) -> String {
    format!("{} to {}", utc(window.begin.0), utc(window.end.0))
}

fn called(call: &CallMember) -> String {
    let parameters = call.parameters.iter().map(|(name, value)| format!(" {name}={value}"));
    let parameters = parameters.collect::<Vec<_>>().concat();
    let own = if call.own_certificate { " with the certificate of the rule's files" } else { "" };
    visible(&format!("{}{parameters}{own}", call.action)).into_owned()
}

fn effect(call: &CallMember) -> &'static str {
    match (&*call.restarts, &*call.begins) {
        ("yes", "in_cloud_window") => {
            "restarts the instance in the cloud's maintenance window: connections break"
        }
        ("yes", _) => "restarts the instance: connections break",
        ("no", _) => "restarts nothing",
        _ => "may restart the instance",
    }
}

/// Several have the id that was asked for.
pub(super) fn several(items: &[RenewalItem]) -> String {
    let all = items.iter().map(|item| format!("\n  {}  {}", item.id, name(item)));
    let all = all.collect::<Vec<_>>().concat();
    format!(
        "{} have this id; say which one with --match, or with its own id:{all}",
        plural(items.len(), "resource")
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::testing::assert_expected;
    use crate::domain::testing::moment;
    use crate::web::api::renewals::{history, of_board};
    use crate::web::planned::entries;
    use crate::web::testing::renewals::board;

    #[test]
    fn renewals_are_told_as_a_list_and_one_by_one() {
        let board = board();
        let all = of_board(&board, moment());
        let mut text = list(&all);
        for entry in entries(&board) {
            let item = RenewalItem::new(&entry, moment());
            let history = history(entry.attempt, None);
            text.extend(["----\n", &detail(&RenewalDetail { item, history })]);
        }
        assert_expected("renewals.txt", &text);
        assert_eq!(
            list(&List { items: Vec::new(), next: None }),
            "nothing is planned, and nothing was done\n"
        );
    }

    #[test]
    fn several_are_named() {
        let mut items = of_board(&board(), moment()).items;
        items.truncate(2);
        let text = several(&items);
        assert!(text.starts_with("2 resources have this id") && text.contains("r-asked (orders)"), "{text}");
    }

    #[test]
    fn nothing_foreign_reaches_the_terminal() {
        let mut item = of_board(&board(), moment()).items.remove(0);
        item.resource_name = Some("\x1b[31mred\n".to_owned());
        let text = self::item(&item);
        assert!(!text.contains('\x1b') && text.lines().count() > 3, "{text}");
    }
}
