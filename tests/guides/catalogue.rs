//! Every key of the configuration in words: what it means, and what holds where it is left out.
//!
//! Kind, limits and words of a key, whether it must be there, and an example are not written here: they come from the
//! reader and from `config.example.toml`. The tests beside hold this list against both, and the defaults against the
//! settings in effect.

/// One table of the file, or what a cloud or a type adds to it.
pub(super) struct Section {
    /// As in [`super::reader`]: `account(alibaba)`. Tables inside of it are parts of the names: `digest.at`.
    pub(super) path: &'static str,
    /// The heading.
    pub(super) title: &'static str,
    /// What stands above the keys.
    pub(super) text: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

/// One key.
pub(super) struct Key {
    pub(super) name: &'static str,
    pub(super) usual: Usual,
    pub(super) text: &'static str,
}

/// What holds where it is left out.
#[derive(Clone, Copy)]
pub(super) enum Usual {
    /// It cannot be left out (of its table, where that may be left out).
    Required,
    /// It cannot be left out under a condition.
    RequiredIf(&'static str),
    /// This value, as it is written.
    Is(&'static str),
    /// Something that is no value.
    Else(&'static str),
}

use Usual::{Else, Is, Required, RequiredIf};

const fn key(name: &'static str, usual: Usual, text: &'static str) -> Key {
    Key { name, usual, text }
}

pub(super) const INTRODUCTION: &str = r#"# Configuration

<!-- Made from tests/guides/catalogue.rs, config.example.toml and the answers of the reader; `UPDATE_EXPECT=1 cargo test --test guides` writes it anew. -->

One TOML file holds everything. It is the one that `--config` names, else `$NOTAFTER_CONFIG`, else `/etc/notafter/config.toml`, else `./config.toml`. The least that works is one `[[account]]` with `name`,
`provider` and `credentials`; [config.example.toml](../config.example.toml) has every key, ready to be taken in.

`notafter config` reads the file and shows every problem at once, with line, key, what is possible and the nearest right name,
or the settings in effect with secrets hidden. Unknown keys and wrong values are errors; nothing that is written is silently
without effect.

## Values

| kind | how it is written |
|---|---|
| duration | a whole number and a unit in quotes: `"90s"`, `"15m"`, `"12h"`, `"30d"` |
| secret | `"literal"`, `{ env = "NAME" }`, `{ file = "PATH" }`, or `{ credential = "NAME" }`, which is a file in systemd's `$CREDENTIALS_DIRECTORY`. Variables inside of texts (`"${NAME}"`) are not filled in |
| EXPR | `label OP "value"` joined by commas, all of which must hold; OP is `=`, `!=`, `=~` or `!~`, the last two with a regular expression that must match the whole value. A label that is absent counts as the empty text. Write it in single quotes: `'cloud_service="redis", tag:env!="prod"'` |
| days | `"mon"`, `"tue"`, `"wed"`, `"thu"`, `"fri"`, `"sat"`, `"sun"` |
| time of day | `"09:37"`, two digits each |
| date | `"2026-10-01"` |

Labels of an EXPR: `cloud_provider`, `cloud_account`, `cloud_project`, `cloud_region`, `cloud_service`, `resource_id`, `resource_name`, `tag:KEY` (of the resource), `label:KEY` (of the account) and `in_use` (`true` or
`false`, where the cloud says it) everywhere; `cert_role` (`server`, `ca`, `chain`) everywhere but in `include` and `exclude`; `severity`, `stage` and `type` in routes.

A file with a literal secret that everybody on the machine can read is refused; other files with secrets that others can read are warned of. Secrets are never shown: not in messages about problems, not in the log, not on the page.
Files with keys of clouds and the files of `[web] tls` are read again when they change. The files of `certificate` in
`[[renewal.allow]]` are read anew when a renewal is planned and once more before its call. Everything else is read at the
start and at a reload (`systemctl reload notafter`, `notafter reload`); a `credential` of systemd changes only with a restart.
"#;

pub(super) const TABLES: &[Section] = &[
    Section {
        path: "poll",
        title: "`[poll]`",
        text: "How often the clouds are asked. In between these limits a certificate is looked at whenever a thirtieth of the time that it has left has passed.",
        keys: &[
            key("max_age", Is("\"6h\""), "while the cloud answers, no certificate's data is older than this"),
            key(
                "min_interval",
                Is("\"10m\""),
                "the shortest time between two looks at one resource; never longer than `max_age`, and shortened with it",
            ),
            key(
                "discover_every",
                Is("\"1h\""),
                "how often each scope is listed: new resources appear, deleted ones go",
            ),
            key("timeout", Is("\"15s\""), "one API call, from connect to the last byte"),
            key("concurrency", Is("64"), "API calls in flight, in all"),
        ],
    },
    Section {
        path: "account",
        title: "`[[account]]`",
        text: "One set of credentials and what of it is watched; repeated for each account. At least one is needed. These keys are the same for every cloud; what a cloud adds is below.",
        keys: &[
            key(
                "name",
                Required,
                "unique; value of the label `cloud_account`; letters, digits, `-`, `_` and `.`, at most 64",
            ),
            key("provider", Required, "the cloud"),
            key("services", Else("every service of the provider"), "what is watched of it"),
            key(
                "regions",
                Is("\"all\""),
                "region ids; `\"all\"` are those that the cloud lists for the account. One that is named and does not answer stays, failing, and says so",
            ),
            key("include", Else("everything"), "EXPRs; a resource that matches any of them is kept"),
            key("exclude", Else("nothing"), "EXPRs; a resource that matches any of them is left out"),
            key("labels", Else("none"), "go into messages and bodies of webhooks; `label:KEY` in an EXPR"),
            key("owner_tag", Else("none"), "the tag of a resource that names its owner in messages"),
            key(
                "rate_limit",
                Else("starts at 3, finds its way up to 10"),
                "API calls per second for each API and region; where it is set it holds from the start. Halves when the cloud throttles",
            ),
            key(
                "proxy",
                Else("`HTTPS_PROXY`, `NO_PROXY`"),
                "between here and the cloud; with a user and password in it, it counts as a secret",
            ),
        ],
    },
    Section {
        path: "account(alibaba)",
        title: "`[[account]]` of Alibaba Cloud",
        text: "`provider = \"alibaba\"`; services `redis`, `rds` and `mongodb`. Permissions, roles and addresses: [clouds/alibaba.md](clouds/alibaba.md).",
        keys: &[
            key("credentials", Required, "where the key is found: written down, or from a source"),
            key("credentials.access_key_id", RequiredIf("without `source`"), "the half that names the key"),
            key("credentials.access_key_secret", RequiredIf("without `source`"), "the half that signs"),
            key("credentials.security_token", Else("none"), "the third part of a temporary key"),
            key(
                "credentials.source",
                Else("none"),
                "in place of a key: the SDK's own chain (environment, OIDC, credential files, instance role), or the metadata service alone",
            ),
            key("assume_role", Else("none"), "a role to take on first, with the key above"),
            key("assume_role.role_arn", Required, "the role"),
            key("assume_role.external_id", Else("none"), "only if the role's trust policy asks for one"),
            key("assume_role.session_name", Is("\"notafter\""), "shown in the cloud's audit log"),
            key(
                "endpoints",
                Else("the cloud's own"),
                "addresses in place of the usual ones; `{region}` is filled in; plain `http` only to this machine",
            ),
            key("endpoints.redis", Else("the region's own"), "ApsaraDB for Redis, Tair"),
            key("endpoints.rds", Else("the region's own"), "RDS"),
            key("endpoints.mongodb", Else("the region's own"), "ApsaraDB for MongoDB"),
            key("endpoints.sts", Else("`https://sts.aliyuncs.com`"), "where roles are taken on"),
        ],
    },
    Section {
        path: "account(ucloud)",
        title: "`[[account]]` of UCloud",
        text: "`provider = \"ucloud\"`; service `ulb`. Permissions and what the key can read: [clouds/ucloud.md](clouds/ucloud.md).",
        keys: &[
            key(
                "projects",
                Is("\"all\""),
                "project ids; `\"all\"` are those that the cloud lists for the account",
            ),
            key("credentials", Required, "where the key is found: written down, or from a source"),
            key("credentials.public_key", RequiredIf("without `source`"), "the half that names the key"),
            key("credentials.private_key", RequiredIf("without `source`"), "the half that signs"),
            key("credentials.security_token", Else("none"), "the third part of a temporary key"),
            key(
                "credentials.source",
                Else("none"),
                "in place of a key: environment, files of the cloud's own tools or instance role, or the metadata service alone",
            ),
            key(
                "endpoints",
                Else("the cloud's own"),
                "addresses in place of the usual ones; plain `http` only to this machine",
            ),
            key("endpoints.ulb", Else("`https://api.ucloud.cn`"), "the gateway of every region"),
        ],
    },
    Section {
        path: "account(huawei)",
        title: "`[[account]]` of Huawei Cloud",
        text: "`provider = \"huawei\"`; service `dcs`. Permissions, and why there are two dates: [clouds/huawei.md](clouds/huawei.md).",
        keys: &[
            key(
                "projects",
                Is("\"all\""),
                "project ids or names, sub-projects too; `\"all\"` are those that the key may use",
            ),
            key("credentials", Required, "where the key is found: written down, or from a source"),
            key("credentials.access_key", RequiredIf("without `source`"), "the half that names the key"),
            key("credentials.secret_key", RequiredIf("without `source`"), "the half that signs"),
            key("credentials.security_token", Else("none"), "the third part of a temporary key"),
            key(
                "credentials.source",
                Else("none"),
                "in place of a key: environment, credential file or instance's agency, or the metadata service alone",
            ),
            key("assume_role", Else("none"), "an agency of another account, for which to act"),
            key("assume_role.agency", Required, "its name"),
            key("assume_role.domain", Required, "name of the account that made it"),
            key(
                "endpoints",
                Else("the cloud's own"),
                "addresses in place of the usual ones; `{region}` is filled in; plain `http` only to this machine",
            ),
            key("endpoints.dcs", Else("`https://dcs.{region}.myhuaweicloud.com`"), "DCS"),
            key(
                "endpoints.iam",
                Else("`https://iam.myhuaweicloud.com`; of `eu-west-1xx` its own"),
                "projects and agencies",
            ),
            key(
                "endpoints.sts",
                Else("not called"),
                "taken for the sake of completeness: nothing is asked there",
            ),
        ],
    },
    Section {
        path: "alert",
        title: "`[alert]`",
        text: "When something is worth telling. What each kind of message means: [alerts.md](alerts.md).",
        keys: &[
            key(
                "thresholds",
                Else("as below"),
                "how close to its end a certificate enters each stage; capped to a third, a sixth and a twelfth of a known lifetime; `info` > `warning` > `critical`",
            ),
            key("thresholds.info", Is("\"30d\""), "worth knowing"),
            key("thresholds.warning", Is("\"14d\""), "worth planning"),
            key("thresholds.critical", Is("\"7d\""), "worth being woken for"),
            key(
                "remind",
                Else("as below"),
                "how long a stage that was told stays quiet before it is told again; `info` never is",
            ),
            key("remind.warning", Is("\"72h\""), "in stage `warning`"),
            key("remind.critical", Is("\"24h\""), "in stage `critical`"),
            key("remind.expired", Is("\"24h\""), "after the end; weekly after two weeks"),
            key(
                "blind_after",
                Is("\"1h\""),
                "a scope that could not be read for this long, and for three rounds, is reported",
            ),
            key(
                "timezone",
                Is("\"UTC\""),
                "a name of the IANA database; messages show UTC and this one, digests and quiet hours follow it",
            ),
            key(
                "fallback_channel",
                Else("none"),
                "the channel that tells when another one does not deliver, where none of its own routes does",
            ),
            key(
                "heartbeat",
                Else("none"),
                "an address that is called every minute while the daemon is alive, so that its silence is noticed",
            ),
            key(
                "test",
                Else("none"),
                "a message to every channel at a time of day, to see that they still arrive",
            ),
            key("test.at", Is("\"09:37\""), "time of day in `timezone`"),
            key("test.days", Is("[\"mon\"]"), "on these days"),
        ],
    },
    Section {
        path: "alert.override",
        title: "`[[alert.override]]`",
        text: "Other thresholds for some certificates; the first that matches counts.",
        keys: &[
            key("match", Required, "EXPR"),
            key("thresholds", Required, "what is not named is as in `[alert]`"),
            key("thresholds.info", Else("as in `[alert]`"), "worth knowing"),
            key("thresholds.warning", Else("as in `[alert]`"), "worth planning"),
            key("thresholds.critical", Else("as in `[alert]`"), "worth being woken for"),
        ],
    },
    Section {
        path: "channel",
        title: "`[[channel]]`",
        text: "A place where messages go. These keys are the same for every type; what a type adds is below, and how to make each in [alerts.md](alerts.md#channels).",
        keys: &[
            key("name", Required, "unique; what routes name"),
            key("type", Required, "how it is spoken to"),
            key("locale", Is("\"en\""), "language of its messages"),
            key("proxy", Else("`HTTPS_PROXY`, `NO_PROXY`"), "between here and the channel"),
            key(
                "template",
                Else("the built-in words"),
                "a file with a text of your own: [templates.md](templates.md)",
            ),
            key("rate", Else("see the table above"), "messages per minute at most"),
        ],
    },
    Section {
        path: "channel(slack)",
        title: "`[[channel]]` of type `slack`",
        text: "Either an incoming webhook (`url`), or the Web API, which answers in threads.",
        keys: &[
            key("url", RequiredIf("without `token`"), "address of the incoming webhook"),
            key("token", RequiredIf("without `url`"), "token of a bot"),
            key("channel_id", RequiredIf("with `token`"), "the channel's id, not its name"),
            key("base_url", Else("`https://slack.com`"), "in place of the vendor's address"),
        ],
    },
    Section {
        path: "channel(webhook)",
        title: "`[[channel]]` of type `webhook`",
        text: "",
        keys: &[
            key("url", Required, "your receiver; plain `http` is allowed"),
            key(
                "secret",
                Else("no signature"),
                "`whsec_` and base64 (Standard Webhooks), one or a list: each signs, which is how they are rotated",
            ),
            key("format", Is("\"notafter\""), "shape of the body"),
            key("headers", Else("none"), "headers to add; their values are secrets"),
        ],
    },
    Section {
        path: "channel(dingtalk)",
        title: "`[[channel]]` of type `dingtalk`",
        text: "",
        keys: &[
            key("url", Required, "address of the robot"),
            key("secret", Else("none"), "signs each message, where the robot asks for it (加签)"),
            key(
                "keyword",
                Else("none"),
                "a word that every message must hold, where the robot asks for it (自定义关键词)",
            ),
            key(
                "mention",
                Else("nobody"),
                "whom critical messages call by name: phone numbers, or `\"all\"`",
            ),
        ],
    },
    Section {
        path: "channel(feishu)",
        title: "`[[channel]]` of type `feishu`",
        text: "",
        keys: &[
            key("url", Required, "address of the robot; Lark's too"),
            key("secret", Else("none"), "signs each message, where the robot asks for it (签名校验)"),
            key("keyword", Else("none"), "a word that every message must hold, where the robot asks for it"),
            key("mention", Else("nobody"), "whom critical messages call by name: user ids, or `\"all\"`"),
        ],
    },
    Section {
        path: "channel(wecom)",
        title: "`[[channel]]` of type `wecom`",
        text: "",
        keys: &[
            key("url", Required, "address of the robot; the key in it is everything"),
            key("mention", Else("nobody"), "whom critical messages call by name: user ids, or `\"@all\"`"),
        ],
    },
    Section {
        path: "channel(teams)",
        title: "`[[channel]]` of type `teams`",
        text: "",
        keys: &[key("url", Required, "address of the workflow")],
    },
    Section {
        path: "channel(telegram)",
        title: "`[[channel]]` of type `telegram`",
        text: "",
        keys: &[
            key("token", Required, "token of the bot"),
            key(
                "chat_id",
                Required,
                "number of the chat, negative for groups; or in quotes `\"@name\"` of a public channel",
            ),
            key("thread_id", Else("none"), "topic inside a group"),
            key("base_url", Else("`https://api.telegram.org`"), "in place of the vendor's address"),
        ],
    },
    Section {
        path: "channel(pagerduty)",
        title: "`[[channel]]` of type `pagerduty`",
        text: "",
        keys: &[
            key("routing_key", Required, "integration key of the service (Events API v2)"),
            key(
                "base_url",
                Else("`https://events.pagerduty.com`"),
                "EU accounts: `https://events.eu.pagerduty.com`",
            ),
        ],
    },
    Section {
        path: "channel(alertmanager)",
        title: "`[[channel]]` of type `alertmanager`",
        text: "",
        keys: &[
            key("urls", Required, "each instance of the cluster, not a balancer before them"),
            key("username", RequiredIf("with `password`"), "basic authentication"),
            key("password", RequiredIf("with `username`"), "basic authentication"),
            key("bearer_token", Else("none"), "in place of both"),
        ],
    },
    Section {
        path: "channel(email)",
        title: "`[[channel]]` of type `email`",
        text: "",
        keys: &[
            key("host", Required, "the SMTP server"),
            key("port", Else("465, 587 or 25, by `tls`"), "its port"),
            key("tls", Is("\"implicit\""), "how the connection is protected"),
            key(
                "username",
                RequiredIf("with `password`"),
                "who we are to the server; needs `tls`, unless it is this machine",
            ),
            key("password", RequiredIf("with `username`"), "and what only that one knows"),
            key("from", Required, "sender"),
            key("to", Required, "receivers"),
        ],
    },
    Section {
        path: "route",
        title: "`[[route]]`",
        text: "Which messages go where, in order; the first that matches takes it. Without any route everything goes to every channel.",
        keys: &[
            key("match", Else("everything"), "EXPR"),
            key("channels", Required, "names of channels"),
            key(
                "group_wait",
                Is("\"60s\""),
                "how long the first event of a round waits for others to share its message",
            ),
            key("digest", Else("none"), "reminders and what can wait are collected until a time of day"),
            key("digest.at", Is("\"09:37\""), "time of day in the zone of `[alert]`"),
            key("digest.days", Else("every day"), "on these days"),
            key("digest.send_empty", Is("false"), "whether it also comes when there is nothing to say"),
            key("quiet", Else("none"), "info and warning wait until these hours or dates are over"),
            key("quiet.from", RequiredIf("without `dates`"), "begin"),
            key("quiet.to", RequiredIf("without `dates`"), "end; may be on the next day"),
            key("quiet.days", Else("every day"), "the days on which it begins"),
            key("quiet.dates", Else("none"), "whole days, from midnight to midnight"),
            key("thresholds", Else("those of `[alert]`"), "for the readers of this route"),
            key("thresholds.info", Else("as in `[alert]`"), "worth knowing"),
            key("thresholds.warning", Else("as in `[alert]`"), "worth planning"),
            key("thresholds.critical", Else("as in `[alert]`"), "worth being woken for"),
            key("send_renewed", Is("true"), "whether good news is told as well"),
            key("continue", Is("false"), "whether later routes are asked too"),
        ],
    },
    Section {
        path: "renewal",
        title: "`[renewal]`",
        text: "Renewing certificates in place; off until you say otherwise. How it works and how to begin: [renewal.md](renewal.md).",
        keys: &[
            key(
                "mode",
                Is("\"off\""),
                "`plan` shows and announces and never calls, `approve` calls after a person approved, `auto` calls; all but `off` need `url` in `[store]`",
            ),
            key("before", Is("\"14d\""), "renew when this close to the end"),
            key(
                "announce",
                Is("\"24h\""),
                "not before the plan was announced this long ago; shorter than `before`",
            ),
            key("max_in_progress", Is("1"), "renewals under way at the same time, per account"),
            key("max_per_day", Is("5"), "renewals begun per day"),
            key("stop_after_failures", Is("2"), "failures in a row after which renewal stops by itself"),
            key(
                "blackout",
                Else("none"),
                "whole days on which nothing is renewed, in the zone of the window; with `\"cloud\"` in that of `[alert]` and in UTC",
            ),
        ],
    },
    Section {
        path: "renewal.allow",
        title: "`[[renewal.allow]]`",
        text: "Nothing is renewed that no rule allows. The first one that matches counts.",
        keys: &[
            key("match", Required, "EXPR"),
            key("window", Required, "when; or `\"cloud\"`: the maintenance window that the cloud reports"),
            key("window.timezone", Required, "a name of the IANA database"),
            key("window.days", Else("every day"), "the days on which it begins"),
            key("window.from", Required, "begin"),
            key("window.to", Required, "end; may be on the next day"),
            key(
                "certificate",
                Else("none"),
                "for RDS instances with a certificate of their own: the next one",
            ),
            key("certificate.cert_file", Required, "PEM, leaf first, then its issuers"),
            key("certificate.key_file", Required, "PEM, not encrypted"),
            key("hook", Else("none"), "programs around a renewal, without a shell"),
            key(
                "hook.before",
                Else("none"),
                "program with its whole path, and arguments; one that fails keeps the renewal from happening",
            ),
            key("hook.after", Else("none"), "the same, once the outcome is known; one of the two is needed"),
            key("hook.timeout", Is("\"60s\""), "how long each may take"),
        ],
    },
    Section {
        path: "web",
        title: "`[web]`",
        text: "Our own address: page, metrics, API.",
        keys: &[
            key(
                "listen",
                Is("[\"127.0.0.1:9809\"]"),
                "addresses to listen on, with numbers and a fixed port",
            ),
            key(
                "tls",
                Else("plain HTTP"),
                "TLS 1.2 and 1.3 of our own; files are read again when they change",
            ),
            key("tls.cert_file", Required, "PEM, our certificate first, then its chain"),
            key("tls.key_file", Required, "PEM, without a passphrase"),
            key(
                "tls.client_ca_file",
                Else("anybody"),
                "clients must show a certificate of one of these authorities",
            ),
            key(
                "users",
                Else("everybody may look, nobody may change anything"),
                "names and bcrypt hashes (HTTP Basic): every path but `/-/healthy` and `/-/ready` asks, and users may change what the control socket may",
            ),
            key("external_url", Else("none"), "how others reach the page; links in messages begin with it"),
            key(
                "control_socket",
                Else("`$RUNTIME_DIRECTORY/control.sock`, else `/run/notafter/control.sock`"),
                "the socket of the commands. Whoever may open it may silence, send, approve and order renewals",
            ),
        ],
    },
    Section {
        path: "store",
        title: "`[store]`",
        text: "What outlives the process. While it cannot be used, polling and metrics go on without it (`notafter_store_up` is 0).",
        keys: &[key(
            "url",
            Else("`notafter.db` in `$STATE_DIRECTORY`, else `./notafter.db`"),
            "`sqlite:PATH`, a file for this daemon alone, or `postgres://…`; ask for `?sslmode=verify-full` unless the server is on this machine",
        )],
    },
];
