//! Which host answers for which product in which region.
//!
//! The operator's own template wins, then the shipped table (`endpoints.json`: vendor metadata of 2025-12), then the
//! product's pattern: new regions appear before tables are updated.

use std::collections::HashMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::product::Product;

/// Where a template without a region in it is asked for one (listing regions through a regional override).
const ANY_REGION: &str = "cn-hangzhou";

static TABLE: LazyLock<Table> = LazyLock::new(|| {
    serde_json::from_str(include_str!("endpoints.json")).expect("the shipped table is valid")
});

#[derive(Deserialize)]
struct Table {
    products: HashMap<String, ProductHosts>,
}

#[derive(Deserialize)]
struct ProductHosts {
    central: String,
    pattern: String,
    regions: HashMap<String, RegionHosts>,
}

#[derive(Deserialize)]
struct RegionHosts {
    public: Option<String>,
}

/// The base URL (scheme, host, port, no path) for a product in a region; `None` for the call that lists regions.
pub(super) fn base_url(product: Product, template: Option<&str>, region: Option<&str>) -> String {
    if let Some(template) = template {
        return template.replace("{region}", region.unwrap_or(ANY_REGION)).trim_end_matches('/').to_owned();
    }
    let hosts = &TABLE.products[product.code()];
    let host = match region {
        None => hosts.central.clone(),
        Some(region) => match hosts.regions.get(region).and_then(|hosts| hosts.public.clone()) {
            Some(host) => host,
            None => hosts.pattern.replace("{region}", region),
        },
    };
    format!("https://{host}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn override_then_table_then_pattern() {
        for (name, product, template, region, want) in [
            ("central", Product::Rds, None, None, "https://rds.aliyuncs.com"),
            ("table", Product::Rds, None, Some("us-east-1"), "https://rds.us-east-1.aliyuncs.com"),
            (
                "unknown region",
                Product::Redis,
                None,
                Some("xx-new-1"),
                "https://r-kvstore.xx-new-1.aliyuncs.com",
            ),
            (
                "mongodb, not dds",
                Product::Mongodb,
                None,
                Some("xx-new-1"),
                "https://mongodb.xx-new-1.aliyuncs.com",
            ),
            (
                "vpc",
                Product::Redis,
                Some("https://r-kvstore-vpc.{region}.aliyuncs.com/"),
                Some("cn-beijing"),
                "https://r-kvstore-vpc.cn-beijing.aliyuncs.com",
            ),
            ("loopback", Product::Redis, Some("http://127.0.0.1:8080"), None, "http://127.0.0.1:8080"),
        ] {
            assert_eq!(base_url(product, template, region), want, "{name}");
        }
    }
}
