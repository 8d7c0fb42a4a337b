//! Counts calls like the cloud does: per account, region and API, over a span that moves with the clock.

use std::collections::{HashMap, VecDeque};

use chrono::{DateTime, Utc};

use super::account::Quota;
use super::error::ApiError;
use super::model::Text;
use super::product::Product;

/// Uid of the account, region, product and name of the call. The account counts, not the key.
pub(super) type Bucket = (Text, Text, Product, &'static str);

/// The calls taken lately.
#[derive(Default)]
pub(super) struct Quotas {
    taken: HashMap<Bucket, VecDeque<DateTime<Utc>>>,
}

impl Quotas {
    /// Takes a call or refuses it. Refused calls do not count.
    pub(super) fn take(&mut self, bucket: Bucket, quota: &Quota, now: DateTime<Utc>) -> Result<(), ApiError> {
        let taken = self.taken.entry(bucket).or_default();
        while taken.front().is_some_and(|first| now - *first >= quota.per) {
            taken.pop_front();
        }
        if taken.len() >= quota.calls {
            return Err(ApiError::throttled(quota.retry_after_ms));
        }
        taken.push_back(now);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    #[test]
    fn no_span_holds_more_calls_than_the_quota() {
        let mut quotas = Quotas::default();
        let quota = Quota { action: None, calls: 2, per: TimeDelta::seconds(10), retry_after_ms: Some(5) };
        let start = DateTime::UNIX_EPOCH;
        for (name, region, second, taken) in [
            ("first", "a", 0, true),
            ("second", "a", 9, true),
            ("third in ten seconds", "a", 9, false),
            ("another region", "b", 9, true),
            ("the first is ten seconds old", "a", 10, true),
            ("the second is not", "a", 18, false),
        ] {
            let bucket = ("1".into(), region.into(), Product::Rds, "DescribeDBInstances");
            let result = quotas.take(bucket, &quota, start + TimeDelta::seconds(second));
            assert_eq!(result.is_ok(), taken, "{name}");
        }
    }
}
