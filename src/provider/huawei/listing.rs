//! Reading a whole listing, over pages whose rows move and whose total may be that of the page.
//!
//! Instances come and go between two pages, which shifts the rows behind them. So each page begins with the last row of
//! the page before: where that row is missing, something shifted, and the list is walked again. A page decides the end
//! only when it brings nothing new, or is shorter than any page the cloud could have cut for reasons of its own. Only a
//! listing without doubts is complete, and only a complete one removes.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use chrono::{DateTime, Utc};

use super::action;
use super::api::{Api, Place};
use super::errors;
use super::mapping;
use super::wire::Page;
use crate::call::{CallError, CallErrorKind};
use crate::domain::interner::Interner;
use crate::domain::listing::{Listed, Listing};
use crate::domain::reason::Reason;

/// Rows asked for at once; the cloud takes up to 1000, and a row has about 3 KiB.
const PAGE_SIZE: usize = 500;
/// A page with fewer rows was not cut short by the cloud: ten is what it gives to those who ask for nothing.
const SHORT: usize = 10;
/// More pages than any project has instances for.
const MOST_PAGES: usize = 1000;
/// How often a list that moves is walked before it counts as incomplete.
const WALKS: usize = 3;

/// Reads everything in a project.
///
/// # Errors
/// Nothing could be read at all. What fails later makes the listing incomplete instead.
pub(super) async fn read(api: &Api, place: &Place) -> Result<Listing, CallError> {
    let mut sheet = Sheet::default();
    for _ in 0..WALKS {
        match walk(api, place, &mut sheet).await {
            Ok(End::Sure) => {
                sheet.incomplete = None;
                break;
            }
            Ok(End::Doubtful(text)) => {
                sheet.incomplete = Some((Reason::Unreadable, unreadable(text).to_string()));
            }
            // A refused key concerns the whole account and must not hide in half a listing.
            Err(error) if sheet.rows.is_empty() || is_about_the_key(&error) => return Err(error),
            Err(error) => {
                sheet.incomplete = Some((error.kind.reason(), error.to_string()));
                break;
            }
        }
    }
    Ok(sheet.into_listing())
}

fn is_about_the_key(error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::KeyDenied | CallErrorKind::NotSent)
}

/// Whether a walk has seen everything.
enum End {
    Sure,
    Doubtful(String),
}

/// What was read so far, over all walks.
#[derive(Default)]
struct Sheet {
    rows: BTreeMap<Arc<str>, Listed>,
    words: Interner,
    odd_rows: usize,
    incomplete: Option<(Reason, String)>,
}

/// What a page brought.
struct Added {
    /// Rows, odd ones included.
    rows: usize,
    /// Ids in the order of the page.
    ids: Vec<Arc<str>>,
}

impl Added {
    fn repeats(&self) -> bool {
        self.ids.iter().collect::<HashSet<_>>().len() < self.ids.len()
    }
}

impl Sheet {
    fn add(&mut self, page: Page, now: DateTime<Utc>) -> Added {
        let (rows, mut odd) = page.instances.into_rows();
        let mut added = Added { rows: rows.len() + odd, ids: Vec::with_capacity(rows.len()) };
        for row in rows {
            match mapping::listed(row, &mut self.words, now) {
                Some(listed) => {
                    added.ids.push(Arc::clone(&listed.id));
                    self.rows.insert(Arc::clone(&listed.id), listed);
                }
                None => odd += 1,
            }
        }
        self.odd_rows = self.odd_rows.max(odd);
        added
    }

    fn into_listing(mut self) -> Listing {
        if self.odd_rows > 0 {
            let text = format!("{} rows of a page have no readable instance id", self.odd_rows);
            self.incomplete.get_or_insert((Reason::Unreadable, unreadable(text).to_string()));
        }
        let resources = self.rows.into_values().collect();
        Listing { resources, incomplete: self.incomplete, ..Listing::default() }
    }
}

async fn walk(api: &Api, place: &Place, sheet: &mut Sheet) -> Result<End, CallError> {
    let (mut walked, mut last): (HashSet<Arc<str>>, Option<Arc<str>>) = (HashSet::new(), None);
    let (mut seen, mut announced, mut moved) = (0, Announced::default(), false);
    for _ in 0..MOST_PAGES {
        let offset = usize::saturating_sub(seen, 1);
        let page = match api.page(place, offset, PAGE_SIZE).await {
            Err(error) if seen > 0 && errors::is_beyond_the_list(&error) => {
                return Ok(announced.judge(true, 0));
            }
            page => page?,
        };
        check_form(&page, seen)?;
        let number = page.instance_num.number();
        let added = sheet.add(page, api.http().clock().now());
        announced.note(number, added.rows);
        // A row that comes twice on one page may stand in the place of another.
        moved |= added.repeats() || last.as_ref().is_some_and(|last| !added.ids.contains(last));
        let before = walked.len();
        walked.extend(added.ids.iter().cloned());
        seen = offset + added.rows;
        if walked.len() == before || seen < SHORT {
            return Ok(announced.judge(moved, walked.len() + sheet.odd_rows));
        }
        last = added.ids.last().cloned();
    }
    Ok(End::Doubtful(format!("more than {MOST_PAGES} pages")))
}

/// A page must have a list; an empty list with no number beside it says nothing.
fn check_form(page: &Page, seen: usize) -> Result<(), CallError> {
    let empty_and_silent = seen == 0 && page.instance_num.number().is_none() && page.instances.is_empty();
    if !page.instances.is_present() || empty_and_silent {
        return Err(unreadable("a page has no list of instances".to_owned()));
    }
    Ok(())
}

/// The numbers of the pages, each that of its page or of the list. One that is larger than its page is that of the list:
/// then it must not change from page to page, and so many must be found.
#[derive(Default)]
struct Announced {
    least: Option<usize>,
    most: usize,
}

impl Announced {
    fn note(&mut self, number: Option<usize>, rows: usize) {
        let Some(number) = number.filter(|number| *number > rows) else { return };
        self.least = Some(self.least.map_or(number, |least| least.min(number)));
        self.most = self.most.max(number);
    }

    fn judge(&self, moved: bool, found: usize) -> End {
        let most = self.most;
        match () {
            () if moved || self.least.is_some_and(|least| least != most) => {
                End::Doubtful("the list moved while it was read".to_owned())
            }
            () if most > found => End::Doubtful(format!("{most} instances were announced and {found} came")),
            () => End::Sure,
        }
    }
}

fn unreadable(text: String) -> CallError {
    CallError::new(CallErrorKind::Unreadable, action::LIST, text)
}
