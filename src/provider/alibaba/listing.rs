//! Reading a whole listing, over pages whose totals lie and whose rows move.
//!
//! Instances come and go between two pages, which shifts the rows behind them: one may come twice, another not at all.
//! So ids are kept once, a page decides by its length whether it is the last, and a listing that has fewer rows than
//! the cloud announced is walked once more. Only one that adds up is complete, and only a complete one removes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::api::Api;
use super::mapping;
use super::product::{Operation, Product};
use super::wire::{Instance, Rows};
use crate::call::{CallError, CallErrorKind};
use crate::domain::interner::Interner;
use crate::domain::listing::{Listed, Listing, Remark};
use crate::domain::reason::Reason;

/// More pages than any region has instances for.
const MOST_PAGES: usize = 4_000;
/// Fifty instances have at most twenty tags each; this many pages are enough at any page size.
const MOST_TAG_PAGES: usize = 1_000;
/// ListTagResources takes this many ids.
const TAGGED_AT_ONCE: usize = 50;

/// Reads everything in a region. `tags_needed`: the operator's filters cannot be decided without tags.
///
/// # Errors
/// Nothing could be read at all. What fails later makes the listing incomplete instead.
pub(super) async fn read(
    api: &Api,
    product: Product,
    region: &Arc<str>,
    tags_needed: bool,
) -> Result<Listing, CallError> {
    let mut sheet = Sheet::new(product);
    for kind in product.listings() {
        if let Err(error) = walk_until_it_adds_up(api, region, *kind, &mut sheet).await {
            // A refused key concerns the whole account and must not hide in half a listing.
            if sheet.rows.is_empty() || is_about_the_key(&error) {
                return Err(error);
            }
            sheet.incomplete(&error);
            break;
        }
    }
    if product == Product::Rds && !sheet.rows.is_empty() {
        match add_tags(api, region, &mut sheet).await {
            Err(error) if tags_needed || is_about_the_key(&error) => return Err(error),
            Err(error) => sheet.remark(&error),
            Ok(()) => {}
        }
    }
    Ok(sheet.into_listing())
}

fn is_about_the_key(error: &CallError) -> bool {
    matches!(error.kind, CallErrorKind::KeyDenied | CallErrorKind::NotSent)
}

/// What was read so far.
struct Sheet {
    product: Product,
    rows: BTreeMap<Arc<str>, Listed>,
    /// Ids of the present walk; a page that brings none of its own repeats an earlier one.
    walked: HashSet<Arc<str>>,
    words: Interner,
    incomplete: Option<(Reason, String)>,
    remarks: Vec<Remark>,
    odd_rows: usize,
}

impl Sheet {
    fn new(product: Product) -> Self {
        let (rows, walked, words) = (BTreeMap::new(), HashSet::new(), Interner::default());
        Self { product, rows, walked, words, incomplete: None, remarks: vec![], odd_rows: 0 }
    }

    /// Adds the rows of a page; returns how many rows it had and how many of them this walk had not seen.
    fn add(&mut self, page: Rows<Instance>) -> (usize, usize) {
        let (rows, mut odd) = page.into_rows();
        let (count, before) = (rows.len() + odd, self.walked.len());
        for row in rows {
            let Some(listed) = mapping::listed(self.product, row, &mut self.words) else {
                odd += 1;
                continue;
            };
            self.walked.insert(Arc::clone(&listed.id));
            self.rows.insert(Arc::clone(&listed.id), listed);
        }
        self.odd_rows = self.odd_rows.max(odd);
        (count, self.walked.len() - before)
    }

    fn incomplete(&mut self, error: &CallError) {
        self.incomplete.get_or_insert((error.kind.reason(), error.to_string()));
    }

    fn remark(&mut self, error: &CallError) {
        let (action, reason) = (error.action, error.kind.reason());
        self.remarks.push(Remark { action, reason, text: error.to_string() });
    }

    fn into_listing(mut self) -> Listing {
        if self.odd_rows > 0 {
            let text = format!("{} rows of a page have no readable instance id", self.odd_rows);
            self.incomplete(&unreadable(self.product, text));
        }
        let resources: Vec<_> = self.rows.into_values().collect();
        let tagged = self.product != Product::Rds || !resources.is_empty();
        let unasked = if tagged { vec![] } else { vec![Product::Rds.action(Operation::Tags)] };
        Listing { resources, incomplete: self.incomplete, remarks: self.remarks, unasked }
    }
}

async fn walk_until_it_adds_up(
    api: &Api,
    region: &Arc<str>,
    kind: Option<&str>,
    sheet: &mut Sheet,
) -> Result<(), CallError> {
    if walk(api, region, kind, sheet).await?.adds_up() {
        return Ok(());
    }
    let again = walk(api, region, kind, sheet).await?;
    if again.adds_up() { Ok(()) } else { Err(unreadable(sheet.product, again.to_string())) }
}

/// What one walk over the pages found.
struct Walk {
    /// The totals that the pages announced: smallest and largest; none where no page told one.
    announced: Option<(usize, usize)>,
    /// Different instances.
    found: usize,
}

impl Walk {
    fn note(&mut self, total: Option<usize>) {
        let (least, most) = self.announced.unwrap_or((usize::MAX, 0));
        self.announced = total.map(|total| (least.min(total), most.max(total))).or(self.announced);
    }

    /// Every page announced the same total, and at least so many were found. A total that changed between two pages
    /// means that an instance came or went meanwhile, and then another one may have slipped from a later page to an
    /// earlier one, unseen.
    fn adds_up(&self) -> bool {
        self.announced.is_none_or(|(least, most)| least == most && self.found >= most)
    }
}

impl fmt::Display for Walk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.announced {
            Some((least, most)) if least != most => {
                write!(
                    f,
                    "instances came or went while they were listed: {most}, then {least} were announced"
                )
            }
            Some((_, most)) => write!(f, "the cloud announced {most} instances and listed {}", self.found),
            None => write!(f, "the cloud listed {} instances", self.found),
        }
    }
}

/// Walks the pages once.
async fn walk(
    api: &Api,
    region: &Arc<str>,
    kind: Option<&str>,
    sheet: &mut Sheet,
) -> Result<Walk, CallError> {
    let product = sheet.product;
    let mut walk = Walk { announced: None, found: 0 };
    sheet.walked.clear();
    for number in 1..=MOST_PAGES {
        let page = api.page(product, region, kind, number).await?;
        let total = page.total();
        walk.note(total);
        let list = page.instances();
        let has_list = list.is_some();
        let (rows, new) = list.map_or((0, 0), |list| sheet.add(list));
        walk.found = sheet.walked.len();
        let nothing_said = rows == 0 && total.is_none() && number == 1;
        if nothing_said || !has_list && total != Some(0) {
            return Err(unreadable(product, format!("page {number} has no list of instances")));
        }
        if rows < product.page_size() {
            return Ok(walk);
        }
        if new == 0 {
            return Err(unreadable(product, format!("page {number} repeats the pages before it")));
        }
    }
    Err(unreadable(product, format!("more than {MOST_PAGES} pages")))
}

async fn add_tags(api: &Api, region: &Arc<str>, sheet: &mut Sheet) -> Result<(), CallError> {
    let ids: Vec<Arc<str>> = sheet.rows.keys().cloned().collect();
    for row in sheet.rows.values_mut() {
        row.tags_known = false;
    }
    for ids in ids.chunks(TAGGED_AT_ONCE) {
        let tagged = read_tags(api, region, ids).await?;
        for id in ids {
            let Some(row) = sheet.rows.get_mut(id) else { continue };
            let pairs = tagged.get(&**id).into_iter().flatten();
            row.facts.tags = mapping::tags(pairs.map(|(key, value)| (&**key, &**value)), &mut sheet.words);
            row.tags_known = true;
        }
    }
    Ok(())
}

type Tagged = HashMap<String, BTreeMap<String, String>>;

async fn read_tags(api: &Api, region: &Arc<str>, ids: &[Arc<str>]) -> Result<Tagged, CallError> {
    let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    let mut tagged = Tagged::new();
    let mut token: Option<String> = None;
    for _ in 0..MOST_TAG_PAGES {
        let page = api.tags(region, &ids, token.as_deref()).await?;
        if !page.TagResources.is_present() {
            return Err(unreadable_tags("the answer has no list of tags"));
        }
        let mut new = false;
        for row in page.TagResources.into_rows().0 {
            let (Some(id), Some(key)) = (row.ResourceId.text(), row.TagKey.text()) else { continue };
            let value = row.TagValue.text().unwrap_or_default();
            let known = tagged.entry(id.to_owned()).or_default();
            new |= known.insert(key.to_owned(), value.to_owned()).is_none();
        }
        let Some(next) = page.NextToken.text() else { return Ok(tagged) };
        if !new {
            return Err(unreadable_tags("a page of tags brought nothing new and announced another one"));
        }
        token = Some(next.to_owned());
    }
    Err(unreadable_tags("the pages of tags do not end"))
}

fn unreadable_tags(text: &str) -> CallError {
    CallError::new(CallErrorKind::Unreadable, Product::Rds.action(Operation::Tags), text)
}

fn unreadable(product: Product, text: String) -> CallError {
    CallError::new(CallErrorKind::Unreadable, product.action(Operation::List), text)
}
