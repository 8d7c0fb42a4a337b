//! A daemon with a secret of every kind, over clouds that answer with secrets and repeat them.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use chrono::{TimeDelta, Utc};
use notafter::sim::alibaba::{AlibabaCloud, Engine, Fault, Instance, PRIVATE_KEY_MARKER, Role, Where};
use notafter::sim::demo::{Clouds, config_toml};
use notafter::sim::huawei::{HuaweiCloud, LINK_MARKER};
use notafter::sim::receivers::smtp::MailServer;
use notafter::sim::ucloud::{Block, Content, Entry, UCloud};
use notafter::sim::{fleet, huawei, ucloud};
use serde_json::json;

pub(crate) const ALIBABA: &str = "PLANTED-alibaba-secret-4711";
pub(crate) const UCLOUD: &str = "PLANTED-ucloud-secret-4711";
pub(crate) const HUAWEI: &str = "PLANTED-huawei-secret-4711";
pub(crate) const HOOK: &str = "PLANTED-webhook-token-4711";
pub(crate) const HEADER: &str = "PLANTED-header-4711";
pub(crate) const SIGNING: &str = "UExBTlRFRC1zaWduaW5nLXNlY3JldC00NzExLXBsYW50ZWQ=";
pub(crate) const SLACK: &str = "xoxb-PLANTED-slack-4711";
pub(crate) const SMTP: &str = "PLANTED-smtp-password-4711";
pub(crate) const PROXY: &str = "PLANTED-proxy-password-4711";
pub(crate) const HEARTBEAT: &str = "PLANTED-heartbeat-4711";
pub(crate) const PASSWORD: &str = "PLANTED-user-password-4711";
pub(crate) const WRONG: &str = "PLANTED-wrong-password-4711";

/// Everything outside of the daemon, and its folder.
pub(crate) struct World {
    alibaba: AlibabaCloud,
    /// Only asked with a role that it lends: what it repeats is what it lent.
    pub(crate) lender: AlibabaCloud,
    ucloud: UCloud,
    huawei: HuaweiCloud,
    _mail: MailServer,
    hash: String,
    key_lines: Vec<String>,
}

impl World {
    /// Starts the clouds and writes the configuration.
    pub(crate) async fn new(config: &Path, folder: &Path, port: u16, receiver: u16) -> Self {
        let now = Utc::now();
        let alibaba = AlibabaCloud::start(databases(), Utc::now).await.unwrap();
        let lender = AlibabaCloud::start(databases(), Utc::now).await.unwrap();
        let ucloud = UCloud::start(balancers(), Utc::now).await.unwrap();
        let mut caches = huawei::fleet::believable(8, now);
        for key in caches.accounts.iter_mut().flat_map(|account| &mut account.keys) {
            key.secret = HUAWEI.into();
        }
        let huawei = HuaweiCloud::start(caches, Utc::now).await.unwrap();
        let mail = MailServer::start(Some(("planted-user", SMTP)), Utc::now).await.unwrap();
        let hash = bcrypt::hash(PASSWORD, 4).unwrap();
        let key_lines = renewal_pair(folder);
        let clouds: Clouds =
            vec![Box::new(alibaba.clone()), Box::new(ucloud.clone()), Box::new(huawei.clone())];
        let text =
            config_toml(&clouds, &format!("127.0.0.1:{port}"), Some(&format!("{{ alice = '{hash}' }}")));
        let mail_port = mail.base_url().rsplit(':').next().unwrap().to_owned();
        let text = text + &rest(folder, receiver, &mail_port, &lender.base_url());
        fs::write(config, text).unwrap();
        fs::set_permissions(config, fs::Permissions::from_mode(0o600)).unwrap();
        Self { alibaba, lender, ucloud, huawei, _mail: mail, hash, key_lines }
    }

    /// Has every cloud repeat what it was asked with, in errors and in good answers, and in every place of them.
    pub(crate) fn repeat(&self) {
        for body in echoes(ALIBABA, "Code", "Message") {
            self.alibaba.inject(custom(403, &body), Where::default(), Some(4));
            self.alibaba.inject(custom(200, &body), Where::default(), Some(4));
        }
        // what the daemon got; commands got keys of their own
        for lent in self.lent().iter().rev().take(2) {
            for (body, action) in echoes(lent, "Code", "Message")
                .iter()
                .zip(["DescribeDBInstanceSSL", "DescribeDBInstances"].into_iter().cycle())
            {
                self.lender.inject(custom(403, body), Where::action(action), Some(1));
                self.lender.inject(custom(200, body), Where::action(action), Some(1));
            }
        }
        for body in echoes(UCLOUD, "RetCode", "Message") {
            self.ucloud.inject(custom(200, &body), Where::default(), Some(4));
        }
        for body in echoes(HUAWEI, "error_code", "error_msg") {
            self.huawei.inject(custom(403, &body), Where::default(), Some(2));
            self.huawei.inject(custom(200, &body), Where::default(), Some(2));
        }
    }

    /// The clouds answer well again.
    pub(crate) fn behave(&self) {
        self.alibaba.clear_faults();
        self.lender.clear_faults();
        self.ucloud.clear_faults();
        self.huawei.clear_faults();
    }

    /// Everything that must be seen nowhere, also in the forms in which it travels.
    pub(crate) fn secrets(&self) -> Vec<String> {
        use base64::Engine as _;
        let known = [
            ALIBABA,
            UCLOUD,
            HUAWEI,
            HOOK,
            HEADER,
            SIGNING,
            SLACK,
            SMTP,
            PROXY,
            HEARTBEAT,
            PASSWORD,
            WRONG,
            &self.hash,
            PRIVATE_KEY_MARKER,
            LINK_MARKER,
            "PRIVATE KEY",
            "StringToSign",
            "canonicalRequest",
        ];
        let mut secrets: Vec<String> = known.map(str::to_owned).into();
        let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
        secrets.extend([PASSWORD, WRONG].map(|password| base64(&format!("alice:{password}"))));
        secrets.push(base64(&format!("proxy:{PROXY}")));
        secrets.push(base64(SMTP));
        secrets.extend(self.key_lines.clone());
        secrets.extend(self.lent());
        secrets
    }

    /// What the simulated STS has handed out.
    pub(crate) fn lent(&self) -> Vec<String> {
        self.lender.modify(|fleet| {
            let keys = fleet.accounts.iter().flat_map(|account| &account.keys);
            let lent = keys.filter_map(|key| Some((key.token.as_ref()?, key)));
            lent.flat_map(|(token, key)| [token.text.to_string(), key.secret.to_string()]).collect()
        })
    }
}

fn databases() -> notafter::sim::alibaba::Fleet {
    let now = Utc::now();
    let mut fleet = fleet::believable(20, 7, now);
    for key in fleet.accounts.iter_mut().flat_map(|account| &mut account.keys) {
        key.secret = ALIBABA.into();
    }
    let (uid, region) = (fleet.accounts[0].uid.to_string(), fleet.regions[0].id.to_string());
    for number in 0..3 {
        let id = format!("pgm-planted-{number}");
        fleet.insert(Instance::new(Engine::PostgreSql, &id, &uid, &region, now + TimeDelta::days(100)));
    }
    fleet.sts.roles = vec![Role::new(&format!("acs:ram::{uid}:role/reader"), &uid)];
    fleet
}

fn balancers() -> notafter::sim::ucloud::Fleet {
    let mut fleet = ucloud::fleet::believable(6, 7, Utc::now());
    for key in fleet.accounts.iter_mut().flat_map(|account| &mut account.keys) {
        key.private = UCLOUD.into();
    }
    let account = &fleet.accounts[0];
    let (name, project) = (account.name.to_string(), account.projects[0].id.to_string());
    let region = fleet.regions[0].id.to_string();
    let ends = Utc::now() + TimeDelta::days(100);
    let leaf = Block::Leaf { host: "a.example".into(), begins: ends - TimeDelta::days(200), ends };
    let key =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END RSA PRIVATE KEY-----\n");
    let content = Content::Bundle(vec![Block::Key("RSA "), leaf, Block::Key("EC "), Block::Broken]);
    let more =
        ["PrivateKey", "UserCert", "SSLType", "USSLId"].map(|field| (field.to_owned(), key.clone().into()));
    let entry = Entry::new("ssl-planted", &name, &project, &region, ends);
    fleet.insert(Entry { content, name: key.as_str().into(), more: more.into(), ..entry });
    fleet
}

/// A pair of files for a renewal by hand; the lines of its key.
fn renewal_pair(folder: &Path) -> Vec<String> {
    let made = rcgen::generate_simple_self_signed(["b.example".to_owned()]).unwrap();
    let key = made.signing_key.serialize_pem();
    fs::write(folder.join("next.pem"), made.cert.pem()).unwrap();
    fs::write(folder.join("next.key"), &key).unwrap();
    fs::set_permissions(folder.join("next.key"), fs::Permissions::from_mode(0o600)).unwrap();
    key.lines().filter(|line| !line.starts_with('-') && line.len() > 40).map(str::to_owned).collect()
}

fn rest(folder: &Path, receiver: u16, mail: &str, alibaba: &str) -> String {
    let folder = folder.display();
    format!(
        "control_socket = '{folder}/control.sock'\n[store]\nurl = 'sqlite:{folder}/notafter.db'\n\
         [alert]\nheartbeat = 'http://127.0.0.1:{receiver}/{HEARTBEAT}'\n\
         [[account]]\nname = 'lent'\nprovider = 'alibaba'\nservices = ['rds']\nrate_limit = 20\n\
         credentials = {{ access_key_id = 'KEYID', access_key_secret = '{ALIBABA}' }}\n\
         assume_role = {{ role_arn = 'ROLE' }}\nendpoints = {{ rds = '{alibaba}', sts = '{alibaba}' }}\n\
         [[channel]]\nname = 'hook'\ntype = 'webhook'\nurl = 'http://127.0.0.1:{receiver}/{HOOK}'\n\
         headers = {{ x-token = '{HEADER}' }}\nsecret = 'whsec_{SIGNING}'\n\
         [[channel]]\nname = 'chat'\ntype = 'slack'\ntoken = '{SLACK}'\nchannel_id = 'C0000000001'\n\
         base_url = 'http://127.0.0.1:{receiver}'\n\
         [[channel]]\nname = 'behind'\ntype = 'webhook'\nurl = 'http://hooks.example/{HOOK}'\n\
         proxy = 'http://proxy:{PROXY}@127.0.0.1:{receiver}'\n\
         [[channel]]\nname = 'mail'\ntype = 'email'\nhost = '127.0.0.1'\nport = {mail}\ntls = 'none'\n\
         username = 'planted-user'\npassword = {{ file = '{folder}/smtp' }}\nfrom = 'a@b.example'\nto = ['c@d.example']\n\
         [renewal]\nmode = 'approve'\nannounce = '1m'\n[[renewal.allow]]\nmatch = 'cloud_service=\"rds\"'\n\
         window = {{ timezone = 'UTC', from = '02:00', to = '05:00' }}\n\
         certificate = {{ cert_file = '{folder}/next.pem', key_file = '{folder}/next.key' }}\n"
    )
}

fn custom(status: u16, body: &str) -> Fault {
    let one_line = body.replace('\n', " ");
    Fault::Custom { status, headers: vec![("x-request-id".into(), one_line)], body: body.to_owned().into() }
}

/// Answers that repeat a key, and private keys, as text, as JSON in known and in unknown fields, and cut.
fn echoes(secret: &str, code: &str, message: &str) -> Vec<String> {
    let key =
        format!("-----BEGIN RSA PRIVATE KEY-----\n{PRIVATE_KEY_MARKER}\n-----END RSA PRIVATE KEY-----\n");
    let link = format!("https://bucket.example/{LINK_MARKER}?Signature={LINK_MARKER}");
    let text = format!("{secret} {key}");
    let known =
        json!({ (code): "4711", (message): text, "RequestId": secret, "link": link, "token": secret });
    let odd = json!({ (code): secret, (message): secret, (secret): { (secret): [text, 4711] } });
    let good = json!({
        "RetCode": 0, "SSLEnabled": "on", "ServerCert": text, "ServerKey": text, "NextToken": secret, "Anything": text,
        "instance_num": secret, "DataSet": [{ "SSLId": "ssl-echo", "SSLName": text, "SSLContent": text, "Domains": text }],
        "Items": { "DBInstance": [{ "DBInstanceId": "rm-echo", "Engine": text, "DBInstanceStatus": text }] },
    });
    let cut = known.to_string();
    vec![known.to_string(), odd.to_string(), good.to_string(), text, cut[..cut.len() / 2].to_owned()]
}
