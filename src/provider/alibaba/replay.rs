//! Reads an answer again that was kept for a support bundle, with the readers that the daemon uses.

use std::fmt::Debug;

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::errors;
use super::mapping;
use super::product::{Operation, Product};
use super::wire::{Attributes, Modified, Page, Regions, Ssl, TagPage};
use crate::call::{CallError, CallErrorKind};
use crate::domain::interner::Interner;
use crate::http::Answer;
use crate::provider::keys::Keys;
use crate::provider::verdict::Verdict;

const OPERATIONS: [Operation; 6] = [
    Operation::Regions,
    Operation::List,
    Operation::Ssl,
    Operation::Tags,
    Operation::Attribute,
    Operation::Modify,
];

/// What is made of the answer; `None` for a call that is not known, or lends keys.
pub(super) fn replay(action: &str, answer: &Answer, now: DateTime<Utc>) -> Option<Result<String, CallError>> {
    let mut calls =
        Product::ALL.into_iter().flat_map(|product| OPERATIONS.map(|operation| (product, operation)));
    let (product, operation) = calls.find(|(product, operation)| product.action(*operation) == action)?;
    let reading = Reading { answer, action: product.action(operation), now };
    Some(match operation {
        Operation::Regions => reading.shown::<Regions>(),
        Operation::List => reading.listing(product),
        Operation::Ssl => reading.look(),
        Operation::Tags => reading.shown::<TagPage>(),
        Operation::Attribute => reading.shown::<Attributes>(),
        Operation::Modify => reading.shown::<Modified>(),
    })
}

struct Reading<'a> {
    answer: &'a Answer,
    action: &'static str,
    now: DateTime<Utc>,
}

impl Reading<'_> {
    fn read<T: DeserializeOwned>(&self) -> Result<T, CallError> {
        errors::read(self.answer, self.action, self.now, &Keys::nobodys())
    }

    fn shown<T: DeserializeOwned + Debug>(&self) -> Result<String, CallError> {
        self.read::<T>().map(|read| format!("{read:#?}"))
    }

    fn listing(&self, product: Product) -> Result<String, CallError> {
        let page: Page = self.read()?;
        let total = page.total();
        let Some(rows) = page.instances() else {
            return Err(CallError::new(
                CallErrorKind::Unreadable,
                self.action,
                "the answer has no list of instances",
            ));
        };
        let ((rows, odd), mut words) = (rows.into_rows(), Interner::default());
        let listed: Vec<_> = rows.into_iter().map(|row| mapping::listed(product, row, &mut words)).collect();
        Ok(format!("announced: {total:?}; rows that are no objects: {odd}; rows: {listed:#?}"))
    }

    fn look(&self) -> Result<String, CallError> {
        let read = self.read::<Ssl>().and_then(|ssl| mapping::inspection(ssl, self.action, self.now));
        match read {
            Ok(inspection) => Ok(format!("{inspection:#?}")),
            Err(error) => match errors::CODES.verdict(&error) {
                Verdict::Failure => Err(error),
                verdict => Ok(format!("no failure but a finding: {verdict:?} ({error})")),
            },
        }
    }
}
