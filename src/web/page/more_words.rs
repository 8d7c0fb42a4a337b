//! Every text of the page of a resource, of the charts and of the calendar, in both languages side by side.

use crate::domain::identity::CertRole;

/// Writes each text once in each language, so that none can be without the other.
macro_rules! texts {
    ($($name:ident: $english:literal, $chinese:literal;)*) => {
        /// The texts of one language.
        #[derive(Debug)]
        #[allow(missing_docs)] // each is explained best by its English text
        pub struct MoreWords {
            $(pub $name: &'static str,)*
        }

        /// In English.
        pub const ENGLISH: MoreWords = MoreWords { $($name: $english,)* };

        /// In Chinese.
        pub const CHINESE: MoreWords = MoreWords { $($name: $chinese,)* };
    };
}

texts! {
    language: "Language", "语言";
    other_language: "中文", "English";
    other_lang: "zh-CN", "en";
    on_this_page: "On this page", "本页内容";
    calendar: "Calendar (iCalendar)", "日历（iCalendar）";

    chart: "Certificates by the week in which they end, {} to {}; the same numbers are in the table below.",
        "按到期所在的周统计证书，{} 至 {}；下表列出相同的数字。";
    as_table: "The same as a table", "以表格查看";
    week: "Week from", "起始日期";
    together: "Together", "合计";
    timeline: "What is planned, on a timeline", "续期计划时间线";
    timeline_explained: "Bars are windows, the line ends where the certificate does. The table below says the same.",
        "色块为续期窗口，线条止于证书到期之时。下表列出相同内容。";
    scopes_ill: "Blind, or not looked at yet: {}", "无法读取或尚未查看：{} 个范围";
    story: "What was answered", "应答内容";
    scopes_well: "Read well, with resources: {}", "读取正常且有资源：{} 个范围";
    remedy: "What to do: {}.", "处理办法：{}。";

    back: "Overview", "总览";
    unknown_title: "Not known", "未找到";
    unknown_resource: "No resource of this identity is known. It may have been deleted, or its account is not watched any more.",
        "没有此标识的资源。它可能已被删除，或其账号不再受监控。";
    several: "Several resources have this id:", "有多个资源使用此编号：";
    console: "Open in the cloud's console", "打开云控制台";
    as_json: "As JSON", "查看 JSON";
    explained: "Explained as text (English)", "文字说明（英文）";

    certificates: "Certificates", "证书";
    no_certificate: "No certificate is known of it.", "未读到其证书。";
    role_server: "server", "服务器";
    role_ca: "CA", "CA";
    role_chain: "chain", "证书链";
    server_explained: "what clients are shown", "客户端所见的证书";
    ca_explained: "what clients must trust", "客户端必须信任的证书";
    chain_explained: "the issuer in its bundle that ends first", "证书链中最早到期的签发者";
    left: "{} left", "剩余 {}";
    over: "ended {}", "{}到期";
    begins: "Begins", "生效";
    read_from: "Date read from", "日期来源";
    source_api: "a field of the cloud's API", "云 API 字段";
    source_x509: "the X.509 certificate", "X.509 证书";
    other_source: "By the other source", "另一来源的日期";
    dates_agree: "{}: the same but for rounding", "{}（仅取整差异）";
    dates_differ: "{}: {} apart; the earlier one counts for clients that verify", "{}（相差 {}；对校验的客户端以较早者为准）";
    one_source: "no date from there", "未提供日期";
    next_stage: "Next stage", "下一级别";
    from: "{} from {}", "{}，自 {}";
    common_name: "Common name", "通用名称";
    issuer: "Issuer", "签发者";
    serial: "Serial number", "序列号";
    sha256: "SHA-256", "SHA-256";
    key: "Key", "密钥";
    names: "Is for", "适用主机";
    life: "{} % of its life are over", "有效期已过 {}%";

    facts: "The resource", "资源信息";
    tls: "TLS", "TLS";
    tls_enabled: "on", "已启用";
    tls_disabled: "off", "未启用";
    tls_unsupported: "not possible for this kind of instance", "此类实例不支持";
    tls_unknown: "not known", "未知";
    status: "Status", "状态";
    engine: "Engine", "引擎";
    managed_by: "Certificate comes from", "证书提供方";
    by_cloud: "the cloud", "云平台";
    by_customer: "the customer", "用户";
    cloud_asks: "The cloud asks for renewal", "云平台要求续期";
    yes: "yes", "是";
    no: "no", "否";
    use_: "Use", "使用情况";
    group: "Replication group", "复制组";
    locked: "Locked by the cloud", "被云平台锁定";
    owner: "Owner", "负责人";
    tags: "Tags", "标签";
    labels: "Labels of the account", "账号标签";
    looks: "Looks", "查看";
    last_good_look: "Last good look", "最近成功查看";
    last_look: "Last look", "最近查看";
    next_look: "Next look", "下次查看";
    look_due: "{}, in {}", "{}，{}后";
    look_now: "now", "即刻";
    with_listing: "with the next listing of its scope", "随范围的下次列举";
    failed_looks: "Failed looks in a row", "连续失败次数";

    told: "Who is told", "通知对象";
    told_by_nobody: "No channel is configured: nobody is told anything.", "未配置渠道：不会通知任何人。";
    nothing_to_tell: "There is no certificate to tell of.", "没有可通知的证书。";
    stage_there: "Stage there", "对应级别";
    way: "By", "途径";
    route: "route {}", "路由 {}";
    every_route: "every channel hears everything", "所有渠道接收全部消息";
    no_way: "no route", "无路由";
    last_told: "Last told", "最近通知";
    and_now: "Now", "目前";
    told_first: "is told with the first message of the channel", "随该渠道的首条消息通知";
    told_soon: "is told as soon as others had time to join", "稍候与其他消息合并后通知";
    told_along: "is told with the next reminder that goes out", "随下一条提醒通知";
    told_digest: "is told with the next digest", "随下一期摘要通知";

    quiet: "Keep quiet about it", "静默";
    quiet_explained: "Acknowledged: somebody knows, and the next stage is told again. Silenced: nothing of the resource is told, and nothing of it is renewed, until then.",
        "确认：表示已有人知晓，进入下一级别时再次通知。静默：到期之前不通知该资源的任何消息，也不为其续期。";
    quiet_command: "Who may do that here is not you: the page changes something only for users that are configured under [web]. On the machine of the daemon:",
        "此页面仅允许 [web] 中配置的用户进行更改。可在守护进程所在机器上执行：";
    comment: "Why", "原因";
    acknowledge: "Acknowledge the {} certificate until: {}", "确认{}证书，直至：{}";
    acknowledge_expired: "Acknowledge the expired {} certificate for 30 d", "确认已到期的{}证书，30 天";
    silence_for: "For", "时长";
    silence_expired: "also what is expired", "包括已到期的";
    silence_it: "Silence", "静默";
    end_silence: "End", "结束";
    retry: "Send again", "重新发送";
    drop: "Drop", "丢弃";
    actions: "Change", "操作";
    done_acknowledged: "Acknowledged.", "已确认。";
    done_silenced: "Silenced.", "已静默。";
    done_ended: "The silence is over.", "静默已结束。";
    done_retried: "The message goes out again.", "消息将重新发送。";
    done_dropped: "The message was dropped.", "消息已丢弃。";
    done_stale: "Something changed since this page was shown, or the form was sent before. Nothing was done now: look again.",
        "页面显示之后情况有变，或该表单已提交过。未作任何更改，请重新查看。";
    done_unexplained: "Nothing was done: say why, so that others understand it later.", "未作任何更改：请填写原因，以便他人日后理解。";
    done_away: "The store cannot be used at the moment. Nothing was done.", "存储暂不可用，未作任何更改。";

    renewal: "Renewal", "续期";
    renewal_off: "This daemon renews nothing.", "此守护进程不执行续期。";
    no_plan: "No plan was made for it yet.", "尚未为其制定计划。";
    details: "All about this renewal", "此次续期的详情";
    history: "History", "历史";
    history_explained: "What was told and what was renewed, the latest first.", "通知与续期记录，最新在前。";
    nothing_yet: "Nothing was told or renewed yet.", "尚无通知或续期记录。";
    told_to: "told {}: {}", "已通知 {}：{}";
    ended_at: "certificate ending {}", "{} 到期的证书";

    calendar_name: "Certificates that end", "证书到期";
    event_ends: "Certificate ends: {}", "证书到期：{}";
    event_renewal: "Renewal window: {}", "续期窗口：{}";
}

impl MoreWords {
    /// What a certificate is to those who connect, in a word.
    pub fn role(&self, role: CertRole) -> &'static str {
        match role {
            CertRole::Server => self.role_server,
            CertRole::Ca => self.role_ca,
            CertRole::Chain => self.role_chain,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_says_something_in_both_languages() {
        for words in [ENGLISH, CHINESE] {
            let text = format!("{words:?}");
            assert!(!text.contains("\"\""), "{text}");
        }
    }
}
