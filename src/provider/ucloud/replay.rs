//! Reads an answer again that was kept for a support bundle, with the readers that the daemon uses.

use chrono::{DateTime, Utc};

use super::api::{DESCRIBE, GET_PROJECT_LIST, GET_REGION};
use super::wire::{Page, Projects, Regions};
use super::{errors, mapping};
use crate::call::CallError;
use crate::http::Answer;
use crate::provider::keys::Keys;
use crate::provider::loose::Row;

/// What is made of the answer; `None` for a call that is not known, or lends keys.
pub(super) fn replay(action: &str, answer: &Answer, now: DateTime<Utc>) -> Option<Result<String, CallError>> {
    let keys = Keys::nobodys();
    match action {
        GET_REGION => {
            Some(errors::read::<Regions>(answer, GET_REGION, &keys).map(|read| format!("{read:#?}")))
        }
        GET_PROJECT_LIST => {
            Some(errors::read::<Projects>(answer, GET_PROJECT_LIST, &keys).map(|read| format!("{read:#?}")))
        }
        DESCRIBE => Some(errors::read::<Page>(answer, DESCRIBE, &keys).map(|page| certificates(&page, now))),
        _ => None,
    }
}

fn certificates(page: &Page, now: DateTime<Utc>) -> String {
    let Some(rows) = &page.DataSet else { return format!("no list; announced: {:?}", page.TotalCount) };
    let read = |row: &Row<_>| match row {
        Row::Read(row) => {
            format!("{:#?}\n{:#?}", mapping::listed(row, now), mapping::inspection(row, DESCRIBE, now))
        }
        Row::Odd => "a row that is no object".to_owned(),
    };
    let rows: Vec<String> = rows.iter().map(read).collect();
    format!("announced: {:?}; rows:\n{}", page.TotalCount, rows.join("\n"))
}
