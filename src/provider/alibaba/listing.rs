//! Reading a whole listing, over pages whose totals lie and whose rows move.
//!
//! Instances come and go between two pages, which shifts the rows behind them: one may come twice, another not at all.
//! So ids are kept once, a page decides by its length whether it is the last, and a listing that has fewer rows than
//! the cloud announced is walked once more. Only one that adds up is complete, and only a complete one removes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::api::Api;
use super::mapping::{self, Interner};
use super::product::{Operation, Product};
use super::wire::Page;
use crate::call::{CallError, CallErrorKind};
use crate::domain::listing::{Listed, Listing, Remark};
use crate::domain::reason::Reason;

/// More pages than any region has instances for.
const MOST_PAGES: usize = 10_000;
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
            if sheet.rows.is_empty() {
                return Err(error);
            }
            sheet.incomplete(&error);
            break;
        }
    }
    if product == Product::Rds && !sheet.rows.is_empty() {
        match add_tags(api, region, &mut sheet).await {
            Err(error) if tags_needed => return Err(error),
            Err(error) => sheet.remark(&error),
            Ok(()) => {}
        }
    }
    Ok(sheet.into_listing())
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
    fn add(&mut self, page: Page) -> (usize, usize) {
        let (rows, mut odd) = page.instances.into_rows();
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
    let before = sheet.rows.len();
    for walk_again in [true, false] {
        let announced = walk(api, region, kind, sheet).await?;
        let found = sheet.rows.len() - before;
        if found < announced && !walk_again {
            let text = format!("the cloud announced {announced} instances and listed {found}");
            return Err(unreadable(sheet.product, text));
        }
        if found >= announced {
            break;
        }
    }
    Ok(())
}

/// Walks the pages once; returns the smallest total that was announced, 0 where none was.
async fn walk(
    api: &Api,
    region: &Arc<str>,
    kind: Option<&str>,
    sheet: &mut Sheet,
) -> Result<usize, CallError> {
    let product = sheet.product;
    let mut announced: Option<usize> = None;
    sheet.walked.clear();
    for number in 1..=MOST_PAGES {
        let page = api.page(product, region, kind, number).await?;
        let (total, has_list) = (page.total.number(), page.instances.is_present());
        announced = [announced, total].into_iter().flatten().min();
        let (rows, new) = sheet.add(page);
        let nothing_said = rows == 0 && total.is_none() && number == 1;
        if nothing_said || !has_list && total != Some(0) {
            return Err(unreadable(product, format!("page {number} has no list of instances")));
        }
        if rows < product.page_size() {
            return Ok(announced.unwrap_or(0));
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

type Tagged = HashMap<String, Vec<(String, String)>>;

async fn read_tags(api: &Api, region: &Arc<str>, ids: &[Arc<str>]) -> Result<Tagged, CallError> {
    let ids: Vec<&str> = ids.iter().map(|id| &**id).collect();
    let mut tagged = Tagged::new();
    let mut tokens: HashSet<String> = HashSet::new();
    let mut token: Option<String> = None;
    loop {
        let page = api.tags(region, &ids, token.as_deref()).await?;
        for row in page.TagResources.into_rows().0 {
            let (Some(id), Some(key)) = (row.ResourceId.text(), row.TagKey.text()) else { continue };
            let value = row.TagValue.text().unwrap_or_default();
            tagged.entry(id.to_owned()).or_default().push((key.to_owned(), value.to_owned()));
        }
        let Some(next) = page.NextToken.text() else { return Ok(tagged) };
        if !tokens.insert(next.to_owned()) {
            let text = "the token for the next page came a second time";
            return Err(CallError::new(
                CallErrorKind::Unreadable,
                Product::Rds.action(Operation::Tags),
                text,
            ));
        }
        token = Some(next.to_owned());
    }
}

fn unreadable(product: Product, text: String) -> CallError {
    CallError::new(CallErrorKind::Unreadable, product.action(Operation::List), text)
}
