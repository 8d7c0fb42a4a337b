//! What became of a Modify call, by its answer: taken, refused for sure, or nobody knows.
//!
//! "Refused" is a promise that nothing happens, and it is given only for codes that are decided before the cloud begins with
//! anything: condition, rights, money, parameters, pace. Codes that tell of a failure inside the cloud ([`INSIDE`]) leave that
//! open, whatever their status, and so does a server error with a code that nobody wrote down: only reading can tell then. The
//! classes are those of the vendor's documents. Pure.
//!
//! A status alone promises nothing: gateways and proxies answer 4xx too, some of them after our request went on to the cloud
//! (408, 425 and 499 say little else). So it takes a code in the cloud's own form. One that is written down below is the
//! cloud's word whatever the status. One that nobody wrote down counts as its word only with the `RequestId` that every answer
//! of the cloud has, and not with a status that means "too late": to call something lost that was refused costs 40 minutes
//! of reading, the other way round somebody is told that nothing happens while a database restarts.

use reqwest::StatusCode;

use super::errors;
use crate::call::{CallError, CallErrorKind};
use crate::domain::renewal::attempt::Class;
use crate::provider::Sent;

/// Something went wrong inside, perhaps in the middle of it; and a number that was used once already, which means that
/// somebody on the way sent our request twice and this is the answer to the second.
const INSIDE: &[&str] = &[
    "InternalError",
    "ServiceUnavailable",
    "ExternalFailure",
    "RequestMetaDataFailed",
    "InvokeProxyFailure",
    "SqlExecuteFailedOrTimeout",
    "TimeoutRetryLater",
    "ConnectTimeoutRetryLater",
    "SignatureNonceUsed",
];

/// Passes by itself.
const RETRY: &[&str] = &[
    "IncorrectDBInstanceState",
    "InvalideStatus.Format",
    "ConcurrentLimit",
    "ConcurrentTaskExceeded",
    "LockTimeout",
    "ServerBusy",
    "CommodityServiceCalling.Exception",
    "Price.CommoditySys",
    "System.SaleValidateFailed",
    "OrdTCommodityQueryError",
];

/// Somebody has to unlock, pay, grant, replace or upgrade something.
const PERSON: &[&str] = &[
    "IncorrectDBInstanceLockMode",
    "OrderStatus.UnPaid",
    "Order.InstHasUnpaidOrder",
    "Order.ComboInstanceNotAllowOperate",
    "Order.PeriodInvalid",
    "Order.NoRealNameAuthentication",
    "InsufficientAvailableQuota",
    "Pay.InsufficientBalance",
    "pay.noCreditCard",
    "Pay.NoCreditCard",
    "noAvailablePaymentMethod",
    "BasicInfoUncompleted",
    "Risk.RiskControlRejection",
    "ContainForbiddenLabelError",
    "Price.PricingPlanResultNotFound",
    "Commodity.InvalidComponent",
    "Abs.InvalidAccount.NotFound",
    "Forbidden.RAM",
    "Forbidden",
    "NoPermission",
    "InvalidUserOperatorPermission",
    "NotInFlowController",
    "InvalidServerCertOrPrivateKey",
    "InvalidClientCACert",
    "InvalidClientCrl",
    "InvalidClientCrl.Permission",
    "InvalidACL.Permission",
    "InvalidKmsKey",
    "KmsApiError",
    "InvalidClusterKms",
    "IncorrectMinorVersion",
    "CloudSSDNotSupport",
    "RegionDissolvedEOM",
    "RegionEndTimeDissolvedIndia",
    "RegionEndTimeDissolvedAustralia",
];

/// The same call will never be taken: gone, off, not possible here, or our mistake.
const PERMANENT: &[&str] = &[
    "Endpoint.NotFound",
    "Request.NotFound",
    "HostInfo.NotFound",
    "InvalidSSLStatus",
    "IncorrectDBSslStatus",
    "InvalidCAType.NotFound",
    "InvalidACL.NotFound",
    "InvalidModifyMode.Format",
    "RequiredParam.NotFound",
    "Parameters.Invalid",
    "InvalidParam",
    "InvalidParameters.Format",
    "InvalidAction.NotFound",
    "InvalidVersion",
    "SSLDisableStateExistsFault",
    "SSLEnabledStateExistsFault",
    "SSLNotEnabled",
    "SSLAlreadyEnabled",
    "SSLAlreadyDisabled",
    "IncorrectTargetClasscode",
    "InvalidInstanceLevel.DiskType",
    "InvalidInstanceLevel.Malformed",
    "VpcNetworkTypeNotSupport",
    "UnsupportedClassCode",
    "BackupPolicyNotSupport",
    "MirrorInsExists",
    "InvalidBackupSet",
    "InvalidReduceDiskSize",
    "InvalidVswitchId",
    "OperationDenied.ZoneResource",
    "InvalidReleasedKeepPolicy.Format",
    "InvalidConnectionString.Duplicate",
];

/// Beginnings of codes that belong together: a parameter that is missing, other calls of the family.
const PERMANENT_PREFIXES: &[&str] = &["Missing", "ColdData."];

/// What these statuses mean is that somebody on the way did not wait, whoever words it.
const TOO_LATE: &[u16] = &[408, 425, 499];

/// What became of a call that was answered with an error.
pub(super) fn outcome(status: StatusCode, error: CallError) -> Sent {
    match error.code.as_deref().and_then(|code| class(code, status, &error)) {
        Some(class) => Sent::Refused {
            class,
            text: error.message.into(),
            code: error.code.unwrap_or_default().into(),
            request_id: error.request_id.unwrap_or_default().into(),
        },
        None => Sent::Lost { text: error.to_string().into() },
    }
}

/// What a refusal means; `None` where the code does not promise that nothing happens.
fn class(code: &str, status: StatusCode, error: &CallError) -> Option<Class> {
    let is_known = |codes: &[&str]| codes.contains(&code);
    match () {
        () if is_known(INSIDE) => None,
        () if is_known(PERSON) || error.kind == CallErrorKind::KeyDenied => Some(Class::Person),
        () if is_known(RETRY) || matches!(error.kind, CallErrorKind::Throttled(_)) => Some(Class::Retry),
        () if is_known(PERMANENT) || errors::is_about_the_instance(code) => Some(Class::Permanent),
        () if PERMANENT_PREFIXES.iter().any(|prefix| code.starts_with(prefix)) => Some(Class::Permanent),
        () => {
            let is_its_word = error.request_id.as_deref().is_some_and(|id| !id.is_empty());
            let refuses = status.is_client_error() && !TOO_LATE.contains(&status.as_u16());
            (is_its_word && refuses).then_some(Class::Person)
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use chrono::DateTime;
    use reqwest::header::HeaderMap;

    use super::*;
    use crate::http::Answer;
    use crate::provider::alibaba::wire::Modified;
    use crate::provider::keys::Keys;
    use crate::secret::Secret;

    fn told(status: u16, body: String) -> Sent {
        let status = StatusCode::from_u16(status).expect("a status");
        let (id, secret) = (Secret::new("LTAI5tKeyId"), Secret::new("itsSecret"));
        let keys = Keys { id, secret, token: None, expires: None };
        let answer = Answer { status, headers: HeaderMap::new(), body: Bytes::from(body) };
        let read = errors::read::<Modified>(&answer, "rds:ModifyDBInstanceSSL", DateTime::UNIX_EPOCH, &keys);
        outcome(status, read.expect_err("a failure"))
    }

    fn code(status: u16, code: &str) -> Option<Class> {
        match told(status, format!(r#"{{"Code":"{code}","Message":"m","RequestId":"R-1"}}"#)) {
            Sent::Refused { class, code: told, request_id, .. } => {
                assert_eq!((&*told, &*request_id), (code, "R-1"));
                Some(class)
            }
            Sent::Lost { text } => {
                assert!(text.contains(code) && text.contains("R-1"), "{text}");
                None
            }
            other => panic!("{code}: {other:?}"),
        }
    }

    /// Section by section as the vendor's documents have them, statuses included where they are known.
    #[test]
    fn every_documented_code_has_its_meaning() {
        let retry = "IncorrectDBInstanceState 403, InvalideStatus.Format 400, ConcurrentLimit 400, \
            ConcurrentTaskExceeded 403, LockTimeout 400, CommodityServiceCalling.Exception 400, Price.CommoditySys 400, \
            System.SaleValidateFailed 400, OrdTCommodityQueryError 400, Throttling 400, Throttling.User 400, \
            Throttling.Api 400, Rejected.Throttling 429, ServerBusy 403";
        let person = "IncorrectDBInstanceLockMode 403, OrderStatus.UnPaid 403, Order.InstHasUnpaidOrder 400, \
            Order.ComboInstanceNotAllowOperate 400, Order.PeriodInvalid 400, Order.NoRealNameAuthentication 400, \
            InsufficientAvailableQuota 400, Pay.InsufficientBalance 400, pay.noCreditCard 400, Pay.NoCreditCard 400, \
            noAvailablePaymentMethod 400, BasicInfoUncompleted 400, Risk.RiskControlRejection 400, \
            ContainForbiddenLabelError 400, Price.PricingPlanResultNotFound 400, Commodity.InvalidComponent 400, \
            Abs.InvalidAccount.NotFound 404, Forbidden.RAM 403, NoPermission 403, InvalidUserOperatorPermission 403, \
            NotInFlowController 403, InvalidServerCertOrPrivateKey 400, InvalidClientCACert 400, InvalidClientCrl 400, \
            InvalidClientCrl.Permission 403, InvalidACL.Permission 403, InvalidKmsKey 400, KmsApiError 400, \
            InvalidClusterKms 400, IncorrectMinorVersion 403, CloudSSDNotSupport 400, RegionDissolvedEOM 403, \
            RegionEndTimeDissolvedIndia 403, RegionEndTimeDissolvedAustralia 403, InvalidAccessKeyId.NotFound 404, \
            InvalidAccessKeyId.Inactive 400, SignatureDoesNotMatch 400, IncompleteSignature 400, \
            InvalidTimeStamp.Expired 400, MissingSecurityToken 400, InvalidSecurityToken.Expired 400, \
            Forbidden.AccessKeyDisabled 403, Forbidden 403";
        let permanent = "Endpoint.NotFound 404, InvalidDBInstanceId.NotFound 404, InvalidInstanceId.NotFound 404, \
            InvalidDBInstance.NotFound 404, InvalidDbInstanceId.NotFound 404, InvalidDBInstanceName.NotFound 404, \
            Request.NotFound 404, HostInfo.NotFound 404, InvalidSSLStatus 400, IncorrectDBSslStatus 403, \
            InvalidCAType.NotFound 404, InvalidACL.NotFound 404, InvalidModifyMode.Format 400, RequiredParam.NotFound 404, \
            Parameters.Invalid 400, InvalidParam 400, InvalidParameters.Format 400, MissingConnectionString 400, \
            MissingDBInstanceId 400, SSLDisableStateExistsFault 400, SSLEnabledStateExistsFault 400, SSLNotEnabled 403, \
            SSLAlreadyEnabled 400, SSLAlreadyDisabled 400, IncorrectEngineVersion 403, IncorrectCharacterType 403, \
            InvalidRedisVersionPattern 400, InstanceType.NotSupport 400, EnabledSSLNotSupport 404, \
            InvaildEngineInRegion.ValueNotSupported 400, InstanceEngineType.NotSupport 403, \
            OperationDenied.DBInstanceType 403, IncorrectDBInstanceType 403, InvalidDBInstanceEngineType.Format 400, \
            Api.NotSupport 400, StorageTypeOrInstanceTypeNotSupported 400, SingleNodeNotSupport 400, \
            IncorrectTargetClasscode 400, InvalidInstanceLevel.DiskType 400, InvalidInstanceLevel.Malformed 400, \
            VpcNetworkTypeNotSupport 403, UnsupportedClassCode 400, ColdData.Anything 400, BackupPolicyNotSupport 400, \
            MirrorInsExists 400, InvalidBackupSet 400, InvalidReduceDiskSize 400, InvalidVswitchId 400, \
            OperationDenied.ZoneResource 403, InvalidReleasedKeepPolicy.Format 400, \
            InvalidConnectionString.Duplicate 400, InvalidAction.NotFound 404, InvalidVersion 400";
        let open = "InternalError 500, ServiceUnavailable 503, ExternalFailure 500, RequestMetaDataFailed 500, \
            InvokeProxyFailure 500, SqlExecuteFailedOrTimeout 400, TimeoutRetryLater 400, ConnectTimeoutRetryLater 400, \
            SignatureNonceUsed 400, Nobody.WroteThisDown 500, Nobody.WroteThisDown 200";
        for (codes, want) in [
            (retry, Some(Class::Retry)),
            (person, Some(Class::Person)),
            (permanent, Some(Class::Permanent)),
            (open, None),
            ("Nobody.WroteThisDown 400, Nobody.WroteThisDown 404", Some(Class::Person)),
            ("Nobody.WroteThisDown 408, Nobody.WroteThisDown 425, Nobody.WroteThisDown 499", None),
            ("ServerBusy 408, IncorrectDBInstanceState 499", Some(Class::Retry)),
            ("TimeoutRetryLater 408, InternalError 499", None),
        ] {
            for (name, status) in codes.split(", ").map(|one| one.split_once(' ').expect("code and status")) {
                assert_eq!(code(status.parse().expect("a status"), name), want, "{name} {status}");
            }
        }
    }

    #[test]
    fn no_code_stands_in_two_places() {
        let mut all = [INSIDE, RETRY, PERSON, PERMANENT].concat();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn an_answer_that_is_none_of_the_clouds_says_nothing() {
        for (name, status, body) in [
            ("a gateway", 502, "<html>"),
            ("a gateway that knows no better", 404, "<html>"),
            ("a gateway that is asked too often", 429, "slow down"),
            ("a gateway that did not wait", 408, "upstream request timeout"),
            ("a gateway whose client went away", 499, ""),
            ("too early", 425, "{}"),
            ("a proxy that refuses in JSON", 403, r#"{"error":"blocked"}"#),
            ("with a code of its own", 400, r#"{"code":"bad_request","message":"m"}"#),
            (
                "with a number for a code",
                404,
                r#"{"code":404,"message":"no Route matched with those values"}"#,
            ),
            ("with an empty id", 400, r#"{"Code":"Nobody.WroteThisDown","RequestId":""}"#),
            ("nothing", 500, ""),
            ("nothing, well", 200, ""),
            ("a redirect", 302, ""),
            ("a list", 200, "[]"),
            ("a cut answer", 200, r#"{"RequestId":"#),
        ] {
            let sent = told(status, body.to_owned());
            assert!(matches!(&sent, Sent::Lost { text } if !text.is_empty()), "{name}: {sent:?}");
        }
    }
}
