//! Why something failed, is refused or is not told, in the language of a page, and what to do about it.
//!
//! The English texts stand where the reasons are decided; here is what they are in Chinese, and what a person can do about
//! a failed look. Each table is a `match` without a rest, so that a new reason does not build without its words.

use chrono::{DateTime, Utc};

use super::renewals::minute;
use super::words::{Words, fill};
use crate::domain::alert::judge::{Hold, When};
use crate::domain::policy::Locale;
use crate::domain::reason::Reason;
use crate::domain::renewal::refusal::Refusal;
use crate::visible::shortened;
use crate::web::context::PageContext;
use crate::web::inside::OrderError;

/// What is the case, and what a person can do about it.
pub fn refusal(why: Refusal, locale: Locale) -> (&'static str, &'static str) {
    match locale {
        Locale::En => (why.text(), why.advice()),
        Locale::Zh => chinese_refusal(why),
    }
}

fn chinese_refusal(why: Refusal) -> (&'static str, &'static str) {
    const NOTHING: &str = "无需处理";
    match why {
        Refusal::Unsupported => ("此类实例不支持 TLS", "无需处理：没有可续期的证书"),
        Refusal::TlsOff => ("TLS 未启用", "无需处理：在启用 TLS 之前没有可续期的证书"),
        Refusal::NotRead => ("尚未读到其证书", "用 `notafter doctor` 查看无法读取的原因"),
        Refusal::NoApi => ("云平台没有续期此证书的接口", "在云控制台续期，或上传新证书"),
        Refusal::UnknownEngine => ("不清楚此引擎如何续期", "在云控制台续期"),
        Refusal::DatesDisagree => ("证书与云平台字段给出的到期时间不一致", "在控制台核对两者，并在那里续期"),
        Refusal::ModeOff => {
            ("续期已关闭", "将 [renewal] 的 `mode` 设为 \"plan\" 查看计划，再设为 \"approve\" 或 \"auto\"")
        }
        Refusal::NotAllowed => ("没有规则允许", "如可续期，添加与之匹配的 [[renewal.allow]]"),
        Refusal::TagsUnknown => (
            "有规则用到标签，而上次列表没有给出标签",
            "允许密钥读取标签（见 `notafter doctor`），或改用不含标签的规则",
        ),
        Refusal::CloudRotation => ("云平台会自动续期", "无需处理，或在控制台关闭自动续期"),
        Refusal::OwnerUncertain => ("云平台未说明证书归属，续期可能替换您自有的证书", "在云控制台续期"),
        Refusal::OwnCertificateMissing => {
            ("使用的是自有证书，且没有可替换的新证书", "在允许它的规则的 `certificate` 中指定新的证书与私钥")
        }
        Refusal::OwnCertificateUnfit => {
            ("新的自有证书不能替换现有证书", "放入匹配、覆盖受保护主机且到期更晚的证书与私钥")
        }
        Refusal::OwnCertificateUnwanted => (
            "现有证书由云平台签发，而允许它的规则指定了自有证书",
            "用不带 `certificate` 的规则匹配它，或先在控制台换成自有证书",
        ),
        Refusal::Rejected => ("已被人工拒绝", "如情况有变，用 `notafter renew` 手动续期"),
        Refusal::AlreadyTried => {
            ("已为此证书发出过一次，不会自动重发", "在控制台检查实例，再用 `notafter renew` 重试")
        }
        Refusal::StoppedAfterFailures => {
            ("续期接连失败，已全部停止", "查明原因；人工执行的 `notafter renew` 仍会执行，成功后自动恢复")
        }
        Refusal::Silenced => ("已被人工静默", "如可续期，结束该静默"),
        Refusal::Locked => ("实例被锁定", "在控制台查看原因：多为欠费或磁盘已满"),
        Refusal::NotRunning => ("实例未在运行", "启动实例，或不予处理"),
        Refusal::CloudWindowUncertain => {
            ("无法识别云平台报告的维护窗口", "在规则中写明时间，代替 `window = \"cloud\"`")
        }
        Refusal::NoWindow => {
            ("近期没有足够长且不在封禁日期内的窗口", "将窗口设为至少 40 分钟，或减少 `blackout` 日期")
        }
        Refusal::TooEarly => ("距到期尚远，未进入 `before` 期限", NOTHING),
        Refusal::EndsBeforeWindow => (
            "将在下一个窗口之前到期",
            "用 `notafter renew --now` 手动续期，或设置更早的窗口或更长的 `before`",
        ),
        Refusal::NotAnnounced => ("预告时间尚不够长", NOTHING),
        Refusal::NotApproved => ("尚无人批准", "批准或拒绝"),
        Refusal::NotSentYet => ("未能开始，或钩子程序不同意；云平台未收到任何内容", "无需处理：会再次尝试"),
        Refusal::Blackout => ("今天是封禁日期", NOTHING),
        Refusal::WindowTooShort => ("窗口剩余时间短于一次续期所需", "无需处理：等待下一个窗口"),
        Refusal::OutsideWindow => ("不在窗口时间内", NOTHING),
        Refusal::StaleReading => (
            "对它或其复制组的信息不是刚刚读到的",
            "无需处理：会先重新读取；若一直如此，详情会说明读取失败的原因",
        ),
        Refusal::HostUncertain => ("无法确定证书所保护的主机，更换可能使其他主机失去保护", "在云控制台续期"),
        Refusal::UnderWayElsewhere => ("已有他人正在更改其 TLS", "无需处理：结束后会再次查看"),
        Refusal::Changing => ("云平台表示正在变更", "无需处理：结束后会再次查看"),
        Refusal::GroupBusy => ("同一复制组的另一成员正在变更或未运行", "无需处理：在其之后进行"),
        Refusal::AccountLimit => ("该账号进行中的续期已达 `max_in_progress`", "无需处理：在其之后进行"),
        Refusal::DayLimit => ("24 小时内开始的续期已达 `max_per_day`", "无需处理，或调高 `max_per_day`"),
        Refusal::ModePlan => {
            ("现在本应续期；\"plan\" 模式仅作展示", "将 `mode` 设为 \"approve\" 或 \"auto\"")
        }
    }
}

/// What a failed look means, and what a person can do about it.
pub fn reason(reason: Reason, locale: Locale) -> (&'static str, &'static str) {
    let (english, chinese) = match reason {
        Reason::Denied => (
            (
                "the cloud does not accept the key, or it lacks a permission",
                "run `notafter doctor`: it names the missing permission and the policy that grants it",
            ),
            ("云平台不接受密钥，或缺少权限", "运行 `notafter doctor`：它会指出缺少的权限及相应策略"),
        ),
        Reason::Throttled => (
            (
                "there were too many calls",
                "nothing: calls go out more slowly now; see who else uses the account's quota, or set `rate_limit`",
            ),
            ("调用过于频繁", "无需处理：已自动放慢；检查还有谁占用该账号的配额，或设置 `rate_limit`"),
        ),
        Reason::Unreachable => (
            ("no answer came", "check name resolution, firewall and `proxy` on the machine of the daemon"),
            ("没有任何应答", "检查守护进程所在机器的域名解析、防火墙与 `proxy`"),
        ),
        Reason::Timeout => (
            (
                "the answer did not come in time",
                "check the network; raise `timeout` in [poll] for a slow way",
            ),
            ("应答超时", "检查网络；线路较慢时调高 [poll] 的 `timeout`"),
        ),
        Reason::Refused => (
            (
                "the cloud answered with an error of its own",
                "look the code up; leave the region or service out of the account where it cannot be used",
            ),
            ("云平台返回了自身的错误", "查询该错误码；若该地域或服务不可用，从账号配置中排除"),
        ),
        Reason::Unreadable => (
            (
                "the answer was not understood",
                "report it with the text beside this; a proxy that answers in place of the cloud does this, too",
            ),
            ("无法理解应答内容", "附上旁边的文字反馈；代替云平台应答的代理也会造成此问题"),
        ),
        Reason::TooLarge => (
            ("the answer was longer than any honest one", "check the endpoint and the proxy of the account"),
            ("应答超出合理长度", "检查该账号的接入地址与代理"),
        ),
        Reason::Internal => (
            ("a defect of notafter", "report it with the log of that moment"),
            ("notafter 自身的缺陷", "附上当时的日志反馈"),
        ),
    };
    match locale {
        Locale::En => english,
        Locale::Zh => chinese,
    }
}

/// Why a channel is told nothing now.
pub fn hold(hold: &Hold, context: &PageContext<'_>, words: &Words) -> String {
    if words.locale == Locale::En {
        return hold.to_string();
    }
    let at = |at: &DateTime<Utc>| minute(*at, context);
    match hold {
        Hold::Fine => "不处于任何级别".to_owned(),
        Hold::Known { stage, at: told, again } => {
            let said = fill("{} 已按“{}”通知", &[&at(told), words.stage(*stage)]);
            again.map_or(said.clone(), |again| said + &fill("；{} 起提醒", &[&at(&again)]))
        }
        Hold::NoRoute => "没有路由通往该渠道".to_owned(),
        Hold::BelowLeast(least) => fill("该渠道自级别“{}”起接收", &[words.stage(*least)]),
        Hold::Doubted(read) => fill("{} 曾读到一次另外的日期，由下次查看决定", &[&at(read)]),
        Hold::Missing => "最近一次查看未见到，由下次查看决定".to_owned(),
        Hold::Silenced { id, until } => fill("由静默 {} 保持至 {}", &[&shortened(id, 80), &at(until)]),
        Hold::Quiet(until) => fill("免打扰时段至 {}", &[&at(until)]),
        Hold::Planned(planned) => fill("已计划于 {} 续期", &[&at(planned)]),
        Hold::NeverTold => "在通知任何人之前已续期".to_owned(),
        Hold::RenewedUnwanted => "路由设置了 send_renewed = false".to_owned(),
        Hold::ToldAsRenewal => "notafter 续期时已通知".to_owned(),
        Hold::Replica => "该渠道每分钟接收完整状态".to_owned(),
    }
}

/// When a channel is told.
pub fn when(when: When, words: &Words) -> &'static str {
    match when {
        When::First => words.more.told_first,
        When::Soon => words.more.told_soon,
        When::Along => words.more.told_along,
        When::Digest => words.more.told_digest,
    }
}

/// Why an order was not taken.
pub fn order(error: &OrderError, words: &Words) -> String {
    match (words.locale, error) {
        (Locale::En, error) => error.to_string(),
        (Locale::Zh, OrderError::Unknown) => "没有此续期，参见 `notafter plan`".to_owned(),
        (Locale::Zh, OrderError::Refused { why, detail }) => {
            let more = if detail.is_empty() { String::new() } else { format!("（{detail}）") };
            format!("被拒绝（{}）：{}{more}", why.code(), chinese_refusal(*why).0)
        }
        (Locale::Zh, OrderError::Over(state)) => {
            fill("它已经处于“{}”状态", &[words.renewal.attempt_word(state)])
        }
        (Locale::Zh, OrderError::Changed) => "显示之后它已改变，请重新查看".to_owned(),
        (Locale::Zh, OrderError::StoreAway) => "存储目前不可用".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn is_chinese(text: &str) -> bool {
        text.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character))
    }

    /// Two reasons with one sentence could not be told apart.
    fn stand_apart(texts: &[&str]) {
        assert_eq!(texts.iter().collect::<BTreeSet<_>>().len(), texts.len(), "{texts:?}");
    }

    #[test]
    fn every_refusal_has_words_and_a_way_out_in_both_languages() {
        for locale in [Locale::En, Locale::Zh] {
            let said: Vec<_> = Refusal::ALL.iter().map(|why| refusal(*why, locale)).collect();
            stand_apart(&said.iter().map(|(text, _)| *text).collect::<Vec<_>>());
            for (text, advice) in said {
                for words in [text, advice] {
                    assert!(!words.is_empty() && !words.ends_with(['.', '。']), "{words}");
                    assert_eq!(is_chinese(words), locale == Locale::Zh, "{words}");
                }
            }
        }
    }

    #[test]
    fn every_reason_has_words_and_a_remedy_in_both_languages() {
        for locale in [Locale::En, Locale::Zh] {
            let said = Reason::ALL.map(|why| reason(why, locale));
            stand_apart(&said.map(|(text, _)| text));
            for (text, remedy) in said {
                assert_eq!(
                    (is_chinese(text), is_chinese(remedy)),
                    (locale == Locale::Zh, locale == Locale::Zh)
                );
            }
        }
    }
}
