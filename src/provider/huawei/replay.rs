//! Reads an answer again that was kept for a support bundle, with the readers that the daemon uses.

use chrono::{DateTime, Utc};
use reqwest::StatusCode;

use super::action;
use super::errors::{self, Reader};
use super::mapping;
use super::wire::{Page, Projects, Ssl};
use crate::call::CallError;
use crate::domain::interner::Interner;
use crate::http::Answer;
use crate::provider::keys::Keys;
use crate::provider::verdict::Verdict;

/// What is made of the answer; `None` for a call that is not known, that lends keys, or whose answer is a link.
pub(super) fn replay(called: &str, answer: &Answer, now: DateTime<Utc>) -> Option<Result<String, CallError>> {
    let keys = Keys::nobodys();
    let reader = |action| Reader { action, now, keys: &keys };
    match called {
        action::PROJECTS => {
            Some(reader(action::PROJECTS).read::<Projects>(answer).map(|read| format!("{read:#?}")))
        }
        action::LIST => Some(reader(action::LIST).read::<Page>(answer).map(|page| listing(page, now))),
        action::SSL if answer.status == StatusCode::NO_CONTENT => Some(Ok("TLS is off".to_owned())),
        action::SSL => Some(look(reader(action::SSL).read::<Ssl>(answer), now)),
        _ => None,
    }
}

fn listing(page: Page, now: DateTime<Utc>) -> String {
    let (announced, present) = (page.instance_num.text().map(str::to_owned), page.instances.is_present());
    let ((rows, odd), mut words) = (page.instances.into_rows(), Interner::default());
    let listed: Vec<_> = rows.into_iter().map(|row| mapping::listed(row, &mut words, now)).collect();
    format!(
        "announced: {announced:?}; a list is there: {present}; rows that are no objects: {odd}; rows: {listed:#?}"
    )
}

fn look(read: Result<Ssl, CallError>, now: DateTime<Utc>) -> Result<String, CallError> {
    match read.and_then(|ssl| Ok((mapping::is_on(&ssl)?, ssl))) {
        Ok((false, _)) => Ok("TLS is off".to_owned()),
        Ok((true, ssl)) => Ok(format!("{:#?}", mapping::inspection(&ssl, None, now))),
        Err(error) => match errors::CODES.verdict(&error) {
            Verdict::Failure => Err(error),
            verdict => Ok(format!("no failure but a finding: {verdict:?} ({error})")),
        },
    }
}
