//! The simulated gateway is as strict as the real one: what it takes, what it refuses, in which words.

use chrono::Utc;
use notafter::provider::ucloud::sign::{self, KeyRef};
use notafter::sim::ucloud::{Account, Fleet, Key, Project, Region, Token, UCloud};
use serde_json::{Value, json};

use crate::support::{CLOSED_REGION, PROJECT, REGION, SECRET, days, entry, fleet};

struct Caller {
    cloud: UCloud,
    http: reqwest::Client,
}

const PUBLIC: &str = "prod+key/=@";

impl Caller {
    async fn to(fleet: Fleet) -> Self {
        crate::support::crypto();
        let http = reqwest::Client::builder().no_proxy().build().expect("a client");
        Self { cloud: UCloud::start(fleet, Utc::now).await.expect("a free port"), http }
    }

    async fn form(&self, body: String) -> Value {
        let request = self.http.post(format!("{}/", self.cloud.base_url())).body(body);
        let request = request.header("content-type", "application/x-www-form-urlencoded");
        let answer = request.send().await.expect("an answer");
        assert_eq!(answer.status(), 200, "business errors come with 200");
        assert!(answer.headers().contains_key("x-ucloud-request-uuid"));
        answer.json().await.expect("JSON")
    }

    async fn call(&self, params: Value, private_key: &str, token: Option<&str>) -> Value {
        let key = KeyRef { public_key: PUBLIC, private_key, token };
        self.form(sign::signed_form(sign::flatten(&params), &key)).await
    }

    async fn ok(&self, params: Value) -> Value {
        self.call(params, SECRET, None).await
    }
}

fn vectors() -> Vec<Value> {
    let file: Value = serde_json::from_str(include_str!("../vectors/ucloud.json")).expect("JSON");
    file["cases"].as_array().expect("cases").clone()
}

/// A fleet with the key of a vector and nothing else.
fn fleet_of(vector: &Value) -> Fleet {
    let text = |name: &str| vector[name].as_str().unwrap_or_default();
    let token = vector["security_token"].as_str();
    let token = token.map(|text| Token { text: text.into(), expires: days(1) });
    let key = Key { token, ..Key::new(text("public_key"), text("private_key")) };
    let mut fleet = Fleet::new(vec![Region::new("cn-bj2", "北京"), Region::new("hk", "香港")]);
    let projects = vec![Project::new("org-3kopqz", "x")];
    fleet.accounts = vec![Account { name: "vector".into(), projects, keys: vec![key] }];
    fleet
}

fn encoded(pairs: &[(String, String)]) -> String {
    let quote = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    pairs.iter().map(|(k, v)| format!("{}={}", quote(k), quote(v))).collect::<Vec<_>>().join("&")
}

/// The request of a vector as the SDK sent it, with this signature.
async fn send(caller: &Caller, vector: &Value, signature: &str) -> Value {
    if vector["encoding"] == "json" {
        let mut body = vector["params"].clone();
        body["PublicKey"] = vector["public_key"].clone();
        body["Signature"] = signature.into();
        if vector["security_token"].is_string() {
            body["SecurityToken"] = vector["security_token"].clone();
        }
        let request = caller.http.post(format!("{}/", caller.cloud.base_url())).body(body.to_string());
        let answer = request.header("content-type", "application/json").send().await.expect("an answer");
        return answer.json().await.expect("JSON");
    }
    let mut pairs = sign::flatten(&vector["flattened"]);
    pairs.push(("Signature".into(), signature.into()));
    caller.form(encoded(&pairs)).await
}

#[tokio::test]
async fn every_request_of_the_sdks_is_believed_and_one_that_was_touched_is_not() {
    let vectors = vectors();
    for vector in &vectors {
        let id = vector["id"].as_str().expect("an id");
        let caller = Caller::to(fleet_of(vector)).await;
        let signature = vector["signature"].as_str().expect("a signature");
        let believed = send(&caller, vector, signature).await["RetCode"].clone();
        // Calls that are not simulated are unknown, but their callers are not.
        let refused_for_its_key = [170, 171, 172, 174].map(Value::from).contains(&believed);
        assert!(!refused_for_its_key, "{id}: {believed}");
        let touched = format!("{}0", &signature[..39]);
        let touched = if touched == signature { format!("{}1", &signature[..39]) } else { touched };
        assert_eq!(send(&caller, vector, &touched).await["RetCode"], 171, "{id}: another signature");
        let mut other = vector.clone();
        let name = if vector["encoding"] == "json" { "params" } else { "flattened" };
        other[name]["Region"] = "touched".into();
        assert_eq!(send(&caller, &other, signature).await["RetCode"], 171, "{id}: another parameter");
    }
    assert_eq!(vectors.len(), 18, "vectors were added or lost");
}

#[tokio::test]
async fn what_is_wrong_with_a_call_is_told_by_its_code() {
    let mut fleet = fleet();
    let temporary = Token { text: "token".into(), expires: days(1) };
    fleet.accounts[0].keys.push(Key { token: Some(temporary), ..Key::new("temporary", SECRET) });
    fleet.accounts[0].keys[0].denied.push("uaccount:GetProjectList".into());
    let caller = Caller::to(fleet).await;
    let list = || json!({"Action": "DescribeSSLV2", "Region": REGION, "ProjectId": PROJECT});
    let with = |name: &str, value: Value| {
        let mut params = list();
        params[name] = value;
        params
    };
    for (name, params, code) in [
        ("no action", json!({"Region": REGION}), 160),
        ("an unknown action", with("Action", "DescribeNothing".into()), 161),
        ("no region", json!({"Action": "DescribeSSLV2", "ProjectId": PROJECT}), 220),
        ("an unknown region", with("Region", "cn-nowhere".into()), 230),
        ("a region that is not open", with("Region", CLOSED_REGION.into()), 230),
        ("a limit in words", with("Limit", "many".into()), 230),
        ("an unknown project", with("ProjectId", "org-none".into()), 292),
        ("a missing right", json!({"Action": "GetProjectList"}), 299),
        ("the default project", json!({"Action": "DescribeSSLV2", "Region": REGION}), 0),
        ("a parameter that nobody knows", with("Colour", "blue".into()), 0),
    ] {
        let answer = caller.ok(params).await;
        assert_eq!(answer["RetCode"], code, "{name}: {answer}");
        assert_eq!(answer.get("Action").is_some(), code >= 200 || code == 0, "{name}: {answer}");
    }
    assert_eq!(caller.call(list(), "another key", None).await["RetCode"], 171);
    assert_eq!(caller.call(list(), SECRET, Some("token")).await["RetCode"], 174, "a token too many");
    let unsigned = encoded(&sign::flatten(&with("PublicKey", PUBLIC.into())));
    assert_eq!(caller.form(unsigned).await["RetCode"], 170);
    let stranger = KeyRef { public_key: "nobody", private_key: SECRET, token: None };
    assert_eq!(caller.form(sign::signed_form(sign::flatten(&list()), &stranger)).await["RetCode"], 172);
    for (name, token, code) in [("right", Some("token"), 0), ("wrong", Some("x"), 174), ("none", None, 174)] {
        let key = KeyRef { public_key: "temporary", private_key: SECRET, token };
        let answer = caller.form(sign::signed_form(sign::flatten(&list()), &key)).await;
        assert_eq!(answer["RetCode"], code, "{name} token");
    }
}

#[tokio::test]
async fn rows_come_as_asked_for() {
    let mut fleet = fleet();
    for n in 0..30 {
        fleet.insert(entry(&format!("ssl-{n:02}")));
    }
    let caller = Caller::to(fleet).await;
    let page = async |more: Value| {
        let mut params = json!({"Action": "DescribeSSLV2", "Region": REGION, "ProjectId": PROJECT});
        for (name, value) in more.as_object().expect("an object") {
            params[name] = value.clone();
        }
        let answer = caller.ok(params).await;
        assert_eq!(answer["RetCode"], 0, "{answer}");
        let ids = answer["DataSet"].as_array().expect("rows").iter();
        ids.map(|row| row["SSLId"].as_str().expect("an id").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(page(json!({})).await.len(), 20, "the default");
    assert_eq!(page(json!({"Limit": 100})).await.len(), 30);
    assert_eq!(page(json!({"Limit": 2, "Offset": 29})).await, ["ssl-29"]);
    assert!(page(json!({"Offset": 30})).await.is_empty());
    assert_eq!(page(json!({"SSLId": "ssl-07"})).await, ["ssl-07"]);
    assert!(page(json!({"SSLId": "ssl-none"})).await.is_empty(), "no error");
    let regions = caller.ok(json!({"Action": "GetRegion"})).await;
    assert_eq!(regions["Regions"].as_array().expect("rows").len(), 6, "a row for each zone");
}
