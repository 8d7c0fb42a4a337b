//! The plan as people read it.

use super::*;
use crate::domain::renewal::show::show;

#[test]
fn a_plan_is_one_line_for_each_step() {
    let mut fleet = Fleet::ready();
    fleet.policy.allow =
        vec![rule(r#"cloud_service="mongodb""#, Window::Cloud), rule(r#"resource_id!="r-9""#, local(7, 10))];
    fleet.add("redis", "r-2", 12);
    fleet.add("redis", "r-3", 90);
    fleet.add("redis", "r-9", 9);
    fleet.add("dcs", "d-1", 3);
    fleet.add("mongodb", "dds-1", 8);
    fleet.announce("mongodb", "dds-1");
    fleet.detail("mongodb", "dds-1", |detail| detail.window = Some("09:00Z-11:00Z".into()));
    fleet.add("rds", "rm-1", 8);
    let open = fleet.attempt("rds", "rm-1", 1, By::Rule, State::Accepted { request_id: "R".into() });
    fleet.attempts.push(open);
    fleet.policy.max_in_progress = 2;
    let text = show(&fleet.plan(), fleet.policy.mode, &|text| text.to_owned());
    assert_eq!(text, include_str!("plan.txt"));
}
