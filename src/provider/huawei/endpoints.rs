//! Where the services of Huawei Cloud answer, and which regions have distributed caches.

use reqwest::Url;

/// Regions in which the official SDK knows DCS. A project in any other region is watched only when its region is
/// configured: IAM lists projects of regions that have no DCS, and asking there could only fail.
const REGIONS: &[&str] = &[
    "ae-ad-1",
    "af-north-1",
    "af-south-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "cn-east-2",
    "cn-east-3",
    "cn-east-4",
    "cn-east-5",
    "cn-north-1",
    "cn-north-11",
    "cn-north-12",
    "cn-north-2",
    "cn-north-4",
    "cn-north-9",
    "cn-south-1",
    "cn-south-2",
    "cn-south-4",
    "cn-southwest-2",
    "cn-southwest-3",
    "eu-west-0",
    "eu-west-101",
    "la-north-2",
    "la-south-2",
    "me-east-1",
    "my-kualalumpur-1",
    "na-mexico-1",
    "ru-moscow-1",
    "ru-northwest-2",
    "sa-brazil-1",
    "tr-west-1",
];

/// Fills an IAM address with `{region}` in it while no region is configured: the region that also answers for
/// temporary keys by default.
const SOME_REGION: &str = "cn-north-4";

/// Overriding addresses; `{region}` in them stands for the region.
#[derive(Debug, Clone, Default)]
pub struct Templates {
    /// Of the caches.
    pub dcs: Option<String>,
    /// Of identity and access management, which knows the projects.
    pub iam: Option<String>,
}

impl Templates {
    /// Where the caches of a region are.
    pub(super) fn dcs(&self, region: &str) -> String {
        match &self.dcs {
            Some(template) => template.replace("{region}", region),
            None => format!("https://dcs.{region}.myhuaweicloud.com"),
        }
    }

    /// Where to ask for projects, each address once: the global one, and that of a cloud of its own (`eu-west-1xx`).
    pub(super) fn iam(&self, regions: Option<&[String]>) -> Vec<String> {
        let one = |region: &str| match &self.iam {
            Some(template) => template.replace("{region}", region),
            None if region.starts_with("eu-west-1") => format!("https://iam.{region}.myhuaweicloud.eu"),
            None => "https://iam.myhuaweicloud.com".to_owned(),
        };
        let mut all: Vec<String> = match regions {
            Some(regions) => regions.iter().map(|region| one(region)).collect(),
            None => vec![one(SOME_REGION)],
        };
        all.sort_unstable();
        all.dedup();
        all
    }

    /// Whether a region that nobody configured is worth asking. Behind an address of the operator's own, every one.
    pub(super) fn serves(&self, region: &str) -> bool {
        self.dcs.is_some() || REGIONS.contains(&region)
    }
}

/// An address taken apart the way the HTTP client will see it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Base {
    /// Scheme and host, for the address of the call.
    pub(super) origin: String,
    /// The `host` header: with a port that is not the default one.
    pub(super) host: String,
    /// What stands before the path of the call, without a slash at its end.
    pub(super) prefix: String,
}

impl Base {
    /// Takes a base address apart; `None` where it is none.
    pub(super) fn parse(address: &str) -> Option<Self> {
        let url = Url::parse(address).ok()?;
        let host = url.host_str()?;
        let host = url.port().map_or_else(|| host.to_owned(), |port| format!("{host}:{port}"));
        let prefix = url.path().trim_end_matches('/').to_owned();
        Some(Self { origin: format!("{}://{host}", url.scheme()), host, prefix })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn projects_are_asked_for_once_at_each_cloud() {
        let regions = |list: &[&str]| list.iter().map(|region| (*region).to_owned()).collect::<Vec<_>>();
        let own = |template: &str| Templates { iam: Some(template.into()), dcs: None };
        for (name, templates, configured, want) in [
            ("any region", Templates::default(), None, &["https://iam.myhuaweicloud.com"][..]),
            (
                "two regions of one cloud",
                Templates::default(),
                Some(regions(&["cn-north-4", "ap-southeast-1"])),
                &["https://iam.myhuaweicloud.com"],
            ),
            (
                "the European cloud",
                Templates::default(),
                Some(regions(&["eu-west-101"])),
                &["https://iam.eu-west-101.myhuaweicloud.eu"],
            ),
            (
                "own, by region",
                own("https://iam.{region}.a"),
                Some(regions(&["r-2"])),
                &["https://iam.r-2.a"],
            ),
            ("own, no region known", own("https://iam.{region}.a"), None, &["https://iam.cn-north-4.a"]),
        ] {
            assert_eq!(templates.iam(configured.as_deref()), want, "{name}");
        }
    }

    #[test]
    fn regions_without_caches_are_left_out_unless_the_address_is_the_operators() {
        assert!(Templates::default().serves("cn-north-4"));
        assert!(!Templates::default().serves("cn-nowhere-1"));
        let own = Templates { dcs: Some("http://127.0.0.1:1/{region}".into()), iam: None };
        assert!(own.serves("cn-nowhere-1"));
        assert_eq!(own.dcs("cn-north-4"), "http://127.0.0.1:1/cn-north-4");
    }

    #[test]
    fn the_host_is_the_one_that_is_sent() {
        for (address, origin, host, prefix) in [
            (
                "https://dcs.r.myhuaweicloud.com",
                "https://dcs.r.myhuaweicloud.com",
                "dcs.r.myhuaweicloud.com",
                "",
            ),
            ("https://dcs.example:443/", "https://dcs.example", "dcs.example", ""),
            ("http://127.0.0.1:8080/r-1/", "http://127.0.0.1:8080", "127.0.0.1:8080", "/r-1"),
        ] {
            let want = Base { origin: origin.into(), host: host.into(), prefix: prefix.into() };
            assert_eq!(Base::parse(address), Some(want), "{address}");
        }
    }
}
