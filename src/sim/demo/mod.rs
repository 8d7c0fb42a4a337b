//! What `notafter demo` is made of: simulated clouds with fleets worth looking at, a configuration that points at them,
//! and life in them. A cloud takes part by one entry in [`start`].

use std::io;
use std::net::SocketAddr;

use chrono::{DateTime, Utc};

use super::alibaba::AlibabaCloud;
use super::fleet;
use super::huawei::{self as huawei_cloud, HuaweiCloud};
use super::ucloud::{self, UCloud};

mod alibaba;
mod huawei;
mod inboxes;
mod page;

pub use inboxes::Inboxes;

/// From here on a fleet is for measuring rather than for looking at.
const LARGE: usize = 2000;

/// One in so many resources is a certificate of a load balancer.
const BALANCERS: usize = 6;

/// One in so many resources is a cache at Huawei Cloud.
const CACHES: usize = 8;

/// A simulated cloud that takes part in the demonstration.
pub trait Simulated: Send + Sync {
    /// How many resources it has.
    fn resources(&self) -> usize;

    /// The `[[account]]` tables of its accounts; `resources` is how many the whole demonstration has.
    fn accounts(&self, resources: usize) -> String;

    /// Lets happen what happens in a company, when called every few seconds with a tick that is one more each time.
    /// The same fleet and ticks give the same events.
    fn live(&self, now: DateTime<Utc>, tick: u64);
}

/// Every cloud of the demonstration.
pub type Clouds = Vec<Box<dyn Simulated>>;

/// Starts all of them, each on a port of its own, with so many resources in all.
pub async fn start(resources: usize, seed: u64, now: DateTime<Utc>) -> io::Result<Clouds> {
    let (balancers, caches) = (resources / BALANCERS, resources / CACHES);
    let databases = fleet::believable(resources - balancers - caches, seed, now);
    let certificates = ucloud::fleet::believable(balancers, seed, now);
    Ok(vec![
        Box::new(AlibabaCloud::start(databases, Utc::now).await?),
        Box::new(UCloud::start(certificates, Utc::now).await?),
        Box::new(HuaweiCloud::start(huawei_cloud::fleet::believable(caches, now), Utc::now).await?),
    ])
}

/// A configuration with every account of the clouds, serving on `listen` (`127.0.0.1:9809`).
///
/// It holds the keys in clear, so a file with it must be for its owner only.
///
/// `users` is the value of the key `users`, where the page is to ask who it is.
pub fn config_toml(clouds: &[Box<dyn Simulated>], listen: &str, users: Option<&str>) -> String {
    let size = clouds.iter().map(|cloud| cloud.resources()).sum();
    let mut toml = String::from("# Simulated clouds on loopback: nothing in here is real.\n\n");
    toml.push_str(pace(size));
    toml.extend(clouds.iter().map(|cloud| cloud.accounts(size)));
    let external =
        status_page(listen).map_or_else(String::new, |url| format!("external_url = {}\n", quoted(&url)));
    let users = users.map_or_else(String::new, |users| format!("users = {users}\n"));
    toml + &format!("\n[web]\nlisten = [{}]\n{users}{external}", quoted(listen))
}

/// What may be renewed in the demonstration: nothing by itself, and a person may order it at any time.
pub fn renewal_toml() -> &'static str {
    "\n[renewal]\nmode = \"approve\"\nannounce = \"1m\"\nmax_in_progress = 2\nmax_per_day = 50\n\n\
     [[renewal.allow]]\nmatch = 'cloud_service=\"redis\"'\n\
     window = { timezone = \"Asia/Shanghai\", days = [\"tue\", \"wed\", \"thu\"], from = \"02:00\", to = \"05:00\" }\n\n\
     [[renewal.allow]]\nmatch = 'cloud_service=\"mongodb\"'\nwindow = \"cloud\"\n"
}

/// Where the page is for others, unless the system is to choose the port.
pub fn status_page(listen: &str) -> Option<String> {
    let address: SocketAddr = listen.parse().ok()?;
    (address.port() != 0).then(|| format!("http://{address}/"))
}

/// A small fleet is looked at often enough that changes show while somebody watches.
fn pace(size: usize) -> &'static str {
    if size < LARGE {
        "[poll]\nmax_age = \"30s\"\nmin_interval = \"5s\"\ndiscover_every = \"10s\"\ntimeout = \"5s\"\n"
    } else {
        "[poll]\nmax_age = \"1h\"\nmin_interval = \"1m\"\ndiscover_every = \"5m\"\ntimeout = \"15s\"\n"
    }
}

/// Calls per second that an account may make.
pub(super) fn rate(resources: usize) -> u32 {
    if resources < LARGE { 20 } else { 2000 }
}

pub(super) fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}
