//! One list of properties that every service must have, over real sockets, against the simulated clouds.
//!
//! `service` says what a service has to tell about itself, and a module for each cloud tells it. `properties` is the
//! list. Each pair of the two is a cell of the matrix and a test of its own (`huawei_dcs::throttled`); what cannot be
//! so for a service is listed there with the reason, and the reason is printed. `cell` runs the cells beside each
//! other, because nearly all of their time is waiting. What is true of one cloud alone is tested in `tests/cloud`
//! (Alibaba), `tests/ucloud` and `tests/huawei`.

mod alibaba;
mod cell;
#[path = "../common/mod.rs"]
mod common;
mod huawei;
mod properties;
mod service;
mod support;
mod ucloud;

use std::collections::BTreeSet;

use notafter::provider::PROVIDERS;

use cell::CELLS;
use properties::PROPERTIES;
use service::Service;

/// Every service, with a module of tests for each.
macro_rules! services {
    ($($module:ident => $service:path),+ $(,)?) => {
        const SERVICES: &[&Service] = &[$(&$service),+];
        $(mod $module {
            const SERVICE: &crate::service::Service = &$service;
            crate::properties::each_property!(test);
        })+
    };
}

services! {
    alibaba_redis => crate::alibaba::REDIS,
    alibaba_rds => crate::alibaba::RDS,
    alibaba_mongodb => crate::alibaba::MONGODB,
    ucloud_ulb => crate::ucloud::ULB,
    huawei_dcs => crate::huawei::DCS,
}

#[test]
fn every_service_of_every_cloud_is_in_the_matrix() {
    let known = PROVIDERS.iter().filter(|kind| kind.build.is_some());
    let known: BTreeSet<_> =
        known.flat_map(|kind| kind.services.iter().map(|service| (kind.name, *service))).collect();
    let listed: BTreeSet<_> = SERVICES.iter().map(|service| (service.provider, service.label)).collect();
    assert_eq!(listed, known, "a service without a line in `services!` is not held to anything");
}

#[test]
fn no_cell_is_missing_and_what_is_left_out_has_a_reason() {
    assert_eq!(CELLS.len(), SERVICES.len() * PROPERTIES.len());
    for service in SERVICES {
        for (name, _) in PROPERTIES {
            assert!(CELLS.contains_key(&(service.name, *name)), "{}: {name} is missing", service.name);
        }
        for (left_out, why) in service.not_here {
            let known = PROPERTIES.iter().any(|(name, _)| name == left_out);
            assert!(known, "{}: there is no property `{left_out}`", service.name);
            assert!(why.split(' ').count() > 4, "{}: {left_out}: `{why}` is no reason", service.name);
        }
    }
}
