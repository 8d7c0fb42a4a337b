//! The instances that a demonstration must show: one of each kind of trouble.

use chrono::TimeDelta;

use super::Maker;
use super::tables::{OWNERS, Owner};
use crate::sim::alibaba::{Engine, Expiry, Instance, ServerCert, SslModel};

impl Maker {
    /// What a demonstration must show: one of each kind of trouble, in the order in which it is told.
    pub(super) fn stories(&mut self) -> Vec<Instance> {
        let [cn, intl, _, data, legacy] = &OWNERS;
        let hours = TimeDelta::hours;
        let days = TimeDelta::days;
        let mut list = vec![
            self.story(cn, Engine::Redis, "订单缓存", -days(2)),
            self.story(cn, Engine::MySql, "支付库", hours(5)),
            self.story(cn, Engine::PostgreSql, "用户库", days(3)),
            self.story(intl, Engine::MongoReplica, "sessions-mongo", days(6)),
            self.story(intl, Engine::RedisCluster, "cart-redis", days(11)),
            self.story(cn, Engine::MySql, "库存库", days(25)),
            self.story(data, Engine::MongoSharded, "events-mongo", days(40)),
            self.story(data, Engine::SqlServer, "finance-mssql", days(52)),
            self.story(legacy, Engine::MySql, "crm-mysql", days(4)),
        ];
        list.extend(self.odd_dates());
        list.extend(self.odd_states());
        let replica = self.read_only(cn, &list[1]);
        list.push(replica);
        list.push(self.about_to_change(cn));
        list
    }

    /// One that enters a stage while somebody watches: a little more than two weeks are left, to the second.
    fn about_to_change(&mut self, owner: &Owner) -> Instance {
        let instance = self.story(owner, Engine::MySql, "会员库", TimeDelta::zero());
        let end = self.now + TimeDelta::days(14) + TimeDelta::seconds(100);
        Instance { ssl: SslModel::on(end), ..instance }
    }

    /// A read-only instance that follows a primary, with a certificate of its own.
    fn read_only(&mut self, owner: &Owner, primary: &Instance) -> Instance {
        let id = format!("rr{}", primary.id.trim_start_matches("rm"));
        let end = self.now + TimeDelta::days(18);
        Instance {
            name: format!("{}-只读", primary.name).into(),
            tags: primary.tags.clone(),
            group: Some(primary.id.clone()),
            ..Instance::new(primary.engine, &id, owner.uid, &primary.region, end)
        }
    }

    fn odd_dates(&mut self) -> [Instance; 4] {
        let [cn, _, staging, data, _] = &OWNERS;
        let far = TimeDelta::days(200);
        let unreadable = SslModel::On { expires: Expiry::unreadable("2027-13-45 00:00") };
        let not_yet = SslModel::On { expires: Expiry::unreadable("-") };
        let other_end = ServerCert::Ending(self.now + TimeDelta::days(16));
        [
            Instance { ssl: unreadable, ..self.story(staging, Engine::Redis, "experiments-redis", far) },
            Instance { ssl: not_yet, ..self.story(staging, Engine::Tair, "feature-flags-tair", far) },
            Instance {
                custom_ca: true,
                ..self.story(data, Engine::PostgreSql, "reports-pg", TimeDelta::days(20))
            },
            Instance {
                server_cert: other_end,
                require_update: true,
                ..self.story(cn, Engine::PostgreSql, "风控库", TimeDelta::days(46))
            },
        ]
    }

    fn odd_states(&mut self) -> [Instance; 6] {
        let [cn, intl, staging, data, _] = &OWNERS;
        let far = TimeDelta::days(150);
        let stale = SslModel::Off { stale: Some(self.now - TimeDelta::days(30)) };
        let off = SslModel::Off { stale: None };
        let old = SslModel::unsupported(Engine::Redis);
        let (lock, locked_end) = ("LockByExpiration".into(), TimeDelta::days(9));
        [
            Instance { ssl: stale, ..self.story(staging, Engine::MySql, "orders-mysql-staging", far) },
            Instance { ssl: off, ..self.story(intl, Engine::Redis, "rate-limit-redis", far) },
            Instance {
                ssl: old,
                version: "4.0".into(),
                ..self.story(data, Engine::Redis, "legacy-queue-redis", far)
            },
            Instance {
                ssl: SslModel::busy(), ..self.story(cn, Engine::MongoReplica, "消息文档库", far)
            },
            Instance { lock, ..self.story(intl, Engine::MySql, "promo-mysql", locked_end) },
            self.story(cn, Engine::MariaDb, "wiki-mariadb", far),
        ]
    }

    fn story(&mut self, owner: &Owner, engine: Engine, name: &str, left: TimeDelta) -> Instance {
        let end = self.now + left + TimeDelta::seconds(self.dice.signed(3600));
        Instance { name: name.into(), ..self.instance(owner, engine, end) }
    }
}
