//! The simulated clouds with three resources in one place, their honest answers, and accounts that ask.

use std::pin::Pin;
use std::sync::Arc;

use chrono::{DateTime, TimeDelta, Utc};
use notafter::clock::Clock;
use notafter::domain::identity::Scope;
use notafter::http::Http;
use notafter::provider::Provider;
use notafter::sim::alibaba::{AlibabaCloud, Engine, Fault, Instance, PRIVATE_KEY_MARKER, Where, certificate};
use notafter::sim::huawei::HuaweiCloud;
use notafter::sim::ucloud::UCloud;
use notafter::telemetry::Telemetry;
use serde_json::{Value, json};

use crate::common::quick;
use crate::run::is_known;
use crate::support::{alibaba, huawei, ucloud};

/// So many are in the place.
pub(crate) const THREE: [&str; 3] = ["res-0", "res-1", "res-2"];

/// A service and its honest answers. Those of the listing tell of the three resources that are really there.
pub(crate) struct Service {
    pub(crate) name: &'static str,
    pub(crate) scope: Scope,
    /// The call that lists places, and its answer.
    pub(crate) places: (&'static str, Value),
    /// The call that lists resources, and its answer.
    pub(crate) listing: (&'static str, Value),
    /// Where in it the rows are.
    pub(crate) rows: &'static str,
    /// Where in it the number of rows is.
    pub(crate) total: &'static str,
    /// The call for one resource, and its answer.
    pub(crate) detail: (&'static str, Value),
    /// Error answers, with their status.
    pub(crate) errors: Vec<(u16, Value)>,
    /// The secrets of its account.
    pub(crate) secrets: [&'static str; 2],
    cloud: Cloud,
    http: Http,
}

enum Cloud {
    Alibaba(AlibabaCloud, &'static str),
    UCloud(UCloud),
    Huawei(HuaweiCloud),
}

type Made = Pin<Box<dyn Future<Output = Service> + Send>>;

/// Starts every service; each is a target of its own.
pub(crate) const SERVICES: &[fn() -> Made] = &[
    || Box::pin(redis()),
    || Box::pin(rds()),
    || Box::pin(mongodb()),
    || Box::pin(ulb()),
    || Box::pin(dcs()),
];

impl Service {
    /// What of its secrets nobody may see after this input.
    pub(crate) fn hidden(&self, input: &[u8]) -> &[&'static str] {
        let [own, private] = &self.secrets;
        if is_known(input, private, &["PRIVATE KEY-----"]) {
            &self.secrets
        } else {
            std::slice::from_ref(own)
        }
    }

    /// A new account, which remembers nothing; connections are kept all the same.
    pub(crate) fn provider(&self) -> Arc<dyn Provider> {
        let http = &self.http;
        match &self.cloud {
            Cloud::Alibaba(cloud, service) => {
                let build = alibaba::Build { services: vec![*service], ..alibaba::Build::account("prod") };
                build.build(&cloud.base_url(), http).provider
            }
            Cloud::UCloud(cloud) => ucloud::Build::account("prod").build(&cloud.base_url(), http).provider,
            Cloud::Huawei(cloud) => huawei::Build::account("prod").build(cloud, http).provider,
        }
    }

    /// From now on this is the answer to these calls.
    pub(crate) fn answer(&self, place: Where, status: u16, body: Vec<u8>) {
        let fault = Fault::Custom { status, headers: vec![], body: body.into() };
        match &self.cloud {
            Cloud::Alibaba(cloud, _) => {
                cloud.clear_faults();
                cloud.inject(fault, place, None);
            }
            Cloud::UCloud(cloud) => {
                cloud.clear_faults();
                cloud.inject(fault, place, None);
            }
            Cloud::Huawei(cloud) => {
                cloud.clear_faults();
                cloud.inject(fault, place, None);
            }
        }
    }

    /// Honest answers from now on.
    pub(crate) fn heal(&self) {
        match &self.cloud {
            Cloud::Alibaba(cloud, _) => cloud.clear_faults(),
            Cloud::UCloud(cloud) => cloud.clear_faults(),
            Cloud::Huawei(cloud) => cloud.clear_faults(),
        }
    }
}

fn http() -> Http {
    crate::common::crypto();
    let timeout = std::time::Duration::from_secs(30);
    Http::new(timeout, quick().concurrency, Clock::system(), Arc::new(Telemetry::new()))
}

fn scope(provider: &str, project: &str, region: &str, service: &str) -> Scope {
    let (account, service) = ("prod".into(), service.into());
    Scope { provider: provider.into(), account, project: project.into(), region: region.into(), service }
}

fn ends() -> DateTime<Utc> {
    alibaba::days(100)
}

/// A bundle with the private key in front.
fn bundle() -> String {
    let key =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END RSA PRIVATE KEY-----\n");
    key + &certificate("a.example", ends() - TimeDelta::days(365), ends())
}

/// What is the same for the three services of Alibaba Cloud.
struct Alibaba {
    service: &'static str,
    engine: Engine,
    regions: Value,
    listing: (&'static str, Value),
    rows: &'static str,
    total: &'static str,
    detail: (&'static str, Value),
}

async fn alibaba(of: Alibaba) -> Service {
    let mut fleet = alibaba::fleet();
    for id in THREE {
        let (uid, region) = (alibaba::UID, alibaba::REGION);
        fleet.insert(Instance::new(of.engine, id, uid, region, ends()));
    }
    let cloud = AlibabaCloud::start(fleet, Utc::now).await.expect("a free port");
    let echo = format!("{} {}", alibaba::SECRET, alibaba::TOKEN);
    Service {
        name: of.service,
        scope: scope("alibaba", "", alibaba::REGION, of.service),
        places: ("DescribeRegions", of.regions),
        listing: of.listing,
        rows: of.rows,
        total: of.total,
        detail: of.detail,
        errors: vec![
            (400, json!({"Code":"Throttling.User","Message":alibaba::SECRET,"RequestId":"R","HostId":"x"})),
            (403, json!({"Code":"Forbidden.RAM","Message":alibaba::SECRET,"RequestId":alibaba::SECRET})),
            (404, json!({"code":"InvalidAccessKeyId.NotFound","message":alibaba::SECRET,"requestId":"R"})),
            (400, json!({"Code":"SignatureDoesNotMatch","Message":echo,"RequestId":"R"})),
            (500, json!({"Code":"InternalError","Message":"x","RequestId":"R","Recommend":"https://x"})),
        ],
        // Only the secret is sent by this account.
        secrets: [alibaba::SECRET, PRIVATE_KEY_MARKER],
        cloud: Cloud::Alibaba(cloud, of.service),
        http: http(),
    }
}

async fn redis() -> Service {
    let row = |id: &&str| {
        json!({"InstanceId":id,"InstanceName":"订单库","InstanceStatus":"Normal","InstanceType":"Tair","RegionId":"cn-hangzhou",
            "EngineVersion":"7.0","ArchitectureType":"cluster","Tags":{"Tag":[{"Key":"env","Value":"prod"}]},"Port":6379})
    };
    let rows: Vec<_> = THREE.iter().map(row).collect();
    alibaba(Alibaba {
        service: "redis",
        engine: Engine::Redis,
        regions: json!({"RequestId":"R","RegionIds":{"KVStoreRegion":[{"RegionId":"cn-hangzhou"},{"RegionId":"eu-central-1"}]}}),
        listing: (
            "DescribeInstances",
            json!({"RequestId":"R","TotalCount":3,"PageNumber":1,"PageSize":50,"Instances":{"KVStoreInstance":rows}}),
        ),
        rows: "/Instances/KVStoreInstance",
        total: "/TotalCount",
        detail: (
            "DescribeInstanceSSL",
            json!({"RequestId":"R","InstanceId":"res-0","SSLEnabled":"Enable","SSLExpiredTime":"2027-01-02T03:04:05Z",
                "CertCommonName":"r.redis.rds.aliyuncs.com","PrivateKey":bundle()}),
        ),
    })
    .await
}

async fn rds() -> Service {
    let row = |id: &&str| {
        json!({"DBInstanceId":id,"DBInstanceDescription":"x","DBInstanceStatus":"Running","Engine":"PostgreSQL",
            "EngineVersion":16.0,"DBInstanceType":"Primary","LockMode":"Unlock","MasterInstanceId":"","ReadOnlyDBInstanceIds":{"ReadOnlyDBInstanceId":[]}})
    };
    let rows: Vec<_> = THREE.iter().map(row).collect();
    alibaba(Alibaba {
        service: "rds",
        engine: Engine::MySql,
        regions: json!({"RequestId":"R","Regions":{"RDSRegion":[{"RegionId":"cn-hangzhou","ZoneId":"a"},{"RegionId":"cn-hangzhou","ZoneId":"b"}]}}),
        listing: (
            "DescribeDBInstances",
            json!({"RequestId":"R","TotalRecordCount":3,"PageNumber":1,"PageRecordCount":3,"Items":{"DBInstance":rows}}),
        ),
        rows: "/Items/DBInstance",
        total: "/TotalRecordCount",
        detail: (
            "DescribeDBInstanceSSL",
            json!({"RequestId":"R","SSLEnabled":"on","SSLExpireTime":"2027-01-02T03:04:05Z","RequireUpdate":"No","CAType":"aliyun",
                "ConnectionString":"pgm-1.pg.rds.aliyuncs.com","ServerCert":bundle(),"ServerKey":bundle(),"SSLCreateTime":"2026-01-02T03:04:05Z"}),
        ),
    })
    .await
}

async fn mongodb() -> Service {
    let row = |id: &&str| {
        json!({"DBInstanceId":id,"DBInstanceDescription":"x","DBInstanceStatus":"Running","Engine":"MongoDB",
            "EngineVersion":"6.0","DBInstanceType":"replicate","LockMode":"Unlock","Tags":{"Tag":[]}})
    };
    let rows: Vec<_> = THREE.iter().map(row).collect();
    alibaba(Alibaba {
        service: "mongodb",
        engine: Engine::MongoReplica,
        regions: json!({"RequestId":"R","Regions":{"DdsRegion":[{"RegionId":"cn-hangzhou"},{"RegionId":"eu-central-1","Zones":{}}]}}),
        listing: (
            "DescribeDBInstances",
            json!({"RequestId":"R","TotalCount":3,"PageNumber":1,"PageSize":100,"DBInstances":{"DBInstance":rows}}),
        ),
        rows: "/DBInstances/DBInstance",
        total: "/TotalCount",
        detail: (
            "DescribeDBInstanceSSL",
            json!({"RequestId":"R","SSLStatus":"Open","SSLExpiredTime":"2027-01-02T03:04:05Z","CertCommonName":"dds.example","x":bundle()}),
        ),
    })
    .await
}

async fn ulb() -> Service {
    let mut fleet = ucloud::fleet();
    for id in THREE {
        fleet.insert(ucloud::entry(id));
    }
    let cloud = UCloud::start(fleet, Utc::now).await.expect("a free port");
    let row = |id: &&str| {
        json!({"SSLId":id,"SSLName":"官网","SSLType":"Pem","CreateTime":1_600_000_000,"HashValue":"0a1b","Domains":"a.example",
            "SSLContent":bundle(),"PrivateKey":bundle(),"NotBefore":1_600_000_000,"NotAfter":1_795_910_400,
            "Relations":[{"LoadBalancerId":"alb-1","LoadBalancerName":"portal","ListenerId":"als-1","ListenerName":"https"}]})
    };
    let rows: Vec<_> = THREE.iter().map(row).collect();
    let one = json!({"RetCode":0,"Action":"DescribeSSLV2Response","TotalCount":1,"DataSet":[rows[0]]});
    Service {
        name: "ulb",
        scope: scope("ucloud", ucloud::PROJECT, ucloud::REGION, "ulb"),
        places: (
            "GetRegion",
            json!({"RetCode":0,"Action":"GetRegionResponse","Regions":[{"RegionId":1,"Region":"cn-bj2","Zone":"cn-bj2-01","IsDefault":true},
                {"RegionId":2,"Region":"hk","Zone":"hk-01"}]}),
        ),
        listing: (
            "DescribeSSLV2",
            json!({"RetCode":0,"Action":"DescribeSSLV2Response","TotalCount":3,"DataSet":rows}),
        ),
        rows: "/DataSet",
        total: "/TotalCount",
        detail: ("DescribeSSLV2", one),
        errors: vec![
            (200, json!({"RetCode":171,"Action":"x","Message":ucloud::SECRET})),
            (200, json!({"RetCode":"299","Message":ucloud::SECRET})),
            (200, json!({"RetCode":153,"Message":ucloud::SECRET})),
            (503, json!({"RetCode":150,"Message":ucloud::SECRET})),
        ],
        secrets: [ucloud::SECRET, PRIVATE_KEY_MARKER],
        cloud: Cloud::UCloud(cloud),
        http: http(),
    }
}

async fn dcs() -> Service {
    let mut fleet = huawei::fleet();
    for id in THREE {
        fleet.insert(huawei::instance(id));
    }
    let cloud = HuaweiCloud::start(fleet, Utc::now).await.expect("a free port");
    let row = |id: &&str| {
        json!({"instance_id":id,"name":"订单缓存","status":"RUNNING","engine":"Redis","engine_version":"6.0","port":6379,
            "features":{"support_ssl":true},"tags":[{"key":"env","value":"prod"}],"publicip_id":null,"az_codes":["cn-north-4a"]})
    };
    let rows: Vec<_> = THREE.iter().map(row).collect();
    let project = |id: &str, name: &str| json!({"id":id,"name":name,"parent_id":"account-1","domain_id":"account-1","enabled":true,"is_domain":false});
    Service {
        name: "dcs",
        scope: scope("huawei", huawei::PROJECT, huawei::REGION, "dcs"),
        places: (
            "KeystoneListAuthProjects",
            json!({"projects":[project(huawei::PROJECT, huawei::REGION), project(huawei::ELSEWHERE, huawei::OTHER_REGION)],
                "links":{"next":null,"self":""}}),
        ),
        listing: ("ListInstances", json!({"instance_num":3,"instances":rows})),
        rows: "/instances",
        total: "/instance_num",
        detail: (
            "ShowInstanceSslDetail",
            json!({"enabled":true,"ip":"192.168.0.9","port":"6379","domain_name":"redis.dcs.huaweicloud.com:6379",
                "ssl_expired_at":"2027-06-15T02:21:18.669Z","ssl_validated":true,"key":bundle()}),
        ),
        errors: vec![
            (
                401,
                json!({"error_code":"APIGW.0301","error_msg":format!("signed with {}", huawei::SECRET),"request_id":"r"}),
            ),
            (403, json!({"error_code":"DCS.2003","error_msg":huawei::SECRET,"request_id":huawei::SECRET})),
            (429, json!({"error_code":"APIGW.0308","error_msg":"limit:20,time:1 minute","request_id":"r"})),
            (400, json!({"errorCode":"DCS.4201","errorMsg":huawei::SECRET})),
            (500, json!({"error":{"code":500,"message":huawei::SECRET,"title":"x"}})),
        ],
        secrets: [huawei::SECRET, PRIVATE_KEY_MARKER],
        cloud: Cloud::Huawei(cloud),
        http: http(),
    }
}

/// What the link of an archive leads to, from now on.
pub(crate) fn archive_is(service: &Service, bytes: Vec<u8>) {
    let Cloud::Huawei(cloud) = &service.cloud else { panic!("only one cloud has archives") };
    let download = notafter::sim::huawei::Download::Bytes(bytes.into());
    assert!(cloud.change(THREE[0], |instance| instance.download = download));
}
