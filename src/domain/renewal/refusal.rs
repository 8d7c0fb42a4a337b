//! Why something is not renewed now: one closed list. Its codes are label values and stand in the API; none is ever
//! given another meaning.

/// Writes the list once, so that no reason can be without a code, a sentence and a way out.
macro_rules! refusals {
    ($($variant:ident $code:literal $passes:literal $text:literal $advice:literal)*) => {
        /// Why something is not renewed now.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Refusal {
            $(
                #[doc = $text]
                $variant,
            )*
        }

        impl Refusal {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$variant),*];

            /// The value of the label `reason`, and in the API.
            pub fn code(self) -> &'static str {
                match self { $(Self::$variant => $code),* }
            }

            /// Whether it passes by itself, so that waiting is enough.
            pub fn passes(self) -> bool {
                match self { $(Self::$variant => $passes),* }
            }

            /// What is the case.
            pub fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            /// What a person can do about it.
            pub fn advice(self) -> &'static str {
                match self { $(Self::$variant => $advice),* }
            }
        }
    };
}

refusals! {
    Unsupported "unsupported" false
        "this kind of instance cannot have TLS"
        "nothing: there is no certificate to renew"
    TlsOff "tls_off" false
        "TLS is off"
        "nothing: there is no certificate to renew until somebody turns TLS on"
    NotRead "not_read" true
        "its certificate could not be read yet"
        "see `notafter doctor` for what keeps it from being read"
    NoApi "no_api" false
        "the cloud has no call that renews this certificate"
        "renew it in the cloud's console, or upload a new one there"
    UnknownEngine "unknown_engine" false
        "it is not known how this engine is asked for a renewal"
        "renew it in the cloud's console"
    DatesDisagree "dates_disagree" false
        "the certificate and the cloud's own field name different ends"
        "look at both in the console; renew it there"
    ModeOff "mode_off" false
        "renewal is off"
        "set `mode` in [renewal] to \"plan\" to see what it would do, then to \"approve\" or \"auto\""
    NotAllowed "not_allowed" false
        "no rule allows it"
        "add a [[renewal.allow]] that matches it, if it may be renewed"
    TagsUnknown "tags_unknown" true
        "a rule asks for tags, and the last listing did not tell them"
        "let the key read tags (see `notafter doctor`), or write a rule without them"
    CloudRotation "cloud_rotation" false
        "the cloud renews it by itself"
        "nothing, or turn that off in the console"
    OwnerUncertain "owner_uncertain" false
        "the cloud does not say whose certificate it is, and a renewal would replace one of your own"
        "renew it in the cloud's console"
    OwnCertificateMissing "own_certificate_missing" false
        "it has a certificate of your own, and there is no new one to give it"
        "name the new pair in `certificate` of the rule that allows it"
    OwnCertificateUnfit "own_certificate_unfit" false
        "the new certificate of your own cannot take the place of the present one"
        "put a pair there that fits, covers the protected host and ends later"
    OwnCertificateUnwanted "own_certificate_unwanted" false
        "its certificate is the cloud's, and the rule that allows it names one of your own"
        "match it with a rule without `certificate`, or give it your own in the console first"
    Rejected "rejected" false
        "a person rejected it"
        "renew it by hand with `notafter renew`, if that has changed"
    AlreadyTried "already_tried" false
        "it was sent once already for this certificate, and is never sent twice by itself"
        "look at the instance in the console; then let it be tried again with `notafter renew`"
    StoppedAfterFailures "stopped_after_failures" false
        "renewals failed one after the other, so all of them stopped"
        "find out why; one that a person orders with `notafter renew` is made, and starts them again when it succeeds"
    Silenced "silenced" true
        "a person silenced it"
        "end the silence, if it may be renewed"
    Locked "locked" false
        "the instance is locked"
        "see in the console why: an unpaid order or a full disk, mostly"
    NotRunning "not_running" false
        "the instance is not running"
        "start it, or leave it alone"
    CloudWindowUncertain "cloud_window_uncertain" false
        "the maintenance window that the cloud reports cannot be read"
        "write the hours into the rule instead of `window = \"cloud\"`"
    NoWindow "no_window" false
        "no window is in sight that is long enough and on no blackout date"
        "make the window at least 40 minutes long, or take dates out of `blackout`"
    TooEarly "too_early" true
        "it ends later than `before` from now"
        "nothing"
    EndsBeforeWindow "ends_before_window" true
        "it ends before its next window"
        "renew it by hand with `notafter renew --now`, or give it an earlier window or a longer `before`"
    NotAnnounced "not_announced" true
        "it was not announced for long enough"
        "nothing"
    NotApproved "not_approved" true
        "nobody has approved it"
        "approve or reject it"
    NotSentYet "not_sent_yet" true
        "it could not be begun, or a hook said no; nothing reached the cloud"
        "nothing: it is tried again"
    Blackout "blackout" true
        "this is a blackout date"
        "nothing"
    WindowTooShort "window_too_short" true
        "what is left of the window is shorter than a renewal may take"
        "nothing: it waits for the next window"
    OutsideWindow "outside_window" true
        "its window is closed"
        "nothing"
    StaleReading "stale_reading" true
        "what is known of it, or of its group, is not of just now"
        "nothing: it is read again first; where that goes on, the detail says why a reading fails"
    HostUncertain "host_uncertain" false
        "the host that its certificate protects is not known for sure, and another one would lose its protection"
        "renew it in the cloud's console"
    UnderWayElsewhere "under_way_elsewhere" true
        "somebody else is changing its TLS already"
        "nothing: it is looked at again when that is over"
    Changing "changing" true
        "the cloud says it is being changed"
        "nothing: it is looked at again when that is over"
    GroupBusy "group_busy" true
        "another member of its replication group is being changed, or does not run"
        "nothing: it comes after that one"
    AccountLimit "account_limit" true
        "as many as `max_in_progress` allows are under way in its account"
        "nothing: it comes after those"
    DayLimit "day_limit" true
        "as many as `max_per_day` allows were begun within 24 hours"
        "nothing, or raise `max_per_day`"
    ModePlan "mode_plan" true
        "it would be renewed now; mode \"plan\" only shows"
        "set `mode` to \"approve\" or \"auto\""
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_reason_has_a_code_of_its_own_and_words_without_a_full_stop() {
        let codes: BTreeSet<_> = Refusal::ALL.iter().map(|why| why.code()).collect();
        assert_eq!(codes.len(), Refusal::ALL.len());
        for why in Refusal::ALL {
            let plain = why.code().chars().all(|c| c.is_ascii_lowercase() || c == '_');
            assert!(plain, "{}", why.code());
            for words in [why.text(), why.advice()] {
                assert!(!words.is_empty() && !words.ends_with('.'), "{}: {words}", why.code());
            }
        }
    }
}
