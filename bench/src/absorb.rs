//! Absorbing one result must not cost time that grows with what is known already.
//!
//! One scope with 1,000 to 1,000,000 resources; each result is folded in alone, and folded in and published, which is
//! what the poll loop does at most ten times a second. A reader holds what was published last.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use chrono::Utc;
use notafter::domain::listing::Inspection;
use notafter::domain::resource::Reading;
use notafter::domain::snapshot::Snapshot;

use crate::fleet::{Member, view};
use crate::table::{median, row, short};

const RESULTS: usize = 20_000;
const ROUNDS: usize = 7;

pub fn main(arguments: &[&str]) {
    let sizes = arguments.iter().map(|size| crate::number(size));
    for size in sizes {
        let now = Utc::now();
        // One in ten members is PostgreSQL, whose reading is larger; here all are alike.
        let members: Vec<Member> = (0..size).map(|number| Member::new(number * 10, now)).collect();
        let scope = Arc::new(members[0].scope());
        let mut snapshot = Snapshot::default();
        *snapshot.scope_mut(&scope) = view(&members, now);
        let (mut alone, mut published) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            alone.push(fold(&mut snapshot, &members, RESULTS));
            published.push(fold(&mut snapshot, &members, 1));
        }
        row(
            "absorb",
            &format!("one result into {size} resources of one scope"),
            &format!("{} ns, published each time {} ns", short(median(alone)), short(median(published))),
        );
    }
}

/// Nanoseconds a result, when every `publish_every` results a reader gets a new snapshot.
fn fold(snapshot: &mut Snapshot, members: &[Member], publish_every: usize) -> f64 {
    let now = Utc::now();
    let chosen: Vec<(&Member, Reading)> = (0..RESULTS)
        .map(|step| &members[step.wrapping_mul(7919) % members.len()])
        .map(|member| (member, member.reading(now)))
        .collect();
    let scope = Arc::new(members[0].scope());
    let mut reader = Arc::new(snapshot.clone());
    let started = Instant::now();
    for (step, (member, reading)) in chosen.into_iter().enumerate() {
        snapshot.scope_mut(&scope).absorb_inspection(&member.id, Inspection::Read(reading), now);
        if step % publish_every == publish_every - 1 {
            reader = Arc::new(snapshot.clone());
        }
    }
    let took = started.elapsed().as_nanos() as f64 / RESULTS as f64;
    black_box(reader);
    took
}
