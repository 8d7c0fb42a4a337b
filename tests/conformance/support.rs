//! The ways to build a fleet and an account that the clouds' own tests have.

#[allow(dead_code, unused_imports)]
#[path = "../cloud/support.rs"]
pub(crate) mod alibaba;
#[allow(dead_code, unused_imports)]
#[path = "../huawei/support.rs"]
pub(crate) mod huawei;
#[allow(dead_code, unused_imports)]
#[path = "../ucloud/support.rs"]
pub(crate) mod ucloud;
