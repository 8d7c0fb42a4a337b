//! The pages in Chinese.

use super::words::{Counted, Words};
use crate::domain::policy::Locale;

/// Chinese counts without changing its words.
const fn every(text: &'static str) -> Counted {
    Counted { one: text, many: text }
}

/// The page in Chinese.
pub const CHINESE: Words = Words {
    locale: Locale::Zh,
    more: &super::more_words::CHINESE,
    lang: "zh-CN",
    renewal: &super::renewal_words::CHINESE,
    skip: "跳到即将到期的证书",
    tagline: "托管数据库的 TLS 证书",
    up_for: "已运行 {}",
    metrics: "指标",
    links: "程序接口",
    api_certificates: "证书（JSON）",
    api_scopes: "范围（JSON）",
    api_description: "OpenAPI",
    health: "存活",
    ready: "就绪",
    overview: "总览",
    nothing_urgent: "目前没有需要处理的证书。",
    nothing_known: "尚未读到任何证书。",
    expired_now: every("{} 张证书已过期。"),
    critical_now: every("{} 张证书即将到期。"),
    blind_now: every("{} 个范围无法读取。"),
    unknown_now: every("{} 个资源未能读取：其证书可能在无人察觉时到期。"),
    pending_now: every("{} 个范围尚待首次查看。"),
    reload_refused: "{}前重新读取配置被拒绝，仍使用之前的配置。{}",
    late_now: "轮询滞后：{} 次查看待执行，最晚的一次已延迟 {}。",
    kinds: ["已过期", "紧急", "警告", "提示", "正常", "未知", "未启用 TLS", "不支持"],
    blind_tile: "无法读取的范围",
    blind: "无法读取的范围",
    blind_explained: "此前已知的内容仍会显示；之后的变化无从得知。",
    since: "自 {}",
    since_ever: "从未读到",
    scopes_of_account: "{} / {} 个范围",
    more_blind: every("另有 {} 个原因"),
    weeks: "未来一年",
    weeks_explained: "按到期所在的周统计证书。",
    later: every("{} 张在此之后到期。"),
    week_from: "{} 起的一周",
    ends_next: "即将到期",
    search: "搜索",
    search_hint: "名称、编号、账号、地域或服务",
    stage: "级别",
    what_matters: "所有可能到期的",
    everything: "全部",
    show: "显示",
    reset: "重置",
    range: "第 {} 至 {} 条，共 {} 条",
    none_found: "没有符合条件的内容。",
    hidden: every("另有 {} 个没有到期日期（未启用 TLS、不支持或新发现）"),
    show_everything: "全部显示",
    previous: "上一页",
    next: "下一页",
    pages: "分页",
    left: "剩余",
    ends: "到期时间",
    utc: "UTC",
    utc_and: "UTC，{}",
    resource: "资源",
    name: "名称",
    id: "编号",
    account: "账号",
    service: "服务",
    region: "地域",
    role: "角色",
    source: "来源",
    seen: "查看于",
    last_seen: "最近查看",
    no_date: "无日期",
    failed: "{}查看失败：",
    stale: "数据陈旧",
    renewal_required: "云平台要求续期",
    disagree: "另一来源：{}",
    own_certificate: "用户自有",
    in_use: "使用中",
    used_by: "由 {} 使用",
    used_by_more: "由 {} 及另外 {} 个使用",
    not_in_use: "未使用",
    owner: "负责人 {}",
    scopes: "范围",
    state: "状态",
    state_up: "读取正常",
    state_pending: "尚未查看",
    state_failing: "无法读取",
    listing_fails: "列举",
    looks_fail: "查看资源",
    all_regions: "所有地域",
    resources: "资源数",
    enabled: "{} 个已启用 TLS",
    disabled: "{} 个未启用",
    unsupported: "{} 个不支持",
    unknown: "{} 个未知",
    stale_count: "{} 个陈旧",
    excluded: "{} 个已排除",
    last_success: "最近列举",
    last_failure: "最近失败",
    empty_scopes: every("{} 个范围读取正常，且没有资源。"),
    more_scopes: every("另有 {} 个范围见 API。"),
    channels: "通知渠道",
    channel: "渠道",
    channel_up: "投递正常",
    channel_failing: "投递失败",
    channel_degraded: "部分可用",
    place_down: "{} 未接收：{}",
    channel_removed: "未配置",
    channel_kept: "仍有消息待发往该渠道；若不恢复配置，{} 小时后将放弃投递。",
    channels_unknown: "渠道状况未知：{}。",
    no_evaluation: "尚未评估需要通知的内容。",
    evaluated: "最近一次评估通知：{}。",
    alerts_wait: "告警暂停发送：{}。",
    last_delivered: "最近送达",
    queued: "排队",
    dead: "已放弃",
    error: "错误",
    dead_letters: "已放弃的消息",
    dead_explained: "保留 90 天，可由用户在此重新发送或丢弃，也可通过控制套接字（API）。",
    message: "消息",
    attempts: every("尝试 {} 次"),
    silences: "静默",
    silence_about: "对象",
    silence_until: "截止",
    silence_by: "创建者",
    acknowledged: "证书 {}，直至级别 {}",
    silence_active: "生效中",
    silence_pending: "未开始",
    also_expired: "包括已过期的",
    told_as: "{} {}已通知：{}",
    days: "{} 天",
    hours: "{} 小时",
    minutes: "{} 分钟",
    seconds: "{} 秒",
    ago: "{}前",
    just_now: "刚刚",
    never: "从未",
};

#[cfg(test)]
mod tests {
    use super::super::words::ENGLISH;
    use super::*;

    /// What stands between the names of the fields, as `Debug` writes them.
    fn texts(words: &Words) -> Vec<String> {
        let text = format!("{words:#?}");
        text.lines().filter(|line| line.contains('"')).map(|line| line.trim().to_owned()).collect()
    }

    #[test]
    fn every_text_has_the_same_places_for_values_in_both_languages() {
        let (english, chinese) = (texts(&ENGLISH), texts(&CHINESE));
        assert_eq!(english.len(), chinese.len());
        for (english, chinese) in english.iter().zip(&chinese) {
            assert_eq!(english.matches("{}").count(), chinese.matches("{}").count(), "{english} / {chinese}");
        }
    }
}
