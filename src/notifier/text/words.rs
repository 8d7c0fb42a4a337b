//! Every word of every message, both languages side by side, so that one cannot be changed without seeing the other.
//!
//! `{0}`, `{1}` stand for values; `|` parts the form for exactly one from the form for any other number. Values carry
//! no words of their own. How the pieces are put together is said where they are used; nothing is decided here.

use crate::domain::policy::Locale;

macro_rules! words {
    ($($name:ident: $en:literal, $zh:literal;)*) => {
        /// The words of one language.
        #[derive(Debug)]
        pub(super) struct Words { $(pub(super) $name: &'static str,)* }
        const ENGLISH: Words = Words { $($name: $en,)* };
        const CHINESE: Words = Words { $($name: $zh,)* };
        #[cfg(test)]
        const TABLE: &[(&str, &str, &str)] = &[$((stringify!($name), $en, $zh),)*];
    };
}

/// The words of a language.
pub(super) fn words(locale: Locale) -> &'static Words {
    match locale {
        Locale::En => &ENGLISH,
        Locale::Zh => &CHINESE,
    }
}

words! {
    // Stages, severities and other single words
    ok: "fine", "正常";
    info: "info", "提示";
    warning: "warning", "警告";
    critical: "critical", "严重";
    expired: "expired", "已过期";
    renewed: "renewed", "已续期";
    short: "renewed too short", "续期不足";
    changed: "replaced", "被更换";
    gone: "gone", "已移除";
    blind: "unreadable", "无法读取";
    seeing: "readable again", "恢复读取";
    left_out: "no longer watched", "不再监控";
    failing: "not delivering", "发送失败";
    delivering: "delivering again", "恢复发送";
    comma: ", ", "、";
    colon: ": ", "：";
    joint: ", ", "，";
    also: "; ", "；";
    dot: " · ", " · ";

    // Lengths of time
    days: "{0} day|{0} days", "{0} 天";
    hours: "{0} hour|{0} hours", "{0} 小时";
    minutes: "{0} minute|{0} minutes", "{0} 分钟";
    in_length: "in {0}", "剩余 {0}";
    left: "{0} left", "剩余 {0}";
    ago: "{0} ago", "{0}前";
    just_now: "just now", "刚刚";
    over_for: "expired {0} ago", "已过期 {0}";
    over_now: "expired just now", "刚刚过期";

    // Tags of titles
    tag_critical: "[CRITICAL] ", "【严重】";
    tag_warning: "[WARNING] ", "【警告】";
    tag_info: "[INFO] ", "【提示】";
    tag_good: "[RESOLVED] ", "【恢复】";
    tag_digest: "[DIGEST] ", "【证书汇总】";
    tag_first: "[notafter] ", "【notafter】";
    tag_test: "[TEST] ", "【测试】";
    reminder: "Reminder · ", "提醒：";

    // Titles of messages about one thing
    one_expired: "{0}: certificate expired {1} ago", "{0} 证书已过期 {1}";
    one_expired_now: "{0}: certificate expired just now", "{0} 证书刚刚过期";
    one_ending: "{0}: certificate expires in {1}", "{0} 证书 {1}后到期";
    one_ca_expired: "{0}: CA certificate expired {1} ago", "{0} CA 证书已过期 {1}";
    one_ca_expired_now: "{0}: CA certificate expired just now", "{0} CA 证书刚刚过期";
    one_ca_ending: "{0}: CA certificate expires in {1}", "{0} CA 证书 {1}后到期";
    one_renewed: "{0}: certificate renewed until {1}", "{0} 证书已续期至 {1}";
    one_short: "{0}: renewed, but expires in {1}", "{0} 已续期，但新证书 {1}后到期";
    one_short_over: "{0}: renewed, but the new certificate has expired", "{0} 已续期，但新证书已过期";
    one_changed: "{0}: replaced by a certificate that ends earlier, on {1}", "{0} 证书被换成更早到期的（{1}）";
    one_not_listed: "{0}: no longer listed by the cloud", "{0} 已不在云端列表中";
    one_tls_off: "{0}: TLS was switched off", "{0} 已关闭 TLS";
    one_not_shown: "{0}: certificate is no longer shown", "{0} 不再提供该证书";
    one_not_watched: "{0}: no longer watched", "{0} 已不再监控";
    one_blind: "account {0} cannot be read: {1}", "账号 {0} 无法读取（{1}）";
    one_seeing: "account {0} can be read again, after {1}", "账号 {0} 已恢复读取，中断 {1}";
    one_left_out: "account {0}: what could not be read is no longer watched", "账号 {0} 中无法读取的部分已不再监控";
    one_failing: "channel {0} does not deliver", "通知渠道 {0} 发送失败";
    one_delivering: "channel {0} delivers again", "通知渠道 {0} 已恢复发送";

    // Titles of messages about several things
    many_expired: "{0} certificate has expired|{0} certificates have expired", "{0} 张证书已过期";
    many_ending: "{0} certificate expires within {1}|{0} certificates expire within {1}", "{0} 张证书 {1}内到期";
    many_renewed: "{0} certificate renewed|{0} certificates renewed", "{0} 张证书已续期";
    many_short: "{0} renewed certificate expires within {1}|{0} renewed certificates expire within {1}", "{0} 张证书续期后仍将在 {1}内到期";
    many_short_over: "{0} renewed certificate has expired again|{0} renewed certificates have expired again", "{0} 张证书续期后又已过期";
    many_changed: "{0} certificate replaced by one that ends earlier|{0} certificates replaced by ones that end earlier", "{0} 张证书被换成更早到期的";
    many_gone: "{0} certificate is no longer there|{0} certificates are no longer there", "{0} 张证书已不存在";
    many_blind: "{0} source cannot be read|{0} sources cannot be read", "{0} 个数据源无法读取";
    many_seeing: "{0} source can be read again|{0} sources can be read again", "{0} 个数据源已恢复读取";
    many_left_out: "{0} unreadable source is no longer watched|{0} unreadable sources are no longer watched", "{0} 个无法读取的数据源已不再监控";
    many_failing: "{0} channel does not deliver|{0} channels do not deliver", "{0} 个通知渠道发送失败";
    many_delivering: "{0} channel delivers again|{0} channels deliver again", "{0} 个通知渠道已恢复发送";
    rest: "; {0} other item|; {0} other items", "，另有 {0} 项";
    title_fine: "{0} certificate, nothing to do|{0} certificates, nothing to do", "{0} 张证书，均无需处理";
    title_first: "now watching {0} certificate|now watching {0} certificates", "开始监控 {0} 张证书";
    title_blind: "{0} blind scope|{0} blind scopes", "{0} 个范围无法读取";
    title_test: "notafter reaches this channel", "notafter 可以送达此渠道";

    // Before the items
    tally: "{1} {0}", "{0} {1}";
    tally_more: "{0} more", "另有 {0}";
    test_body: "Channel {0} works. This is a test; nothing has to be done.", "渠道 {0} 可用。这是一条测试消息，无需处理。";
    first_body: "This is how things stand; from now on only what changes is told.", "以下是当前状况；此后仅通知变化。";
    by_stage: "Certificates: {0}", "证书：{0}";
    by_service: "Need attention, by service: {0}", "需关注，按服务：{0}";
    blind_scopes: "Cannot be read: {0} scope (account × region × service)|Cannot be read: {0} scopes (account × region × service)", "无法读取：{0} 个范围（账号 × 地域 × 服务）";
    planned: "Planned renewals: {0}", "计划续期：{0} 项";

    // A certificate
    expires: "Expires {0}, {1}", "到期：{0}，{1}";
    expired_at: "Expired {0}, {1}", "到期：{0}，{1}";
    now_expires: "Now expires {0}, {1}", "新到期：{0}，{1}";
    before_gained: "Before: {0}; {1} gained", "原到期：{0}，延长 {1}";
    before_lost: "Before: {0}; {1} lost", "原到期：{0}，缩短 {1}";
    stage_first: "Stage: {0}, first notice", "级别：{0}（首次通知）";
    stage_was: "Stage: {0}, was {1}", "级别：{0}（此前：{1}）";
    stage_still: "Stage: still {0}, for {2}, since {1}", "级别：仍为{0}，已持续 {2}，始于 {1}";
    stage_new: "Stage of the new certificate: {0}", "新证书级别：{0}";
    not_enough: "The renewal did not help: the new certificate is {0} already", "续期未解决问题：新证书已处于“{0}”级别";
    role_server: "Server certificate", "服务端证书";
    role_ca: "CA that clients must trust", "客户端须信任的 CA 证书";
    role_chain: "Issuer in the chain, the one that ends first", "证书链中最早到期的签发者";
    serial: "serial {0}", "序列号 {0}";
    serials: "serial {0} → {1}", "序列号 {0} → {1}";
    in_use: "in use", "使用中";
    not_in_use: "not in use", "未使用";
    owner: "Owner: {0}", "负责人：{0}";
    labels: "Labels: {0}", "标签：{0}";
    by_us: "Renewed by notafter", "由 notafter 续期";
    by_others: "Renewed by a person or the cloud, not by notafter", "由人工或云平台续期（非 notafter）";
    stale: "Out of date: last read {1}, {0}", "数据过旧：最后读取在 {1}，{0}";
    last_end: "Was to expire {0}", "原定到期：{0}";
    gone_not_listed: "The cloud no longer lists it: deleted, released or excluded. It is not watched any more", "云端列表中已不存在（已删除、释放或被排除），不再监控";
    gone_tls_off: "TLS was switched off: clients connect unencrypted or not at all. It is not watched any more", "已关闭 TLS：客户端以明文连接或无法连接，不再监控";
    gone_not_shown: "Its resource no longer shows this certificate. It is not watched any more", "资源不再提供该证书，不再监控";
    gone_not_watched: "Its account, project, region or service is not watched any more", "其账号、项目、地域或服务已不再监控";

    // What to do about it
    to_do: "To do: {0}", "处理：{0}";
    do_planned: "nothing; automatic renewal is planned for {0}", "无需操作，已计划于 {0} 自动续期";
    do_planned_past: "automatic renewal was planned for {0} and has not happened; check it", "原计划于 {0} 自动续期但尚未完成，请检查";
    do_renew: "renew it by hand", "手动续期";
    do_own: "supply a new certificate; this one is the customer's own, the cloud does not renew it", "上传新证书（自有证书，云平台不会续期）";
    do_upload: "upload a new certificate and bind it in its place", "上传新证书并替换绑定";
    do_support: "ask the cloud's support; it has no call to renew, and switching SSL off and on may lose data", "提交工单联系云厂商：没有续期接口，关闭再开启 SSL 可能丢失数据";
    do_other: "replace it by hand; there is no call to renew it", "手动更换（没有续期接口）";
    do_unused: "nothing uses it: delete it, or leave it to expire", "未被使用：可删除，或任其过期";
    do_check: "find out who replaced it, and put the longer-lived one back", "确认更换人及原因，必要时换回有效期更长的证书";
    restart: "renewing restarts the instance", "续期会重启实例";
    restart_then: "this restarts the instance", "届时实例会重启";
    no_restart: "no restart is expected", "预计无需重启";
    trust_file: "then give clients the new CA file", "随后向客户端分发新 CA 文件";
    console: "console", "控制台";

    // A renewal by this daemon: its states in one word, titles
    renewal_planned: "renewal planned", "已计划续期";
    asking: "renewal needs approval", "续期待审批";
    started: "renewal begun", "续期开始";
    held: "renewal held back", "续期暂缓";
    failed: "renewal failed", "续期失败";
    how_refused: "refused by the cloud", "云端拒绝";
    how_later: "the cloud gave up", "云端执行失败";
    how_without_effect: "the end is the old one", "到期时间未变";
    how_unknown: "outcome unknown", "结果未知";
    all_stopped: "all renewals stopped", "所有续期已停止";
    one_planned: "{0}: renewal planned for {1}", "{0} 计划于 {1} 续期";
    one_asking: "{0}: renewal needs approval, planned for {1}", "{0} 续期待审批，计划于 {1}";
    one_started: "{0}: renewal has begun", "{0} 开始续期";
    one_held: "{0}: renewal held back", "{0} 续期暂缓";
    one_failed: "{0}: renewal failed, {1}", "{0} 续期失败，{1}";
    many_planned: "{0} renewal planned|{0} renewals planned", "已计划 {0} 项续期";
    many_asking: "{0} renewal needs approval|{0} renewals need approval", "{0} 项续期待审批";
    many_started: "{0} renewal has begun|{0} renewals have begun", "{0} 项续期开始";
    many_held: "{0} renewal held back|{0} renewals held back", "{0} 项续期暂缓";
    many_failed: "{0} renewal failed|{0} renewals failed", "{0} 项续期失败";

    // What is known of it
    window: "Window: {0} to {1}, {2}", "窗口：{0} 至 {1}，{2}";
    window_in: "in {0}", "{0}后开始";
    window_open: "open now", "现已开始";
    window_over: "over", "已结束";
    window_missed: "The window before passed without it, at {0}", "上一窗口未执行，已于 {0} 结束";
    asks: "Waits for approval; without it nothing is done", "等待审批，未批准不会执行";
    call_restarts: "Call: {0}; it restarts the instance, connections break for seconds", "调用：{0}，会重启实例，连接中断数秒";
    call_may_restart: "Call: {0}; it may restart the instance, connections may break for seconds", "调用：{0}，可能重启实例，连接可能中断数秒";
    call_restarts_nothing: "Call: {0}; no restart is expected", "调用：{0}，预计无需重启";
    call_refused: "Call: {0}; it was refused, so nothing was changed", "调用：{0}，已被拒绝，实例未变更";
    call_made: "Call: {0}; the instance may have restarted", "调用：{0}，实例可能已重启";
    ordered_by: "Ordered by {0}", "由 {0} 发起";
    allowed_by: "Allowed by the rule {0}", "规则 {0} 允许";
    started_until: "Begun; should be over by {0}", "已开始，预计完成：{0}";
    started_overdue: "Begun; should have been over by {0}", "已开始，原预计完成：{0}";
    held_why: "Held back: {0}", "暂缓原因：{0}";
    held_again: "Nothing was sent to the cloud; it is tried again by itself", "未向云端发送请求，将自动重试";
    failed_for_now: "The cloud did not take the order; what stands in its way may pass", "云端未接受请求，原因可能自行消除";
    failed_for_a_person: "The cloud did not take the order; somebody has to do something first", "云端未接受请求，需人工先行处理";
    failed_for_good: "The cloud did not take the order, and never will", "云端未接受请求，重试也无用";
    failed_later: "The cloud took the order and said later that it failed", "云端已接受请求，随后报告失败";
    failed_without_effect: "The cloud took the order and finished, but the end is the old one", "云端已执行完毕，但到期时间未变";
    failed_unknown: "No answer came and the end is the old one: nobody knows whether the order arrived", "未收到应答且到期时间未变，无法确定请求是否到达";
    request: "request {0}", "请求 {0}";
    stops_all: "All renewals are stopped: too many failed in a row. They go on once one that a person ordered has succeeded", "所有续期已停止：连续失败过多，待人工发起的续期成功后恢复";
    short_until: "should be over by {0}", "预计完成 {0}";

    // What to do about it
    renewal_link: "this renewal", "本次续期";
    do_nothing: "nothing, if the window suits", "窗口合适则无需操作";
    do_approve: "approve or reject it by the link, or approve it on the machine with {0}", "点击链接批准或拒绝，或在主机上运行 {0} 批准";
    do_approve_here: "approve it on the machine with {0}", "在主机上运行 {0} 批准";
    do_reject: "to stop it, reject it by the link, or skip this window with {0}", "如需阻止，点击链接拒绝，或运行 {0} 跳过本窗口";
    do_skip: "to skip this window, run {0}", "如需跳过本窗口，运行 {0}";
    do_wait: "nothing; the outcome will be told", "无需操作，结果将另行通知";
    do_held: "see to the reason before the window ends", "在窗口结束前处理上述原因";
    do_clients: "give the new certificate to clients that pin it; those with a downloaded CA file may need a new one", "固定证书的客户端须换用新证书，使用已下载 CA 文件的客户端可能须重新下载";
    do_failed_for_now: "nothing is sent again by itself; once it has passed, run {0}", "不会自动重试，原因消除后运行 {0}";
    do_failed_for_a_person: "see to what the error names, nothing is sent again before; then run {0}", "处理错误所指问题（此前不会重试），然后运行 {0}";
    do_failed_for_good: "renew it in the console; nothing is sent again", "请在控制台续期，不会再次发送";
    do_failed_look: "see in the console why, and renew it there, or run {0}; nothing is sent again without a person", "到控制台查看原因并续期，或运行 {0}；未经人工不会再次发送";
    do_failed_unknown: "look at the instance in the console; nothing is sent again without a person; if it is unchanged there, run {0}", "先到控制台检查实例；未经人工不会再次发送；若确无变化，运行 {0}";

    // A source
    denied: "access denied", "访问被拒";
    throttled: "throttled", "被限流";
    unreachable: "unreachable", "无法连接";
    timeout: "no answer in time", "响应超时";
    refused: "requests refused", "请求被拒";
    unreadable: "answer not understood", "响应无法解析";
    too_large: "answer too large", "响应过大";
    internal: "internal error", "内部错误";
    blind_since: "Cannot be read since {0}, for {1}", "自 {0} 起无法读取，已 {1}";
    blind_again: "Still cannot be read, since {0}, for {1}", "自 {0} 起仍无法读取，已 {1}";
    services: "Services: {0}", "服务：{0}";
    regions: "Regions: {0}", "地域：{0}";
    all_regions: "all regions", "所有地域";
    list_more: " and {0} more", " 等，另有 {0} 个";
    unwatched: "{0} certificate is not being watched|{0} certificates are not being watched", "{0} 张证书未受监控";
    unwatched_none: "No known certificate is affected", "未影响已知证书";
    unwatched_worst: "{0}; the worst by last known date: {1}", "{0}，按最后已知日期最高级别为{1}";
    last_success: "Last success: {1}, {0}", "最后成功：{1}，{0}";
    never: "Last success: never", "最后成功：从未";
    error: "Error: {0}", "错误：{0}";
    do_denied: "check the access key and its permissions; to see what is missing, run {0}", "检查访问密钥及其权限，可运行 {0} 查看缺少的权限";
    do_throttled: "set a lower rate_limit for this account, or find out what else uses up its quota", "调低该账号的 rate_limit，或排查占用配额的其他调用方";
    do_reach: "check network, DNS and proxy between notafter and the cloud", "检查 notafter 到云端的网络、DNS 和代理";
    do_refused: "look up the error code; to try every call, run {0}", "查阅该错误码，可运行 {0} 逐一尝试各接口";
    do_report: "look at the console meanwhile, and report this error: it is a defect of notafter", "请先到控制台查看，并上报此错误（notafter 缺陷）";
    seeing_since: "Can be read again since {0}", "自 {0} 起恢复读取";
    left_out_since: "Not watched any more since {0}: taken out of the configuration, or no longer there", "自 {0} 起不再监控：已从配置中移除，或已不存在";
    was_blind: "Was blind for {0} ({2}), since {1}", "中断 {0}（{2}），始于 {1}";
    watched_again: "{0} certificate is watched again|{0} certificates are watched again", "{0} 张证书恢复监控";
    blind_for: "was blind for {0}", "中断 {0}";

    // A channel
    channel: "Channel {0}", "通知渠道 {0}";
    failing_since: "Does not deliver since {0}, for {1}", "自 {0} 起发送失败，已 {1}";
    failures: "{0} attempt failed|{0} attempts failed", "失败 {0} 次";
    queued: "{0} message waiting|{0} messages waiting", "{0} 条消息积压";
    do_channel: "check its address, token and rate; to try it, run {0}", "检查其地址、令牌和限流，可运行 {0} 验证";
    delivers_again: "Delivers again; did not since {0}, for {1}", "已恢复发送；自 {0} 起失败，历时 {1}";
    delayed: "{0} message came late|{0} messages came late", "{0} 条消息延迟送达";

    // Short lines
    short_of: "{0}: {1}", "{0}：{1}";
    short_was: "{0} (was {1})", "{0}（此前：{1}）";
    short_still: "still {0}", "仍为{0}";
    short_renewed: "renewed until {0}, {1} gained", "已续期至 {0}，延长 {1}";
    short_but: "renewed, but {0}, {1}", "已续期但仍为{0}，{1}";
    short_changed: "replaced, now ends {0} earlier", "被更换，到期提前 {0}";
    short_not_listed: "no longer listed", "已不在列表中";
    short_tls_off: "TLS off", "已关闭 TLS";
    short_not_shown: "no longer shown", "不再提供";
    short_not_watched: "no longer watched", "不再监控";
    short_owner: "owner {0}", "负责人 {0}";
    short_seen: "last read {0}", "最后读取 {0}";
    short_planned: "renewal planned {0}", "计划续期 {0}";
    short_unwatched: "{0} certificate unwatched|{0} certificates unwatched", "{0} 张证书未受监控";
    ca: "CA", "CA";
    chain: "chain", "证书链";

    // Around it
    more: "… and {0} more", "… 另有 {0} 项";
    more_of: "… and {0} more: {1}", "… 另有 {0} 项：{1}";
    other: "other", "其他";
    status_page: "Status page", "状态页";
}

#[cfg(test)]
mod tests {
    use super::*;

    fn places(pattern: &str) -> Vec<&str> {
        let mut places: Vec<_> =
            pattern.split('{').skip(1).filter_map(|rest| rest.split('}').next()).collect();
        places.sort_unstable();
        places.dedup();
        places
    }

    #[test]
    fn both_languages_and_all_forms_show_the_same_values() {
        for (name, english, chinese) in TABLE {
            for form in english.split('|').chain(chinese.split('|')) {
                assert_eq!(places(form), places(english), "{name}: {form}");
            }
        }
    }

    #[test]
    fn chinese_has_its_own_punctuation() {
        for (name, _, chinese) in TABLE {
            assert!(!chinese.contains([',', ':', ';', '(', ')']), "{name}: {chinese}");
        }
    }

    #[test]
    fn chinese_has_spaces_between_its_characters_and_latin_ones() {
        let is_han = |c: char| ('\u{4e00}'..='\u{9fff}').contains(&c);
        for (name, _, chinese) in TABLE {
            let characters: Vec<char> = chinese.chars().collect();
            for pair in characters.windows(2) {
                let touching = is_han(pair[0]) && pair[1].is_ascii_alphanumeric()
                    || pair[0].is_ascii_alphanumeric() && is_han(pair[1]);
                assert!(!touching, "{name}: {chinese}");
            }
        }
    }
}
