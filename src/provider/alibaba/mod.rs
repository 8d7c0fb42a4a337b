//! Alibaba Cloud: Redis and Tair, RDS, MongoDB.

pub mod sign;
