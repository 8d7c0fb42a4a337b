//! Every text about renewals on pages. `{}` stands for a value, as in [`Words`](super::words::Words).

use super::words::Counted;
use crate::domain::policy::RenewalMode;
use crate::domain::renewal::method::{Begins, Restarts};

/// The texts of one language.
#[derive(Debug)]
#[allow(missing_docs)] // each is explained best by its English text
pub struct RenewalWords {
    pub title: &'static str,
    pub modes: [&'static str; 4],
    pub planned_at: &'static str,
    pub not_planned: &'static str,
    pub trouble: &'static str,
    pub nothing: &'static str,

    pub under_way: &'static str,
    pub planned: &'static str,
    pub refused: &'static str,
    pub outcomes: &'static str,
    pub more: Counted,
    pub too_early: Counted,

    pub state: &'static str,
    pub resource: &'static str,
    pub ends: &'static str,
    pub window: &'static str,
    pub call: &'static str,
    pub why: &'static str,
    pub by_hand: &'static str,

    pub announced: &'static str,
    pub approved: &'static str,
    pub rejected: &'static str,
    pub stored: &'static str,
    pub not_sent: &'static str,
    pub accepted: &'static str,
    pub confirmed: &'static str,
    pub without_effect: &'static str,
    pub failed_later: &'static str,
    pub failed: &'static str,
    pub unknown: &'static str,
    pub begins_now: &'static str,
    pub waits: &'static str,
    pub refuses: &'static str,
    pub overdue: &'static str,

    pub restarts: [&'static str; 3],
    pub in_cloud_window: &'static str,
    pub own_certificate: &'static str,
    pub until: &'static str,
    pub to_do: &'static str,
    pub waits_for_approval: &'static str,
    pub approved_by: &'static str,
    pub at_once: &'static str,

    pub account: &'static str,
    pub service: &'static str,
    pub region: &'static str,
    pub project: &'static str,
    pub decision: &'static str,
    pub rule: &'static str,
    pub wanted_by: &'static str,
    pub missed: &'static str,
    pub approval: &'static str,
    pub ordered: &'static str,
    pub expected_by: &'static str,
    pub request: &'static str,
    pub answer: &'static str,
    pub new_end: &'static str,

    pub history: &'static str,
    pub when: &'static str,
    pub what: &'static str,
    pub who: &'static str,
    pub more_of_it: &'static str,

    pub decide: &'static str,
    pub order_title: &'static str,
    pub order_explained: &'static str,
    pub order_which: &'static str,
    pub approve: &'static str,
    pub reject: &'static str,
    pub order: &'static str,
    pub now: &'static str,
    pub your_name: &'static str,
    pub as_user: &'static str,
    pub command: &'static str,
    pub written: &'static str,
    pub pending: &'static str,
    pub stale: &'static str,
    pub not_taken: &'static str,
    pub back: &'static str,
}

/// In English.
pub const ENGLISH: RenewalWords = RenewalWords {
    title: "Renewals",
    modes: [
        "Renewal is off.",
        "Renewal is only planned: nothing is called.",
        "What a person approved is renewed.",
        "What a rule allows is renewed.",
    ],
    planned_at: "Planned {}.",
    not_planned: "Nothing was planned yet.",
    trouble: "Nothing is begun: {}.",
    nothing: "Nothing is under way, and nothing waits.",

    under_way: "Under way",
    planned: "Planned",
    refused: "Allowed by a rule, and refused",
    outcomes: "Recent outcomes",
    more: Counted { one: "{} more is in the API.", many: "{} more are in the API." },
    too_early: Counted {
        one: "{} certificate more is allowed by a rule and not due yet.",
        many: "{} certificates more are allowed by a rule and not due yet.",
    },

    state: "State",
    resource: "Resource",
    ends: "Ends",
    window: "Window",
    call: "Call",
    why: "Why",
    by_hand: "renew by hand",

    announced: "announced",
    approved: "approved",
    rejected: "rejected",
    stored: "being ordered",
    not_sent: "not sent",
    accepted: "under way",
    confirmed: "renewed",
    without_effect: "without effect",
    failed_later: "failed at the cloud",
    failed: "refused by the cloud",
    unknown: "outcome unknown",
    begins_now: "begins now",
    waits: "waits",
    refuses: "refused",
    overdue: "It takes longer than it should.",

    restarts: [
        "it restarts the instance: connections break",
        "it restarts nothing",
        "it may restart the instance",
    ],
    in_cloud_window: "when the maintenance window of the cloud opens",
    own_certificate: "with the certificate of the rule's files",
    until: "not before {}",
    to_do: "To do: {}.",
    waits_for_approval: "waits for a person's approval",
    approved_by: "approved by {}, which counts until {}",
    at_once: "at once",

    account: "Account",
    service: "Service",
    region: "Region",
    project: "Project",
    decision: "Decision",
    rule: "Rule",
    wanted_by: "Wanted by",
    missed: "Window missed",
    approval: "Approval",
    ordered: "Ordered",
    expected_by: "Over by",
    request: "Request at the cloud",
    answer: "The cloud says",
    new_end: "New end",

    history: "What happened",
    when: "When",
    what: "What",
    who: "Who",
    more_of_it: "More",

    decide: "Your decision",
    order_title: "Renew by hand",
    order_explained: "The order is written down and carried out like a planned renewal: in its window, within the limits, and with the same refusals.",
    order_which: "Several resources have this id:",
    approve: "Approve",
    reject: "Reject",
    order: "Order the renewal",
    now: "as soon as possible, not only in the window (blackout dates and limits hold all the same)",
    your_name: "Your name",
    as_user: "as {}",
    command: "To decide, use this command on the machine of the daemon:",
    written: "It is written down.",
    pending: "It is written down; the next plan, in a moment, takes it up.",
    stale: "Something changed since this page was shown, so nothing was ordered. Look again, then decide.",
    not_taken: "The order was not taken: {}.",
    back: "Back to the overview",
};

/// In Chinese.
pub const CHINESE: RenewalWords = RenewalWords {
    title: "续期",
    modes: ["续期已关闭。", "仅做计划，不会调用云接口。", "经人工批准后续期。", "规则允许的证书自动续期。"],
    planned_at: "{}制定计划。",
    not_planned: "尚未制定计划。",
    trouble: "暂不执行任何续期：{}。",
    nothing: "没有进行中或等待中的续期。",

    under_way: "进行中",
    planned: "已计划",
    refused: "规则允许但被拒绝",
    outcomes: "近期结果",
    more: Counted { one: "另有 {} 项见 API。", many: "另有 {} 项见 API。" },
    too_early: Counted {
        one: "另有 {} 张证书为规则所允许，尚未到期限。",
        many: "另有 {} 张证书为规则所允许，尚未到期限。",
    },

    state: "状态",
    resource: "资源",
    ends: "到期",
    window: "窗口",
    call: "调用",
    why: "原因",
    by_hand: "手动续期",

    announced: "已预告",
    approved: "已批准",
    rejected: "已拒绝",
    stored: "正在下单",
    not_sent: "未发出",
    accepted: "进行中",
    confirmed: "已续期",
    without_effect: "未生效",
    failed_later: "云端失败",
    failed: "被云拒绝",
    unknown: "结果未知",
    begins_now: "即将开始",
    waits: "等待",
    refuses: "拒绝",
    overdue: "耗时超出预期。",

    restarts: ["会重启实例，连接将中断", "不会重启", "可能重启实例"],
    in_cloud_window: "在云的维护窗口开始时执行",
    own_certificate: "使用规则中指定的自有证书",
    until: "不早于 {}",
    to_do: "处理办法：{}。",
    waits_for_approval: "等待人工批准",
    approved_by: "由 {} 批准，有效期至 {}",
    at_once: "立即",

    account: "账号",
    service: "服务",
    region: "地域",
    project: "项目",
    decision: "决定",
    rule: "规则",
    wanted_by: "发起者",
    missed: "错过的窗口",
    approval: "批准",
    ordered: "下单时间",
    expected_by: "预计完成",
    request: "云端请求编号",
    answer: "云端答复",
    new_end: "新的到期时间",

    history: "经过",
    when: "时间",
    what: "事件",
    who: "由谁",
    more_of_it: "详情",

    decide: "您的决定",
    order_title: "手动续期",
    order_explained: "订单会先被记录，然后与计划内的续期一样执行：在窗口内、受限额约束，拒绝条件相同。",
    order_which: "有多个资源使用此编号：",
    approve: "批准",
    reject: "拒绝",
    order: "下单续期",
    now: "尽快执行，不等待窗口（封禁日期与限额仍然有效）",
    your_name: "您的姓名",
    as_user: "身份：{}",
    command: "如需决定，请在守护进程所在的机器上执行：",
    written: "已记录。",
    pending: "已记录，下一次计划（片刻之后）会采纳。",
    stale: "此页面显示之后情况有变，因此未下单。请重新查看后再决定。",
    not_taken: "订单未被接受：{}。",
    back: "返回总览",
};

impl RenewalWords {
    /// What a mode means.
    pub fn mode(&self, mode: RenewalMode) -> &'static str {
        let place = RenewalMode::ALL.iter().position(|known| *known == mode).unwrap_or_default();
        self.modes[place]
    }

    /// A state in a word or two, by its word in the API; one that is not known is itself.
    pub fn attempt_word<'w>(&self, word: &'w str) -> &'w str
    where
        'static: 'w,
    {
        match word {
            "announced" => self.announced,
            "approved" => self.approved,
            "rejected" => self.rejected,
            "stored" => self.stored,
            "not_sent" => self.not_sent,
            "accepted" => self.accepted,
            "confirmed" => self.confirmed,
            "without_effect" => self.without_effect,
            "failed_later" => self.failed_later,
            "refused" => self.failed,
            "unknown" => self.unknown,
            other => other,
        }
    }

    /// What a call interrupts.
    pub fn restarting(&self, restarts: Restarts) -> &'static str {
        match restarts {
            Restarts::Yes => self.restarts[0],
            Restarts::No => self.restarts[1],
            Restarts::Unknown => self.restarts[2],
        }
    }

    /// When a call takes effect; `None`: at once.
    pub fn beginning(&self, begins: Begins) -> Option<&'static str> {
        match begins {
            Begins::AtOnce => None,
            Begins::InCloudWindow => Some(self.in_cloud_window),
        }
    }
}
