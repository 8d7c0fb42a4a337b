//! The demonstration as people meet it: the real program, one instance renewed by the command and one from the page.

use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use reqwest::header::{CONTENT_TYPE, LOCATION};
use serde_json::Value;

/// A renewal takes a minute or so, and is looked at every few seconds.
const PATIENCE: Duration = Duration::from_mins(3);

/// A running demonstration; ended when it goes out of scope.
struct Demo {
    child: Child,
    base: String,
    socket: String,
    password: String,
    client: reqwest::Client,
}

impl Drop for Demo {
    fn drop(&mut self) {
        // as Ctrl-C, so that it clears its folder away
        let told = Command::new("kill").args(["-INT", &self.child.id().to_string()]).status();
        if !told.is_ok_and(|status| status.success()) {
            let _ = self.child.kill();
        }
        let _ = self.child.wait();
    }
}

fn between<'t>(text: &'t str, before: &str, after: &str) -> Option<&'t str> {
    text.split_once(before)?.1.split(after).next().map(str::trim)
}

impl Demo {
    /// Starts it, and reads what it says of itself.
    fn start() -> Self {
        drop(rustls::crypto::aws_lc_rs::default_provider().install_default());
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
        command.args(["demo", "--login", "--listen", &format!("127.0.0.1:{port}")]);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut said = String::new();
        while !said.contains("Or renew one: ") {
            let line = lines.next().unwrap_or_else(|| panic!("it ended: {said}")).unwrap();
            said = said + &line + "\n";
        }
        // who stops reading would end it
        std::thread::spawn(move || lines.for_each(drop));
        let found =
            |before, after| between(&said, before, after).unwrap_or_else(|| panic!("{before}: {said}"));
        let base = format!("http://{}", found("Open http://", "/"));
        let socket = found("Try: notafter --socket ", " ").to_owned();
        let password = found("with the password ", "\n").to_owned();
        let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none());
        let client = client.timeout(Duration::from_secs(20)).build().unwrap();
        Self { child, base, socket, password, client }
    }

    async fn get(&self, path: &str) -> String {
        let request =
            self.client.get(format!("{}{path}", self.base)).basic_auth("demo", Some(&self.password));
        let answer = request.send().await.unwrap();
        let status = answer.status();
        let text = answer.text().await.unwrap();
        assert_eq!(status, 200, "{path}: {text}");
        text
    }

    async fn json(&self, path: &str) -> Value {
        serde_json::from_str(&self.get(path).await).unwrap()
    }

    async fn until(&self, path: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        let mut last = Value::Null;
        let began = std::time::Instant::now();
        while began.elapsed() < PATIENCE {
            last = self.json(path).await;
            if wanted(&last) {
                return last;
            }
            tokio::time::sleep(Duration::from_millis(500)).await;
        }
        panic!("not seen in time: {path}: {last}");
    }

    /// Id and end of a Redis instance of this account that can be ordered, and that nobody else renews meanwhile.
    async fn redis(&self, account: &str) -> (String, DateTime<Utc>) {
        let path = format!(
            "/api/v1/renewals?all=true&limit=500&match=cloud_service%3D%22redis%22,cloud_account%3D%22{account}%22"
        );
        let far = Utc::now() + TimeDelta::days(60);
        let fits = |item: &Value| {
            let ends = moment(&item["not_after"]).filter(|end| *end > far);
            let id = item["resource_id"].as_str().filter(|_| item["can_order"] == true)?;
            Some((id.to_owned(), ends?))
        };
        let first = |list: &Value| list["items"].as_array().and_then(|items| items.iter().find_map(fits));
        let list = self.until(&path, |list| first(list).is_some()).await;
        first(&list).expect("seen just now")
    }

    /// The API shows a later end.
    async fn is_later(&self, id: &str, before: DateTime<Utc>) -> DateTime<Utc> {
        let path = format!("/api/v1/certificates?match=resource_id%3D%22{id}%22");
        let end = |list: &Value| moment(&list["items"][0]["not_after"]);
        let list = self.until(&path, |list| end(list).is_some_and(|end| end > before)).await;
        end(&list).expect("seen just now")
    }
}

fn moment(value: &Value) -> Option<DateTime<Utc>> {
    value.as_str()?.parse().ok()
}

/// Name and value of everything that a form sends without being filled in.
fn hidden(html: &str) -> Vec<(String, String)> {
    let fields = html.split("<input type=\"hidden\" ").skip(1);
    let field = |text: &str| {
        let name = between(text, "name=\"", "\"")?.to_owned();
        Some((name, between(text, "value=\"", "\"")?.to_owned()))
    };
    fields.filter_map(field).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn one_instance_of_the_demonstration_is_renewed_by_the_command_and_one_from_the_page() {
    let demo = Demo::start();
    let (id, before) = demo.redis("prod-cn").await;
    let mut command = Command::new(env!("CARGO_BIN_EXE_notafter"));
    command.args(["--socket", &demo.socket, "renew", &id, "--now", "--yes"]).env("USER", "alice");
    let said = tokio::task::spawn_blocking(move || command.output().unwrap());

    // meanwhile
    let (other, other_before) = demo.redis("prod-intl").await;
    let html = demo.get(&format!("/renewals/order?resource={other}")).await;
    assert!(html.contains("ModifyInstanceSSL"), "{html}");
    let mut fields = hidden(&html);
    assert!(fields.iter().any(|(name, value)| name == "token" && !value.is_empty()), "{html}");
    fields
        .extend([("now", "yes"), ("what", "order")].map(|(name, value)| (name.to_owned(), value.to_owned())));
    let body: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let order = demo.client.post(format!("{}/renewals/order", demo.base)).body(body.join("&"));
    let order = order.header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let stranger = order.try_clone().unwrap().send().await.unwrap();
    assert_eq!(stranger.status(), 401, "nobody orders without saying who it is");
    let order = order.basic_auth("demo", Some(&demo.password)).header("origin", &demo.base);
    let again = order.try_clone().unwrap();
    let ordered = order.send().await.unwrap();
    assert_eq!(ordered.status(), 303, "{}", ordered.text().await.unwrap());
    let place = ordered.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(
        demo.get(&format!("/renewals/{place}")).await.contains(&other),
        "the page that the order leads to"
    );
    let attempt = place.split('?').next().unwrap().to_owned();
    let path = format!("/api/v1/renewals/{attempt}");
    let detail = demo.until(&path, |detail| detail["attempt"]["state"] == "confirmed").await;
    assert_eq!(detail["attempt"]["by"], "demo", "{detail}");
    let words = detail["history"].as_array().unwrap().iter().map(|entry| entry["state"].as_str().unwrap());
    let words: Vec<_> = words.collect();
    assert_eq!(words, ["approved", "stored", "accepted", "confirmed"], "{detail}");
    assert_eq!(again.send().await.unwrap().status(), 409, "a form counts once");
    let later = demo.is_later(&other, other_before).await;
    println!("from the page: {other} ended {other_before}, ends {later}");

    let said = said.await.unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (out, err) = (text(&said.stdout), text(&said.stderr));
    assert!(said.status.success(), "{out}\n{err}");
    let later = demo.is_later(&id, before).await;
    println!("by the command: {id} ended {before}, ends {later}\n{out}");
    let list = demo.json(&format!("/api/v1/renewals?all=true&match=resource_id%3D%22{id}%22")).await;
    let by = |item: &Value| item["attempt"]["by"] == "alice (control socket)";
    assert!(list["items"].as_array().unwrap().iter().any(by), "{list}");
}
