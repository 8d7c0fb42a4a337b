//! The program is killed at any moment, again and again: what was saved is there, and the store is never torn.

use std::time::Duration;

use notafter::domain::snapshot::Snapshot;

use crate::database::{Database, over_both};
use crate::program::Program;
use crate::support::{QUICK, cloud};

over_both!(what_was_saved_survives_kill_9);

const KILLS: u64 = 20;

async fn what_was_saved_survives_kill_9(database: Database) {
    let cloud = cloud().await;
    let mut last = Snapshot::default();
    for round in 0..KILLS {
        let mut program = Program::start(&cloud, &database.url, QUICK, "");
        program.until("it serves", |_| true).await;
        // another moment each time: while it loads, saves, waits, saves again
        tokio::time::sleep(Duration::from_millis(round * 397 % 2900)).await;
        program.kill();
        let now = database.content().await;
        assert_nothing_lost(&last, &now, round);
        last = now;
    }
    assert_eq!(last.resources().filter(|(_, resource)| resource.reading.is_some()).count(), 30);
    assert!(last.scopes.values().all(|view| view.is_up()));
}

fn assert_nothing_lost(before: &Snapshot, now: &Snapshot, round: u64) {
    for (scope, view) in before.scopes.iter().filter(|(scope, _)| !scope.is_placeholder()) {
        let found = now.scopes.get(scope).unwrap_or_else(|| panic!("round {round}: {scope} is gone"));
        assert!(found.listed_at >= view.listed_at, "round {round}: {scope}");
        for resource in view.resources.iter() {
            let kept = found.resources.get(&resource.id);
            let kept = kept.unwrap_or_else(|| panic!("round {round}: {} is gone", resource.id));
            assert!(
                kept.looked_at >= resource.looked_at,
                "round {round}: {} is older than before",
                resource.id
            );
            assert!(kept.reading.is_some() || resource.reading.is_none(), "round {round}: {}", resource.id);
        }
    }
}
