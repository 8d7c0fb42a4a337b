//! Instances and their certificates.
//!
//! Plain values with public fields. How they are kept and found is `fleet`, how they change is `change`.

use std::borrow::Cow;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};

use super::product::{Engine, Product};
use crate::domain::resource::TlsState;

/// Texts are shared: a fleet of 100,000 repeats its regions, zones and versions.
pub type Text = Arc<str>;

/// An error answer: HTTP status and code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// HTTP status.
    pub status: u16,
    /// The value of `Code`.
    pub code: Cow<'static, str>,
}

impl Refusal {
    /// An error answer.
    pub fn new(status: u16, code: impl Into<Cow<'static, str>>) -> Self {
        Self { status, code: code.into() }
    }
}

/// How the end of a certificate is written in the answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Expiry {
    /// The usual `yyyy-MM-ddTHH:mm:ssZ`.
    At(DateTime<Utc>),
    /// This very text; `means` is what an honest reader makes of it, `None` where it is no date.
    Text {
        /// What is written: `-`, an empty text, a date without seconds, garbage.
        text: Text,
        /// The instant it stands for.
        means: Option<DateTime<Utc>>,
    },
    /// A number where a text is due.
    Number(i64),
    /// `null`.
    Null,
    /// The field is missing.
    Absent,
}

impl Expiry {
    /// A text that is no date.
    pub fn unreadable(text: &str) -> Self {
        Self::Text { text: text.into(), means: None }
    }

    /// The instant it stands for, to the second.
    pub fn means(&self) -> Option<DateTime<Utc>> {
        match self {
            Self::At(at) => DateTime::from_timestamp(at.timestamp(), 0),
            Self::Text { means, .. } => *means,
            Self::Number(_) | Self::Null | Self::Absent => None,
        }
    }
}

/// Condition of an instance as regards TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SslModel {
    /// On.
    On {
        /// End of its certificate.
        expires: Expiry,
    },
    /// Off.
    Off {
        /// The end of an earlier certificate that the answer still carries.
        stale: Option<DateTime<Utc>>,
    },
    /// This kind of instance cannot have it; asking is answered with this error.
    Unsupported(Refusal),
    /// In the middle of a change; asking is answered with this error.
    Busy(Refusal),
    /// Listed, but unknown when asked about.
    Gone(Refusal),
}

impl SslModel {
    /// On, with a certificate that ends then.
    pub fn on(expires: DateTime<Utc>) -> Self {
        Self::On { expires: Expiry::At(expires) }
    }

    /// The error by which the product of this engine says "not here".
    pub fn unsupported(engine: Engine) -> Self {
        Self::Unsupported(match engine {
            Engine::Tair => Refusal::new(400, "InstanceType.NotSupport"),
            Engine::MariaDb => Refusal::new(400, "InvaildEngineInRegion.ValueNotSupported"),
            Engine::MongoReplica => Refusal::new(400, "SingleNodeNotSupport"),
            _ => Refusal::new(403, "IncorrectEngineVersion"),
        })
    }

    /// The error of an instance that is being worked on.
    pub fn busy() -> Self {
        Self::Busy(Refusal::new(403, "IncorrectDBInstanceState"))
    }

    /// The error of an instance that went away after it was listed.
    pub fn gone(product: Product) -> Self {
        Self::Gone(not_found(product))
    }

    /// What a reader of the API can know at best.
    pub fn truth(&self) -> Truth {
        let (state, expires) = match self {
            Self::On { expires } => (TlsState::Enabled, expires.means()),
            Self::Off { .. } => (TlsState::Disabled, None),
            Self::Unsupported(_) => (TlsState::Unsupported, None),
            Self::Busy(_) | Self::Gone(_) => (TlsState::Unknown, None),
        };
        Truth { state, expires }
    }
}

/// The answer for an id that is not (or no longer) the caller's.
pub(super) fn not_found(product: Product) -> Refusal {
    let code =
        if product == Product::Redis { "InvalidInstanceId.NotFound" } else { "InvalidDBInstanceId.NotFound" };
    Refusal::new(404, code)
}

/// What is really so, for comparison with what was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Truth {
    /// Whether TLS is on; unknown while asking is answered with "busy" or "gone".
    pub state: TlsState,
    /// End of the certificate, where TLS is on and the date is readable.
    pub expires: Option<DateTime<Utc>>,
}

/// What a Modify call does to an instance.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OnModify {
    /// Accepted, modifying for a while, then ready with a later end.
    Works,
    /// Accepted, modifying for a while, then ready as before.
    NoEffect,
    /// As `NoEffect`; RDS PostgreSQL also reports the failure and this reason.
    FailsLater(Text),
    /// Answered with this error.
    Refuses(Refusal),
}

/// Which certificate RDS PostgreSQL shows in `ServerCert`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServerCert {
    /// One whose dates are those of the model.
    Matching,
    /// One that really ends then, whatever the field says.
    Ending(DateTime<Utc>),
    /// This very text.
    Text(Text),
    /// None.
    Absent,
}

/// The daily maintenance window, in minutes after midnight UTC; it may cross midnight.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// Its begin.
    pub from: u16,
    /// Its end.
    pub to: u16,
}

/// One instance of one account. Set what matters, take the rest from [`Instance::new`].
#[derive(Debug, Clone)]
pub struct Instance {
    /// The cloud's id, unique in the whole fleet.
    pub id: Text,
    /// Uid of the account that owns it.
    pub account: Text,
    /// Region id.
    pub region: Text,
    /// Zone id.
    pub zone: Text,
    /// What runs on it.
    pub engine: Engine,
    /// Version of the engine.
    pub version: Text,
    /// Display name.
    pub name: Text,
    /// `Normal`, `Running`, `SSLModifying` and so on.
    pub status: Text,
    /// `Unlock`, or why it is locked (`LockByExpiration`).
    pub lock: Text,
    /// Tags.
    pub tags: Vec<(Text, Text)>,
    /// Redis: the global instance it belongs to. RDS: the primary that this read-only instance follows.
    pub group: Option<Text>,
    /// RDS: the read-only instances that follow it; kept by the fleet.
    pub replicas: Vec<Text>,
    /// The protected host name.
    pub host: Text,
    /// When it was made.
    pub created: DateTime<Utc>,
    /// End of the subscription: a trap, since it has nothing to do with the certificate.
    pub subscription_ends: Option<DateTime<Utc>>,
    /// Its maintenance window.
    pub window: Window,
    /// Condition as regards TLS.
    pub ssl: SslModel,
    /// The certificate is the customer's own (`CAType` `custom`).
    pub custom_ca: bool,
    /// RDS asks for a renewal (`RequireUpdate`).
    pub require_update: bool,
    /// Answers of RDS carry numbers where the model says text.
    pub numbers_for_text: bool,
    /// What `ServerCert` holds.
    pub server_cert: ServerCert,
    /// What a Modify call does.
    pub on_modify: OnModify,
    /// What Modify calls have left to do.
    pub progress: Progress,
}

impl Instance {
    /// A healthy instance whose certificate ends then.
    pub fn new(engine: Engine, id: &str, account: &str, region: &str, expires: DateTime<Utc>) -> Self {
        let ssl = match engine {
            Engine::MariaDb => SslModel::unsupported(engine),
            _ => SslModel::on(expires),
        };
        Self {
            id: id.into(),
            account: account.into(),
            region: region.into(),
            zone: format!("{region}-h").into(),
            engine,
            version: engine.usual_version().into(),
            name: id.into(),
            status: engine.product().ready().into(),
            lock: "Unlock".into(),
            tags: Vec::new(),
            group: None,
            replicas: Vec::new(),
            host: usual_host(engine, id).into(),
            created: expires - TimeDelta::days(365),
            subscription_ends: Some(expires + TimeDelta::days(400)),
            window: Window { from: 18 * 60, to: 22 * 60 },
            ssl,
            custom_ca: false,
            require_update: false,
            numbers_for_text: false,
            server_cert: ServerCert::Matching,
            on_modify: OnModify::Works,
            progress: Progress::default(),
        }
    }

    /// The product that lists it.
    pub fn product(&self) -> Product {
        self.engine.product()
    }
}

fn usual_host(engine: Engine, id: &str) -> String {
    let domain = match engine {
        Engine::Redis | Engine::RedisCluster | Engine::Tair => "redis.rds",
        Engine::MySql | Engine::MariaDb => "mysql.rds",
        Engine::PostgreSql => "pg.rds",
        Engine::SqlServer => "sqlserver.rds",
        Engine::MongoReplica | Engine::MongoSharded => "mongodb.rds",
    };
    format!("{id}.{domain}.aliyuncs.com")
}

/// What the Modify calls so far have left: the simulated cloud's own affair.
#[derive(Debug, Clone, Default)]
pub struct Progress {
    /// The change under way.
    pub(super) change: Option<Change>,
    /// RDS PostgreSQL: why the last change failed.
    pub(super) failed_because: Option<Text>,
}

/// A change that was accepted.
#[derive(Debug, Clone)]
pub(super) struct Change {
    /// When the status turns to modifying; later than the call where it waits for the maintenance window.
    pub(super) starts: DateTime<Utc>,
    /// When the status is ready again.
    pub(super) ends: DateTime<Utc>,
    /// The condition afterwards; `None` leaves it as it is.
    pub(super) becomes: Option<SslModel>,
    /// The customer's own certificate that is put in place.
    pub(super) custom_cert: Option<Text>,
    /// Why it fails, where it does.
    pub(super) fails_because: Option<Text>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_truth_is_what_the_answer_can_say() {
        let at: DateTime<Utc> = "2027-01-02T03:04:05.678Z".parse().unwrap();
        let to_the_second = "2027-01-02T03:04:05Z".parse().ok();
        for (name, ssl, state, expires) in [
            ("on", SslModel::on(at), TlsState::Enabled, to_the_second),
            ("no date", SslModel::On { expires: Expiry::unreadable("-") }, TlsState::Enabled, None),
            ("off with an old date", SslModel::Off { stale: Some(at) }, TlsState::Disabled, None),
            ("not here", SslModel::unsupported(Engine::MariaDb), TlsState::Unsupported, None),
            ("busy", SslModel::busy(), TlsState::Unknown, None),
        ] {
            assert_eq!(ssl.truth(), Truth { state, expires }, "{name}");
        }
    }
}
