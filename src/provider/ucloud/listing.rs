//! Reading a whole listing, without trust in totals.
//!
//! `TotalCount` says nothing that can be relied on; the end is an empty page, or one that repeats. Entries that come
//! and go between two pages shift the rows behind them, so a certificate of the last listing that is missing in this
//! one is asked for by its id before it counts as gone: the cloud answers an unknown id with an empty page.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::api::{Api, DESCRIBE, PAGE, Place};
use super::mapping;
use super::wire::{Entry, Page};
use crate::call::{CallError, CallErrorKind};
use crate::domain::listing::{Inspection, Listed, Listing};
use crate::domain::reason::Reason;
use crate::provider::loose::Row;

/// More pages than any project has certificates for.
const MOST_PAGES: usize = 1000;
/// So many missing certificates are asked for in one listing; the next one goes on.
const MOST_ASKED: usize = 50;

/// The ids of a place's certificates, as far as they were ever listed and not found gone.
pub(super) type Known = HashSet<Arc<str>>;

/// Reads everything in a place; `known` is what the listings before it had, and is brought up to date.
///
/// # Errors
/// Nothing could be read at all. What fails later makes the listing incomplete instead.
pub(super) async fn read(api: &Api, place: &Place, known: &mut Known) -> Result<Listing, CallError> {
    let mut sheet = Sheet::default();
    match read_into(&mut sheet, api, place, known).await {
        Err(error) if sheet.pages == 0 || is_about_the_key(&error) => return Err(error),
        Err(error) => sheet.incomplete(&error),
        Ok(()) => {}
    }
    known.extend(sheet.rows.keys().cloned());
    Ok(sheet.into_listing())
}

async fn read_into(sheet: &mut Sheet, api: &Api, place: &Place, known: &mut Known) -> Result<(), CallError> {
    walk(api, place, sheet).await?;
    ask_for_the_missing(api, place, known, sheet).await
}

/// A refused key concerns the whole account and must not hide in half a listing.
fn is_about_the_key(error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::KeyDenied | CallErrorKind::NotSent)
}

/// One certificate: `None` when the cloud does not know it.
///
/// # Errors
/// The call failed, or the answer is about something else.
pub(super) async fn inspect(api: &Api, place: &Place, id: &str) -> Result<Inspection, CallError> {
    let now = || api.http().clock().now();
    let row = one(api, place, id).await?;
    Ok(row.map_or(Inspection::Gone, |row| mapping::inspection(&row, DESCRIBE, now())))
}

async fn one(api: &Api, place: &Place, id: &str) -> Result<Option<Entry>, CallError> {
    let rows = rows(api.one(place, id).await?)?;
    let empty = rows.is_empty();
    let found = rows.into_iter().find_map(|row| match row {
        Row::Read(row) if row.SSLId.text() == Some(id) => Some(row),
        _ => None,
    });
    // Parameters that a server does not know are ignored: then everything comes, and says nothing about this one.
    if found.is_none() && !empty {
        return Err(unreadable("asked for one certificate, the cloud answered with others"));
    }
    Ok(found)
}

/// What was read so far.
#[derive(Default)]
struct Sheet {
    rows: BTreeMap<Arc<str>, Listed>,
    pages: usize,
    odd_rows: usize,
    incomplete: Option<(Reason, String)>,
}

impl Sheet {
    fn incomplete(&mut self, error: &CallError) {
        self.incomplete.get_or_insert((error.kind.reason(), error.to_string()));
    }

    /// Adds a row; whether it is one that was not seen before.
    fn add(&mut self, listed: Option<Listed>) -> bool {
        let Some(listed) = listed else {
            self.odd_rows += 1;
            return false;
        };
        self.rows.insert(Arc::clone(&listed.id), listed).is_none()
    }

    fn into_listing(mut self) -> Listing {
        if self.odd_rows > 0 {
            let text = format!("{} rows have no readable certificate id", self.odd_rows);
            self.incomplete(&unreadable(text));
        }
        let resources = self.rows.into_values().collect();
        Listing { resources, incomplete: self.incomplete, ..Listing::default() }
    }
}

/// Walks the pages until one is empty or repeats; the next page begins behind the rows that really came.
async fn walk(api: &Api, place: &Place, sheet: &mut Sheet) -> Result<(), CallError> {
    let mut offset = 0;
    while sheet.pages < MOST_PAGES {
        let rows = rows(api.page(place, offset).await?)?;
        sheet.pages += 1;
        let (count, now) = (rows.len(), api.http().clock().now());
        let mut new = 0;
        for row in rows {
            let listed = match &row {
                Row::Read(row) => mapping::listed(row, now),
                Row::Odd => None,
            };
            new += usize::from(sheet.add(listed));
        }
        match (count, new) {
            (PAGE.., 0) => {
                return Err(unreadable(format!("page {} repeats the pages before it", sheet.pages)));
            }
            (_, 0) => return Ok(()),
            _ => offset += count,
        }
    }
    Err(unreadable(format!("more than {MOST_PAGES} pages")))
}

async fn ask_for_the_missing(
    api: &Api,
    place: &Place,
    known: &mut Known,
    sheet: &mut Sheet,
) -> Result<(), CallError> {
    let missing: Vec<Arc<str>> = known.iter().filter(|id| !sheet.rows.contains_key(*id)).cloned().collect();
    for id in missing.iter().take(MOST_ASKED) {
        match one(api, place, id).await? {
            Some(row) => {
                sheet.add(mapping::listed(&row, api.http().clock().now()));
            }
            None => {
                known.remove(id);
            }
        }
    }
    match missing.len().saturating_sub(MOST_ASKED) {
        0 => Ok(()),
        left => Err(unreadable(format!(
            "{} certificates are missing in the listing; the next ones will tell whether the last {left} are gone",
            missing.len()
        ))),
    }
}

/// A page that does not even say that it is empty is none.
fn rows(page: Page) -> Result<Vec<Row<Entry>>, CallError> {
    match page.DataSet {
        Some(rows) => Ok(rows),
        None if page.TotalCount.number() == Some(0) => Ok(vec![]),
        None => Err(unreadable("the answer has no list of certificates")),
    }
}

fn unreadable(text: impl AsRef<str>) -> CallError {
    CallError::new(CallErrorKind::Unreadable, DESCRIBE, text)
}
