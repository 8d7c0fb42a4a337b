//! Renewal over simulated months: the real loop, planner, store and provider, over real sockets, against the simulated
//! cloud, with two accounts, replication groups, a pair of the customer's that is renewed on the disk, crashes, lost answers,
//! outages, silences, and people who interfere here and in the console. What is asserted is about what the cloud saw.
//!
//! Time is a number that the test moves. `NOTAFTER_MONTHS=100` plays more months than usual, `NOTAFTER_MONTH_SEED` others.

#![allow(clippy::unwrap_used)] // in a test, a panic is the message

mod alone;
#[path = "../common/mod.rs"]
mod common;
#[path = "../year/dice.rs"]
mod dice;
mod estate;
mod kill;
mod month;
mod own;
mod people;
#[path = "../cloud/support.rs"]
#[allow(dead_code)]
mod support;
mod verdict;
mod whole;

use dice::Dice;
use month::Month;

fn number(name: &str, usual: u64) -> u64 {
    std::env::var(name).ok().map_or(usual, |text| text.parse().unwrap_or_else(|_| panic!("{name}: a number")))
}

#[tokio::test]
async fn every_call_that_the_cloud_saw_was_allowed_and_every_outcome_was_told() {
    if std::env::var_os("NOTAFTER_MONTH_LOG").is_some() {
        tracing_subscriber::fmt().with_max_level(tracing::Level::INFO).with_writer(std::io::stderr).init();
    }
    let (months, first) = (number("NOTAFTER_MONTHS", 2), number("NOTAFTER_MONTH_SEED", 1));
    let mut total = verdict::Figures::default();
    for seed in first..first + months {
        let figures =
            Month::new(Dice::new(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1), false).await.play(seed).await;
        println!("month {seed}: {figures:?}");
        total.add(&figures);
    }
    println!("together: {total:?}");
    assert!(total.calls >= 3 * usize::try_from(months).unwrap(), "hardly anything was renewed: {total:?}");
    assert!(
        total.confirmed > 0 && total.failed > 0 && total.crashes > 0,
        "a month without much in it: {total:?}"
    );
    assert!(
        total.grouped > 0
            && total.own > 0
            && total.announced > 0
            && total.silences > 0
            && total.elsewhere > 0,
        "nothing of what this is about: {total:?}"
    );
}

#[tokio::test]
async fn in_a_month_without_trouble_everything_is_renewed_before_it_ends() {
    let (months, first) = (number("NOTAFTER_CALM_MONTHS", 1), number("NOTAFTER_MONTH_SEED", 1));
    for seed in first..first + months {
        let dice = Dice::new(seed.wrapping_mul(0x2545_F491_4F6C_DD1D) | 1);
        let figures = Month::new(dice, true).await.play_calmly(seed).await;
        println!("calm month {seed}: {figures:?}");
        assert!(figures.own == 1 && figures.failed == 0 && figures.calls == figures.confirmed, "{figures:?}");
    }
}
