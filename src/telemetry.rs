//! stub
#![allow(missing_docs)]
use crate::domain::identity::Scope;
use crate::domain::reason::Reason;
use std::time::Duration;
#[derive(Debug, Default)]
pub struct Telemetry;
impl Telemetry {
    pub fn new() -> Self {
        Self
    }
    pub fn call(&self, _provider: &str, _account: &str, _action: &str, _took: Duration) {}
    pub fn call_failed(&self, _provider: &str, _account: &str, _action: &str, _reason: Reason) {}
    pub fn round(&self, _scope: &Scope) {}
    pub fn scope_error(&self, _scope: &Scope, _reason: Reason) {}
    pub fn preset_account(&self, _provider: &str, _account: &str, _actions: &[&str]) {}
    pub fn preset_scope(&self, _scope: &Scope) {}
    pub fn forget_scope(&self, _scope: &Scope) {}
}
