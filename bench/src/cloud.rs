//! The simulated Alibaba Cloud with the fleet, in a process of its own. Obeys lines: `config` answers with the
//! configuration (as one line, `\n` written out), `details` with the number of certificate calls that were answered.

use std::io::{BufRead, stdin};

use chrono::{TimeDelta, Utc};
use notafter::sim::alibaba::{Account, AlibabaCloud, Fleet, Instance, Key, Region, Text};

use crate::fleet::{ACCOUNTS, Member, REGIONS};

pub fn main(resources: usize) {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let cloud = runtime.block_on(AlibabaCloud::start(fleet(resources), Utc::now)).expect("a port");
    println!("{}", cloud.host());
    for line in stdin().lock().lines() {
        match &*line.expect("text") {
            "config" => println!("{}", config(&cloud).replace('\n', "\\n")),
            "details" => println!("{}", details(&cloud)),
            other => panic!("not understood: {other}"),
        }
    }
}

fn fleet(resources: usize) -> Fleet {
    let mut fleet = Fleet::new(REGIONS.map(|id| Region::new(id, id, id)).into());
    fleet.accounts = ACCOUNTS.map(account).into();
    let now = Utc::now();
    for number in 0..resources {
        let member = Member::new(number, now);
        let tags = member.tags.map(|(key, value)| (Text::from(key), Text::from(value)));
        fleet.insert(Instance {
            name: member.name.as_str().into(),
            tags: tags.into(),
            created: member.ends - TimeDelta::days(365),
            ..Instance::new(member.engine, &member.id, member.account, member.region, member.ends)
        });
    }
    fleet
}

/// Its number is its name.
fn account(name: &str) -> Account {
    Account { uid: name.into(), name: name.into(), keys: vec![Key::new(&format!("LTAI{name}"), name)] }
}

fn config(cloud: &AlibabaCloud) -> String {
    ACCOUNTS
        .map(|name| crate::daemon::account(name, &format!("LTAI{name}"), &cloud.base_url(), &REGIONS, ""))
        .concat()
}

fn details(cloud: &AlibabaCloud) -> u64 {
    let counts = cloud.counts();
    let details = counts.iter().filter(|((_, action, _), _)| action.ends_with("InstanceSSL"));
    details.map(|(_, count)| count.answered).sum()
}
