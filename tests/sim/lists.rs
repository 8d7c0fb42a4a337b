//! Regions, instances and tags: every row comes, page by page, in each product's own way.

use std::collections::BTreeSet;

use notafter::sim::alibaba::{Engine, Instance, Product};
use serde_json::Value;

use crate::support::{Caller, OTHER_UID, REGION, fleet, instance};

/// 120 Redis, 230 RDS, 130 replica sets, 40 sharded clusters, and one of another account.
async fn full() -> Caller {
    let mut fleet = fleet();
    for (engine, prefix, count) in [
        (Engine::Redis, "r", 120),
        (Engine::MySql, "rm", 230),
        (Engine::MongoReplica, "dds", 130),
        (Engine::MongoSharded, "s", 40),
    ] {
        for n in 0..count {
            let tags =
                vec![("n".into(), n.to_string().into()), ("env".into(), ["prod", "test"][n % 2].into())];
            fleet.insert(Instance { tags, ..instance(engine, &format!("{prefix}-{n}")) });
        }
    }
    fleet.insert(Instance { account: OTHER_UID.into(), ..instance(Engine::Redis, "r-other") });
    Caller::to(fleet).await
}

fn ids(answer: &Value, pointer: &str, id: &str) -> Vec<String> {
    answer
        .pointer(pointer)
        .unwrap()
        .as_array()
        .unwrap()
        .iter()
        .map(|row| row[id].as_str().unwrap().to_owned())
        .collect()
}

/// Reads pages by number until a short one; the ids and the total that each page told.
async fn by_number(
    caller: &Caller,
    product: Product,
    params: &[(&str, &str)],
    size: usize,
) -> (Vec<String>, BTreeSet<i64>) {
    let (action, rows, id, total) = match product {
        Product::Redis => ("DescribeInstances", "/Instances/KVStoreInstance", "InstanceId", "TotalCount"),
        Product::Rds => ("DescribeDBInstances", "/Items/DBInstance", "DBInstanceId", "TotalRecordCount"),
        Product::MongoDb => ("DescribeDBInstances", "/DBInstances/DBInstance", "DBInstanceId", "TotalCount"),
    };
    let (mut all, mut totals) = (Vec::new(), BTreeSet::new());
    for number in 1.. {
        let (number, size_text) = (number.to_string(), size.to_string());
        let paging = [("RegionId", REGION), ("PageNumber", &*number), ("PageSize", &*size_text)];
        let answer = caller.ok(product, action, &[&paging, params].concat()).await;
        let page = ids(&answer, rows, id);
        totals.insert(answer[total].as_i64().unwrap());
        all.extend_from_slice(&page);
        if page.len() < size {
            return (all, totals);
        }
    }
    unreachable!("the loop ends by itself")
}

#[tokio::test]
async fn every_row_comes_once_page_by_page() {
    let caller = full().await;
    for (name, product, params, size, count) in [
        ("redis", Product::Redis, &[][..], 50, 120),
        ("rds", Product::Rds, &[], 100, 230),
        ("replica sets unless asked otherwise", Product::MongoDb, &[], 100, 130),
        ("replica sets", Product::MongoDb, &[("DBInstanceType", "replicate")], 30, 130),
        ("sharded", Product::MongoDb, &[("DBInstanceType", "sharding")], 50, 40),
        ("serverless", Product::MongoDb, &[("DBInstanceType", "serverless")], 50, 0),
    ] {
        let (all, totals) = by_number(&caller, product, params, size).await;
        let once: BTreeSet<_> = all.iter().collect();
        assert_eq!((all.len(), once.len()), (count, count), "{name}");
        assert_eq!(totals.into_iter().collect::<Vec<_>>(), [i64::try_from(count).unwrap()], "{name}");
    }
}

#[tokio::test]
async fn rds_by_token_counts_only_the_page_and_ends_on_an_empty_token() {
    let caller = full().await;
    let (mut all, mut token) = (Vec::new(), String::new());
    for page in 1.. {
        let params =
            [("RegionId", REGION), ("MaxResults", "100"), ("NextToken", &*token), ("PageNumber", "7")];
        let answer = caller.ok(Product::Rds, "DescribeDBInstances", &params).await;
        let rows = ids(&answer, "/Items/DBInstance", "DBInstanceId");
        assert_eq!(
            (&answer["PageNumber"], &answer["TotalRecordCount"]),
            (&1.into(), &rows.len().into()),
            "page {page}"
        );
        all.extend(rows);
        answer["NextToken"].as_str().unwrap().clone_into(&mut token);
        if token.is_empty() {
            break;
        }
    }
    assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), 230);
    let wrong = [("RegionId", REGION), ("NextToken", "guess")];
    assert_eq!(
        caller.err(Product::Rds, "DescribeDBInstances", &wrong).await,
        (400, "Invalid.NextToken".into())
    );
}

#[tokio::test]
async fn each_product_has_its_own_page_sizes() {
    let caller = full().await;
    for (product, action, name, value, fine) in [
        (Product::Redis, "DescribeInstances", "PageSize", "50", true),
        (Product::Redis, "DescribeInstances", "PageSize", "51", false),
        (Product::Rds, "DescribeDBInstances", "PageSize", "100", true),
        (Product::Rds, "DescribeDBInstances", "PageSize", "101", false),
        (Product::Rds, "DescribeDBInstances", "MaxResults", "101", false),
        (Product::MongoDb, "DescribeDBInstances", "PageSize", "100", true),
        (Product::MongoDb, "DescribeDBInstances", "PageSize", "99", false),
        (Product::MongoDb, "DescribeDBInstances", "PageNumber", "0", false),
    ] {
        let (status, json) = caller.call(product, action, &[("RegionId", REGION), (name, value)]).await;
        assert_eq!(status == 200, fine, "{product:?} {name}={value}: {}", json["Code"]);
    }
    let missing = caller.err(Product::MongoDb, "DescribeDBInstances", &[]).await;
    assert_eq!(missing, (400, "MissingRegionId".into()));
}

#[tokio::test]
async fn lists_can_be_narrowed() {
    let caller = full().await;
    caller.cloud.set_status("r-5", "Rebooting");
    for (name, product, params, count) in [
        ("redis by ids", Product::Redis, &[("InstanceIds", "r-1,r-7,r-other,rm-1")][..], 2),
        ("redis by tag", Product::Redis, &[("Tag.1.Key", "env"), ("Tag.1.Value", "prod")], 60),
        (
            "redis by both tags",
            Product::Redis,
            &[("Tag.1.Key", "env"), ("Tag.2.Key", "n"), ("Tag.2.Value", "3")],
            1,
        ),
        ("redis by status", Product::Redis, &[("InstanceStatus", "Rebooting")], 1),
        ("rds by id", Product::Rds, &[("DBInstanceId", "rm-9")], 1),
        ("rds by any tag", Product::Rds, &[("Tags", r#"{"env":"prod","n":"3"}"#)], 116),
        ("rds by engine", Product::Rds, &[("Engine", "MariaDB")], 0),
        ("mongodb by id of the other list", Product::MongoDb, &[("DBInstanceId", "s-1")], 0),
        ("mongodb by tag", Product::MongoDb, &[("Tag.1.Key", "n"), ("Tag.1.Value", "8")], 1),
    ] {
        let size = if product == Product::Redis { 50 } else { 100 };
        assert_eq!(by_number(&caller, product, params, size).await.0.len(), count, "{name}");
    }
    let six: Vec<String> = (1..=6).map(|n| format!("Tag.{n}.Key")).collect();
    let mut params: Vec<_> = six.iter().map(|name| (&**name, "x")).collect();
    params.push(("RegionId", REGION));
    assert_eq!(caller.err(Product::Redis, "DescribeInstances", &params).await.0, 400, "at most five tags");
}

#[tokio::test]
async fn regions_come_in_three_shapes_and_rds_repeats_them() {
    let caller = full().await;
    let redis = caller.ok(Product::Redis, "DescribeRegions", &[]).await;
    assert_eq!(ids(&redis, "/RegionIds/KVStoreRegion", "RegionId"), [REGION, "eu-central-1"]);
    assert_eq!(redis["RegionIds"]["KVStoreRegion"][0]["LocalName"], "华东1（杭州）");
    let rds = caller.ok(Product::Rds, "DescribeRegions", &[]).await;
    let rows = ids(&rds, "/Regions/RDSRegion", "RegionId");
    assert_eq!((rows.len(), rows.iter().collect::<BTreeSet<_>>().len()), (6, 2));
    let mongodb = caller.ok(Product::MongoDb, "DescribeRegions", &[("AcceptLanguage", "en")]).await;
    assert_eq!(mongodb["Regions"]["DdsRegion"][1]["RegionName"], "Germany");
    assert!(mongodb["Regions"]["DdsRegion"][1]["EndPoint"].as_str().unwrap().ends_with(".aliyuncs.com"));
    let language = caller.err(Product::Rds, "DescribeRegions", &[("AcceptLanguage", "fr")]).await;
    assert_eq!(language, (404, "InvalidAcceptLanguage.NotFound".into()));
}

#[tokio::test]
async fn rds_tags_are_asked_for_by_id_or_tag_and_come_in_pages() {
    let caller = full().await;
    let base = [("RegionId", REGION), ("ResourceType", "INSTANCE")];
    let none = caller.err(Product::Rds, "ListTagResources", &base).await;
    assert_eq!(none, (400, "MissingResourceId".into()));
    let names: Vec<(String, String)> =
        (1..=51).map(|n| (format!("ResourceId.{n}"), format!("rm-{n}"))).collect();
    let with = |count: usize| -> Vec<(&str, &str)> {
        base.into_iter().chain(names[..count].iter().map(|(k, v)| (&**k, &**v))).collect()
    };
    assert_eq!(caller.err(Product::Rds, "ListTagResources", &with(51)).await.0, 400);
    caller.cloud.modify(|fleet| fleet.tag_rows_per_page = 60);
    let first = caller.ok(Product::Rds, "ListTagResources", &with(50)).await;
    assert_eq!(ids(&first, "/TagResources/TagResource", "ResourceId").len(), 60);
    let token = first["NextToken"].as_str().unwrap();
    let second =
        caller.ok(Product::Rds, "ListTagResources", &[with(50), vec![("NextToken", token)]].concat()).await;
    assert_eq!(ids(&second, "/TagResources/TagResource", "ResourceId").len(), 40);
    assert_eq!(second["NextToken"], "");
    let by_tag = [&base[..], &[("Tag.1.Key", "n"), ("Tag.1.Value", "3")]].concat();
    let by_tag = caller.ok(Product::Rds, "ListTagResources", &by_tag).await;
    assert_eq!(ids(&by_tag, "/TagResources/TagResource", "ResourceId"), ["rm-3", "rm-3"]);
}
