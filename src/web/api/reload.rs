//! `POST /-/reload`: what is answered when a configuration was read again and is used.

use serde::{Deserialize, Serialize};

use crate::web::inside::Reloaded;

/// A configuration that is used from now on.
#[derive(Debug, Serialize, Deserialize)]
#[allow(missing_docs)] // named as the members, which the OpenAPI document explains
pub struct ReloadItem {
    pub reloaded: bool,
    pub accounts: usize,
    pub channels: usize,
    pub warnings: Vec<String>,
}

impl From<Reloaded> for ReloadItem {
    fn from(done: Reloaded) -> Self {
        let Reloaded { accounts, channels, warnings } = done;
        let warnings = warnings.lines().map(str::to_owned).collect();
        Self { reloaded: true, accounts, channels, warnings }
    }
}
